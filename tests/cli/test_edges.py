"""Texts on both sides of a limit; and that each answer leaves the process at once."""

import io
import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rich.console

from tempo_cli.batch.jobs import Defaults, make_job
from tempo_cli.cli import main, render, reports
from tempo_cli.cli.batch_model import _without_saved_runs
from tempo_cli.cli.batch_progress import _UNKNOWN, BatchScreen, ProgressMode
from tempo_cli.cli.console import Screen
from tempo_cli.cli.options import Color
from tempo_cli.cli.render import details
from tempo_cli.cli.text import clock_time, duration, printable, shortened, size
from tempo_cli.events import Transfer
from tempo_cli.plan.schedule import schedule
from tempo_cli.schema import Request, Run, run_from_json

from .conftest import FRACTAL, Outcome


@pytest.fixture
def saved() -> Run:
    return run_from_json((Path(__file__).parent / "run.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("\x7f\x80\x9f\xa0", "\\x7f\\x80\\x9f\xa0"),
        ("\u2029\u202a\u202e\u202f", "\\u2029\\u202a\\u202e\u202f"),
        ("\u2065\u2066\u2069\u2070", "\u2065\\u2066\\u2069\u2070"),
        ("\u200d\u200e\u200f\u061c", "\u200d\\u200e\\u200f\\u061c"),
    ],
)
def test_what_would_move_the_cursor_or_turn_the_text_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("seconds", "whole", "tenths"),
    [
        (0.04, "0:00", "0:00.0"),
        (0.96, "0:00", "0:01.0"),
        (59.94, "0:59", "0:59.9"),
        (59.97, "0:59", "1:00.0"),
        (3599.9, "59:59", "59:59.9"),
        (3600.0, "1:00:00", "1:00:00.0"),
        (3723.4, "1:02:03", "1:02:03.4"),
    ],
)
def test_times_on_a_clock(seconds: float, whole: str, tenths: str) -> None:
    assert (clock_time(seconds), clock_time(seconds, tenths=True)) == (whole, tenths)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (99.4, "99 s"),
        (99.6, "1 min 40 s"),
        (119.6, "2 min 0 s"),
        (200.0, "3 min 20 s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (84_000, "84.0 KB"),
        (10**6, "1.0 MB"),
        (12_100_000_000, "12.1 GB"),
        (10**12, "1.0 TB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_only_a_text_beyond_the_limit_is_shortened() -> None:
    assert shortened("x" * 1000) == "x" * 1000
    assert shortened("a" * 500 + "b" * 251 + "c" * 250) == "a" * 500 + " … " + "c" * 250


def test_the_peak_is_told_in_the_unit_that_it_is_counted_in(saved: Run) -> None:
    run = replace(saved, memory=replace(saved.memory, device_peak_bytes=3 * 2**30))
    assert details(run).endswith("peak 3.0 GiB")


class Stream(io.StringIO):
    """Notes what was written whenever it is flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = ""

    def flush(self) -> None:
        self.seen = self.getvalue()


@pytest.mark.parametrize("json", [False, True])
def test_each_answer_is_flushed_before_the_next_one(
    json: bool, saved: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream()
    monkeypatch.setattr(sys, "stdout", stream)
    waiting = [Request(video="a.mp4", question=word) for word in ("one", "two")]
    screen = Screen(json=json, quiet=True, verbose=False, color=Color.never, waiting=waiting)
    for count in (1, 2):
        screen.result(saved)
        assert stream.seen == stream.getvalue() != ""
        assert stream.seen.count("user") == 4 * count


class Terminal(io.StringIO):
    """A stream of a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("scope", "quiet", "json", "terminal", "shown"),
    [
        ("knows cars", False, False, True, "note: knows cars\n"),
        ("knows cars", True, False, True, ""),
        ("knows cars", False, True, True, ""),
        ("knows cars", False, False, False, ""),
        (None, False, False, True, ""),
    ],
)
def test_the_scope_of_a_model_is_shown_to_a_person_only(
    scope: str | None, quiet: bool, json: bool, terminal: bool, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    Screen(json=json, quiet=quiet, verbose=False, color=Color.never).introduce(scope)
    assert stream.getvalue() == shown


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ([9, 1], "1 more at 1 token"),
        ([9, 2, 2], "2 more at 2 tokens"),
        ([9, 1, 2], "2 more at 1-2 tokens"),
        ([5000, 1000, 1200], "2 more at 1,000-1,200 tokens"),
        ([9], ""),
    ],
)
def test_the_segments_that_the_table_leaves_out(tokens: list[int], words: str, saved: Run) -> None:
    segments = [replace(saved.segments[0], index=at, tokens=count) for at, count in enumerate(tokens)]
    assert render._rest(segments, segments[:1]) == words
    nothing = words.replace("more at", "at")
    assert render._rest(segments[1:], []) == (f"no segment stands out: {nothing}" if words else "")


