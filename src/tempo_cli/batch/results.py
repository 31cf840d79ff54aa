"""The file of results: whole lines, each on the disk before the next is begun, by one process at a time."""

import os
import stat
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..checked import parse_object
from ..errors import SetupError, TempoError, UsageError
from ..files import reason
from ..plan.schedule import Job
from ..schema import SCHEMA
from ..written import discard, partial_path
from .outcome import error_of

if sys.platform != "win32":
    import fcntl

_LONGEST_LINE = 64 * 2**20  # bytes
_BEGINNING = b'{"schema": "' + SCHEMA.encode()
_ELSEWHERE = "Name another file with -o."


@dataclass(frozen=True)
class Recorded:
    """What a line says about its job.

    Attributes:
        digest: of the job's content; None where another program wrote the line.
        error: None where it was answered.
    """

    id: str
    digest: str | None
    video: str | None
    question: str | None
    model: str | None
    error: TempoError | None


class ResultsFile:
    """The lines of one file. It is locked as long as this is open; a context manager.

    A line that was cut off at the end, by a kill or a power failure, is removed. Where the path is no
    regular file (a pipe, /dev/null), lines are written and nothing is read.

    Attributes:
        recorded: what the lines say, by job id.

    Raises:
        UsageError: another batch writes the file, or it holds something else than results.
        SetupError: it can't be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recorded: dict[str, Recorded] = {}
        self._replaced: set[str] = set()
        try:
            self._file, self._regular = _locked(path)
        except OSError as error:
            raise _unwritable(path, error) from None
        try:
            if self._regular:
                self._read()
        except OSError as error:
            self.close()
            raise _unwritable(path, error) from None
        except BaseException:
            self.close()
            raise

    def append(self, line: str) -> None:
        """Write a line and wait until it is on the disk. If that fails, nothing of it stays.

        Raises:
            SetupError: it can't be written, as on a full disk.
        """
        data, replaced = line.encode("ascii") + b"\n", set[str]()
        while self._replaced:  # jobs may come meanwhile, in another thread
            replaced.add(self._replaced.pop())
        try:
            if replaced:
                self._rewrite(replaced, data)
            else:
                self._add(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise SetupError(
                f"a result can't be written to '{self.path}': {reason(error)}",
                "Free some disk and run the same command again: it goes on with this job.",
            ) from None

    def _add(self, data: bytes) -> None:
        descriptor = self._file.fileno()
        before = os.lseek(descriptor, 0, os.SEEK_END) if self._regular else 0
        try:
            _write(descriptor, data)
            if self._regular:
                os.fsync(descriptor)
        except OSError:
            if self._regular:
                os.ftruncate(descriptor, before)
            raise

    def check(self, jobs: Iterable[Job]) -> None:
        """Raise UsageError if a job's id is recorded with other content."""
        for job in jobs:
            found = self.recorded.get(job.id)
            if found is not None and found.digest is not None and found.digest != job.digest:
                raise UsageError(
                    f"the job '{job.id}' is in '{self.path}' with {_difference(job, found)}",
                    "Do failed jobs again with `retry_failed`."
                    if found.error is not None
                    else "Give it another id, or name another file with -o.",
                )

    def check_model(self, model: str) -> None:
        """Raise UsageError if lines are of another model."""
        for found in self.recorded.values():
            if found.model is not None and found.model != model:
                raise UsageError(
                    f"'{self.path}' has results of the model {found.model}, not {model}", _ELSEWHERE
                )

    def lines(self, place: int = 0) -> Iterator[tuple[int, bytes]]:
        """Every line from `place` on, with the byte at which it begins; none where the path is no file."""
        if not self._regular:
            return
        self._file.seek(place)
        for line in self._lines():
            if line.strip():
                yield place, line
            place += len(line)

    def close(self) -> None:
        """Unlock it. Repeatable."""
        self._file.close()

    def __enter__(self) -> "ResultsFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        """Read all lines; cut off a half one, and end a whole one that lacks its end."""
        whole, last = 0, b""
        self._file.seek(0)
        for number, line in enumerate(self._lines(), 1):
            if not line.endswith(b"\n"):
                last = line
                break
            whole += len(line)
            self._note(line, number)
        if not last:
            return
        if not last.startswith(_BEGINNING[: len(last)]):
            raise UsageError(f"'{self.path}' does not hold results of tempo", _ELSEWHERE)
        try:
            parse_object(last)
        except ValueError:
            os.ftruncate(self._file.fileno(), whole)
        else:
            self._note(last, 0)
            os.lseek(self._file.fileno(), 0, os.SEEK_END)
            _write(self._file.fileno(), b"\n")
        os.fsync(self._file.fileno())

    def _lines(self) -> Iterator[bytes]:
        while line := self._file.readline(_LONGEST_LINE):
            yield line

    def _note(self, line: bytes, number: int) -> None:
        if not line.strip():
            return
        try:
            found = _recorded(parse_object(line))
        except (ValueError, KeyError, TypeError):
            raise UsageError(
                f"'{self.path}' does not hold results of tempo: line {number}", _ELSEWHERE
            ) from None
        self.recorded[found.id] = found

    def replace(self, names: Iterable[str]) -> None:
        """Do jobs again: their lines are forgotten now, and leave the file with the next `append`."""
        for name in names:
            del self.recorded[name]
            self._replaced.add(name)

    def _rewrite(self, left_out: Collection[str], line: bytes) -> None:
        """Replace the file by one without these jobs' lines and with a new one, at once or not at all."""
        target = Path(os.path.realpath(self.path))
        part = partial_path(target)
        kept = part.open("xb+", buffering=0)
        try:
            _lock(kept)
            self._file.seek(0)
            for old in self._lines():
                if old.strip() and str(parse_object(old)["id"]) not in left_out:
                    _write(kept.fileno(), old)
            _write(kept.fileno(), line)
            os.fsync(kept.fileno())
            with suppress(OSError):  # rights that can't be kept, as on FAT
                part.chmod(stat.S_IMODE(os.fstat(self._file.fileno()).st_mode))
            part.replace(target)
        except BaseException:
            kept.close()
            raise
        finally:
            discard(part)
        _sync_folder(target.parent)
        self._file.close()
        self._file = kept


