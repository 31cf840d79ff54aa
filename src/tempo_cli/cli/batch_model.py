"""The model and the videos of a batch: what is missing is found before the first job."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..batch.outcome import Outcome
from ..config import CacheOptions, LoadOptions
from ..events import Progress
from .console import Screen
from .pull import ensure
from .saved import refuse_saved_run

if TYPE_CHECKING:  # torch, numpy
    from ..batch.engine import JobListener, Jobs
    from ..tempo import Tempo
    from ..video.opened import Video


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
    ) -> None:
        self.name = name
        self._revision, self._load, self._ffmpeg, self._cache = revision, load, ffmpeg, cache
        self._screen, self._yes, self._offline = screen, yes, offline

    def outcomes(self, groups: "Iterable[Jobs]", on_event: "JobListener") -> Iterator[Outcome]:
        """Answer all jobs, in order.

        Raises:
            TempoError: there is no such model, or no ffmpeg: no job could be done.
        """
        from ..batch.engine import answer
        from ..hub.locations import read_shape
        from ..video.ffmpeg import find_ffmpeg
        from ..video.opened import open_video

        find_ffmpeg(self._ffmpeg)
        ensure(self.name, self._revision, self._screen, yes=self._yes, offline=self._offline)
        shape = read_shape(self.name, self._revision)

        def opened(group: "Jobs") -> "Video":
            path = Path(group.video or "")
            refuse_saved_run(path)
            return open_video(path, group.sampling, shape, ffmpeg=self._ffmpeg, cache=self._cache)

        return answer(groups, opened, self._loaded, on_event)

    def _loaded(self) -> "Tempo":
        self._screen.on_event(Progress("load", 0, 1))
        from ..tempo import Tempo  # heavy: torch

        tempo = Tempo.load(
            self.name, revision=self._revision, options=self._load, on_event=self._screen.on_event
        )
        self._screen.stop_progress()
        return tempo
