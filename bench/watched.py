"""Processes whose memory is watched, with that of all their children (Linux). Not a script."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

INTERVAL = 0.05  # seconds between two looks at the memory


@dataclass
class Process:
    """A finished process: seconds by the clock and of processors, its peak memory, and what it wrote."""

    seconds: float
    cpu: float
    peak_bytes: int
    output: str


def run(arguments: list[str], **variables: str) -> Process:
    """Run a process to its end and watch its memory, with that of all its children."""
    started = time.perf_counter()
    process = subprocess.Popen(
        arguments, env=os.environ | variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    peaks, ended = [0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks, ended))
    watcher.start()
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    ended.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{arguments} ended with status {process.returncode}")
    return Process(seconds, usage.ru_utime + usage.ru_stime, max(peaks), output)


def _watch(pid: int, peaks: list[int], ended: threading.Event) -> None:
    while not ended.wait(INTERVAL):
        peaks.append(sum(_pss(one) for one in _family(pid)))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in path.read_text().split():
                yield from _family(int(child))
        except OSError:  # it has just ended
            continue


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
