"""The process that reads a video: it limits itself, imports libav, answers on its output, and ends.

`isolated.py` starts it with the folders to import from and one request.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .child import hold_lifeline
from .limits import ReadLimits


def command(path: Path, limits: ReadLimits, folders: list[str]) -> list[str]:
    """The arguments after Python's own that make it read `path`; `folders` is where it imports from."""
    code = "import sys; sys.path[:] = sys.argv[3:]; from tempo_cli.video import reader; reader.main()"
    return ["-c", code, os.fspath(path), json.dumps(asdict(limits)), *folders]


def main() -> None:
    """Answer the request in `sys.argv`."""
    hold_lifeline()
    path, limits = Path(sys.argv[1]), ReadLimits(**json.loads(sys.argv[2]))
    limit(limits.memory, limits.seconds)
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever else prints does not disturb the answer
    from .wire import GREETING

    _write(answers, GREETING)
    nowhere = os.open(os.devnull, os.O_WRONLY)  # from here on nobody reads what libraries print
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    _write(answers, answer(path, limits))
    sys.stdout.flush()
    os._exit(0)  # nothing is left to tidy up, and a large list of packets takes long to


def limit(memory: int, seconds: float) -> None:
    """Keep this process within some memory and time, where the system can."""
    if sys.platform == "win32":
        return
    import resource

    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(OSError, ValueError):  # macOS knows some of them by name only
            resource.setrlimit(what, (most, most))


def alarm(seconds: float) -> Callable[[], None]:
    """A function that, once it was called, must be called again within `seconds`, else this process ends."""
    if sys.platform == "win32":
        return lambda: None
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    return lambda: signal.setitimer(signal.ITIMER_REAL, seconds) and None


def answer(path: Path, limits: ReadLimits) -> bytes:
    """What `wire.unpack` reads: the facts of a video, or why there are none."""
    from ..errors import TempoError
    from .probe import probe
    from .wire import pack_failure, pack_info

    watch = alarm(limits.stall)
    watch()
    try:
        return pack_info(probe(path, limits.max_pixels, watch))
    except TempoError as error:
        return pack_failure(error.code, error.message, error.hint)
    except MemoryError:
        return pack_failure("memory", "", "")
    except Exception as error:  # noqa: BLE001  a bug of ours is told as one, by who asked
        return pack_failure("internal", f"{type(error).__name__}: {error}", _place(error))


def _place(error: BaseException) -> str:
    import traceback

    frame: Any = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _write(pipe: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(pipe, left) :]
