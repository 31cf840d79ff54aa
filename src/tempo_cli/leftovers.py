"""Child processes and temporary folders, known to whoever has to end the process at once."""

import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from typing import Protocol

_PATIENCE = 0.2  # seconds until a killed child is not waited for any more


class Runner(Protocol):
    """A child process."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self, seconds: float) -> int | None:
        """Its exit status; None if it takes longer than `seconds` to end."""


_folders: set[str] = set()
_children: "weakref.WeakSet[Runner]" = weakref.WeakSet()


class TemporaryFolder:
    """A folder that goes with `close`, or with the process.

    Attributes:
        name: its path.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tempo-", ignore_cleanup_errors=True)
        self.name = self._folder.name
        _folders.add(self.name)

    def close(self) -> None:
        """Remove it. Repeatable."""
        self._folder.cleanup()
        _folders.discard(self.name)


def note_child(child: Runner) -> None:
    """End it, too, in `remove_leftovers`, as long as anybody holds it."""
    _children.add(child)


def forget_child(child: Runner) -> None:
    """It has ended."""
    _children.discard(child)


def remove_leftovers() -> None:
    """End all children and remove all folders, from any thread."""
    children, deadline = list(_children), time.monotonic() + _PATIENCE
    for child in children:
        with suppress(OSError):
            child.kill()
    for child in children:
        child.wait(max(0.0, deadline - time.monotonic()))
    for name in tuple(_folders):
        shutil.rmtree(name, ignore_errors=True)
