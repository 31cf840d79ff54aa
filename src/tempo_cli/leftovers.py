"""Child processes and unfinished files, registered for code that has to end the process at once."""

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
# by identity; not a WeakSet, which can't be listed while another thread adds to it
_children: dict[int, "weakref.ref[Runner]"] = {}


def note_file(path: Path) -> None:
    """Remove it, too, in `remove_leftovers`: it is not finished."""
    _files.add(path)


def forget_file(path: Path) -> None:
    """It is finished, or gone. Repeatable."""
    _files.discard(path)


def note_child(child: Runner) -> None:
    """End it, too, in `remove_leftovers`, as long as anybody holds it."""
    number = id(child)
    _children[number] = weakref.ref(child, lambda _: _children.pop(number, None))


def forget_child(child: Runner) -> None:
    """It has ended."""
    _children.pop(id(child), None)


def remove_leftovers() -> None:
    """End all children and remove all unfinished files, from any thread."""
    noted, deadline = list(_children.values()), time.monotonic() + _PATIENCE
    children = [child for child in (reference() for reference in noted) if child is not None]
    for child in children:
        with suppress(OSError):
            child.kill()
    for child in children:
        child.wait(max(0.0, deadline - time.monotonic()))
    for path in tuple(_files):
        with suppress(OSError):
            path.unlink()
