"""Frames that are decoded without the packets that none of them needs."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from ..errors import SetupError
from ..plan.comparison import Comparison
from ..types import IntArray
from .conversion import Conversion
from .lanes import Lane, Lanes, Source
from .pictures import Picture
from .running import Running
from .seeking import Seeker
from .thinning import DecodingRecord, ThinningPlan, plan_thinning, span_of

_MOST_STARVED = 2  # times that decoders of a video got no more memory
Started = TypeVar("Started")


class ThinnedFrames:
    """Decodes wanted frames from as few packets as possible, as long as all goes well.

    A packet that is left out wrongly costs no picture: others come wrong. So a group of pictures is decoded
    both ways and compared first, and what comes after an error of a decoder counts as not decoded.
    """

    def __init__(
        self,
        source: Callable[[int], Source],
        conversion: Conversion,
        record: DecodingRecord,
        running: Running,
        seeker: Seeker,
    ) -> None:
        self._source, self._conversion, self._record = source, conversion, record
        self._running, self._seeker = running, seeker
        self._stopped = self._starved = False

    def pictures(self, indices: IntArray) -> Iterator[Picture]:
        """The first of the frames, in order: none, some or all. The others must be decoded plainly.

        Args:
            indices: ascending, each once.
        """
        source, first = self._source(0), 0
        plan = plan_thinning(source.info, indices, source.binary, self._record.exact)
        if plan is None:
            return
        self._conversion.begin()
        if plan.comparison is not None:
            first = plan.comparison.wanted
            yield from self._compared(plan, plan.comparison)
        if self._record.exact and first < len(indices):
            yield from self._others(plan, first)

    def judge(self, clean: bool) -> None:
        """Note what it means that `pictures` ended early, if it did.

        Where plain decoding has trouble with the rest as well, the video is damaged, and later decoders may
        leave packets out all the same. A lack of memory may pass, unless it is met again.

        Args:
            clean: whether plain decoding gave all other frames, without an error.
        """
        if self._starved:
            self._record.starved += 1
        if self._stopped and clean and (not self._starved or self._record.starved >= _MOST_STARVED):
            self._record.exact = False
        self._stopped = self._starved = False

    def _others(self, plan: ThinningPlan, first: int) -> Iterator[Picture]:
        """Frames from `plan.indices[first]` on, by decoders side by side."""
        lanes = self._start(plan, plan.indices[first:], plan.shares(first))
        if lanes is None:
            return
        done = first
        try:
            for picture in lanes.pictures():
                if not self._conversion.suits(picture.look):
                    return
                yield picture
                done += 1
            self._stopped = done < len(plan.indices) and not self._running.killed
            self._starved = self._stopped and lanes.starved
        finally:
            self._running.close(lanes)

    def _compared(self, plan: ThinningPlan, comparison: Comparison) -> Iterator[Picture]:
        """The first frames, decoded plainly, while these and others are compared with less decoded."""
        source = self._source(plan.threads)
        assert source.info.pts is not None
        indices = np.searchsorted(source.info.pts, plan.index.pts[comparison.positions])
        wanted = set(plan.indices[: comparison.wanted].tolist())
        seek = self._seeker.point(int(indices[0]))
        plain = _tried(lambda: self._running.start(lambda: Lane(source, indices, seek)))
        thin = self._start(plan, indices, [np.arange(len(indices))])
        if plain is None or thin is None:
            self._running.close(plain, thin)
            return
        span = span_of(source.info, indices, seek)
        self._record.count(1, span, span)
        others, alike = thin.pictures(), 0
        try:
            for index in indices.tolist():
                picture = plain.take()
                if picture is None or picture.place != index:
                    break
                if not self._conversion.suits(picture.look):
                    return
                other = next(others, None)
                alike += other is not None and np.array_equal(other.pixels, picture.pixels)
                if index in wanted:
                    yield picture
            if not self._running.killed:
                self._record.exact = alike == len(indices)
        finally:
            self._running.close(plain, thin)

    def _start(self, plan: ThinningPlan, indices: IntArray, shares: Sequence[IntArray]) -> Lanes | None:
        """Decoders for frames `indices`, each for its share."""
        source, seek = self._source(plan.threads), self._seeker.point(int(indices[0]))
        make = partial(Lanes, source, plan.index, indices, shares, seek)
        lanes = _tried(lambda: self._running.start(make))
        if lanes is not None:
            self._record.count(len(shares), lanes.span, lanes.decoded)
        return lanes


def _tried(start: Callable[[], Started | None]) -> Started | None:
    """None where there is no room for another process or thread: a single decoder may still find some."""
    try:
        return start()
    except (SetupError, OSError, RuntimeError):
        return None
