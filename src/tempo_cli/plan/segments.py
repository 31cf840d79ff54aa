"""Cutting the stream of frames into segments, with the times given to the model."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np

from ..types import FloatArray, Frame, FramePlan, Segment, SegmentPlan


def plan_segment(plan: FramePlan, positions: Sequence[int], window: int, temporal_patch: int) -> SegmentPlan:
    """The times of the segment that holds the sampled frames at `positions`.

    A patch's time is the mean of its frames' model times. By index, a frame that is repeated to fill the
    last patch counts as the next position, and the tag's time is the middle of a full window, also for a
    short last segment (reference). By time, both are true: the repeated frame keeps its own time, and the
    tag's is the middle of what the segment stands for.
    """
    index, last = positions[0] // window, positions[-1]
    lacking, stands_for = -len(positions) % temporal_patch, window
    more: Sequence[int] = range(last + 1, last + 1 + lacking)
    if plan.mode == "time":
        more, stands_for = [last] * lacking, _after(plan, index, window) - index * window
    full = [*positions, *more]
    return SegmentPlan(
        index=index,
        positions=tuple(positions),
        patch_times=tuple(
            plan.mean_time(full[start : start + temporal_patch])
            for start in range(0, len(full), temporal_patch)
        ),
        time=plan.origin + (index * window + stands_for / 2) / plan.fps,
    )


def segment_span(
    plan: FramePlan, index: int, window: int, times: FloatArray, end: float
) -> tuple[float, float]:
    """True seconds at which segment `index` begins and ends; together the segments cover the whole part.

    By index, from its first frame to the next segment's first. By time, what its samples stand for: one
    frame may be shown longer than that.

    Args:
        times: of all frames of the video, seconds.
        end: of the part that is looked at, seconds.
    """

    def begins(position: int) -> float:
        if position == len(plan.indices):
            return end
        by_time = plan.mode == "time"
        return plan.origin + position / plan.fps if by_time else float(times[plan.indices[position]])

    return begins(index * window), begins(_after(plan, index, window))


def _after(plan: FramePlan, index: int, window: int) -> int:
    """The first position behind segment `index`."""
    return min((index + 1) * window, len(plan.indices))


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
