"""One part in a process of its own: its limit, its rows, and whatever it leaves behind."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gpu_parts.results import Lines, Recorder, Results

from .conftest import ROOT, running, until

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")

# a part that hands over two rows, starts a process in a session of its own, and then does `end`
PART = """
import subprocess, sys, time
rows, mark, end = sys.argv[1:]
file = open(rows, "a")
print('{"name": "first"}\\n{"name": "second"}', file=file, flush=True)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(90)", mark], start_new_session=True)
if end == "hang":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
print('{"name": "thi', end="", file=file, flush=True)
sys.exit(3 if end == "fail" else 0)
"""
# `run_part` adopts orphans, which pytest's process should not
RUN = """
import json, sys
sys.path.insert(0, {bench!r})
from pathlib import Path
from gpu_parts.runner import run_part
rows, told = Path({rows!r}), []
ended = run_part([sys.executable, "-c", {part!r}, {rows!r}, {mark!r}, {end!r}], rows, {limit}, told.append)
print(json.dumps([ended.status, ended.code, ended.left_behind, told]))
"""


def run(tmp_path: Path, end: str, limit: float) -> list[Any]:
    mark = str(tmp_path / "mark")
    source = RUN.format(
        bench=str(ROOT / "bench"), rows=str(tmp_path / "rows"), part=PART, mark=mark, end=end, limit=limit
    )
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    assert until(lambda: not running(Path(mark)), 5)
    found: list[Any] = json.loads(done.stdout)
    return found


ROWS = [{"name": "first"}, {"name": "second"}]


def test_beyond_the_limit_all_is_killed_and_the_rows_are_kept(tmp_path: Path) -> None:
    assert run(tmp_path, "hang", 1.5) == ["timed_out", -9, [], ROWS]


@pytest.mark.parametrize(("end", "status", "code"), [("leave", "done", 0), ("fail", "failed", 3)])
def test_what_a_part_leaves_behind_is_named_and_killed(
    tmp_path: Path, end: str, status: str, code: int
) -> None:
    found, number, left, rows = run(tmp_path, end, 60)
    assert (found, number, rows) == (status, code, ROWS)
    assert len(left) == 1
    assert left[0].startswith("python")


def test_a_line_counts_when_it_is_complete(tmp_path: Path) -> None:
    file = tmp_path / "rows"
    lines = Lines(file)
    assert list(lines.new()) == []
    file.write_text('{"name": "a"}\n{"na')
    assert list(lines.new()) == [{"name": "a"}]
    with file.open("a") as more:
        more.write('me": "b"}\n')
    assert list(lines.new()) == [{"name": "b"}]
    assert list(lines.new()) == []


def test_an_error_in_a_row_keeps_what_it_knew_and_goes_on(tmp_path: Path) -> None:
    record = Recorder(tmp_path / "rows")
    with record.row("bad") as row:
        row["tokens"] = 4
        raise ValueError("no room")
    record.add("not a number", value=float("nan"))
    bad, nan = Lines(tmp_path / "rows").new()
    assert bad == {"name": "bad", "tokens": 4, "error": "ValueError: no room"}
    assert nan == {"name": "not a number", "error": "NaN or infinity in {'value': nan}"}


def results(path: Path) -> Results:
    return Results(path, small=True, date="2026-01-02", machine={})


@pytest.mark.parametrize(
    ("row", "ended", "status", "done", "good"),
    [
        ({"name": "a", "ok": True}, "done", "done", True, True),
        ({"name": "a", "ok": False}, "done", "done", True, False),
        ({"name": "a", "error": "ValueError: b"}, "done", "failed", False, False),
        ({"name": "a"}, "timed_out", "timed_out", False, False),
    ],
)
def test_what_counts_as_done_and_as_good(
    tmp_path: Path, row: dict[str, Any], ended: str, status: str, done: bool, good: bool
) -> None:
    path = tmp_path / "out" / "file.json"
    one = results(path)
    one.begin("speed", 5.0)
    assert json.loads(path.read_text())["parts"]["speed"]["status"] == "running"
    one.add("speed", row)
    one.end("speed", ended)
    again = results(path)
    assert again.parts["speed"]["status"] == status
    assert again.parts["speed"]["rows"][0].items() >= row.items()
    assert (again.is_done("speed"), again.good) == (done, good)
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_a_part_that_begins_anew_forgets_what_it_found(tmp_path: Path) -> None:
    one = results(tmp_path / "file.json")
    for number in range(2):
        one.begin("speed", 5.0)
        one.add("speed", {"name": str(number)})
        one.end("speed", "done")
    assert [row["name"] for row in one.parts["speed"]["rows"]] == ["1"]


def test_the_card_is_the_one_that_a_row_names(tmp_path: Path) -> None:
    one = results(tmp_path / "file.json")
    one.begin("speed", 5.0)
    one.add("speed", {"name": "device", "accelerator": "H200"})
    one.add("speed", {"name": "other"})
    assert results(tmp_path / "file.json").value["accelerator"] == "H200"
