"""Which frames of the video are looked at: pure arithmetic on frame counts."""

import numpy as np

from ..config import MIN_FRAMES, SamplingOptions
from ..types import FloatArray, FramePlan


def frames_between(times: FloatArray, start: float | None, end: float | None) -> tuple[int, int]:
    """First and one-past-last index of the frames with `start <= time < end`.

    Args:
        times: presentation times of all frames, seconds, ascending, shape (N,).
        start, end: seconds; None is the video's own.
    """
    first = 0 if start is None else int(np.searchsorted(times, start, side="left"))
    last = len(times) if end is None else int(np.searchsorted(times, end, side="left"))
    return first, last


def plan_frames(
    total: int, rate: float, options: SamplingOptions, first: int = 0, origin: float = 0.0
) -> FramePlan:
    """Indices spread evenly over `total` frames from `first` on (reference: sampling by frame index).

    Args:
        total: N, frames to choose from, at least 1.
        rate: r, the stream's average frame rate, frames per second.
        first: index of the first of them in the whole video.
        origin: its time, seconds: the model's times count from the video's beginning.
    """
    if total < 1 or rate <= 0:
        raise ValueError(f"no frames to choose from: {total} at {rate} per second")
    duration = total / rate
    wanted = min(max(1, round(duration * options.fps), MIN_FRAMES), options.max_frames)
    if total == 1:
        indices = np.zeros(1, np.int64)
    elif wanted == 1:
        indices = np.array([total - 1], np.int64)
    else:
        indices = np.linspace(0, total - 1, wanted).round().astype(np.int64)
    return FramePlan(indices=indices + first, fps=len(indices) / duration, origin=origin)
