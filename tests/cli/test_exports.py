"""`--format`, `--output` and `--min-relevance` of `ask`, `inspect` and `models`."""

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import pytest

from tempo_cli.cli.console import wants_json
from tempo_cli.cli.exports import Exports
from tempo_cli.cli.options import RUN_FORMATS

from .conftest import FRACTAL, GOLDEN, MODEL, SHORT, Outcome, on_terminal

Tempo = Callable[..., Outcome]
WHAT = "what color was the car"
SAVED = Path(__file__).parent / "run.json"
JOINED = "2,3,0.9523440003395081,176"  # the two segments that stand out, as CSV


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved run whose video tells that its rate is constant."""
    value = json.loads(SAVED.read_text())
    value["video"] |= {"constant_rate": True, "duration": 40.0}
    path = tmp_path / "run.json"
    path.write_text(json.dumps(value))
    return path


@pytest.mark.parametrize("name", RUN_FORMATS)
def test_every_format_of_a_saved_run_on_standard_output_and_in_a_file(
    name: str, tempo: Tempo, saved: Path, tmp_path: Path
) -> None:
    done = tempo("inspect", saved, "--format", name)
    assert (done.code, done.err) == (0, "")
    target = tmp_path / "out.txt"
    filed = tempo("inspect", saved, "--format", name, "--output", target, "--color", "never")
    assert filed.err == f"wrote {target}\n"
    assert target.read_text() == done.out
    assert "relevance ▄" in filed.out  # what is shown without a format
    again = tempo("inspect", saved, "--format", name, "-o", target)
    assert (again.code, again.err.splitlines()[0]) == (2, f"error: '{target}' exists")
    assert tempo("inspect", saved, "--format", name, "-o", target, "--force").code == 0


def test_a_dash_is_standard_output(tempo: Tempo, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved.parent)
    done = tempo("inspect", saved, "--format", "csv", "-o", "-")
    assert (done.code, done.err, done.out[:15]) == (0, "", "video,question,")
    assert not Path("-").exists()
    assert tempo("inspect", saved, "-o", "-").code == 2


@pytest.mark.parametrize("option", ["--html", "--svg", "-o"])
def test_what_is_read_is_never_replaced(
    option: str, tempo: Tempo, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    video = tmp_path / "video.mp4"
    shutil.copy(FRACTAL, video)
    for path, words in ((saved, ["inspect", saved]), (video, ["ask", video, WHAT, *SHORT])):
        before = path.read_bytes()
        done = tempo(*words, option, path.name, "--format", "csv", "--force")
        assert (done.code, path.read_bytes()) == (2, before)
        assert done.err.splitlines()[0] == f"error: '{path.name}' is read here, and is not replaced"


def test_several_videos_that_all_fail_leave_no_file(tempo: Tempo, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    targets = [tmp_path / "a.html", tmp_path / "a.csv"]
    words = ["ask", bad, tmp_path / "none.mp4", "-q", WHAT, "-q", "where", *SHORT]
    done = tempo(*words, "--html", targets[0], "-o", targets[1])
    assert (done.code, done.out) == (3, "")
    assert done.err.count("bad.mp4' is not a readable video") == 1  # though there are two questions
    assert done.err.count("error: ") == done.err.count("hint: ") == 2
    assert not any(path.exists() for path in targets)
    target = tmp_path / "a.json"  # JSON has an object for a failure, too
    assert tempo(*words, "-o", target).code == 3
    assert [line["status"] for line in map(json.loads, target.read_text().splitlines())] == ["error"] * 4


def test_a_file_of_several_videos_has_the_failures_of_standard_output(tempo: Tempo, tmp_path: Path) -> None:
    bad, target = tmp_path / "bad.mp4", tmp_path / "runs.json"
    bad.write_text("no video")
    words = ["ask", FRACTAL, bad, GOLDEN / "videos" / "pattern.mp4", "-q", WHAT, "-q", "where", *SHORT]
    told = tempo(*words, "--json")
    filed = tempo(*words, "-o", target)
    assert (told.code, filed.code) == (7, 7)
    kept = ("status", "question", "answer", "error", "segments", "warnings")
    lines = [
        [[line["video"]["path"], *(line.get(name) for name in kept)] for line in map(json.loads, text)]
        for text in (told.out.splitlines(), target.read_text().splitlines())
    ]
    assert lines[0] == lines[1]
    assert [line[1] for line in lines[1]] == ["ok", "ok", "error", "error", "ok", "ok"]
    assert lines[1][2][4]["message"].startswith(f"'{bad}' is not a readable video")
    assert tempo(*words, "-o", tmp_path / "a.csv").code == 7
    rows = list(csv.reader((tmp_path / "a.csv").open(newline="")))
    assert str(bad) not in {row[0] for row in rows}


def test_the_ending_of_a_file_names_the_format(tempo: Tempo, saved: Path, tmp_path: Path) -> None:
    assert tempo("inspect", saved, "-o", tmp_path / "a.SRT").code == 0
    assert (tmp_path / "a.SRT").read_text().startswith("1\n00:00:04,200 --> 00:00:10,000\nwhat color")
    done = tempo("inspect", saved, "-o", tmp_path / "a.xyz")
    assert done.code == 2
    assert "names no format" in done.err


def test_ask_in_a_format_and_in_a_file(tempo: Tempo, tmp_path: Path) -> None:
    done = tempo("ask", FRACTAL, "-q", WHAT, "-q", "where", *SHORT, "--format", "csv")
    assert done.code == 0
    first, *_ = rows = list(csv.DictReader(done.out.splitlines()))
    assert ",".join([*list(first.values())[5:]]) == JOINED
    assert {row["question"] for row in rows} == {WHAT, "where"}
    target = tmp_path / "run.json"
    asked = tempo("ask", FRACTAL, WHAT, *SHORT, "-o", target)
    answer = json.loads(target.read_text())["answer"]["text"]
    assert asked.out == answer + "\n"


def test_a_terminal_shows_the_table_beside_a_file_and_a_format_alone(saved: Path, tmp_path: Path) -> None:
    code, shown = on_terminal("inspect", saved, "--color", "never", "-o", tmp_path / "a.csv")
    assert (code, f"wrote {tmp_path}" in shown, "16.0/frame" in shown) == (0, True, True)
    code, shown = on_terminal("inspect", saved, "--color", "never", "--format", "tsv")
    assert (code, shown.count("\n"), shown[:6]) == (0, 2, "video\t")


def test_nothing_is_done_and_nothing_written_where_the_output_can_not_be(
    tempo: Tempo, tmp_path: Path
) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine")
    for options, code, words in (
        (["-o", there], 2, "exists"),
        (["-o", tmp_path / "no" / "a.csv"], 5, "no folder"),
        (["--format", "xml"], 2, "there is no format 'xml'"),
        (["--json", "--format", "csv"], 2, "two formats"),
    ):
        done = tempo("ask", FRACTAL, WHAT, "--model", "/nowhere", *options)
        assert (done.code, words in done.err) == (code, True)
    assert there.read_text() == "mine"
    failed = tempo("ask", tmp_path / "none.mp4", WHAT, "--model", MODEL, "-o", tmp_path / "a.csv")
    assert failed.code == 3
    assert sorted(tmp_path.iterdir()) == [there]


def test_an_error_is_json_where_the_format_is(tempo: Tempo, tmp_path: Path) -> None:
    for options in (["--format", "json"], ["--format=jsonl"]):
        assert tempo("ask", tmp_path / "none.mp4", WHAT, *options).json["error"]["code"] == "video"
    assert tempo("ask", tmp_path / "none.mp4", WHAT, "--format", "csv").out == ""


def test_when_json_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not wants_json(["ask", "--", "--format", "json"])
    assert not wants_json(["ask", "--format"])
    monkeypatch.setenv("TEMPO_FORMAT", "jsonl")
    assert wants_json(["ask"])
    assert not wants_json(["ask", "--format", "csv"])


def test_the_least_relevance(tempo: Tempo) -> None:
    done = tempo("inspect", SAVED, "--min-relevance", "0.7", "--color", "never")
    assert "…   2 more at 4-48 tokens" in done.out
    rows = tempo("inspect", SAVED, "--min-relevance", "0.7", "--format", "csv").out.splitlines()
    assert len(rows) == 2
    assert tempo("inspect", SAVED, "--min-relevance", "1.5").code == 2


def test_models_in_each_format(tempo: Tempo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr("tempo_cli.hub.inventory.PACKAGED", {"=nano": MODEL})
    shown = tempo("models", "--format", "json")
    assert shown.out == tempo("models", "--json").out
    (nano,) = shown.json["models"]
    assert json.loads(tempo("models", "--format", "jsonl").out) == nano
    (row,) = csv.DictReader(tempo("models", "--format", "csv").out.splitlines())
    assert row == {
        "id": "'=nano", "revision": "", "bytes": str(nano["bytes"]), "complete": "True",
        "folder": nano["folder"],
    }  # fmt: skip
    assert "\t" in tempo("models", "--format", "tsv").out
    assert "| =nano |" in tempo("models", "--format", "md").out
    assert tempo("models", "--format", "srt").code == 2


@pytest.mark.parametrize("command", ["ask", "inspect"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("edl", "timecode has no rate of 10 frames per second, only 23.976, 24, 25,"),
        (
            "youtube",
            "'a.mp4' is shorter than 30 s, and YouTube shows chapters only where there are 3 of 10 s",
        ),
    ],
)
def test_what_a_video_can_not_have_is_refused_before_the_work(
    command: str, name: str, words: str, tempo: Tempo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        pytest.fail("the model was loaded")

    monkeypatch.chdir(tmp_path)
    source = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=1", "-pix_fmt", "yuv420p", "a.mp4"]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *source], check=True)
    monkeypatch.setattr("tempo_cli.tempo.Tempo.load", never)
    done = tempo(command, "a.mp4", "what", *SHORT[:4], "--format", name)
    assert done.code == 2
    assert done.err.startswith(f"error: {words}")


def test_an_edit_list_of_a_whole_day_is_refused_before_the_work(
    tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Exports.check_video
    monkeypatch.setattr(Exports, "check_video", lambda self, info: own(self, replace(info, duration=86400.0)))
    monkeypatch.setattr("tempo_cli.tempo.Tempo.load", lambda *_, **__: pytest.fail("the model was loaded"))
    done = tempo("ask", FRACTAL, "what", *SHORT[:4], "--format", "edl")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: timecode ends after 24 hours")


@pytest.mark.parametrize("name", ["srt", "vtt", "ffmetadata", "youtube"])
def test_several_videos_are_refused_before_the_work(name: str, tempo: Tempo) -> None:
    """These videos do not exist, which would be the next thing to say."""
    done = tempo("ask", "a.mp4", "b.mp4", "-q", "what", *SHORT[:4], "--format", name)
    assert (done.code, done.err.splitlines()) == (2, [
        f"error: --format {name} is for one video, and these runs are about several",
        "hint: Write one file for each video.",
    ])  # fmt: skip


def test_saved_runs_that_a_format_can_not_hold_are_not_shown(tempo: Tempo, tmp_path: Path) -> None:
    run = json.loads(SAVED.read_text())
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in paths:
        run["video"] |= {"path": f"{path.stem}.mp4", "duration": 12.0}
        path.write_text(json.dumps(run))
    done = tempo("inspect", *paths, "-o", tmp_path / "a.srt")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: --format srt is for one video")
    done = tempo("inspect", paths[0], "-o", tmp_path / "a.txt", "--format", "youtube")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: 'one.mp4' is shorter than 30 s")


def test_a_saved_run_of_a_video_without_a_constant_rate_has_no_edit_list(
    tempo: Tempo, tmp_path: Path
) -> None:
    shutil.copy(SAVED, tmp_path / "older.json")
    done = tempo("inspect", tmp_path / "older.json", "-o", tmp_path / "a.edl")
    assert (done.code, done.out) == (2, "")  # no table either
    assert "does not say" in done.err
    assert not (tmp_path / "a.edl").exists()
