"""What the command and its workers say to each other: JSON lines, read as checked values."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from ..checked import checked, parse_object
from ..config import BudgetOptions, CacheOptions, GenerationOptions, LoadOptions, SamplingOptions
from ..events import Event, Progress, Stage, Warned
from ..plan.schedule import Group, Job


@dataclass(frozen=True)
class Setup:
    """What a worker is: the model and the options that all of its jobs share."""

    model: str
    revision: str | None
    load: LoadOptions
    ffmpeg: str | None
    cache_limit: int
    cache_keep: bool

    @property
    def cache(self) -> CacheOptions:
        """Where decoded frames are kept."""
        return CacheOptions(limit=self.cache_limit, keep=self.cache_keep)

    def to_line(self) -> bytes:
        """For `setup_of`."""
        return _line(asdict(self))


@dataclass(frozen=True)
class _Job:
    id: str
    question: str
    budget: BudgetOptions
    generation: GenerationOptions


@dataclass(frozen=True)
class _Group:
    video: str
    sampling: SamplingOptions
    jobs: tuple[_Job, ...]


@dataclass(frozen=True)
class Told:
    """What a worker says: it is ready, something happens for a job, a job's line, or why it can't work.

    Attributes:
        job: id.
        fatal: an error as in `schema.error_to_json`.
    """

    job: str | None = None
    line: str | None = None
    stage: Stage | None = None
    done: int = 0
    total: int = 0
    warning: str | None = None
    code: str | None = None
    message: str = ""
    hint: str = ""

    def to_line(self) -> bytes:
        """For `told_of`."""
        return _line(asdict(self))

    @property
    def event(self) -> Event | None:
        """What happens for the job."""
        if self.warning is not None:
            return Warned(self.warning)
        return None if self.stage is None else Progress(self.stage, self.done, self.total)


def setup_of(line: bytes) -> Setup:
    """Raises ValueError if it is none."""
    return checked(Setup, parse_object(line))


def told_of(line: bytes) -> Told:
    """Raises ValueError if it is none."""
    return checked(Told, parse_object(line))


def group_to_line(group: Group) -> bytes:
    """The group's jobs; none of them is faulty."""
    jobs = tuple(_Job(job.id, job.question or "", job.budget, job.generation) for job in group.jobs)
    return _line(asdict(_Group(group.video or "", group.sampling, jobs)))


def group_of(line: bytes) -> Group:
    """Raises ValueError if it is none."""
    found = checked(_Group, parse_object(line))
    jobs = (
        Job(job.id, found.video, job.question, found.sampling, job.budget, job.generation)
        for job in found.jobs
    )
    return Group(found.video, found.sampling, tuple(jobs))


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode("ascii") + b"\n"
