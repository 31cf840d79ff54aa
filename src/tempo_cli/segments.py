"""Cutting the stream of frames into segments, with the times that the model is told."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np

from .types import Frame, FramePlan, Pixels, Segment, SegmentPlan


def plan_segment(plan: FramePlan, index: int, frames: int, window: int, temporal_patch: int) -> SegmentPlan:
    """The times of segment `index`, which has `frames` of at most `window` frames.

    A patch's time is the mean of its frames' model times; a frame that is repeated to fill the last
    patch counts as the next position. The tag's time is the middle of a full window, also for a short
    last segment (reference).
    """
    first = index * window
    starts = range(first, first + frames, temporal_patch)
    return SegmentPlan(
        index=index,
        positions=range(first, first + frames),
        patch_times=tuple(plan.mean_time(range(s, s + temporal_patch)) for s in starts),
        time=plan.origin + (index * window + window / 2) / plan.fps,
    )


def cut_segments(
    frames: Iterable[Frame],
    plan: FramePlan,
    window: int,
    temporal_patch: int,
    resize: Callable[[Pixels], Pixels],
) -> Iterator[Segment]:
    """Yield consecutive segments of `window` resized frames; the last one may be shorter.

    The last frame is repeated until the last temporal patch is full (reference).
    """
    stream = iter(frames)
    index = 0
    while batch := [resize(frame.pixels) for frame in islice(stream, window)]:
        times = plan_segment(plan, index, len(batch), window, temporal_patch)
        batch += [batch[-1]] * (-len(batch) % temporal_patch)
        yield Segment(times, np.stack(batch))
        index += 1
