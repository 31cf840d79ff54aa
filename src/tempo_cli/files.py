"""Reading untrusted files: up to a size limit, and never waiting for a pipe or a device."""

import os
import stat
from pathlib import Path

LARGEST_JSON = 16 * 2**20  # bytes
LARGEST_TOKENIZER = 64 * 2**20  # bytes; the released one has 11 million


def user_path(text: str) -> Path:
    """A path as a user wrote it, with the home folder for `~`.

    Raises:
        ValueError: it is no path, or there is no such home folder.
    """
    if "\0" in text:
        raise ValueError("it has a null character")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("there is no such home folder") from None


def exists(path: Path) -> bool:
    """Whether the file or folder exists, as far as can be known."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_same(one: Path, other: Path) -> bool:
    """Whether two names refer to the same file, as far as can be known."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


def reason(error: Exception) -> str:
    """Why a file can't be read or written, in few words."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if told.startswith("Exceeds the limit ("):  # Python's own words name a function of its own
        return "a number has too many digits"
    return " ".join(told.split()) or type(error).__name__


def read_bytes(path: Path, most: int, *, whole: bool = False) -> bytes:
    """The first `most` bytes of a regular file. It never waits, as a pipe or a device could make it.

    Args:
        whole: refuse a longer file.

    Raises:
        OSError: it can't be read.
        ValueError: it is no regular file, or is too long; or no file can have this name.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        raw = file.read(most + 1 if whole else most)
    if len(raw) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return raw


def open_regular(path: Path) -> int:
    """A descriptor to read a regular file.

    Raises:
        OSError: it can't be opened.
        ValueError: it is no regular file.
    """
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    )
    descriptor = os.open(path, flags)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(None, "it is a folder", str(path))
        if not stat.S_ISREG(mode):
            raise ValueError("it is not a regular file")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
