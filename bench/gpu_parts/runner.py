"""Runs one part in a process of its own, up to its limit. Imports no torch."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from . import processes
from .results import Lines, Row

_STEP = 0.1  # seconds between two looks for new rows


class Ended(NamedTuple):
    """How a part ended; `left_behind` names processes that outlived it."""

    status: str
    seconds: float
    code: int
    left_behind: list[str]


def run_part(words: Sequence[str], rows: Path, limit: float, on_row: Callable[[Row], None]) -> Ended:
    """Run a command that appends lines to `rows`, for `limit` seconds at most; each row is told at once.

    Its group is killed beyond the limit, and so is what lives on in sessions of its own. The same happens
    where this function is left by an exception.
    """
    processes.adopt_orphans()
    started, lines = time.monotonic(), Lines(rows)
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
    )  # libraries may print; the last line of stdout is the report's
    status = "timed_out"
    try:
        while time.monotonic() - started < limit:
            if process.poll() is not None:
                status = "failed" if process.returncode else "done"
                break
            for row in lines.new():
                on_row(row)
            time.sleep(max(0.0, min(_STEP, limit - (time.monotonic() - started))))
        left = [] if status == "timed_out" else sorted(processes.settle({}, 2.0).values())
    finally:
        processes.end(process)
    for row in lines.new():
        on_row(row)
    return Ended(status, round(time.monotonic() - started, 3), process.returncode, left)