@pytest.mark.parametrize(
    ("width", "gap", "per_frame", "bar"),
    [
        (60, 3, True, 10),
        (59, 2, True, 10),
        (56, 2, True, 10),
        (55, 1, False, 10),
        (40, 1, False, 10),
        (39, 1, False, 0),
    ],
)
def test_tokens_per_frame_go_first_on_a_narrow_terminal(
    width: int, gap: int, per_frame: bool, bar: int, saved: Run
) -> None:
    layout = render._layout(saved, 1, width)
    assert (layout.gap, layout.per_frame, layout.bar) == (gap, per_frame, bar)
    console = rich.console.Console(width=width, file=io.StringIO(), color_system=None)
    console.print(render.table(saved, 10, width))
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert ("16.0/frame" in told) is per_frame
    assert max(map(len, told.splitlines())) <= width


@pytest.mark.parametrize(("frames", "words"), [(1, " · 1 frame at "), (2, " · 2 frames at ")])
def test_a_single_frame_is_no_frames(frames: int, words: str, saved: Run) -> None:
    assert words in details(replace(saved, sampling=replace(saved.sampling, frames=frames)))


def test_tokens_per_frame_are_aligned_to_the_right(saved: Run) -> None:
    segments = tuple(
        replace(saved.segments[1], index=at, frames=8, tokens=tokens)
        for at, tokens in enumerate((128, 72, 4))
    )
    console = rich.console.Console(width=80, file=io.StringIO(), color_system=None)
    console.print(
        render.table(replace(saved, segments=segments, budget=replace(saved.budget, used=204)), 10, 80)
    )
    rows = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [row[-11:] for row in rows[1:3]] == [" 16.0/frame", "  9.0/frame"]


@pytest.mark.parametrize(("text", "message"), [("", "not enough memory"), ("no", "not enough memory: no")])
def test_a_lack_of_memory_has_the_systems_reason(text: str, message: str) -> None:
    assert main._no_memory(MemoryError(*filter(None, [text]))).message == message


def test_a_page_on_another_drive_names_the_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, page = tmp_path / "a b.mp4", tmp_path / "pages" / "page.html"
    assert reports._url(video, page) == "./../a%20b.mp4"

    def other_drive(*_: object) -> str:
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr(os.path, "relpath", other_drive)
    assert reports._url(video, page) == f"file://{tmp_path}/a%20b.mp4"


@pytest.mark.parametrize(("seconds", "told"), [(None, _UNKNOWN), (0.2, "about 1.0 s"), (90.0, "about 90 s")])
@pytest.mark.parametrize("mode", list(ProgressMode))
def test_the_end_of_a_batch_is_announced_once(
    mode: ProgressMode, seconds: float | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stopping = threading.Event()
    tracker: Any = SimpleNamespace(stopping=stopping, seconds_in_hand=seconds, total=2, videos=1)
    screen = Screen(json=False, quiet=False, verbose=False, color=Color.never)
    shown = BatchScreen(tracker, screen, mode, bar=False)
    capsys.readouterr()
    shown._stop()
    assert stopping.is_set()
    line = f"finishing the current job ({told}); interrupt again to stop now\n"
    stopped = {"event": "stopping", "seconds": seconds}
    assert capsys.readouterr().err == (line if mode is ProgressMode.auto else json.dumps(stopped) + "\n")


def test_a_failed_clip_names_its_question(tempo: Callable[..., Outcome], tmp_path: Path) -> None:
    done = tempo("clips", FRACTAL, FRACTAL, "what", "-o", tmp_path / "parts", "--json")
    assert (done.code, done.json["question"]) == (2, f"{FRACTAL} what")
    assert done.json["error"]["message"] == f"'{FRACTAL}' is a video, not a word of the question"


def test_a_transfer_has_a_bar_until_all_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    screen = Screen(json=False, quiet=False, verbose=False, color=Color.never)
    shown = []
    for done in (0, 5, 10, 10):
        screen.on_event(Transfer("download", done, 10))
        shown.append(screen._progress is not None)
    assert shown == [True, True, False, False]


@pytest.mark.parametrize(
    ("mode", "bar", "drawn"), [("auto", True, True), ("json", True, False), ("auto", False, False)]
)
def test_a_batch_draws_a_bar_for_people_only(
    mode: str, bar: bool, drawn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    tracker: Any = SimpleNamespace(total=2, videos=1, done=0, failed=0)
    screen = Screen(json=False, quiet=False, verbose=False, color=Color.never)
    shown = BatchScreen(tracker, screen, ProgressMode(mode), bar=bar)
    assert (shown._progress is not None) is drawn
    shown.close(code=0)
    assert shown._progress is None


def test_a_saved_run_among_the_videos_of_a_batch_is_each_jobs_fault() -> None:
    run = Path(__file__).parent / "run.json"
    jobs = [make_job(str(run), word, Defaults()) for word in ("one", "two")]
    (group,) = schedule(jobs)
    faults = [job.fault for job in _without_saved_runs(group).jobs]
    assert [str(fault) for fault in faults] == [f"'{run}' is a saved run, not a video"] * 2
