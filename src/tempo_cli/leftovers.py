"""Child processes and unfinished files, known to whoever has to end the process at once."""

import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_PATIENCE = 0.2  # seconds until a killed child is not waited for any more


class Runner(Protocol):
    """A child process."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self, seconds: float) -> int | None:
        """Its exit status; None if it takes longer than `seconds` to end."""


_files: set[Path] = set()
_children: "weakref.WeakSet[Runner]" = weakref.WeakSet()


def note_file(path: Path) -> None:
    """Remove it, too, in `remove_leftovers`: it is not finished."""
    _files.add(path)


def forget_file(path: Path) -> None:
    """It is finished, or gone. Repeatable."""
    _files.discard(path)


def note_child(child: Runner) -> None:
    """End it, too, in `remove_leftovers`, as long as anybody holds it."""
    _children.add(child)


def forget_child(child: Runner) -> None:
    """It has ended."""
    _children.discard(child)


def remove_leftovers() -> None:
    """End all children and remove all unfinished files, from any thread."""
    children, deadline = list(_children), time.monotonic() + _PATIENCE
    for child in children:
        with suppress(OSError):
            child.kill()
    for child in children:
        child.wait(max(0.0, deadline - time.monotonic()))
    for path in tuple(_files):
        with suppress(OSError):
            path.unlink()
