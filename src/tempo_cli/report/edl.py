"""An edit decision list (CMX3600): the stretches one after the other, for an editing program."""

import math
from collections.abc import Sequence
from fractions import Fraction

from ..errors import UsageError
from ..plan.stretches import Stretch
from ..schema import Run
from ..texts import one_line

_RATES = tuple(Fraction(rate) for rate in (24, 25, 30, 48, 50, 60)) + tuple(
    Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60)
)
_NEAR = 2e-4  # of a rate: an average over rounded timestamps is not exact
_EVENTS = 999  # the format's numbers have three digits
_LONGEST = 24 * 3600  # seconds: timecode has two digits for hours, and begins anew after 23
_ANOTHER = "Give another `format`, such as csv."


def edl(found: Sequence[tuple[Run, Sequence[Stretch]]]) -> str:
    """One event for each stretch: from the video's timecode, which begins at 00:00:00:00, on to a reel.

    Raises:
        UsageError: the video has no constant frame rate, or one that timecode does not have; it is too long.
    """
    runs = [run for run, _ in found]
    events = [(run, part) for run, stretches in found for part in stretches]
    rate = common_rate(runs)
    drop = is_drop_frame(rate)
    lines = [f"TITLE: {one_line(runs[0].question)}", f"FCM: {'DROP FRAME' if drop else 'NON-DROP FRAME'}", ""]
    if len(events) > _EVENTS:
        raise UsageError(f"`format='edl'` has {_EVENTS} events at most", "Give a smaller `top`.")
    record = 0
    for number, (run, part) in enumerate(events, 1):
        start = round(part.start * rate)
        length = max(1, round(part.end * rate) - start)
        times = [timecode(frame, rate) for frame in (start, start + length, record, record + length)]
        record += length
        score = "" if part.relevance is None else f"RELEVANCE {part.relevance:.2f} "
        lines.append(f"{number:03}  AX       V     C        {' '.join(times)}")
        lines.append(f"* FROM CLIP NAME: {one_line(run.video.path)}")
        lines.append(f"* COMMENT: {score}TOKENS {part.tokens}: {one_line(run.question)}")
    return "\n".join(lines) + "\n"


def is_drop_frame(rate: Fraction) -> bool:
    """Whether timecode at `rate` leaves out numbers, so that it keeps up with the clock."""
    return rate in (Fraction(30000, 1001), Fraction(60000, 1001))


def timecode(frame: int, rate: Fraction) -> str:
    """`00:01:00:00`, or `00:01:00;02` where numbers are left out.

    Of every minute but each tenth, drop-frame timecode leaves out the first 2 numbers of 30 (4 of 60).
    """
    whole = math.ceil(rate)
    if is_drop_frame(rate):
        left_out = whole // 15
        ten_minutes = whole * 600 - left_out * 9
        tens, rest = divmod(frame, ten_minutes)
        minute = max(0, rest - left_out) // (whole * 60 - left_out)
        frame += left_out * (tens * 9 + minute)
    seconds, number = divmod(frame, whole)
    point = ";" if is_drop_frame(rate) else ":"
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{number:02}"


def timecode_rate(path: str, fps: float, constant: bool, seconds: float) -> Fraction:
    """The rate that a video's timecode counts in.

    Raises:
        UsageError: the video has no constant frame rate, or one that timecode does not have, or is too long.
    """
    if not constant:
        raise UsageError(
            f"'{path}' has no constant frame rate, which an edit list needs",
            "Convert it first: ffmpeg -i VIDEO -fps_mode cfr constant.mp4; or give another `format`.",
        )
    rate = _named(fps)
    if rate is None:
        known = ", ".join(f"{float(known):.5g}" for known in sorted(_RATES))
        raise UsageError(
            f"timecode has no rate of {fps:g} frames per second, only {known}",
            "Ask about a converted video: ffmpeg -i VIDEO -r 24 converted.mp4; or give another `format`.",
        )
    if seconds >= _LONGEST:
        raise UsageError("timecode ends after 24 hours", _ANOTHER)
    return rate


def common_rate(runs: Sequence[Run]) -> Fraction:
    """The rate that the timecode of several videos counts in.

    Raises:
        UsageError: they have several, or one has none.
    """
    rates = {_named(run.video.fps) or run.video.fps for run in runs}  # 29.97 is 30000/1001, rounded
    if len(rates) > 1:
        raise UsageError("an edit list has one frame rate, and these videos have several", _ANOTHER)
    for run in runs:
        if run.video.constant_rate is None:
            raise UsageError(
                "this run does not say whether its video has a constant frame rate",
                "It was saved by an older tempo: run it again.",
            )
        rate = timecode_rate(run.video.path, run.video.fps, run.video.constant_rate, run.video.duration)
    return rate


def _named(fps: float) -> Fraction | None:
    """The rate that timecode has for a measured or rounded one; None: there is none."""
    return next((rate for rate in _RATES if abs(fps / rate - 1) < _NEAR), None)
