"""One rehearsal of `bench/gpu.py` that all tests look at."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "bench/gpu.py"
DATE = "2026-01-02"


def words(out: Path, *more: str) -> list[str]:
    """The rehearsal's command line, without the names of its parts."""
    return [sys.executable, str(SCRIPT), "--small", "--out", str(out), "--date", DATE, *more]


def written(out: Path) -> dict[str, Any]:
    """The result file."""
    found: dict[str, Any] = json.loads((out / f"{DATE}-gpu-small.json").read_text(encoding="utf-8"))
    return found


def environment() -> dict[str, str]:
    """As on a machine where nothing of ours is installed: child processes find the sources by PYTHONPATH."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


def running(out: Path) -> list[str]:
    """Command lines of live processes that name the folder, or work in a temporary folder of the script."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(out) in line:
            found.append(line)
    return found


def until(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Wait until something holds; whether it does in the end."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@dataclass(frozen=True)
class Rehearsal:
    """What one run left."""

    code: int
    out: str
    folder: Path

    @property
    def printed(self) -> dict[str, Any]:
        """The last line of stdout."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found

    @property
    def parts(self) -> dict[str, Any]:
        """All parts of the result file."""
        found: dict[str, Any] = written(self.folder)["parts"]
        return found

    def rows(self, part: str) -> dict[str, Any]:
        """Rows of a part by name."""
        return {row["name"]: row for row in self.parts[part]["rows"]}


def rehearse(out: Path, *more: str) -> Rehearsal:
    """Run the script to its end."""
    done = subprocess.run(words(out, *more), env=environment(), capture_output=True, text=True, cwd=ROOT)
    return Rehearsal(done.returncode, done.stdout, out)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """Every part, once."""
    return rehearse(tmp_path_factory.mktemp("gpu"))
