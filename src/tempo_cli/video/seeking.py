"""Where decoding may begin, and whether that gives the right pictures in this video."""

from collections.abc import Callable

import numpy as np

from ..types import IntArray, Pixels, VideoInfo
from .lanes import Lane, Source
from .running import Running
from .thinning import DecodingRecord

_COMPARED = 8  # pictures, from a key frame on
# seconds by which ffmpeg seeks earlier than it is told, where a format's index tells decoding times
_EARLIER = 0.2


def seek_point(info: VideoInfo, index: int) -> float | None:
    """Where decoding may begin to reach frame `index`: the key frame before the last one before it.

    One group of pictures to spare, because the first frames after a key frame may refer to the group before.
    None: at the beginning of the file, also where comparing would take longer than a seek can save.
    """
    if info.needs_beginning or info.pts is None:
        return None
    tried = compared_place(info)
    before = [(place, seconds) for place, seconds in info.keyframes if place <= index]
    if tried is None or len(before) < 2 or before[-2][0] < tried + _COMPARED:
        return None
    return before[-2][1]


def compared_place(info: VideoInfo) -> int | None:
    """The frame from which on a seek is compared with plain decoding; None: there are too few key frames.

    It is the third key frame, or where key frames are close together, the first that a seek can't reach from
    the beginning of the file. So what is compared costs less than what any seek beyond it saves.
    """
    if len(info.keyframes) < 2:
        return None
    second = info.keyframes[1][1]
    return next((place for place, seconds in info.keyframes[2:] if seconds >= second + _EARLIER), None)


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
        """Whether pictures near the file's beginning are the same after a seek and without one."""
        place = compared_place(self._info)
        assert place is not None
        assert self._info.pts is not None
        indices = np.arange(place, min(place + _COMPARED, len(self._info.pts)))
        right = self._pictures(indices, None)
        if len(right) < len(indices):
            return False  # nothing to compare with
        found = self._pictures(indices, dict(self._info.keyframes)[place])
        return len(found) == len(right) and all(map(np.array_equal, right, found))

    def _pictures(self, indices: IntArray, seek: float | None) -> list[Pixels]:
        """The frames `indices` until one is missing, or after a seek the decoder reports an error."""
        source, pictures = self._source(0), list[Pixels]()
        lane = self._running.start(lambda: Lane(source, indices, seek, alone=True))
        if lane is None:
            return []
        for index in indices.tolist():
            picture = lane.take()
            if picture is None or picture.place != index:
                break
            pictures.append(picture.pixels)
        self._running.close(lane)
        return pictures
