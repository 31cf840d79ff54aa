"""The folder with the frames of earlier runs: private, within a limit, least recently used out first."""

import os
import secrets
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..leftovers import forget_file, note_file
from .entry import EntryError, Index, read_index

if sys.platform != "win32":
    import fcntl

ENTRY, PART = ".frames", ".part"
_LEFT_FREE = 1 << 29  # bytes of the disk that are left to others
_FORGOTTEN = 86_400.0  # seconds after which an unfinished file is nobody's, where files can't be locked


@dataclass(frozen=True)
class Entry:
    """One video's frames, as the folder lists them.

    Attributes:
        size: bytes.
        used: seconds since 1970 when it was last written or read.
    """

    path: Path
    size: int
    used: float

    def video(self) -> str | None:
        """Path of the video; None where the file is not a whole entry."""
        try:
            file, size = open_entry(self.path)
            with file:
                return read_index(file, size).video
        except (OSError, EntryError):
            return None


class FrameFolder:
    """The entries in a folder that is the user's own.

    Nothing here fails because of the disk: what can't be read is not found, and what can't be written is
    not kept.

    Args:
        path: created with mode 0700 when something is first written.
        limit: bytes that all files in it may take; 0 keeps nothing.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self.limit = path, limit

    def find(self, key: str) -> tuple[BinaryIO, Index] | None:
        """The entry with this key, open, and its index; it counts as used now."""
        path = self._entry(key)
        try:
            self._check()
            file, size = open_entry(path)
        except OSError:
            return None
        try:
            index = read_index(file, size)
            if index.key != key:
                raise EntryError("it belongs to another user")
        except (OSError, EntryError):
            file.close()
            self.remove(key)
            return None
        with suppress(OSError):
            os.utime(path)
        return file, index

    def remove(self, key: str) -> None:
        """Take an entry away, as one whose frames were changed."""
        with suppress(OSError):
            self._entry(key).unlink()

    def begin(self) -> "Part | None":
        """A new file for a video that is being decoded; None where nothing can be written here."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check()
            self._forget()
            return Part(self)
        except OSError:
            return None

    def make_room(self, more: int, unseen: int = 0) -> bool:
        """Take the least recently used entries away until `more` bytes fit; whether they do now.

        Args:
            unseen: bytes of a file without a name, which count as well.
        """
        try:
            disk = os.statvfs(self.path) if sys.platform != "win32" else None
            free = disk.f_bavail * disk.f_frsize if disk else more + _LEFT_FREE
            files = list(self._files((ENTRY, PART)))
        except OSError:
            return False
        taken = unseen + sum(entry.size for entry in files)
        oldest = sorted(
            (entry for entry in files if entry.path.suffix == ENTRY), key=lambda entry: entry.used
        )
        while oldest and (taken + more > self.limit or free < more + _LEFT_FREE):
            entry = oldest.pop(0)
            try:
                entry.path.unlink()
            except OSError:
                continue
            taken, free = taken - entry.size, free + entry.size
        return taken + more <= self.limit and free >= more + _LEFT_FREE

    def entries(self) -> list[Entry]:
        """What is kept, most recently used first."""
        try:
            self._check()
            found = list(self._files((ENTRY,)))
        except OSError:
            return []
        return sorted(found, key=lambda entry: -entry.used)

    def trouble(self) -> str | None:
        """Why nothing can be kept here; None if it can."""
        try:
            self._check()
            above = self.path
        except FileNotFoundError:
            above = next((one for one in self.path.parents if one.exists()), self.path)
        except OSError as error:
            return error.strerror or str(error)
        return None if os.access(above, os.W_OK | os.X_OK) else f"'{above}' can't be written"

    def clear(self) -> int:
        """Take every entry away, and what runs that were killed have left; bytes that were freed."""
        freed = 0
        for entry in self.entries():
            with suppress(OSError):
                entry.path.unlink()
                freed += entry.size
        with suppress(OSError):
            freed += self._forget()
        return freed

    def _entry(self, key: str) -> Path:
        return self.path / f"{key}{ENTRY}"

    def _check(self) -> None:
        """Raise OSError unless the folder is ours alone."""
        found = os.lstat(self.path)
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(self.path)
        if sys.platform != "win32" and (found.st_uid != os.geteuid() or found.st_mode & 0o077):
            raise PermissionError(f"others may write to {self.path}")

    def _files(self, suffixes: tuple[str, ...]) -> Iterator[Entry]:
        with os.scandir(self.path) as found:
            for one in found:
                if one.name.endswith(suffixes):
                    with suppress(OSError):
                        facts = one.stat(follow_symlinks=False)
                        if stat.S_ISREG(facts.st_mode):
                            yield Entry(Path(one.path), facts.st_size, facts.st_mtime)

    def _forget(self) -> int:
        """Remove unfinished files that no process holds any more; their bytes."""
        freed = 0
        for entry in list(self._files((PART,))):
            with suppress(OSError):
                if _is_forgotten(entry):
                    entry.path.unlink()
                    freed += entry.size
        return freed


class Part:
    """A file that is being written: in the folder until it is kept or dropped.

    Attributes:
        writer, reader: two unbuffered files on it, each with a place of its own.
        hidden: whether it has no name any more.
    """

    def __init__(self, folder: FrameFolder) -> None:
        self.folder, self.hidden = folder, False
        self.path = folder.path / f"{os.getpid()}-{secrets.token_hex(8)}{PART}"
        note_file(self.path)
        flags = (
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        )
        try:
            self.writer: BinaryIO = os.fdopen(os.open(self.path, flags, 0o600), "wb", buffering=0)
        except OSError:
            forget_file(self.path)
            raise
        try:
            if sys.platform != "win32":
                fcntl.flock(self.writer, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as long as it is open
            self.reader: BinaryIO = os.fdopen(
                os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), "rb", buffering=0
            )
        except OSError:
            self.drop()
            raise

    def hide(self) -> None:
        """Take its name away: it is gone as soon as it is closed, however this process ends."""
        if sys.platform != "win32":
            with suppress(OSError):
                self.path.unlink()
                self.hidden = True
                forget_file(self.path)

    def keep(self, key: str) -> None:
        """Give it its name as an entry, written to the disk.

        Raises:
            OSError: it can't be.
        """
        os.fsync(self.writer.fileno())
        self.path.replace(self.folder.path / f"{key}{ENTRY}")
        forget_file(self.path)

    def drop(self) -> None:
        """Take it away. Repeatable; readers that have it open may read on."""
        with suppress(OSError):
            self.writer.close()
        with suppress(OSError):
            self.path.unlink()
        forget_file(self.path)


def open_entry(path: Path) -> tuple[BinaryIO, int]:
    """An entry, unbuffered, and its size in bytes.

    Raises:
        OSError: it can't be read, or is not a file of the user's own.
    """
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    file = os.fdopen(os.open(path, flags), "rb", buffering=0)
    facts = os.fstat(file.fileno())
    if not stat.S_ISREG(facts.st_mode) or (sys.platform != "win32" and facts.st_uid != os.geteuid()):
        file.close()
        raise PermissionError(f"{path} is not a regular file")
    return file, facts.st_size


def _is_forgotten(entry: Entry) -> bool:
    """Whether the process that wrote it has ended."""
    if sys.platform == "win32":
        return time.time() - entry.used > _FORGOTTEN
    file, _ = open_entry(entry.path)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