def _locked(path: Path) -> tuple[IO[bytes], bool]:
    """The open file, locked, and whether it is a regular one."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        if path.exists() and not path.is_file():
            flags = os.O_WRONLY | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags, 0o666)
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        if not regular:
            return os.fdopen(descriptor, "wb", buffering=0), False
        file = os.fdopen(descriptor, "rb+")
        try:
            _lock(file)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return file, True  # else another batch has just replaced it
        except BlockingIOError:
            file.close()
            raise UsageError(
                f"another batch writes to '{path}'", "Wait for it, or name another file with -o."
            ) from None
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: IO[bytes]) -> None:
    """Lock a file, where its file system can.

    Raises:
        BlockingIOError: another process has the lock.
    """
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _recorded(value: dict[str, Any]) -> Recorded:
    if value["schema"] != SCHEMA or value["status"] not in ("ok", "error") or value["id"] is None:
        raise ValueError
    return Recorded(
        id=str(value["id"]),
        digest=value.get("job"),
        video=value["video"]["path"],
        question=value["question"],
        model=value["model"]["id"],
        error=error_of(value["error"]) if value["status"] == "error" else None,
    )


def _difference(job: Job, found: Recorded) -> str:
    if found.video != job.video:
        return f"another video, '{found.video}'"
    if found.question != job.question:
        return f"another question, '{found.question}'"
    return "other options"


def _unwritable(path: Path, error: OSError) -> SetupError:
    if isinstance(error, FileNotFoundError) and not path.parent.is_dir():
        return SetupError(f"there is no folder '{path.parent}'", f"Create it first: mkdir -p '{path.parent}'")
    return SetupError(f"'{path}' can't be written: {reason(error)}", "Name another file with -o.")
