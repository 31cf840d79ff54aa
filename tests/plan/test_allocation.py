"""How tokens are shared: the reference's rows, and what must hold for any scores."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tempo_cli.plan.allocation import allocate

ROWS = json.loads((Path(__file__).parents[1] / "golden" / "allocation.json").read_text(encoding="utf-8"))

Scores = npt.NDArray[np.float32]


class Bounds(NamedTuple):
    budget: int
    min_tokens: int
    max_tokens: int


def bounds(budgets: st.SearchStrategy[int]) -> st.SearchStrategy[Bounds]:
    pairs = st.integers(1, 300).flatmap(lambda top: st.tuples(st.integers(0, min(8, top)), st.just(top)))
    return st.tuples(budgets, pairs).map(lambda drawn: Bounds(drawn[0], *drawn[1]))


def vectors(elements: st.SearchStrategy[float], smallest: int = 0) -> st.SearchStrategy[Scores]:
    return arrays(np.float32, st.integers(smallest, 300), elements=elements)


probabilities = st.floats(0, 1, width=32)
wild = st.floats(-(2.0**60), 2.0**60, width=32)
limits = bounds(st.integers(0, 300) | st.integers(0, 100_000) | st.integers(0, 2**60))
# multiples of 1/1024: adding, and multiplying by a power of two, stay exact in float32
dyadic = st.integers(0, 1024).map(lambda number: number / 1024)


@pytest.mark.parametrize("number", range(150))
def test_the_reference_shares_alike(number):
    row = ROWS[number]
    ours = allocate(row["scores"], row["budget"], row["min_tokens"], row["max_tokens"]).tokens.tolist()
    if len(set(row["scores"])) == len(row["scores"]):
        assert ours == row["allocation"]
    else:  # its sort leaves open which of equal scores comes first
        assert sorted(zip(row["scores"], ours, strict=True)) == sorted(
            zip(row["scores"], row["allocation"], strict=True)
        )


def test_all_rows_are_tested():
    assert len(ROWS) == 150


@pytest.mark.parametrize(
    ("scores", "bound", "tokens", "mode"),
    [
        ([0.0, 0.5, 1.0], Bounds(100, 4, 16), [4, 10, 16], "linear"),
        ([0.0, 0.5, 1.0], Bounds(30, 4, 16), [4, 10, 16], "linear"),
        ([0.0, 0.5, 1.0], Bounds(29, 4, 16), [4, 9, 16], "rescaled"),  # 17 to share: 5.67 and 11.33
        ([0.0, 0.5, 1.0], Bounds(18, 4, 16), [4, 6, 8], "rescaled"),
        ([0.0, 0.5, 1.0], Bounds(10, 4, 16), [3, 3, 4], "rescaled"),  # 3 * 4 > 10, so the floor is 3
        ([0.51, 0.79, 0.09], Bounds(28, 4, 16), [10, 14, 4], "rescaled"),  # in float64 9, 15, 4
        ([0.07, 0.77, 0.42], Bounds(33, 4, 16), [4, 16, 10], "linear"),  # in float64 4, 16, 9
        ([0.3, 0.3, 0.3], Bounds(29, 4, 16), [9, 9, 9], "uniform"),
        ([0.3, 0.3, 0.3], Bounds(100, 4, 16), [16, 16, 16], "uniform"),
        ([0.3], Bounds(100, 4, 16), [16], "uniform"),
        ([0.1, 0.9, 0.5, 0.9], Bounds(2, 4, 16), [0, 1, 0, 1], "rescaled"),
        ([0.1, 0.9, 0.5, 0.9], Bounds(1, 4, 16), [0, 1, 0, 0], "rescaled"),
        ([0.7, 0.7, 0.7], Bounds(2, 4, 16), [1, 1, 0], "rescaled"),
        ([0.1, 0.9], Bounds(0, 4, 16), [0, 0], "rescaled"),
        ([0.0, 1.0], Bounds(16, 0, 16), [0, 16], "linear"),
        ([], Bounds(8, 4, 16), [], "uniform"),
        ([], Bounds(0, 4, 16), [], "uniform"),
    ],
)
def test_worked_examples(scores, bound, tokens, mode):
    allocation = allocate(np.array(scores, np.float32), *bound)
    assert allocation.tokens.tolist() == tokens
    assert (allocation.mode, allocation.limit, allocation.used) == (mode, bound.budget, sum(tokens))
    assert allocation.tokens.dtype == np.int64


@given(vectors(probabilities) | vectors(wild), limits)
@example(np.array([0, 1], np.float32), Bounds(2**24 + 5, 1, 2**30))  # float32 rounds what is shared up
def test_the_budget_is_never_exceeded(scores, bound):
    assert allocate(scores, *bound).used <= bound.budget


@given(vectors(probabilities, 1), limits)
def test_every_segment_gets_its_floor_and_never_more_than_the_top(scores, bound):
    tokens = allocate(scores, *bound).tokens
    share = bound.budget // len(scores)
    floor = bound.min_tokens if share >= bound.min_tokens else share
    assert tokens.min() >= floor  # 0 only where the budget has fewer tokens than the video segments
    assert tokens.max() <= bound.max_tokens


@given(vectors(probabilities, 2), limits)
@example(
    np.array([0.01757041, 0.73824215, 0.4382421, 0.43824214], np.float32), Bounds(6, 1, 16)
)  # one weight
def test_the_more_relevant_never_gets_fewer(scores, bound):
    tokens = allocate(scores, *bound).tokens
    order = np.argsort(scores, kind="stable")
    rises = np.diff(scores[order]) > 0
    assert (np.diff(tokens[order])[rises] >= 0).all()


@given(vectors(probabilities, 1), limits)
def test_equal_scores_differ_by_one_at_most_and_the_earlier_gets_it(scores, bound):
    tokens = allocate(scores, *bound).tokens
    for score in np.unique(scores):
        group = tokens[scores == score]
        assert (np.diff(group) <= 0).all()
        assert group[0] - group[-1] <= 1


@given(vectors(dyadic, 1), limits, st.integers(-1024, 1024))
def test_a_shift_changes_nothing(scores, bound, shift):
    shifted = scores + np.float32(shift / 1024)
    assert allocate(shifted, *bound).tokens.tolist() == allocate(scores, *bound).tokens.tolist()


@given(vectors(dyadic, 1), limits, st.integers(-10, 20))
def test_a_positive_scale_changes_nothing(scores, bound, power):
    scaled = scores * np.float32(2.0**power)
    assert allocate(scaled, *bound).tokens.tolist() == allocate(scores, *bound).tokens.tolist()


@given(vectors(probabilities), limits)
def test_the_same_scores_give_the_same_tokens_and_stay_as_they_were(scores, bound):
    before = scores.copy()
    first, second = allocate(scores, *bound), allocate(scores, *bound)
    assert first.tokens.tolist() == second.tokens.tolist()
    assert first.mode == second.mode
    assert scores.tobytes() == before.tobytes()


@given(vectors(probabilities, 1), st.data())
def test_with_fewer_tokens_than_segments_the_most_relevant_keep_one_each(scores, data):
    budget = data.draw(st.integers(0, len(scores) - 1))
    ranked = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
    expected = [int(index in ranked[:budget]) for index in range(len(scores))]
    assert allocate(scores, budget, 4, 128).tokens.tolist() == expected


@given(vectors(probabilities, 2), bounds(st.integers(0, 20_000)))
def test_what_is_rescaled_uses_the_whole_budget(scores, bound):
    allocation = allocate(scores, *bound)
    assume(allocation.mode == "rescaled")
    assert allocation.used == bound.budget


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="scores must be finite and one-dimensional"):
        allocate(np.array([0.5, bad]), 8, 4, 16)


def test_a_table_of_scores_is_refused():
    with pytest.raises(ValueError, match="scores must be finite and one-dimensional"):
        allocate(np.zeros((2, 2)), 8, 4, 16)


@pytest.mark.parametrize("bound", [Bounds(-1, 4, 16), Bounds(8, -1, 16), Bounds(8, 17, 16), Bounds(8, 0, 0)])
def test_senseless_bounds_are_refused(bound):
    message = f"budget {bound.budget}, tokens per segment {bound.min_tokens} to {bound.max_tokens}"
    with pytest.raises(ValueError, match=message):
        allocate(np.array([0.1, 0.2]), *bound)
