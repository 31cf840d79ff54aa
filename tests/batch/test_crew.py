"""Several workers: every job once, in its video's order, whatever becomes of a worker."""

from dataclasses import replace
from pathlib import Path

import pytest

from tempo_cli.batch import crew
from tempo_cli.batch.crew import crew_outcomes
from tempo_cli.batch.jobs import Defaults, make_job
from tempo_cli.batch.wire import Setup, Told, group_of, group_to_line, setup_of, told_of
from tempo_cli.config import BudgetOptions, GenerationOptions, LoadOptions, SamplingOptions
from tempo_cli.errors import ModelError, SetupError, UsageError
from tempo_cli.events import Event, Progress, Warned
from tempo_cli.plan.schedule import Group, Job, schedule

ROOT = Path(__file__).parent.parent.parent
FAULT = UsageError("no question", "Ask one.")


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_PROGRAM", "tests.batch.fake_worker")
    monkeypatch.syspath_prepend(str(ROOT))


def setup(model: str = "fake") -> Setup:
    return Setup(model, None, LoadOptions(device="cpu"), None, 0, False)


def groups(*jobs: str) -> list[Group]:
    """`a1?` is a question about video a; one that ends in a dot is faulty."""
    made = []
    for text in jobs:
        job = make_job(text[0], text[1:].replace(".", "?"), Defaults(), text)
        fault = FAULT if text.endswith(".") else None
        made.append(Job(job.id, job.video, job.question, job.sampling, job.budget, job.generation, fault))
    return schedule(made)


def answered(found: list[Group], count: int = 2, model: str = "fake") -> list[tuple[str, str]]:
    outcomes = crew_outcomes(found, [setup(model)] * count, lambda *_: None)
    return [(outcome.job.id, outcome.error.message if outcome.error else "") for outcome in outcomes]


def test_every_job_is_done_once_and_in_its_videos_order() -> None:
    names = [f"{video}{number}?" for number in range(3) for video in "abcde"]
    found = answered(groups("f0.", "a9.", *names, "c9."))
    assert sorted(found) == sorted(
        [("f0.", "no question"), ("a9.", "no question"), ("c9.", "no question")]
        + [(name, name[1:]) for name in names]
    )
    for video in "abcde":
        order = [name for name, _ in found if name[0] == video]
        expected = [f"{video}{number}?" for number in range(3)]
        assert order == (["a9."] if video == "a" else []) + expected + (["c9."] if video == "c" else [])


def test_whoever_is_free_takes_the_next_video(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    waiting = replace(setup(), ffmpeg=str(marker))
    found = []
    for outcome in crew_outcomes(
        groups("await?", *(f"{video}1?" for video in "bcdefghijk")), [waiting] * 2, lambda *_: None
    ):
        found.append(outcome.job.id)
        if len(found) == 9:  # all but the waiting one, and the one behind it
            marker.touch()
    assert "await?" in found[9:]
    assert len(found) == 11


def test_a_job_that_costs_two_workers_their_lives_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    found = answered(groups("a1?", "adie?", "a2?", "b1?", "c1?", "d1?"))
    lost = "the worker that did it was lost twice (ended by SIGKILL)"
    assert sorted(found) == [
        ("a1?", "1?"), ("a2?", "2?"), ("adie?", lost), ("b1?", "1?"), ("c1?", "1?"), ("d1?", "1?"),
    ]  # fmt: skip
    assert [name for name, _ in found if name[0] == "a"] == ["a1?", "adie?", "a2?"]
    started = []
    real = crew._Worker
    monkeypatch.setattr(crew, "_Worker", lambda *given: started.append(given) or real(*given))
    assert answered(groups("adie?"), 1) == [("adie?", lost)]
    assert len(started) == 2


def test_workers_that_can_not_start_end_the_batch() -> None:
    with pytest.raises(SetupError, match="a worker did not start"):
        answered(groups("a1?", "b1?"), model="dies")
    with pytest.raises(ModelError, match="there is no model") as error:
        answered(groups("a1?", "b1?"), model="missing")
    assert error.value.hint == "Get one."


def test_workers_end_with_their_reader() -> None:
    crews = []
    real = crew._Crew.close

    def close(self: crew._Crew) -> None:
        crews.append([worker.child for worker in self.workers])
        real(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crew._Crew, "close", close)
        outcomes = crew_outcomes(groups("a1?", "b1?", "await?", "bwait?"), [setup()] * 2, lambda *_: None)
        next(outcomes)
        outcomes.close()
    assert len(crews[0]) == 2
    assert all(child.has_ended() for child in crews[0])


def test_events_arrive_with_their_job() -> None:
    heard: list[tuple[str, Event]] = []
    found = groups("a1?")
    list(crew_outcomes(found, [setup()], lambda job, event: heard.append((job.id, event))))
    assert heard == [("a1?", Progress("decode", 1, 2))]


def test_what_is_said_is_understood() -> None:
    full = Setup("m", "r", LoadOptions("cpu", "float32", "int8", 3, "cuda:1"), "/ffmpeg", 5, True)
    assert setup_of(full.to_line()) == full
    jobs = tuple(
        Job(name, "v", f"{name}?", SamplingOptions(2.5, end=3.0), BudgetOptions(9), GenerationOptions(seed=1))
        for name in "ab"
    )
    group = Group("v", SamplingOptions(2.5, end=3.0), jobs)
    assert group_of(group_to_line(group)) == group
    told = Told("a", warning="careful")
    assert told_of(told.to_line()) == told
    assert (told.event, Told().event) == (Warned("careful"), None)
    with pytest.raises(ValueError):
        told_of(b'{"done": "x"}')
