"""Answers jobs, group by group: a failed job never stops the others. `tempo batch` and `ask` run on it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from ..config import SamplingOptions
from ..errors import CancelledError, VideoError
from ..events import AnswerText, Event
from ..plan.schedule import Job
from ..video.opened import Video
from .ahead import Ahead
from .outcome import Outcome, as_ours

if TYPE_CHECKING:  # torch
    from ..clip import Clip
    from ..tempo import Tempo

JobListener = Callable[[Job, Event], None]


class Jobs(Protocol):
    """A group of jobs about one video, as `plan.schedule.Group`."""

    @property
    def video(self) -> str | None:
        """Path; None only where nothing is asked."""

    @property
    def sampling(self) -> SamplingOptions:
        """Which frames."""

    @property
    def asks(self) -> bool:
        """Whether the video has to be opened."""

    @property
    def has_more(self) -> bool:
        """Whether there may be more than one round."""

    def rounds(self) -> Iterator[tuple[Job, ...]]:
        """Jobs that share a visual pass."""


def answer(
    groups: Iterable[Jobs],
    open_one: Callable[[Jobs], Video],
    load: Callable[[], "Tempo"],
    on_event: JobListener,
) -> Iterator[Outcome]:
    """Answer all jobs, in the order of `groups`.

    The first video is opened while the model is loaded, each further one while the one before is answered.

    Args:
        open_one: opens a group's video; called in another thread.
        on_event: called in this thread with the current job and what happens; `AnswerText` has the number 0.

    Yields:
        an outcome for each job, as soon as it is there.

    Raises:
        CancelledError: the model was closed.
        TempoError: the model can't be loaded.
    """

    def opened(group: Jobs) -> Video | None:
        return open_one(group) if group.asks else None

    with Ahead(iter(groups), opened) as ahead:
        tempo = load()
        for group, found in ahead:
            if isinstance(found, Video):
                yield from _group(tempo, group, found, on_event)
            else:
                for job in (job for jobs in group.rounds() for job in jobs):
                    error = job.fault or found
                    assert error is not None
                    yield Outcome(job, error=error)


def _group(tempo: "Tempo", group: Jobs, video: Video, on_event: JobListener) -> Iterator[Outcome]:
    with tempo.open(video, keep=group.has_more) as clip:
        for jobs in group.rounds():
            outcomes = _asked(clip, [job for job in jobs if job.fault is None], on_event)
            for job in jobs:
                yield Outcome(job, error=job.fault) if job.fault is not None else next(outcomes)


def _asked(clip: "Clip", jobs: Sequence[Job], on_event: JobListener) -> Iterator[Outcome]:
    """Jobs with the same options, with one visual pass for all of them."""
    listening = _Listening(jobs, on_event)
    try:
        runs = clip.ask_many(
            [job.question or "" for job in jobs],
            budget=jobs[0].budget,
            generation=jobs[0].generation,
            on_event=listening,
        )
        for run in runs:
            listening.done += 1
            yield Outcome(jobs[listening.done - 1], run)
        return
    except CancelledError:
        raise
    except Exception as raised:  # a bug that one job meets is no end of the others
        if raised is listening.error:
            raise
        error = as_ours(raised)
    left = jobs[listening.done :]
    if len(jobs) == 1 or isinstance(error, VideoError):
        yield from (Outcome(job, error=error) for job in left)
        return
    for job in left:  # whose fault it was shows when each is asked alone
        yield from _asked(clip, [job], on_event)


class _Listening:
    """Tells which job an event is of.

    Attributes:
        done: jobs that are answered.
        error: what the listener itself raised: output that can't be written is no fault of a job.
    """

    def __init__(self, jobs: Sequence[Job], on_event: JobListener) -> None:
        self.done = 0
        self._jobs, self._on_event = jobs, on_event
        self.error: Exception | None = None

    def __call__(self, event: Event) -> None:
        number = min(self.done, len(self._jobs) - 1)
        if isinstance(event, AnswerText):
            number, event = event.question, AnswerText(0, event.text)
        try:
            self._on_event(self._jobs[number], event)
        except Exception as error:
            self.error = error
            raise
