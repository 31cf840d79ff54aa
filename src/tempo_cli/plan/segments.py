"""Cutting the stream of frames into segments, with the times that the model is told."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np

from ..types import Frame, FramePlan, Segment, SegmentPlan


def plan_segment(plan: FramePlan, positions: Sequence[int], window: int, temporal_patch: int) -> SegmentPlan:
    """The times of the segment that holds the sampled frames at `positions`.

    A patch's time is the mean of its frames' model times; a frame that is repeated to fill the last
    patch counts as the next position. The tag's time is the middle of a full window, also for a short
    last segment (reference).
    """
    index = positions[0] // window
    full = [*positions, *range(positions[-1] + 1, positions[-1] + 1 + -len(positions) % temporal_patch)]
    return SegmentPlan(
        index=index,
        positions=tuple(positions),
        patch_times=tuple(
            plan.mean_time(full[start : start + temporal_patch])
            for start in range(0, len(full), temporal_patch)
        ),
        time=plan.origin + (index * window + window / 2) / plan.fps,
    )


def cut_segments(
    frames: Iterable[Frame], plan: FramePlan, window: int, temporal_patch: int
) -> Iterator[Segment]:
    """Yield segments of `window` sampled frames; without the frames that could not be decoded.

    The last frame is repeated until the last temporal patch is full (reference).

    Args:
        frames: of one size, in order.
    """
    for _, members in groupby(frames, key=lambda frame: frame.position // window):
        here = list(members)
        positions, pixels = [frame.position for frame in here], [frame.pixels for frame in here]
        pixels += [pixels[-1]] * (-len(pixels) % temporal_patch)
        yield Segment(plan_segment(plan, positions, window, temporal_patch), np.stack(pixels))
