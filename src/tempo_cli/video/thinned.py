"""Frames that are decoded without the packets that none of them needs."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..plan.comparison import Comparison
from ..types import IntArray
from .conversion import Conversion
from .lanes import Lane, Lanes, Source
from .pictures import Picture
from .running import Running
from .seeking import Seeker
from .thinning import DecodingRecord, ThinningPlan, plan_thinning, span_of


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
            if done < len(plan.indices) and not self._running.killed:
                self._record.exact = False
        finally:
            self._running.close(lanes)

    def _compared(self, plan: ThinningPlan, comparison: Comparison) -> Iterator[Picture]:
        """The first frames, decoded plainly, while these and others are compared with less decoded."""
        source = self._source(plan.threads)
        assert source.info.pts is not None
        indices = np.searchsorted(source.info.pts, plan.index.pts[comparison.positions])
        wanted = set(plan.indices[: comparison.wanted].tolist())
        seek = self._seeker.point(int(indices[0]))
        plain = self._running.start(lambda: Lane(source, indices, seek))
        thin = self._start(plan, indices, [np.arange(len(indices))])
        if plain is None or thin is None:
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
        lanes = self._running.start(lambda: Lanes(source, plan.index, indices, shares, seek))
        if lanes is not None:
            self._record.count(len(shares), lanes.span, lanes.decoded)
        return lanes
