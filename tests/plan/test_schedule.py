"""The order of a batch."""

from dataclasses import replace

import pytest

from tempo_cli.config import BudgetOptions, GenerationOptions, SamplingOptions
from tempo_cli.errors import UsageError
from tempo_cli.plan.schedule import Group, Job, Shard, job_id, schedule, unique


def job(name: str, video: str = "a", **more: object) -> Job:
    plain = Job(name, video, f"{name}?", SamplingOptions(), BudgetOptions(), GenerationOptions())
    return replace(plain, **more)


def names(groups: "list[Group]") -> "list[tuple[str | None, str]]":
    return [(group.video, "".join(one.id for one in group.jobs)) for group in groups]


JOBS = [job("1"), job("2", "b"), job("3"), job("4", "c"), job("5", "b"), job("6", "d")]


def test_videos_come_by_first_appearance_and_jobs_in_file_order() -> None:
    assert names(schedule(JOBS)) == [("a", "13"), ("b", "25"), ("c", "4"), ("d", "6")]


def test_what_is_done_is_left_out_and_the_limit_counts_the_rest() -> None:
    assert names(schedule(JOBS, done={"1", "4"}, limit=3)) == [("a", "3"), ("b", "25")]
    assert schedule(JOBS, limit=0) == []
    assert schedule(JOBS, done={one.id for one in JOBS}) == []


def test_shards_are_whole_videos_and_do_not_depend_on_what_is_done() -> None:
    assert names(schedule(JOBS, shard=Shard(1, 2))) == [("a", "13"), ("c", "4")]
    assert names(schedule(JOBS, done={"1", "3"}, shard=Shard(2, 2))) == [("b", "25"), ("d", "6")]
    assert schedule(JOBS[:1], shard=Shard(2, 2)) == []
    for number in (0, 3):
        with pytest.raises(UsageError):
            Shard(number, 2)


def test_other_frames_of_a_video_are_a_group_behind_it() -> None:
    cut = SamplingOptions(start=5.0)
    jobs = [job("1"), job("2", sampling=cut), job("3", "b"), job("4"), job("5", sampling=cut)]
    assert names(schedule(jobs)) == [("a", "14"), ("a", "25"), ("b", "3")]


def test_jobs_with_equal_options_share_a_pass_and_faulty_ones_keep_their_place() -> None:
    small = BudgetOptions(budget=64)
    fault = UsageError("x", "y")
    jobs = [
        job("1", fault=fault),
        job("2"),
        job("3", fault=fault),
        job("4", budget=small),
        job("5"),
        job("6", generation=GenerationOptions(seed=1)),
    ]
    (group,) = schedule(jobs)
    assert ["".join(one.id for one in jobs) for jobs in group.rounds()] == ["1", "235", "4", "6"]
    assert group.asks
    assert group.has_more
    assert not schedule(jobs[1:3])[0].has_more
    assert not schedule(jobs[:1])[0].asks


def test_an_id_is_made_of_video_question_and_range() -> None:
    known = job_id("a", "what?", None, None)
    assert known == job_id("a", "what?", None, None)
    others = [("b", "what?", None, None), ("a", "who?", None, None), ("a", "what?", 1.0, None)]
    assert len({known, *(job_id(*parts) for parts in others), job_id("a", "what?", None, 1.0)}) == 5
    assert job_id("caf\udce9.mp4", "what?", None, None)  # a name that is no UTF-8


def test_a_digest_changes_with_every_part() -> None:
    changed = [
        job("1"),
        job("1", "b"),
        job("1", question="who?"),
        job("1", sampling=SamplingOptions(fps=1)),
        job("1", budget=BudgetOptions(ata=False)),
        job("1", generation=GenerationOptions(seed=0)),
    ]
    assert len({one.digest for one in changed}) == len(changed)
    assert job("1").digest == job("2", question="1?").digest  # the id is no part of it


def test_the_same_job_counts_once_and_another_with_its_id_is_an_error() -> None:
    assert [one.id for one in unique([job("1"), job("2"), job("1")])] == ["1", "2"]
    with pytest.raises(
        UsageError, match=r"two different jobs have the id '1': '.*' about '.*', and '.*' about"
    ):
        list(unique([job("1"), job("1", "b")]))
