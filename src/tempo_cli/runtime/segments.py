"""Where a clip's segments come from: kept ones, those that an interrupted pass left, and the decoder."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ..events import Progress
from ..model.compressor import Compressor, SegmentFeatures, SegmentInput, SegmentPrefix
from ..scope import CancelScope
from ..types import Segment, SegmentPlan
from ..video.opened import Video
from .journal import Journal
from .store import Shelf

Origin = Literal["device", "host", "features", "memory", "disk", "decoded"]


@dataclass(frozen=True)
class Source:
    """A segment on its way into the compressor.

    Attributes:
        origin: what it was taken from; `memory` and `disk` are frames that were kept.
        row: what the compressor goes on with.
        segment: its frames, where they were read.
    """

    index: int
    origin: Origin
    row: SegmentInput | SegmentFeatures | SegmentPrefix
    segment: Segment | None = None

    @property
    def layout(self) -> Hashable:
        """Of its row: equal for what fits into one batch."""
        return self.row.layout


class ClipSegments:
    """The segments of one opened video.

    Attributes:
        shelf: the clip's part of the store; None where nothing is kept.
        plans: of every segment that was read, by index.
    """

    def __init__(self, video: Video, shelf: Shelf | None) -> None:
        self.video, self.shelf = video, shelf
        self.plans: dict[int, SegmentPlan] = {}
        self._waiting: dict[int, Segment] = {}  # decoded, but not compressed yet

    @property
    def indices(self) -> list[int]:
        """All segments but those of which nothing could be decoded."""
        return [index for index in range(self.video.total) if index not in self.video.absent]

    def sources(
        self, indices: Sequence[int], compressor: Compressor, journal: Journal, scope: CancelScope
    ) -> Iterator[Source]:
        """Yield segments `indices` in order, each from where it costs least.

        Left out are those that can't be decoded, and those that lost their place in the store meanwhile.
        """
        kept = {index for index in indices if self.shelf is not None and index in self.shelf}
        needed = [index for index in indices if index not in kept and index not in self._waiting]
        decoded = set(needed)
        stream = self.video.read(needed, scope) if needed else iter(())
        self._receive(stream, journal)
        for index in indices:
            if index in kept:
                source = self._kept(index, compressor)
                if source is not None:
                    yield source
                continue
            if index in decoded and index not in self._waiting:
                continue  # the decoder has passed it
            segment = self._waiting[index]
            origin: Origin = "disk" if segment.stored else "decoded" if index in decoded else "memory"
            yield Source(index, origin, compressor.prepare(segment), segment)
            if index in decoded:
                self._receive(stream, journal)

    def done(self, index: int) -> None:
        """A segment is compressed: what is not kept of it is let go."""
        self._waiting.pop(index, None)

    def close(self) -> None:
        """Let everything go."""
        self._waiting.clear()
        self.video.close()
        if self.shelf is not None:
            self.shelf.close()

    def abandon(self) -> None:
        """End the video; what is kept goes when the store is next used. From any thread, waiting for none."""
        self.video.abandon()
        if self.shelf is not None:
            self.shelf.abandon()

    def _receive(self, stream: Iterator[Segment], journal: Journal) -> None:
        """Take the decoder's next segment, and hold it until it is compressed."""
        segment = next(stream, None)
        if segment is not None:
            index = segment.plan.index
            self._waiting[index], self.plans[index] = segment, segment.plan
            journal.emit(Progress("decode", index + 1, self.video.total))

    def _kept(self, index: int, compressor: Compressor) -> Source | None:
        kept = self.shelf.get(index) if self.shelf is not None else None
        if kept is None:
            return None
        if isinstance(kept.value, Segment):
            return Source(index, "memory", compressor.prepare(kept.value), kept.value)
        assert kept.tier != "frames"
        return Source(index, kept.tier, kept.value)
