"""From the corpus' ground truth to what a segment shows."""

import numpy as np
import numpy.typing as npt

from .words import Content, Seen

_CLEAR, _PARTLY, _GLIMPSE, _FOLLOWED = 0.8, 0.4, 0.02, 0.5  # visible part of a thing
_FRAMES_TO_FOLLOW = 2  # in which a thing must be seen for its motion to be told
_SLOWEST = 1.0  # seconds between two frames up to which a motion can be told


def content_of(sights: npt.NDArray[np.float32], interval: float, video: int = 0) -> Content:
    """What a segment shows.

    Args:
        sights: (frames, 8, 9), rows of `Sight`; kind -1 is no thing.
        interval: seconds between two frames.
        video: its number, so that groups of different videos stay apart.
    """
    flat = sights.reshape(-1, sights.shape[-1])
    clear, unclear = [], []
    keys = {tuple(int(v) for v in row[:4]) for row in flat if row[0] >= 0}
    for kind, colour, motion, group in sorted(keys):
        mine = flat[(flat[:, 0] == kind) & (flat[:, 1] == colour) & (flat[:, 3] == group)]
        visible = mine[:, 8]
        if visible.max() < _GLIMPSE:
            continue
        followed = interval <= _SLOWEST and int((visible >= _FOLLOWED).sum()) >= _FRAMES_TO_FOLLOW
        told = motion if followed else None
        most = float(visible.max())
        thing = Seen(kind, colour, told, video * 1000 + group, _PARTLY <= most < _CLEAR)
        (clear if most >= _CLEAR else unclear).append(thing)
    return Content(tuple(clear), tuple(unclear))
