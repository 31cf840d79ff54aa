"""`tempo inspect`: the same relevance and allocation as `ask`, without the language model, or without any."""

import json
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest
from rich.console import Console

from tempo_cli.cli import render
from tempo_cli.schema import BudgetSummary, Run, SegmentReport, run_from_json
from tempo_cli.types import Evidence

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
    assert lines[-6:-2] == [
        "#   time              relevance         tokens",
        "2   0:04.2 - 0:08.4   █████████▌ 0.95      128   16.0/frame",
        "3   0:08.4 - 0:10.0   ██████▊    0.67       48   12.0/frame",
        "…   1 more at 4 tokens",
    ]
    assert lines[-2].startswith("    3 segments · 180 of 8,192 tokens · highest relevance 0.95 · decode ")
    everything = tempo("inspect", saved, "--color", "never", "--top", "all").out.splitlines()
    assert everything[-5].rstrip() == "1   0:00.0 - 0:04.2   █████▏     0.51        4    0.5/frame"
    assert "1 more" not in everything[-3]
    assert tempo("inspect", saved, "--json").out == saved.read_text()


def test_a_saved_run_and_something_else(tempo: Tempo, saved: Path) -> None:
    done = tempo("inspect", saved, "none.json")
    assert done.code == 2
    assert done.err.splitlines()[0] == f"error: '{saved}' is a saved run, and 'none.json' is not"


def test_a_file_of_several_runs_shows_each(tempo: Tempo, saved: Path) -> None:
    saved.write_text(saved.read_text() * 2)
    assert len(tempo("inspect", saved, "--json").out.splitlines()) == 2


def test_a_file_of_too_many_runs_says_so(tempo: Tempo, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempo_cli.cli.inspect._LARGEST_RUN", 1000)
    done = tempo("inspect", saved)
    assert (done.code, done.err.splitlines()[0]) == (
        2, f"error: '{saved}' can't be read: it has more than 1,000 bytes",
    )  # fmt: skip


def test_failures_in_a_file_of_results_are_left_out(tempo: Tempo, saved: Path, tmp_path: Path) -> None:
    failure = {"schema": "tempo.run/1", "status": "error", "error": {"message": "no luck"}}
    run, results = saved.read_text(), tmp_path / "results.jsonl"
    results.write_text(run + json.dumps(failure) + "\n" + run + json.dumps(failure | {"error": {}}) + "\n")
    told = f"warning: 2 of 4 runs in '{results}' failed: left out\n"
    assert tempo("inspect", results, "--json") == Outcome(0, run * 2, told)
    assert tempo("inspect", results, "--format", "csv").err == told
    assert tempo("inspect", results, "--quiet").err == ""
    page = tmp_path / "a.html"
    assert tempo("inspect", saved, results, "--html", page).err == f"{told}wrote {page}\n"
    assert page.read_text().count("<h2>Details") == 3
    results.write_text(json.dumps(failure) + "\n" + run.replace('"question"', '"questions"'))
    broken = tempo("inspect", results)
    assert broken.code == 2
    assert broken.err.startswith("error: the saved run can't be used: question is missing\n")


@pytest.mark.parametrize("command", [["inspect"], ["clips", "-o", "parts"]])
def test_nothing_but_failures_is_told_of_the_first_one(
    command: list[str], tempo: Tempo, tmp_path: Path
) -> None:
    """As `docs/json.md` says: its own video, question and model."""
    results = tmp_path / "results.jsonl"
    asked = {"video": {"path": "a.mp4"}, "question": "what", "model": {"id": "tiny/tempo"}}
    head = {"schema": "tempo.run/1", "status": "error"}
    other = {"video": {"path": "b.mp4"}, "question": "who", "model": {"id": "tiny/other"}}
    lines = [{**head, **facts, "error": {"message": "no luck"}} for facts in (asked, other)]
    results.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = tempo(*command, results, "--json")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: the saved run failed: no luck")
    assert {name: done.json[name] for name in asked} == asked


def test_a_failure_that_does_not_say_what_it_was_about_is_told_of_the_file(
    tempo: Tempo, tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"schema": "tempo.run/1", "status": "error", "video": {"path": 1}, "error": null}')
    done = tempo("inspect", path, "--json", "--model", "nano")
    assert done.json["video"] == {"path": str(path)}
    assert done.json["model"] == {"id": "nano"}
    assert done.json["error"]["message"] == "the saved run failed: unknown"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "the saved run is not JSON"),
        ('{"schema": "other/1"}', "this is not a saved run"),
        ('{"schema": "tempo.run/1", "status": "error", "error": {"message": "no luck"}}', "failed: no luck"),
        ('{"schema": "tempo.run/1", "status": "none"}', "status is neither 'ok' nor 'error'"),
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


TABLES = {
    80: [
        "  #   time              relevance         tokens",
        " 43   22:24 - 22:56     █████████▊ 0.97      128   16.0/frame",
        "  …   127 more at 4 tokens",
        "      weak evidence: no segment above 0.98",
        "      128 segments · 636 of 8,192 tokens · highest relevance 0.97 · decode 0.3 s",
        "      compress 0.5 s · 292 tokens/s",
    ],
    40: [
        "  # time          relevance tokens",
        " 43 22:24 - 22:56 0.97         128",
        "  … 127 more at 4 tokens",
        "    weak evidence: no segment above 0.98",
        "    128 segments · 636 of 8,192 tokens",
        "    highest relevance 0.97",
        "    decode 0.3 s · compress 0.5 s",
        "    292 tokens/s",
    ],
}
TABLES[160] = [*TABLES[80][:-2], f"{TABLES[80][-2]} · {TABLES[80][-1].strip()}"]


