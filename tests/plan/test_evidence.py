"""Which segments stand out, at every border of the rule; and when evidence is weak."""

from collections.abc import Sequence

import numpy as np
import pytest

from tempo_cli.plan.allocation import allocate
from tempo_cli.plan.evidence import most_tokens, standing_out, weigh
from tempo_cli.schema import SegmentReport
from tempo_cli.types import Evidence


def segments(tokens: Sequence[int], relevance: Sequence[float | None] = ()) -> list[SegmentReport]:
    scores = relevance or [0.5] * len(tokens)
    return [
        SegmentReport(index, index * 4.0, index * 4.0 + 4, index * 4.0 + 2, score, count, 8)
        for index, (count, score) in enumerate(zip(tokens, scores, strict=True))
    ]


def indices(parts: Sequence[SegmentReport]) -> list[int]:
    return [part.index for part in parts]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([4, 128, 4, 31, 4], [1, 3]),
        ([4, 128, 4, 25, 4], [1]),  # 25 is less than a fifth of 128
        ([4, 100, 4, 20, 19], [1, 3]),  # 20 is exactly a fifth
        ([5, 10, 5, 6], [1, 3]),  # the anchor's own number never stands out, however close to the top
        ([4, 4, 4], []),
        ([0, 0, 1, 0], [2]),
        ([8], [0]),
        ([], []),
    ],
)
def test_more_than_the_anchor_and_a_fifth_of_the_top(tokens: list[int], expected: list[int]) -> None:
    assert indices(standing_out(segments(tokens))) == expected


def test_at_most_ten_chosen_by_tokens_and_told_in_time_order() -> None:
    parts = segments([4, *range(50, 62)])
    assert indices(standing_out(parts)) == list(range(3, 13))
    assert indices(standing_out(parts, 2)) == [11, 12]
    assert indices(standing_out(parts, None)) == list(range(1, 13))
    assert standing_out(segments([8]), 0) == standing_out(parts, 0) == []


def test_equal_tokens_go_by_relevance_then_the_earlier() -> None:
    parts = segments([4, 9, 9, 9, 9], [0.1, 0.6, 0.8, 0.6, 0.7])
    assert indices(most_tokens(parts, 3)) == [1, 2, 4]
    assert indices(most_tokens(segments([7, 7, 7], [None] * 3), 2)) == [0, 1]


@pytest.mark.parametrize("budget", [8192, 600, 100, 30])
def test_the_least_relevant_segment_has_the_anchor_s_tokens(budget: int) -> None:
    """So the anchor need not be known: the lowest number is it, whatever the budget."""
    scores = np.random.default_rng(5).random(40).astype(np.float32)
    allocation = allocate(scores, budget, 4, 128)
    anchor = 4 if budget >= 40 * 4 else max(1, budget // 40)
    assert allocation.tokens[int(scores.argmin())] == (anchor if budget >= 40 else 0)
    assert allocation.tokens.min() == (anchor if budget >= 40 else 0)


@pytest.mark.parametrize(
    ("scores", "threshold", "expected"),
    [
        ([0.1, 0.7], 0.5, Evidence(0.7, (1,), 0.5, False)),
        ([0.1, 0.5], 0.5, Evidence(0.5, (1,), 0.5, True)),
        ([0.1, 0.3], 0.5, Evidence(0.3, (1,), 0.5, True)),
        ([0.1, 0.3], None, Evidence(0.3, (1,), None, None)),
        ([None, None], 0.5, Evidence(None, (1,), 0.5, None)),
    ],
)
def test_evidence(scores: list[float | None], threshold: float | None, expected: Evidence) -> None:
    assert weigh(segments([1, 8], scores), threshold) == expected
