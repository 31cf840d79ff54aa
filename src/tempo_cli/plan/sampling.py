"""Which frames of the video are looked at: pure arithmetic on frame counts and times."""

from dataclasses import dataclass, replace

import numpy as np

from ..config import MIN_FRAMES, UNEVEN_GAP, UNEVEN_SAMPLES, SamplingOptions
from ..errors import UsageError
from ..types import FloatArray, FramePlan, IntArray, VideoInfo

_ROUNDED = 0.5  # seconds: an end that is so little beyond the video is the video's own, rounded
_UNEVEN_FRAMES = 2  # mean distances of frames; even frames that are fewer than the samples stay below


@dataclass(frozen=True)
class Sampled:
    """How a video is sampled.

    Attributes:
        start, end: seconds at which the part that is looked at begins and ends, as a player counts them.
        warnings: that it is sampled in another way than usual.
    """

    plan: FramePlan
    start: float
    end: float
    warnings: tuple[str, ...] = ()


def frames_between(times: FloatArray, start: float | None, end: float | None) -> tuple[int, int]:
    """First and one-past-last index of the frames with `start <= time < end`.

    Args:
        times: presentation times of all frames, seconds, ascending, shape (N,).
        start, end: seconds; None is the video's own.
    """
    first = 0 if start is None else int(np.searchsorted(times, start, side="left"))
    last = len(times) if end is None else int(np.searchsorted(times, end, side="left"))
    return first, last


def plan_sampling(info: VideoInfo, options: SamplingOptions) -> Sampled:
    """The frames to look at: by index as the reference does, or by time.

    `auto` samples by index unless frames come so unevenly that nearly all samples would lie close together:
    two neighboring ones more than 4 mean distances of samples apart, and more than 2 of frames.

    Raises:
        UsageError: no frame in the part that was asked for.
    """
    sampled = _sampled(info, options)
    if options.end is None or options.end <= info.duration + _ROUNDED:
        return sampled
    told = f"`end` is {options.end:g} s, but the video lasts {info.duration:.1f} s"
    return replace(sampled, warnings=(*sampled.warnings, told))


def _sampled(info: VideoInfo, options: SamplingOptions) -> Sampled:
    if options.mode == "time":
        return _by_time(info, options)
    by_index = _by_index(info, options)
    plan = by_index.plan
    if options.mode == "index" or len(plan.indices) < UNEVEN_SAMPLES:
        return by_index
    held = info.frames if info.pts is None else len(info.pts)
    gap = longest_gap(info.times, plan.indices[plan.indices < held])
    seconds, frames = by_index.end - by_index.start, int(plan.indices[-1] - plan.indices[0]) + 1
    if gap <= max(UNEVEN_GAP * seconds / len(plan.indices), _UNEVEN_FRAMES * seconds / frames):
        return by_index
    by_time = _by_time(info, options)
    warning = (
        f"the video's frames are unevenly spaced: sampling by index would leave gaps of {gap:.1f} s, so "
        "they are sampled by time, unlike in the released code (use `mode='index'` to sample as it does)"
    )
    return replace(by_time, warnings=(warning,))


def plan_frames(
    total: int, rate: float, options: SamplingOptions, first: int = 0, origin: float = 0.0
) -> FramePlan:
    """Indices spread evenly over `total` frames from `first` on (reference: sampling by frame index).

    Args:
        total: N, frames to choose from, at least 1.
        rate: r, the stream's average frame rate, frames per second.
        first: index of the first of them in the whole video.
        origin: its time, seconds: the model's times count from the video's first picture.
    """
    wanted, duration = _wanted(total, rate, options), total / rate
    if wanted == 1:
        indices = np.array([total - 1], np.int64)
    else:
        indices = np.linspace(0, total - 1, wanted).round().astype(np.int64)
    return FramePlan(indices=indices + first, fps=len(indices) / duration, origin=origin)


def plan_times(
    times: FloatArray, rate: float, options: SamplingOptions, start: float, end: float
) -> FramePlan:
    """As many samples as by index, spread evenly over the seconds from `start` to `end`.

    Each stands for an equal stretch of time, and is the frame that is shown in the middle of it. A frame that
    is shown for long is sampled several times.

    Args:
        times: presentation times of all frames, seconds, ascending, shape (N,); the first is shown at `start`
            at the latest.
        rate: r, the stream's average frame rate, frames per second.
    """
    first, last = shown(times, np.array([start]))[0], frames_between(times, None, end)[1]
    count, seconds = _wanted(int(last - first), rate, options), end - start
    moments = start + (np.arange(count) + 0.5) * seconds / count
    return FramePlan(shown(times, moments), fps=count / seconds, origin=start, mode="time")


def shown(times: FloatArray, moments: FloatArray) -> IntArray:
    """Indices of the frames on the screen at some moments, seconds."""
    found: IntArray = np.searchsorted(times, moments, side="right").astype(np.int64) - 1
    return found


def longest_gap(times: FloatArray, indices: IntArray) -> float:
    """The longest time between two neighboring samples, seconds."""
    return float(np.diff(times[indices]).max(initial=0.0))


def _wanted(total: int, rate: float, options: SamplingOptions) -> int:
    """n, how many samples are taken of `total` frames (reference)."""
    if total < 1 or rate <= 0:
        raise ValueError(f"no frames to choose from: {total} at {rate} per second")
    if total == 1:
        return 1
    return min(max(1, round(total / rate * options.fps), MIN_FRAMES), options.max_frames)


def _by_index(info: VideoInfo, options: SamplingOptions) -> Sampled:
    times = info.times
    first, last = frames_between(times, options.start, options.end)
    if options.start is not None and first == info.frames and options.start < info.duration:
        first -= 1  # the last frame is still shown
    if first >= last:
        raise _no_frame(info, options)
    begin = float(times[first])
    plan = plan_frames(last - first, float(info.rate), options, first, begin - float(times[0]))
    return Sampled(plan, begin, float(times[last]) if last < info.frames else info.duration)


def _by_time(info: VideoInfo, options: SamplingOptions) -> Sampled:
    start = max(options.start or 0.0, float(info.times[0]))
    end = info.duration if options.end is None else min(options.end, info.duration)
    if start >= end:
        raise _no_frame(info, options)
    return Sampled(plan_times(info.times, float(info.rate), options, start, end), start, end)


def _no_frame(info: VideoInfo, options: SamplingOptions) -> UsageError:
    begin, end = options.start or 0.0, round(info.duration, 1) if options.end is None else options.end
    first = float(info.times[0])
    lasts = f"Its picture lasts from {first:.1f} s to" if first else "It lasts"
    shown = max(begin, first) < min(end, info.duration)
    more = "; `mode='time'` takes the frame that is shown then" if shown else ""
    part = f"from {begin:g} s on" if options.end is None else f"between {begin:g} s and {end:g} s"
    return UsageError(f"the video has no frame {part}", f"{lasts} {info.duration:.1f} s{more}.")
