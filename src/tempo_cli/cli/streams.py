"""Standard streams that may be closed, full or gone: an error of its own, never a bug. Imports little."""

import codecs
import io
import os
import sys
from collections.abc import Callable
from typing import TextIO

CLOSED_PIPE = 141
PLAIN = "tempo-plain"  # how characters are written that a stream's encoding lacks
_SIMILAR = str.maketrans("▁▂▃▄▅▆▇█▏▎▍▌▋▊▉…·→“”✓✗", '_.:-=+*#.::==++~->""+x')


class OutputError(OSError):
    """Standard output can't be written, for another reason than that its reader has gone."""


class _Out(io.FileIO):
    def write(self, data: "object") -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from None


class _Err(io.FileIO):
    """What can't be shown is lost: no command fails because of it."""

    def write(self, data: "object") -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError:
            return memoryview(data).nbytes  # type: ignore[arg-type]


def _in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    """For tempo's own bars and signs a similar ASCII character, for all others their code."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end].translate(_SIMILAR)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error(PLAIN, _in_plain_characters)


def guard_streams() -> None:
    """Give stdin, stdout and stderr something behind them, and distinguishable errors."""
    for number in range(3):
        _fill(number)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  for as long as the process lives
    sys.stdout = _guarded(sys.stdout, 1, _Out)
    sys.stderr = _guarded(sys.stderr, 2, _Err)


def finish(code: int, report: Callable[[OutputError], int]) -> int:
    """Write out what waits, and give the exit code.

    Args:
        code: of the command; its own failure goes before that of its output.
        report: reports an output that can't be written; returns its exit code.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = CLOSED_PIPE
    except OutputError as error:
        code = code or report(error)
    else:
        if code != CLOSED_PIPE:
            return code
    # so that the interpreter's own flush at exit has nowhere to fail
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _fill(number: int) -> None:
    """Else the next file that is opened would get the number of a closed stream, and be written to."""
    try:
        os.fstat(number)
    except OSError:
        # reading only: what is written to standard output fails, as it should
        os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)


def _guarded(stream: TextIO | None, number: int, kind: type[io.FileIO]) -> io.TextIOWrapper:
    if sys.platform == "win32" and isinstance(stream, io.TextIOWrapper) and stream.isatty():
        return stream  # a console there is no file
    encoding = getattr(stream, "encoding", None) or "utf-8"
    raw = kind(number, "w", closefd=False)
    lines = number == 2 or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors=PLAIN, line_buffering=lines)
