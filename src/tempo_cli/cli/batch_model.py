"""The model and the videos of a batch: what is missing is found before the first job."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..batch.outcome import Outcome
from ..config import CacheOptions, LoadOptions
from ..errors import UsageError
from ..events import Progress
from ..plan.schedule import Group
from .console import Screen
from .pull import ensure
from .saved import refuse_saved_run

if TYPE_CHECKING:  # torch, numpy
    from ..batch.engine import JobListener, Jobs
    from ..tempo import Tempo
    from ..video.opened import Video

SOME_FAILED = 7  # exit code: some jobs or videos have no answer


class BatchModel:
    """Answers jobs with one model.

    Attributes:
        name: of the model, as the command names it.
    """

    def __init__(
        self,
        name: str,
        revision: str | None,
        load: LoadOptions,
        ffmpeg: str | None,
        cache: CacheOptions,
        screen: Screen,
        *,
        yes: bool,
        offline: bool,
        devices: Sequence[str] = (),
    ) -> None:
        """
        Args:
            devices: one for each worker, a process of its own; fewer than two: this process does the work.
        """
        self.name = name
        self._devices = devices
        self._revision, self._load, self._ffmpeg, self._cache = revision, load, ffmpeg, cache
        self._screen, self._yes, self._offline = screen, yes, offline

    def outcomes(self, groups: "Iterable[Jobs]", on_event: "JobListener") -> Iterator[Outcome]:
        """Answer all jobs, in order.

        Raises:
            TempoError: there is no such model, or no ffmpeg: no job could be done.
        """
        if len(self._devices) > 1:
            return self._shared_out(groups, on_event)
        from ..batch.engine import answer
        from ..hub.locations import read_shape
        from ..video.ffmpeg import find_ffmpeg
        from ..video.opened import open_video

        self._require(find_ffmpeg)
        shape = read_shape(self.name, self._revision)

        def opened(group: "Jobs") -> "Video":
            path = Path(group.video or "")
            refuse_saved_run(path)
            return open_video(path, group.sampling, shape, ffmpeg=self._ffmpeg, cache=self._cache)

        return answer(groups, opened, self._loaded, on_event)

    def _shared_out(self, groups: "Iterable[Jobs]", on_event: "JobListener") -> Iterator[Outcome]:
        """Answer them with several workers."""
        from ..batch.crew import crew_outcomes
        from ..batch.wire import Setup
        from ..video.ffmpeg import find_ffmpeg

        self._require(find_ffmpeg)
        setups = [
            Setup(
                self.name,
                self._revision,
                replace(self._load, device=device),
                self._ffmpeg,
                self._cache.limit,
                self._cache.keep,
            )
            for device in self._devices
        ]
        known = [_without_saved_runs(group) for group in groups if isinstance(group, Group)]
        return crew_outcomes(known, setups, on_event)

    def _require(self, find_ffmpeg: Callable[[str | None], object]) -> None:
        """ffmpeg and the model: without them no job could be done."""
        find_ffmpeg(self._ffmpeg)
        ensure(self.name, self._revision, self._screen, yes=self._yes, offline=self._offline)

    def _loaded(self) -> "Tempo":
        self._screen.on_event(Progress("load", 0, 1))
        from ..tempo import Tempo  # heavy: torch

        tempo = Tempo.load(
            self.name, revision=self._revision, options=self._load, on_event=self._screen.on_event
        )
        self._screen.stop_progress()
        self._screen.introduce(tempo.info.scope)
        return tempo


def _without_saved_runs(group: Group) -> Group:
    """The group; where its video is a saved run, with that as every job's fault."""
    try:
        refuse_saved_run(Path(group.video or ""))
    except UsageError as error:
        return replace(group, jobs=tuple(replace(job, fault=job.fault or error) for job in group.jobs))
    return group
