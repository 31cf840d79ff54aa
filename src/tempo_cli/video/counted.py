"""Which frame a picture is, where ffmpeg selects by number."""

import numpy as np

from ..types import IntArray

_MOST_APART = 250  # frames by which counting may be wrong


class CountedFrames:
    """Numbers of pictures as frame indices. Where timestamps restart, they are checked by timestamp.

    Args:
        stored: timestamps of the file's frames in their order; None: none to check by.

    Attributes:
        apart: frames by which numbers were found to be wrong; as many around the wanted ones are needed.
    """

    def __init__(self, stored: IntArray | None) -> None:
        self._stored = stored
        self.apart = 0

    def index(self, number: int, pts: int | None) -> int:
        """The index of the frame that came as `number`: the nearest with timestamp `pts`, if there is any."""
        if self._stored is None or pts is None:
            return number
        first = max(0, number - _MOST_APART)
        found = np.flatnonzero(self._stored[first : number + _MOST_APART] == pts) + first
        if not len(found):
            return number
        index = int(found[np.argmin(np.abs(found - number))])
        if abs(index - number) > self.apart:
            self.apart = max(abs(index - number), 2 * self.apart)
        return index
