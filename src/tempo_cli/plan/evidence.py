"""Which segments stand out, and whether any of them is relevant enough to trust the answer."""

from collections.abc import Sequence

from ..schema import SegmentReport
from ..types import Evidence

MOST = 10  # segments that stand out, at most
_SHARE = 5  # a segment that stands out has at least 1/5 of the tokens of the top one


def standing_out(segments: Sequence[SegmentReport], most: int | None = MOST) -> list[SegmentReport]:
    """The segments that got most of the attention, in time order.

    A segment stands out if it has more tokens than an irrelevant one keeps (its anchor) and at least a fifth
    of the top segment's. Under ATA the least relevant segment has exactly the anchor's tokens, so the anchor
    is the lowest number of tokens. Where all segments have equally many, none stands out; a video of one
    segment is an exception, as that segment is the whole video.

    Args:
        most: at most so many, those with most tokens; equal ones by relevance, then the earlier; None: all.
    """
    if len(segments) == 1:
        return list(segments[:most])
    counts = [segment.tokens for segment in segments]
    anchor, top = min(counts, default=0), max(counts, default=0)
    found = [part for part in segments if part.tokens > anchor and part.tokens * _SHARE >= top]
    return most_tokens(found, most)


def most_tokens(segments: Sequence[SegmentReport], most: int | None) -> list[SegmentReport]:
    """The `most` segments with most tokens, in time order; equal ones by relevance, then the earlier."""
    ranked = sorted(segments, key=lambda part: (-part.tokens, -(part.relevance or 0.0), part.index))
    return sorted(ranked[:most], key=lambda part: part.index)


def weigh(segments: Sequence[SegmentReport], threshold: float | None) -> Evidence:
    """What speaks for an answer.

    Args:
        threshold: relevance that a segment must exceed, as the checkpoint gives it; None: it gives none.
    """
    scores = [part.relevance for part in segments if part.relevance is not None]
    highest = max(scores, default=None)
    weak = None if highest is None or threshold is None else highest <= threshold
    return Evidence(highest, tuple(part.index for part in standing_out(segments)), threshold, weak)
