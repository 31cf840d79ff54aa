"""The segments that stand out as stretches of the video: what clips, subtitles and reports are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..schema import SegmentReport
from .evidence import MOST, standing_out


@dataclass(frozen=True)
class Stretch:
    """Neighboring segments, joined.

    Attributes:
        start, end: seconds of the whole video.
        first, last: indices of its segments.
        relevance: that of the most relevant segment; None when ATA is off.
        tokens: of all its segments.
    """

    start: float
    end: float
    first: int
    last: int
    relevance: float | None
    tokens: int


def chosen(
    segments: Sequence[SegmentReport], most: int | None = MOST, least: float | None = None
) -> list[SegmentReport]:
    """The segments that the table shows, in time order.

    Args:
        most: of those that stand out, at most; None: every segment.
        least: relevance that each must reach, also where every segment is shown; None: any.
    """
    shown = list(segments) if most is None else standing_out(segments, most)
    if least is None:
        return shown
    return [part for part in shown if part.relevance is not None and part.relevance >= least]


def stretches(
    segments: Sequence[SegmentReport], most: int | None = MOST, least: float | None = None
) -> list[Stretch]:
    """What `chosen` gives, neighbors joined; where every segment is wanted, each stays on its own."""
    groups: list[list[SegmentReport]] = []
    for part in chosen(segments, most, least):
        if groups and most is not None and part.index == groups[-1][-1].index + 1:
            groups[-1].append(part)
        else:
            groups.append([part])
    return [_joined(group) for group in groups]


def _joined(group: Sequence[SegmentReport]) -> Stretch:
    scores = [part.relevance for part in group if part.relevance is not None]
    return Stretch(
        start=group[0].start,
        end=max(part.end for part in group),
        first=group[0].index,
        last=group[-1].index,
        relevance=max(scores, default=None),
        tokens=sum(part.tokens for part in group),
    )


def padded(parts: Sequence[Stretch], seconds: float, end: float) -> list[Stretch]:
    """Each stretch `seconds` longer on both sides, within 0 and `end`; those that meet are joined.

    Args:
        parts: in time order.
    """
    found: list[Stretch] = []
    for part in parts:
        wide = replace(part, start=max(0.0, part.start - seconds), end=min(end, part.end + seconds))
        if found and wide.start <= found[-1].end and seconds > 0:
            before = found[-1]
            scores = [score for score in (before.relevance, wide.relevance) if score is not None]
            found[-1] = Stretch(
                before.start,
                max(before.end, wide.end),
                before.first,
                wide.last,
                max(scores, default=None),
                before.tokens + wide.tokens,
            )
        else:
            found.append(wide)
    return found
