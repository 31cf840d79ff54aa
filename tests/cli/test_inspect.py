"""`tempo inspect`: the same relevance and allocation as `ask`, without the language model, or without any."""

import json
from collections.abc import Callable
from math import ceil
from pathlib import Path

import pytest
from rich.console import Console

from tempo_cli.cli import render
from tempo_cli.schema import BudgetSummary, Run, SegmentReport, run_from_json

from .conftest import FRACTAL, MODEL, SHORT, Outcome

Tempo = Callable[..., Outcome]
HERE = ["--model", str(MODEL), "--device", "cpu"]


@pytest.fixture
def saved(tempo: Tempo, tmp_path: Path) -> Path:
    path = tmp_path / "run.json"
    path.write_text(tempo("ask", FRACTAL, "what color was the car", *SHORT, "--json").out)
    return path


def many(count: int, seconds: float) -> Run:
    """A made-up run: `count` segments over `seconds`, one of them relevant."""
    step = seconds / count
    rows = ((0.97, 128) if index == count // 3 else (0.02, 4) for index in range(count))
    segments = [
        SegmentReport(index, index * step, (index + 1) * step, index * step, relevance, tokens, 8)
        for index, (relevance, tokens) in enumerate(rows)
    ]
    used = sum(segment.tokens for segment in segments)
    line = (Path(__file__).parent / "run.json").read_text()
    run = run_from_json(line)
    value = json.loads(run.to_json())
    value["video"] |= {"duration": seconds, "end": seconds}
    value["segments"] = [vars(segment) for segment in segments]
    value["budget"] = vars(BudgetSummary(8192, used, "linear"))
    value["sampling"] |= {"frames": count * 8}
    return run_from_json(json.dumps(value))


def drawn(part: object, width: int) -> list[str]:
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(part)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_allocation_is_that_of_ask_and_the_language_model_stays_out(
    tempo: Tempo, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("tempo_cli.model.checkpoint.Checkpoint.load_decoder")
    run = tempo("inspect", FRACTAL, "what color was the car", *HERE, "--json").json
    asked = json.loads(saved.read_text())
    assert (run["answer"], run["generation"]) == (None, None)
    for part in ("segments", "budget", "sampling", "video", "question"):
        assert run[part] == asked[part]


def test_a_saved_run_needs_no_model(tempo: Tempo, saved: Path) -> None:
    done = tempo("inspect", saved, "--color", "never")
    assert (done.code, done.err) == (0, "")
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert lines[0] == f"{FRACTAL}  what color was the car"
    assert "relevance ▄▄▄▄" in done.out
    assert lines[-5:-2] == [
        "1  0:00.0 - 0:04.2  █████▏     0.51       4  0.5/frame",
        "2  0:04.2 - 0:08.4  █████████▌ 0.95     128  16.0/frame",
        "3  0:08.4 - 0:10.0  ██████▊    0.67      48  12.0/frame",
    ]
    assert tempo("inspect", saved, "--json").out == saved.read_text()


def test_a_file_of_several_runs_shows_each(tempo: Tempo, saved: Path) -> None:
    saved.write_text(saved.read_text() * 2)
    assert len(tempo("inspect", saved, "--json").out.splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "the saved run is not JSON"),
        ('{"schema": "other/1"}', "this is no saved run"),
        ('{"schema": "tempo.run/1", "status": "error", "error": {"message": "no luck"}}', "failed: no luck"),
        ('{"schema": "tempo.run/1", "status": "ok"}', "the saved run can't be used: video is missing"),
    ],
)
def test_a_file_that_is_no_run(text: str, words: str, tempo: Tempo, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    done = tempo("inspect", path)
    assert done.code == 2
    assert words in done.err.splitlines()[0]


def test_a_run_survives_its_journey_through_json_and_later_fields(saved: Path) -> None:
    value = json.loads(saved.read_text())
    run = run_from_json(saved.read_text())
    assert json.loads(run.to_json()) == value
    value["later"] = 1
    value["video"]["later"] = 2
    assert run_from_json(json.dumps(value)) == run


def test_the_table_keeps_ten_rows_in_time_order_and_counts_the_rest() -> None:
    lines = drawn(render.table(many(128, 4096), top=10), 80)
    assert len(lines) == 1 + 10 + 1
    numbers = [int(line.split()[0]) for line in lines[1:-1]]
    assert numbers == sorted(numbers)
    assert 43 in numbers
    assert "43  22:24 - 22:56  █████████▊ 0.97     128  16.0/frame" in [line.strip() for line in lines]
    assert lines[-1].split() == ["…", "118", "more", "at", "4", "tokens"]
    assert len(drawn(render.table(many(128, 4096), top=None), 80)) == 129


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("count", [3, 128])
def test_the_timeline_fills_the_width_and_peaks_where_the_relevance_does(count: int, width: int) -> None:
    relevance, tokens, axis = drawn(render.timeline(many(count, 4096), width), width)
    assert {len(relevance), len(tokens), len(axis)} == {width}
    strip = relevance.removeprefix("relevance ")
    peak = count // 3
    cells = [cell for cell, height in enumerate(strip) if height == "█"]
    first, last = peak / count * len(strip), (peak + 1) / count * len(strip)
    assert cells == list(range(int(first + 1e-6), ceil(last - 1e-6)))
    assert axis.split()[0] == "0:00"
    assert axis.split()[-1] == "1:08:16"


def test_the_summary_breaks_between_its_parts_only() -> None:
    run = many(128, 4096)
    for line in str(render.summary(run, 50)).splitlines():
        assert len(line) <= 50
    assert str(render.summary(run, 50)).replace("\n", " · ") == str(render.summary(run, 500))