@pytest.mark.parametrize("width", [40, 80, 160])
def test_the_table_on_narrow_and_wide_screens(width: int) -> None:
    run = replace(many(128, 4096), evidence=Evidence(0.97, (42,), 0.98, True))
    assert drawn(render.report(run, 10, width), width) == TABLES[width]
    assert drawn(render.report(run, 0, width), width) == TABLES[width][3:]


def test_a_narrow_screen_keeps_the_bar_as_long_as_it_fits() -> None:
    rows = [drawn(render.table(many(12, 48), 10, width), width)[1] for width in (61, 60, 57, 56, 41, 40)]
    assert rows == [
        " 5   0:16.0 - 0:20.0   █████████▊ 0.97      128   16.0/frame",
        " 5  0:16.0 - 0:20.0  █████████▊ 0.97     128  16.0/frame",
        " 5  0:16.0 - 0:20.0  █████████▊ 0.97     128  16.0/frame",
        " 5 0:16.0 - 0:20.0 █████████▊ 0.97    128",
        " 5 0:16.0 - 0:20.0 █████████▊ 0.97    128",
        " 5 0:16.0 - 0:20.0 0.97         128",
    ]


def test_every_segment_and_none() -> None:
    run = many(128, 4096)
    everything = drawn(render.table(run, None, 80), 80)
    assert len(everything) == 1 + 128
    assert [int(line.split()[0]) for line in everything[1:]] == list(range(1, 129))
    flat = replace(
        run,
        segments=tuple(replace(segment, tokens=4) for segment in run.segments[:3]),
        budget=BudgetSummary(8192, 12, "uniform"),
    )
    assert drawn(render.table(flat, 10, 80), 80) == ["…   no segment stands out: 3 at 4 tokens"]


@pytest.mark.parametrize(
    ("seconds", "cells", "ticks"),
    [
        (48, 80, ["0:00", "0:10", "0:20", "0:30", "0:40", "0:48"]),
        (4096, 80, ["0:00", "15:00", "30:00", "45:00", "1:08:16"]),
        (4096, 40, ["0:00", "30:00", "1:08:16"]),
        (0.9, 80, ["0:00.0", "0:00.2", "0:00.4", "0:00.6", "0:00.9"]),
        (36_000, 80, ["0:00", "2:00:00", "4:00:00", "6:00:00", "10:00:00"]),
        (40_000_000, 40, ["0:00", "11111:06:40"]),
        (0, 80, ["0:00.0", "0:00.0"]),
    ],
)
def test_the_axis_has_round_times_and_the_end(seconds: float, cells: int, ticks: list[str]) -> None:
    run = many(3, 48)
    axis = drawn(render.timeline(replace(run, video=replace(run.video, duration=seconds)), cells), cells)[-1]
    assert axis.split() == ticks
    strip = axis[len("relevance ") :]
    for tick in ticks[:-1]:  # each begins at its own place
        clock = [float(part) for part in tick.split(":")]
        at = clock[-1] + 60 * clock[-2] + 3600 * (clock[-3] if len(clock) > 2 else 0)
        assert strip.index(f"{tick}") == round(at * len(strip) / (seconds or 1))


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
    lines = render.summary(run, 50)
    assert max(map(len, lines)) <= 50
    assert [" · ".join(lines)] == render.summary(run, 500)


@pytest.mark.parametrize(
    ("order", "numbers"), [("time", [2, 4, 5]), ("relevance", [5, 4, 2]), ("tokens", [2, 4, 5])]
)
def test_the_order_of_the_table(order: str, numbers: list[int]) -> None:
    rows = [(0.1, 4), (0.5, 128), (0.1, 4), (0.7, 60), (0.9, 60)]
    run = many(5, 50)
    segments = [
        replace(segment, relevance=relevance, tokens=tokens)
        for segment, (relevance, tokens) in zip(run.segments, rows, strict=True)
    ]
    budget = BudgetSummary(8192, sum(tokens for _, tokens in rows), "linear")
    run = replace(run, segments=tuple(segments), budget=budget)
    lines = drawn(render.table(run, 10, 80, sort=order), 80)
    assert [int(line.split()[0]) for line in lines[1:-1]] == numbers


def test_the_order_is_an_option(tempo: Tempo) -> None:
    saved = Path(__file__).parent / "run.json"
    lines = tempo("inspect", saved, "--color", "never", "--top", "all", "--sort", "tokens").out.splitlines()
    assert [line.split()[0] for line in lines if " - " in line] == ["2", "3", "1"]
    assert tempo("inspect", saved, "--sort", "size").code == 2


@pytest.mark.parametrize("width", [40, 80, 160])
def test_the_strip_is_read_by_its_heights_alone(width: int) -> None:
    relevance, tokens, axis = drawn(render.timeline(many(128, 4096), width), width)
    cells = relevance.removeprefix("relevance ")
    assert (len(relevance), len(tokens)) == (width, width)
    assert cells.index("█") == (width - 10) * 42 // 128
    assert set(cells) == {"█", "▁"}
    assert axis.endswith("1:08:16")
