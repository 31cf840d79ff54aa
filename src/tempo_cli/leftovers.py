"""Unfinished files, known to whoever has to end the process at once."""

from contextlib import suppress
from pathlib import Path

_paths: set[Path] = set()


def is_unfinished(path: Path) -> None:
    """From here on `path` is removed where the process is ended at once."""
    _paths.add(path)


def is_settled(path: Path) -> None:
    """`path` is finished, or removed. Repeatable."""
    _paths.discard(path)


def remove_leftovers() -> None:
    """Remove all unfinished files, from any thread."""
    for path in tuple(_paths):
        with suppress(OSError):
            path.unlink()
