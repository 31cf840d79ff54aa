"""Reading a video in a process of its own: whatever is in the file can't harm this one."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

import tempo_cli

from ..errors import SetupError, UsageError, VideoError
from ..types import VideoInfo
from .child import Child, PipeReader
from .limits import ReadLimits, read_limits
from .reader import command
from .wire import GREETING, WireError, unpack

_KINDS = {kind.code: kind for kind in (UsageError, VideoError, SetupError)}
_CHUNK = 1 << 20
_UNREADABLE = "It is damaged or malicious; convert it with a program that plays it."


def probe(path: str | Path, max_pixels: int | None = None) -> VideoInfo:
    """Read the stream's facts and its packet index, without decoding.

    A process of its own does it, with limits (docs/limits.md).

    Args:
        max_pixels: of a picture at most; None: as `SamplingOptions` has it.

    Raises:
        TypeError: `path` is neither a str nor a Path.
        UsageError: it is a URL.
        VideoError: no such file, not a video, no video stream in a known codec, no frames in it, pictures
            that are too large, or reading it takes too much time or memory.
        SetupError: the process can't be started.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"a video must be a str, a Path or a VideoInfo, not {type(path).__name__}")
    path = Path(path)
    limits = read_limits(_size(path), max_pixels)
    child = _started(path, limits)
    try:
        return _answered(child, path, limits)
    finally:
        child.close()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0  # the reader says what is wrong


def _started(path: Path, limits: ReadLimits) -> Child:
    if not sys.executable:
        raise SetupError(
            "Python does not know its own program, which reads videos",
            "Set `sys.executable` to a Python that has tempo.",
        )
    home = str(Path(tempo_cli.__file__).parent.parent)
    arguments = [
        sys.executable,
        "-I",
        *(["-X", "utf8"] if sys.flags.utf8_mode else []),  # names are read as they are here
        *command(path, limits, [home, *filter(None, sys.path)]),
    ]
    try:
        # libav and numpy need no threads here
        return Child(arguments, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    except ValueError:
        raise VideoError(f"{str(path)!a} is not a file name", "Check the path.") from None
    except OSError as error:
        raise SetupError(
            f"Python can't be started to read videos: {error}", f"Check '{sys.executable}'."
        ) from None


def _answered(child: Child, path: Path, limits: ReadLimits) -> VideoInfo:
    end = time.monotonic() + limits.seconds
    late = False

    def kill() -> None:
        nonlocal late
        late = True
        child.kill()

    reader = PipeReader(child.stdout, child.has_ended, kill)

    def read(size: int) -> bytearray:
        data = bytearray()
        while len(data) < size:  # memory is taken as it comes
            part = reader.read(min(size - len(data), _CHUNK), max(0.0, end - time.monotonic()))
            if not part:
                raise EOFError
            data += part
        return data

    greeted = False
    try:
        greeted = read(len(GREETING)) == GREETING
        answer = unpack(read, path)
    except (EOFError, WireError) as error:
        if not late and not greeted:
            _fail_to_start(child)
        raise VideoError(f"'{path}' {_ending(child, limits, late, error)}", _UNREADABLE) from None
    if isinstance(answer, VideoInfo):
        return answer
    code, message, hint = answer
    if code == "memory":
        raise VideoError(f"'{path}' {_too_large(limits)}", _UNREADABLE)
    if code not in _KINDS:
        raise RuntimeError(f"reading '{path}' failed: {message} ({hint})")
    raise _KINDS[code](message, hint)


def _ending(child: Child, limits: ReadLimits, late: bool, error: Exception) -> str:
    """Why there is no answer, to go after the file's name."""
    if late:
        return f"takes more than {limits.seconds:.0f} s to read"
    if isinstance(error, WireError):
        return f"gives no usable answer when it is read ({error})"
    status = child.wait(1.0)
    if sys.platform != "win32" and status == -signal.SIGALRM:
        return f"has no picture in what is read within {limits.stall:.0f} s"
    if sys.platform != "win32" and status == -signal.SIGXCPU:
        return f"takes more than {limits.seconds:.0f} s to read"
    if status is not None and status < 0:
        return f"can't be read: the process that reads it was ended by {signal.Signals(-status).name}"
    return _too_large(limits)


def _too_large(limits: ReadLimits) -> str:
    return f"takes more than {limits.memory / 1e9:.1f} GB of memory to read"


def _fail_to_start(child: Child) -> NoReturn:
    complaint = PipeReader(child.stderr, child.has_ended, child.kill).read(1 << 16, 1.0)
    last = complaint.decode("utf-8", "replace").strip().rpartition("\n")[2]
    raise SetupError(f"the process that reads videos doesn't start: {last}", "Reinstall tempo.")
