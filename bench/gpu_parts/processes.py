"""Child processes that end when they should, and whatever they leave behind (Linux). Imports no torch.

ffmpeg runs in a session of its own, so killing a process group does not reach it. A process that adopts
orphans (`adopt_orphans`) becomes the parent of whatever its children leave behind: it can see and end it.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

_PARENT_DEATH_SIGNAL, _CHILD_SUBREAPER = 1, 36  # <sys/prctl.h>
_STEP = 0.02  # seconds between two looks


def adopt_orphans() -> None:
    """From now on a process whose parent ended becomes a child of this one."""
    _prctl(_CHILD_SUBREAPER, 1)


def end_with_parent() -> None:
    """End this process and all that it started on SIGTERM, and when its parent ends."""
    adopt_orphans()

    def leave(number: int, _: FrameType | None) -> None:
        end_descendants()
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    parent = os.getppid()
    _prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before it was asked for
        os._exit(128 + signal.SIGTERM)


def descendants(of: int | None = None) -> dict[int, str]:
    """{pid: name} of the live processes below a process (this one); zombies do not count."""
    parents, names = {}, {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it is gone already
            head, _, rest = entry.read_text().rpartition(")")
            state, parent = rest.split()[:2]
            pid = int(entry.parent.name)
            parents[pid] = int(parent)
            if state not in "ZX":
                names[pid] = head.partition("(")[2]
    found, level = {}, {of or os.getpid()}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found.update({pid: names[pid] for pid in level if pid in names})
    return found


def end(process: "subprocess.Popen[bytes]", grace: float = 3.0) -> None:
    """Ask the process to end, make it end after `grace` seconds, and end what it leaves behind."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    end_descendants()


def end_descendants() -> None:
    """Kill and reap every process below this one."""
    deadline = time.monotonic() + 10
    while (left := descendants()) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        time.sleep(_STEP)
    _reap()


def settle(known: dict[int, str], seconds: float) -> dict[int, str]:
    """Processes below this one that are not in `known` and do not end by themselves within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        left = {pid: name for pid, name in descendants().items() if pid not in known}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(_STEP)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
