"""`tempo batch`: every job one line, whatever happens."""

import io
import json
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tempo_cli.cli import batch, batch_model
from tempo_cli.cli.batch_progress import Tracker, failures
from tempo_cli.cli.signals import Patience
from tempo_cli.errors import ModelError
from tempo_cli.schema import run_from_json

from .conftest import FRACTAL, GOLDEN, MODEL, SHORT, Outcome

Tempo = Callable[..., Outcome]
ONE = [*SHORT[:4], "--max-new-tokens", "1"]
QUICK = [*ONE, "--max-frames", "16", "--no-cache"]
VOLATILE = ("timing", "memory", "reused")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with two videos, one that is none, and one in a folder."""
    here = tmp_path / "here"
    (here / "more" / ".hidden").mkdir(parents=True)
    monkeypatch.chdir(here)
    (here / "a.mp4").symlink_to(FRACTAL)
    (here / "bad.mp4").write_text("no video")
    (here / "more" / "b.MP4").symlink_to(GOLDEN / "videos" / "pattern.mp4")
    (here / "more" / ".hidden" / "c.mp4").symlink_to(FRACTAL)
    (here / "more" / "notes.txt").write_text("x")
    return here


def write(path: Path, *values: Any) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def read(text: str | Path) -> list[dict[str, Any]]:
    raw = text.read_text() if isinstance(text, Path) else text
    return [json.loads(line) for line in raw.splitlines()]


def lasting(line: dict[str, Any]) -> dict[str, Any]:
    """What does not change from run to run."""
    found = {name: value for name, value in line.items() if name not in VOLATILE}
    found["video"] = {name: value for name, value in line["video"].items() if name != "decoder"}
    return found


def job(video: str, question: str, **more: Any) -> dict[str, Any]:
    return {"video": video, "question": question, **more}


MIXED = [
    job("a.mp4", "what?", id="first"),
    job("bad.mp4", "what?"),
    job("a.mp4", "who?", budget=64),
    job("./more/b.MP4", "what?"),
    job("a.mp4", "x" * 200_000, id="long"),
    job("a.mp4", "where?", end=4),
    {"video": "a.mp4"},
    job("a.mp4", "why?"),
]
ORDER = ["what?", "x" * 200_000, None, "why?", "who?", "where?", "what?", "what?"]


def test_each_job_has_its_line_in_the_order_of_its_video(folder: Path, tempo: Tempo) -> None:
    done = tempo("batch", write(folder / "jobs.jsonl", *MIXED), *QUICK)
    lines = read(done.out)
    assert (done.code, [line["question"] for line in lines]) == (7, ORDER)
    assert [line["video"]["path"] for line in lines[-2:]] == ["bad.mp4", "./more/b.MP4"]
    assert [line["status"] for line in lines] == ["ok", "error", "error", "ok", "ok", "ok", "error", "ok"]
    assert lines[0]["id"] == "first"
    assert run_from_json(json.dumps(lines[0])).answer is not None
    long, incomplete, broken = (line["error"] for line in lines if line["status"] == "error")
    assert long["message"].startswith("the question takes 200,0")
    assert incomplete["message"] == "line 7: there is no question"
    assert (broken["code"], "bad.mp4" in broken["message"]) == ("video", True)
    assert lines[4]["budget"]["limit"] == 64
    assert lines[5]["video"]["end"] == 4
    told = done.err.splitlines()
    assert told[0] == "3 of 8 jobs failed:"
    assert [line.split()[1] for line in told[1:]] == ["usage", "usage", "video"]
    # the same answer as alone
    alone = tempo("ask", "a.mp4", "what?", *QUICK, "--json").json
    assert lasting(lines[0] | {"id": None, "job": None}) == lasting(alone | {"job": None})


def test_a_run_goes_on_where_it_was(folder: Path, tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, results, whole = folder / "jobs.jsonl", folder / "r.jsonl", folder / "whole.jsonl"
    write(jobs, *MIXED)
    words = ["batch", jobs, *QUICK, "-o"]
    assert tempo(*words, whole).code == 7
    assert tempo(*words, results, "--limit", "3").code == 7
    assert [lasting(line) for line in read(results)] == [lasting(line) for line in read(whole)[:3]]
    with results.open("r+b") as file:
        file.truncate(results.stat().st_size - 100)
    write(jobs, *MIXED, job("a.mp4", "when?"))
    assert tempo(*words, results).code == 7
    expected = [lasting(line) for line in read(whole)]
    found = [lasting(line) for line in read(results)]
    new = found.pop(4)  # behind the others about its video
    assert (new["question"], found) == ("when?", expected)

    def never(*_: object) -> None:
        raise AssertionError("nothing is left to do")

    monkeypatch.setattr(batch_model.BatchModel, "outcomes", never)
    before = results.read_bytes()
    done = tempo(*words, results)
    assert (done.code, done.err.splitlines()[0]) == (7, "3 of 9 jobs failed:")
    assert results.read_bytes() == before


def test_failed_jobs_are_done_again_when_asked(folder: Path, tempo: Tempo) -> None:
    jobs, results = folder / "jobs.jsonl", folder / "r.jsonl"
    write(jobs, job("bad.mp4", "what?", id=1), job("a.mp4", "what?", id=2))
    words = ["batch", jobs, *QUICK, "-o", results]
    assert tempo(*words).code == 7
    write(jobs, job("a.mp4", "who?", id=1), job("a.mp4", "what?", id=2))
    done = tempo(*words)
    assert (done.code, done.err.splitlines()[0]) == (
        2, f"error: the job '1' is in '{results}' with another video, 'bad.mp4'",
    )  # fmt: skip
    assert tempo(*words, "--retry-failed").code == 0
    assert [(line["id"], line["status"]) for line in read(results)] == [("2", "ok"), ("1", "ok")]
    write(jobs, job("a.mp4", "what else?", id=2))
    assert "with another question, 'what?'" in tempo(*words).err


def test_a_failure_is_forgotten_only_where_its_job_is_done_again(folder: Path, tempo: Tempo) -> None:
    jobs, results = folder / "jobs.jsonl", folder / "r.jsonl"
    write(jobs, job("bad.mp4", "what?", id=1), job("a.mp4", "what?", id=2))
    words = ["batch", jobs, *QUICK, "-o", results, "--retry-failed"]
    assert tempo(*words).code == 7
    before = results.read_bytes()
    assert tempo(*words, "--model", "nano").code == 2  # lines of another model
    write(jobs, job("bad.mp4", "what?", id=1), job("a.mp4", "what else?", id=2))
    assert tempo(*words).code == 2
    assert results.read_bytes() == before
    write(jobs, job("a.mp4", "who?", id=3))
    assert tempo(*words).code == 0
    assert {line["id"] for line in read(results)} == {"1", "2", "3"}


def test_no_failure_is_lost_where_nothing_is_done_again(folder: Path, tempo: Tempo, tmp_path: Path) -> None:
    jobs, results, model = folder / "jobs.jsonl", folder / "r.jsonl", tmp_path / "Tempo-tiny"
    for name in (MODEL.name, "Qwen3-VL-tiny"):
        shutil.copytree(MODEL.parent / name, tmp_path / name)
    write(jobs, *(job("bad.mp4", f"{name}?", id=name) for name in "abc"))
    words = ["batch", jobs, *QUICK, "--model", model, "-o", results]
    assert tempo(*words).code == 7
    before = results.read_bytes()
    model.rename(tmp_path / "elsewhere")
    assert tempo(*words, "--retry-failed").code == 4
    assert results.read_bytes() == before
    (tmp_path / "elsewhere").rename(model)
    (folder / "bad.mp4").unlink()
    (folder / "bad.mp4").symlink_to(FRACTAL)
    done = tempo(*words, "--retry-failed", "--limit", "1")
    assert (done.code, done.err.splitlines()[0]) == (7, "2 of 3 jobs failed:")
    assert [(line["id"], line["status"]) for line in read(results)] == [
        ("b", "error"), ("c", "error"), ("a", "ok"),
    ]  # fmt: skip


def test_a_stream_retries_the_jobs_that_come(
    folder: Path, tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = folder / "r.jsonl"
    given = [job("bad.mp4", "what?", id=1), job("bad.mp4", "who?", id=2), job("a.mp4", "what?", id=3)]
    for expected, more, jobs in ((7, [], given), (0, ["--retry-failed"], [job("a.mp4", "who?", id=2)])):
        text = "".join(json.dumps(one) + "\n" for one in jobs)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert tempo("batch", "-", "--stream", *QUICK, "-o", results, *more).code == expected
    assert [(line["id"], line["status"]) for line in read(results)] == [
        ("1", "error"), ("3", "ok"), ("2", "ok"),
    ]  # fmt: skip


@pytest.mark.usefixtures("folder")
def test_videos_and_folders_with_questions(tempo: Tempo) -> None:
    done = tempo("batch", "a.mp4", "more", "-q", "what?", "-q", "who?", *QUICK)
    asked = [(line["video"]["path"], line["question"]) for line in read(done.out)]
    assert (done.code, done.err) == (0, "")
    assert asked == [(video, text) for video in ("a.mp4", "more/b.MP4") for text in ("what?", "who?")]
    done = tempo("batch", ".", "--glob", "b*.mp4", "-q", "what?", *QUICK)
    assert [line["video"]["path"] for line in read(done.out)] == ["bad.mp4"]
    assert done.code == 7


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.mp4"], "there is no question"),
        (["."], "there is no question"),
        (["no.jsonl"], "the jobs in 'no.jsonl' can't be read: No such file or directory"),
        (["jobs.jsonl", "-q", "what?"], "with -q every argument is a video or a folder"),
        (["more/.hidden", "--glob", "*.x", "-q", "what?"], "there is nothing that matches '*.x'"),
        (["jobs.jsonl", "--glob", "*.x"], "--glob goes with folders and -q"),
        (["jobs.jsonl", "more.jsonl"], "2 files of jobs were given"),
        (["jobs.jsonl", "--stream"], "--stream goes with jobs on standard input"),
        (["jobs.jsonl", "--retry-failed"], "--retry-failed goes with -o"),
        (["jobs.jsonl", "--shard", "3/2"], "shard is 3/2"),
        (["jobs.jsonl", "--devices", "cpu,"], "--devices is 'cpu,'"),
        (["-", "--stream", "--workers", "2"], "--stream goes with one worker"),
        (["jobs.jsonl", "--shard", "2"], "--shard is '2'"),
        (["jobs.jsonl", "--fps", "0"], "fps is 0"),
        (["jobs.jsonl", "-o", "notes.txt"], "'notes.txt' does not hold results of tempo"),
    ],
)
def test_what_is_no_batch(words: list[str], message: str, folder: Path, tempo: Tempo) -> None:
    write(folder / "jobs.jsonl", job("a.mp4", "what?"))
    (folder / "notes.txt").write_text("mine\n")
    done = tempo("batch", *words, *QUICK)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 2)
    assert done.err.startswith(f"error: {message}")


def test_an_empty_list_is_done(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert tempo("batch", "-", *QUICK) == Outcome(0, "", "")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("mode", [[], ["--stream"]])
def test_jobs_on_standard_input(mode: list[str], tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [job("a.mp4", "1?"), job("more/b.MP4", "2?"), job("a.mp4", "3?"), [], job("a.mp4", "3?")]
    text = "".join(json.dumps(value) + "\n" for value in values)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    done = tempo("batch", "-", *mode, *QUICK)
    order = ["1?", "2?", "3?", None] if mode else ["1?", "3?", "2?", None]
    assert (done.code, [line["question"] for line in read(done.out)]) == (7, order)


def test_a_failure_among_streamed_jobs_is_remembered(
    folder: Path, tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [job("bad.mp4", "1?"), job("a.mp4", "2?"), job("a.mp4", "3?", max_frames=8)]
    text = "".join(json.dumps(value) + "\n" for value in values)
    for _ in range(2):  # the second time nothing is done
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        done = tempo("batch", "-", "--stream", "-o", folder / "r.jsonl", *QUICK)
        assert (done.code, "bad.mp4" in done.err) == (7, True)


def test_failures_of_earlier_runs_are_told_in_order(folder: Path, tempo: Tempo) -> None:
    jobs = write(folder / "jobs.jsonl", *(job("a.mp4", "?", id=f"f{number}") for number in range(9)))
    words = ["batch", jobs, "-o", folder / "r.jsonl", *QUICK]
    assert tempo(*words).err == (again := tempo(*words)).err
    assert [line.split()[0] for line in again.err.splitlines()[1:]] == [f"f{number}" for number in range(9)]


def test_shards_share_the_videos_out(folder: Path, tempo: Tempo) -> None:
    write(folder / "jobs.jsonl", *MIXED)
    found = [read(tempo("batch", "jobs.jsonl", "--shard", f"{part}/2", *QUICK).out) for part in (1, 2)]
    videos = [{line["video"]["path"] for line in lines} for lines in found]
    assert videos == [{"a.mp4", "./more/b.MP4"}, {"bad.mp4"}]


def test_the_first_failure_can_be_the_end(folder: Path, tempo: Tempo) -> None:
    write(folder / "jobs.jsonl", job("bad.mp4", "what?"), job("a.mp4", "what?"))
    done = tempo("batch", "jobs.jsonl", "--fail-fast", *QUICK)
    assert (done.code, [line["status"] for line in read(done.out)]) == (7, ["error"])


def test_progress_for_programs(folder: Path, tempo: Tempo) -> None:
    jobs = [job("bad.mp4", "what?", id="x"), job("a.mp4", "what?")]
    write(folder / "jobs.jsonl", *jobs, jobs[0])
    words = ["batch", "jobs.jsonl", "-o", "r.jsonl", "--progress", "json", "--html", "pages", *QUICK]
    done = tempo(*words)
    start, bad, good, end = read(done.err)
    assert start == {"event": "start", "jobs": 2, "videos": 2}
    assert (bad["id"], bad["status"], bad["done"], bad["failed"]) == ("x", "error", 1, 1)
    assert (good["done"], good["videos_done"], good["seconds_left"]) == (2, 2, 0)
    assert end == {"event": "end", "done": 2, "failed": 1, "exit_code": 7}
    assert read(tempo(*words).err) == [
        {"event": "start", "jobs": 0, "videos": 0},
        {"event": "end", "done": 0, "failed": 0, "exit_code": 7},
    ]


def test_without_a_model_nothing_is_written(folder: Path, tempo: Tempo) -> None:
    write(folder / "jobs.jsonl", job("a.mp4", "what?"))
    done = tempo("batch", "jobs.jsonl", "-o", "r.jsonl", "--model", "nosuch/model")
    assert (done.code, (folder / "r.jsonl").read_text()) == (4, "")


def test_a_bug_is_a_line_too(folder: Path, tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    from tempo_cli import Clip

    real = Clip.ask_many

    def broken(self: Clip, questions: list[str], **more: Any) -> Any:
        if "who?" in questions:
            raise ZeroDivisionError("oops")
        return real(self, questions, **more)

    monkeypatch.setattr(Clip, "ask_many", broken)
    write(folder / "jobs.jsonl", job("a.mp4", "what?"), job("a.mp4", "who?"), job("a.mp4", "why?"))
    lines = read(tempo("batch", "jobs.jsonl", *QUICK).out)
    assert [line["status"] for line in lines] == ["ok", "error", "ok"]
    assert lines[1]["error"]["message"] == "ZeroDivisionError: oops"


def test_the_first_interrupt_ends_behind_the_job_in_hand(
    folder: Path, tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = batch.BatchScreen.on_event

    def interrupted(self: batch.BatchScreen, *event: Any) -> None:
        real(self, *event)
        self._stop()  # as the thread that watches signals does

    monkeypatch.setattr(batch.BatchScreen, "on_event", interrupted)
    write(folder / "jobs.jsonl", job("a.mp4", "what?"), job("a.mp4", "who?"))
    done = tempo("batch", "jobs.jsonl", "-o", "r.jsonl", *QUICK)
    assert (done.code, len(read(folder / "r.jsonl"))) == (130, 1)
    assert done.err.startswith("finishing the current job (how long that takes is not known yet); interrupt")


def test_patience_takes_one_interrupt_and_nothing_else() -> None:
    taken: list[bool] = []
    patience = Patience()
    assert not patience.takes(signal.SIGINT, "main")
    patience.action = lambda: taken.append(True)
    assert not patience.takes(signal.SIGTERM, "watcher")
    assert patience.takes(signal.SIGINT, "watcher")
    assert patience.takes(signal.SIGINT, "main")
    assert taken == [True]
    assert not patience.takes(signal.SIGINT, "main")
    assert not patience.takes(signal.SIGINT, "watcher")


def test_a_tracker_estimates_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    from tempo_cli.batch.jobs import Defaults, make_job
    from tempo_cli.batch.outcome import Outcome as Ended
    from tempo_cli.cli import batch_progress
    from tempo_cli.events import Progress
    from tempo_cli.plan.schedule import schedule

    now = [100.0]
    monkeypatch.setattr(batch_progress.time, "monotonic", lambda: now[0])
    jobs = [make_job(video, text, Defaults()) for video in "ab" for text in ("1?", "2?")]
    tracker = Tracker(schedule(jobs))
    assert (tracker.total, tracker.videos, tracker.seconds_left, tracker.seconds_in_hand) == (
        4,
        2,
        None,
        None,
    )
    tracker.begin(Progress("decode", 0, 8))
    now[0] = 104.0
    tracker.begin(Progress("decode", 2, 8))
    assert tracker.seconds_in_hand == 12.0
    now[0] = 110.0
    tracker.count(Ended(jobs[0], error=ModelError("x", "y")))
    assert (tracker.seconds_left, tracker.seconds_in_hand) == (30.0, 10.0)
    tracker.count(Ended(jobs[1]))
    assert (tracker.videos_done, tracker.failed, tracker.seconds_left) == (1, 1, 10.0)


def test_a_long_table_of_failures_is_cut() -> None:
    rows = [(f"id{number}", "video", "broken") for number in range(30)]
    lines = failures(rows, 99)
    assert (lines[0], len(lines), lines[-1]) == ("30 of 99 jobs failed:", 22, "  … and 10 more")
    assert failures([], 99) == []


@pytest.mark.usefixtures("folder")
class TestAskAboutSeveral:
    """`tempo ask A B -q …`."""

    def test_each_answer_stands_behind_its_video(self, tempo: Tempo) -> None:
        done = tempo("ask", "a.mp4", "bad.mp4", "more/b.MP4", "-q", "what?", *QUICK)
        assert done.code == 7
        a, b = done.out.split("\n\n")
        assert (a.partition(": ")[0], b.partition(": ")[0]) == ("a.mp4", "more/b.MP4")
        assert done.err.splitlines()[0].startswith("warning: ") or "bad.mp4" in done.err
        assert "error: 'bad.mp4'" in done.err

    def test_json_has_a_line_for_each(self, tempo: Tempo) -> None:
        done = tempo("ask", "a.mp4", "bad.mp4", "a.mp4", "-q", "1?", "-q", "2?", *QUICK, "--json")
        lines = read(done.out)
        assert [line["status"] for line in lines] == ["ok", "ok", "error", "error"]
        assert [line["question"] for line in lines] == ["1?", "2?", "1?", "2?"]
        assert (lines[2]["model"]["id"], lines[2]["video"]["path"]) == (SHORT[1], "bad.mp4")

    def test_all_that_failed_alike_have_their_own_code(self, tempo: Tempo) -> None:
        assert tempo("ask", "bad.mp4", "no.mp4", "-q", "what?", *QUICK).code == 3
        assert tempo("ask", "a.mp4", "a.mp4", "-q", "what?", *QUICK).code == 0
