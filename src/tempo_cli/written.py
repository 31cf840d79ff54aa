"""Files that a user asked for: written whole or not at all, and never over another file unasked."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from .errors import SetupError, UsageError
from .files import reason
from .leftovers import forget_file, note_file


def check_writable(path: Path, force: bool) -> None:
    """Say before the work what `write_whole` would say after it.

    Raises:
        UsageError: there is such a file, and no `force`.
        SetupError: it is a folder, or its own folder is missing or may not be written to.
    """
    if _is_special(path):
        return
    try:
        if path.is_dir():
            raise SetupError(f"'{path}' is a folder", "Name a file in it.")
        if path.exists() and not force:
            raise _exists(path)
        folder = path.parent
        if not folder.is_dir():
            raise SetupError(f"there is no folder '{folder}'", f"Create it first: mkdir -p '{folder}'")
        if not os.access(folder, os.W_OK):
            raise SetupError(f"'{folder}' may not be written to", "Write the file elsewhere.")
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None


def write_whole(path: Path, data: bytes, force: bool) -> None:
    """Write a file under a temporary name next to it, then rename it.

    Args:
        force: replace a file that is there.

    Raises:
        UsageError: there is such a file, and no `force`.
        SetupError: it can't be written.
    """
    try:
        if _is_special(path):
            path.write_bytes(data)  # a pipe or a device: it can't be replaced
            return
        part = partial_path(path)
        try:
            with part.open("xb") as file:
                file.write(data)
            publish(part, path, force)
        finally:
            discard(part)
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None


def partial_path(path: Path) -> Path:
    """A name next to `path` for an unfinished file; `discard` it, also after `publish`."""
    part = path.with_name(f".{secrets.token_hex(8)}.tempo-part{path.suffix}")
    note_file(part)
    return part


def publish(part: Path, path: Path, force: bool) -> None:
    """Give a finished file its name.

    Raises:
        UsageError: there is such a file, and no `force`.
        OSError: it can't be renamed.
    """
    if force:
        part.replace(path)
        return
    try:
        os.link(part, path)  # unlike a rename, it never replaces a file that has come meanwhile
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without links
        if path.exists():
            raise _exists(path) from None
        part.replace(path)


def discard(part: Path) -> None:
    """Take an unfinished file away, if it is still there."""
    with suppress(OSError):
        part.unlink(missing_ok=True)
    forget_file(part)


def _is_special(path: Path) -> bool:
    """Whether it is there and neither a file nor a folder, as /dev/stdout is."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _exists(path: Path) -> UsageError:
    return UsageError(f"'{path}' exists", "Give `force=True` to replace it, or another name.")


def _unwritable(path: Path, error: Exception) -> SetupError:
    return SetupError(f"'{path}' can't be written: {reason(error)}", "Write it elsewhere.")
