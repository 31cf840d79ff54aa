"""Where decoding may begin, and whether that gives the right pictures in this video."""

from collections.abc import Callable

import numpy as np

from ..types import VideoInfo
from .lanes import Lane, Source
from .pictures import Picture
from .running import Running
from .thinning import DecodingRecord

_MOST_CHECKED = 1500  # frames that are decoded to see whether a seek changes a picture


def seek_point(info: VideoInfo, index: int) -> float | None:
    """Where decoding may begin to reach frame `index`: the key frame before the last one before it.

    One group of pictures to spare, because the first frames after a key frame may refer to the group before.
    None: at the beginning of the file.
    """
    if info.needs_beginning or info.pts is None:
        return None
    before = [seconds for place, seconds in info.keyframes if place <= index]
    return before[-2] if len(before) > 2 else None


class Seeker:
    """Finds where decoding begins, and tries once for each video whether a seek changes a picture."""

    def __init__(
        self, info: VideoInfo, record: DecodingRecord, running: Running, source: Callable[[int], Source]
    ) -> None:
        self._info, self._record, self._running, self._source = info, record, running, source

    def point(self, index: int) -> float | None:
        """Where decoding begins to reach frame `index`, seconds in the file's time; None: its beginning."""
        seek = seek_point(self._info, index)
        if seek is None or self._record.seekable is False:
            return None
        if self._record.seekable is None:
            works = self._works()
            if self._running.killed:
                return None
            self._record.seekable = works
        return seek if self._record.seekable else None

    def _works(self) -> bool:
        """Whether the first frame that a seek can reach is the same when all before it is decoded too."""
        place = self._info.keyframes[2][0]
        if place > _MOST_CHECKED:
            return True
        right = self._picture(place, None)
        if right is None:
            return True  # nothing to compare with
        found = self._picture(place, seek_point(self._info, place))
        return found is not None and np.array_equal(right.pixels, found.pixels)

    def _picture(self, place: int, seek: float | None) -> Picture | None:
        source, indices = self._source(0), np.array([place])
        lane = self._running.start(lambda: Lane(source, indices, seek, alone=True))
        picture = None if lane is None else lane.take()
        self._running.close(lane)
        return picture
