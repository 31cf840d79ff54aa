"""The order of a batch: jobs grouped by video, so that each video is opened once."""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ..config import BudgetOptions, GenerationOptions, SamplingOptions
from ..errors import UsageError


@dataclass(frozen=True)
class Job:
    """One question about one video.

    Attributes:
        id: the user's, else `job_id` of it.
        video: path as it was written; None where a faulty job has none.
        fault: what is wrong with the job itself; it is reported in its place and never asked.
    """

    id: str
    video: str | None
    question: str | None
    sampling: SamplingOptions
    budget: BudgetOptions
    generation: GenerationOptions
    fault: UsageError | None = None

    @property
    def digest(self) -> str:
        """What identifies its content: video, question, and options that differ from the defaults."""
        options = [_changed(part) for part in (self.sampling, self.budget, self.generation)]
        return _hash([self.video, self.question, *options])


@dataclass(frozen=True)
class Group:
    """Jobs about one video with one sampling: it is opened once for all of them."""

    video: str | None
    sampling: SamplingOptions
    jobs: tuple[Job, ...]

    @property
    def asks(self) -> bool:
        """Whether the video has to be opened: not all jobs are faulty."""
        return any(job.fault is None for job in self.jobs)

    @property
    def has_more(self) -> bool:
        """Whether there is more than one round."""
        return len(list(self.rounds())) > 1

    def rounds(self) -> Iterator[tuple[Job, ...]]:
        """Jobs that share one visual pass, because their options are equal; faulty ones in their place."""
        found: dict[tuple[BudgetOptions, GenerationOptions] | None, list[Job]] = {}
        key = None
        for job in self.jobs:
            if job.fault is None:
                key = (job.budget, job.generation)
            found.setdefault(key, []).append(job)
        yield from map(tuple, found.values())


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `count` parts of a batch."""

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise UsageError(
                f"shard is {self.number}/{self.count}", "Give 1/4 for the first of four parts, up to 4/4."
            )


def schedule(
    jobs: Sequence[Job],
    done: Collection[str] = (),
    shard: Shard | None = None,
    limit: int | None = None,
) -> list[Group]:
    """What is to be done, in order: videos by first appearance, jobs in file order within each.

    Jobs of one video with different frames (`start`, `end`, `fps`, …) make groups of their own, one behind
    the other; within a group, those with equal options stand together.

    Args:
        jobs: all of them, each id once.
        done: ids that are left out.
        shard: every `count`-th video, whatever is done already, so that shards never overlap.
        limit: jobs at most.
    """
    part = shard or Shard()
    videos: dict[str | None, dict[SamplingOptions, list[Job]]] = {}
    for job in jobs:
        videos.setdefault(job.video, {}).setdefault(job.sampling, []).append(job)
    groups, left = [], len(jobs) if limit is None else limit
    for video in list(videos)[part.number - 1 :: part.count]:
        for sampling, found in videos[video].items():
            ordered = (job for jobs in Group(video, sampling, tuple(found)).rounds() for job in jobs)
            wanted = tuple(job for job in ordered if job.id not in done)[:left]
            left -= len(wanted)
            if wanted:
                groups.append(Group(video, sampling, wanted))
    return groups


def job_id(video: str | None, question: str | None, start: float | None, end: float | None) -> str:
    """The id of a job without one: the same video, question and range give the same id."""
    return _hash([video, question, start, end])


def text_id(text: str) -> str:
    """The id of a line that is no job."""
    return _hash([text])


def unique(jobs: Iterable[Job]) -> Iterator[Job]:
    """The jobs, without repetitions of the same job.

    Raises:
        UsageError: two different jobs have the same id.
    """
    seen: dict[str, Job] = {}
    for job in jobs:
        if job.id not in seen:
            seen[job.id] = job
            yield job
        elif seen[job.id].digest != job.digest:
            raise UsageError(
                f"two different jobs have the id '{job.id}': {_told(seen[job.id])}, and {_told(job)}",
                "Give each an id of its own; without ids, jobs differ by video, question, start and end.",
            )


def _told(job: Job) -> str:
    return f"'{job.question}' about '{job.video}'"


def _changed(options: Any) -> dict[str, Any]:
    """The fields that are not as by default: an option that a later version adds changes no digest."""
    default = type(options)()
    names = [field.name for field in fields(options)]
    return {
        name: getattr(options, name) for name in names if getattr(options, name) != getattr(default, name)
    }


def _hash(parts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
