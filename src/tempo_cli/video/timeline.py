"""The times of a stream's frames, from the timestamps of its packets."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer

from ..types import FloatArray, IntArray, Kinds
from .announced import GUESSED, announced_seconds, is_cut_off
from .boxes import MP4
from .fragments import read_fragments
from .limits import MOST_FRAMES

_LONGEST = 1e7  # seconds between timestamps that are no mistake
# timestamps that are a clock's: how far steps differ, how many are alike, how far a header's rate may be off
_UNEVEN, _MOSTLY, _TOLERANCE = 0.1, 0.9, 0.02
_PAUSES = 1.5  # usual steps that the mean step may have: above it, pauses take a good part of the time

# Clocks that start anew, as in files that were joined end to end.
SEEN_APART = Fraction(1, 2)  # seconds; a decoding time goes back by less where a muxer was careless
_REORDERED = 16  # frames at most: presentation times go back by that many steps
_FORWARD = 600.0  # seconds, in formats whose clocks may jump: a pause that is longer is none
_JUMPING = {"mpegts", "mpeg"}
_PASSING = 5  # frames; a clock that is back where it was by then had wrong timestamps
_MOST_PARTS = 1000  # with more, the timestamps are no clock's


class Index(NamedTuple):
    """The shown packets.

    `pts` are their presentation times in ticks, None where unknown, `keys` those of key frames;
    `hidden` counts the others that a header may have counted; `last` is the duration of the last one, in
    ticks; `exact` is whether the container tells presentation times at all; `parts` are the places in `pts`
    at which the clock restarts; `packets` are what `PacketKinds` tells; `bound` is whether all need the
    first one.
    """

    pts: list[int | None]
    keys: list[int]
    hidden: int
    last: int
    exact: bool
    parts: list[int]
    packets: tuple[IntArray, Kinds] | None
    bound: bool


class Opening(NamedTuple):
    """A key frame at which decoding can restart.

    `place` counts the frames; `pts` is None where no order is known; `loses` is whether frames that are
    shown before it can't be decoded.
    """

    place: int
    pts: int | None
    loses: bool


class Timeline(NamedTuple):
    """Rate, times of all announced frames, and duration, as in `VideoInfo`."""

    rate: Fraction
    times: FloatArray
    pts: IntArray | None
    duration: float
    restarting: IntArray | None
    restarts: tuple[float, ...]


def part_starts(clock: list[int | None], tick: Fraction | None, reader: str) -> list[int]:
    """Places of the packets at which the clock restarts: far back, or hours ahead.

    A few packets with wrong timestamps begin no part.

    Args:
        clock: decoding times in stored order, ticks; presentation times where those are not told.
        reader: libav's name of the container format.
    """
    places = [place for place, one in enumerate(clock) if one is not None]
    if len(places) < 2 or tick is None:
        return []
    seconds = np.array([clock[place] for place in places], np.float64) * float(tick)
    steps = np.diff(seconds)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    back = max(float(SEEN_APART), _REORDERED * usual)
    ahead = max(_FORWARD, back) if reader in _JUMPING else np.inf
    jumps = np.flatnonzero((steps < -back) | (steps > ahead)) + 1
    if len(jumps) > _MOST_PARTS:
        return []
    starts: list[int] = []
    wrong = 0  # timestamps before this place are
    for jump in jumps.tolist():
        if jump <= wrong:
            continue
        next_ones = seconds[jump + 1 : jump + 1 + _PASSING] - seconds[jump - 1]
        resumed = np.flatnonzero((next_ones >= 0) & (next_ones <= back))
        if len(resumed):
            wrong = jump + 1 + int(resumed[0])
        else:
            starts.append(places[jump])
    return starts


def shown_places(pts: list[int | None], starts: list[int], openings: list[Opening]) -> list[int]:
    """Places of the frames that can be decoded, in each part that begins at one of `starts`.

    What comes before a part's first keyframe, or is shown before it and refers to what is missing, is no
    frame.
    """
    places: list[int] = []
    for first, after in pairwise([0, *starts, len(pts)]):
        whole = Opening(first, None, loses=False)
        place, begins, loses = next((one for one in openings if first <= one.place < after), whole)
        if begins is None or (place == first and not loses):
            places += range(place, after)
        else:
            places += [n for n in range(place, after) if (one := pts[n]) is None or one >= begins]
    return places


def make_timeline(index: Index, stream: av.VideoStream, container: InputContainer, path: Path) -> Timeline:
    """Rate, times and duration of a stream. Where its clock restarts, the parts follow each other.

    `pts` is None there: a timestamp alone does not tell which frame it is.
    """
    tick = stream.time_base or Fraction(1, 1000)
    parts = list(_parts(index))
    known = _joined(parts, index.last)
    reported = [rate for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate) if rate]
    count = len(index.pts)
    span = float((known[-1] - known[0] + index.last) * tick) if known else 0.0
    fitting = [rate for rate in reported if span and 0.5 <= span * rate / count <= 2]
    usable = len(known) == count and span < _LONGEST
    last = float(index.last * tick) if index.last * tick < _LONGEST else 0.0
    pts: IntArray | None = None
    restarting: IntArray | None = None
    delay = 0.0
    if usable and (fitting or not reported or container.format.name not in GUESSED):
        rate = (fitting or [Fraction(count / span) if span else Fraction(25)])[0]
        ticks = np.array(known, np.int64)
        times = (ticks - ticks[0]) * tick.numerator / tick.denominator
        measured = _measured_rate(ticks, tick)
        # the last frame may stay for long: with its duration or without
        averages = (measured, count / Fraction(span)) if measured else ()
        if measured and not (fitting and any(_agrees(rate, average, count) for average in averages)):
            rate = next((one for one in reported if _agrees(one, measured, count)), measured)
            last = 0.0  # a header that is wrong about the rate is so about a frame's duration
        delay = _delay(known[0] * tick, container, rate) if index.exact else 0.0
        if index.exact and not index.parts and (np.diff(ticks) > 0).all():
            pts = ticks
        if index.exact and index.parts:
            restarting = np.array([one for part in parts for one in part], np.int64)
    else:
        # no timestamps, or they jump: count frames
        rate = reported[0] if reported else Fraction(25)
        times = np.arange(count) / float(rate)
    end = float(times[-1]) + (last or 1 / float(rate))
    restarts = tuple(float(times[place]) + delay for place in index.parts)
    announced = announced_seconds(stream, container, float(known[0] * tick) if known else 0.0, index.hidden)
    told = Timeline(rate, times + delay, pts, end + delay, restarting, restarts)
    if announced is None or announced - end < max(2.5 / float(rate), 0.01 * announced):
        return told
    if container.format.name == MP4 and (fragments := read_fragments(path, stream.id)):
        rate = fragments.rate(reported) or rate
        beyond = fragments.beyond(times, rate, index.hidden, MOST_FRAMES)
        longest = fragments.end if len(beyond) else end
        longer = np.concatenate([times, beyond])
        return told._replace(rate=rate, times=longer + delay, duration=longest + delay)
    total = announced * float(rate)
    if stream.frames and container.format.name != "avi":
        total = stream.frames - index.hidden
    if total > MOST_FRAMES or is_cut_off(path, container.format.name) is False:
        return told  # what is announced is not so
    beyond = times[-1] + np.arange(1, max(0, round(total) - count) + 1) / float(rate)
    longer = np.concatenate([times, beyond])
    return told._replace(times=longer + delay, duration=max(announced, end) + delay)


def _delay(first: Fraction, container: InputContainer, rate: Fraction) -> float:
    """Seconds from the file's beginning, which is the first of all streams', to the first picture.

    Less than a frame is none: sound often begins a few milliseconds earlier.
    """
    if container.start_time is None:
        return 0.0
    delay = first - Fraction(container.start_time, av.time_base)
    return float(delay) if 1 / rate <= delay < _LONGEST else 0.0


def _parts(index: Index) -> Iterator[list[int]]:
    """Known timestamps of each part, ascending."""
    for first, after in pairwise([0, *index.parts, len(index.pts)]):
        yield sorted(one for one in index.pts[first:after] if one is not None)


def _joined(parts: list[list[int]], step: int) -> list[int]:
    """Timestamps that ascend through all parts: each begins a step after the one before it ends."""
    joined = list(parts[0])
    for before, part in pairwise(parts):
        if len(before) > 1:
            step = round(median(b - a for a, b in pairwise(before)))
        shift = joined[-1] + max(step, 1) - part[0] if joined and part else 0
        joined += [one + shift for one in part]
    return joined


def _measured_rate(ticks: IntArray, tick: Fraction) -> Fraction | None:
    """Frames per second by the timestamps, where they are even; else the average that libav reports stays.

    Where they are even but for a few long pauses, it stays too (reference).
    """
    steps = np.diff(ticks)
    if not steps.any():
        return None
    usual = float(np.median(steps))
    even = np.abs(steps - usual) <= max(1.0, _UNEVEN * usual)  # ticks may be as coarse as milliseconds
    if even.mean() < _MOSTLY or steps.mean() > _PAUSES * usual:
        return None
    return len(steps) / (int(ticks[-1] - ticks[0]) * tick)


def _agrees(rate: Fraction, measured: Fraction, count: int) -> bool:
    """Whether a rate gives `count` frames the time that they take, up to one and a half frames."""
    return abs(count * (rate / measured - 1)) <= max(1.5, _TOLERANCE * count)
