"""Fitting memory tokens and time tags into the context: never over it, never cut in silence."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_cli.config import BudgetOptions, ModelDimensions
from tempo_cli.errors import UsageError
from tempo_cli.plan.allocation import allocate
from tempo_cli.plan.budget import context_room, fit_budget
from tempo_cli.types import Allocation


def dimensions(memory_tokens: int = 16, context: int = 500, max_positions: int = 1000) -> ModelDimensions:
    patches = {"patch": 16, "merge": 2, "temporal_patch": 2}
    return ModelDimensions(memory_tokens, "linear", 8, 8, context, max_positions, **patches)


def cost(allocation: Allocation, tags: Sequence[int]) -> int:
    """Tokens that the decoder reads: a segment that keeps none loses its tag too."""
    return sum(kept + tag for kept, tag in zip(allocation.tokens.tolist(), tags, strict=True) if kept)


SCORES = np.array([0.0, 0.5, 1.0], np.float32)
TAGS = (5, 6, 7)


@pytest.mark.parametrize(
    ("context", "text", "room"), [(None, 100, 384), (None, 483, 1), (200, 100, 84), (1000, 100, 884)]
)
def test_the_context_leaves_room_beside_the_text_and_a_margin(context, text, room):
    assert context_room(text, BudgetOptions(context=context), dimensions()) == room


@pytest.mark.parametrize("text", [484, 10_000])
def test_a_text_that_fills_the_context_is_an_error_with_the_numbers(text):
    with pytest.raises(UsageError) as caught:
        context_room(text, BudgetOptions(), dimensions())
    assert f"takes {text:,} of 484 tokens" in caught.value.message
    assert "1000" in caught.value.hint


def test_a_context_beyond_the_models_positions_is_an_error_with_the_numbers():
    with pytest.raises(UsageError) as caught:
        context_room(10, BudgetOptions(context=1001), dimensions())
    assert "1,001 tokens" in caught.value.message
    assert "1,000" in caught.value.message
    assert "`context=1000`" in caught.value.hint


def test_what_fits_is_the_plain_allocation_without_a_word():
    fitted = fit_budget(SCORES, TAGS, 30 + 18, BudgetOptions(budget=100), dimensions())
    assert fitted.allocation.tokens.tolist() == [4, 10, 16]
    assert (fitted.allocation.limit, fitted.allocation.mode) == (100, "linear")
    assert fitted.warnings == ()


def test_the_budget_is_lowered_to_the_largest_that_fits_and_says_so():
    fitted = fit_budget(SCORES, TAGS, 47, BudgetOptions(budget=1000), dimensions())
    assert fitted.allocation.tokens.tolist() == [4, 9, 16]
    assert (fitted.allocation.limit, fitted.allocation.mode) == (29, "rescaled")
    (warning,) = fitted.warnings
    assert "from 1,000 to 29 tokens" in warning
    assert "leaves 47 tokens" in warning


def test_segments_that_keep_nothing_are_counted_in_a_warning():
    fitted = fit_budget(SCORES, TAGS, 400, BudgetOptions(budget=2), dimensions())
    assert fitted.allocation.tokens.tolist() == [0, 1, 1]
    (warning,) = fitted.warnings
    assert "more segments (3) than tokens (2)" in warning
    assert "the 1 least relevant" in warning


def test_a_context_so_short_that_segments_are_lost_gives_both_warnings():
    fitted = fit_budget(SCORES, TAGS, 15, BudgetOptions(budget=100), dimensions())
    assert fitted.allocation.tokens.tolist() == [0, 1, 1]  # 1 + 6 and 1 + 7: 15 tokens
    lowered, starved = fitted.warnings
    assert "from 100 to 2 tokens" in lowered
    assert "more segments (3) than tokens (2)" in starved


def test_a_context_without_place_for_one_segment_is_an_error_with_the_number():
    with pytest.raises(UsageError, match="leaves 7 tokens for the video: not even one segment fits"):
        fit_budget(SCORES, TAGS, 7, BudgetOptions(), dimensions())


def test_without_ata_every_token_is_kept():
    fitted = fit_budget(SCORES, TAGS, 66, BudgetOptions(budget=1, ata=False), dimensions())  # 3 * 16 + 18
    assert fitted.allocation.tokens.tolist() == [16, 16, 16]
    assert (fitted.allocation.limit, fitted.allocation.mode) == (None, "off")
    assert fitted.warnings == ()


def test_without_ata_what_does_not_fit_is_an_error_with_the_numbers():
    with pytest.raises(UsageError) as caught:
        fit_budget(SCORES, TAGS, 65, BudgetOptions(ata=False), dimensions())
    assert "takes 66 tokens, the context leaves 65" in caught.value.message
    assert "`ata=False`" in caught.value.hint


@st.composite
def videos(draw: st.DrawFn) -> tuple[np.ndarray, list[int]]:
    rows = draw(st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(3, 12)), min_size=1, max_size=20))
    return np.array([score for score, _ in rows], np.float32), [tag for _, tag in rows]


@given(videos(), st.integers(13, 600), st.integers(1, 400), st.integers(4, 32))
def test_the_lowered_budget_is_always_the_largest_that_fits(video, room, budget, memory_tokens):
    scores, tags = video
    allocation = fit_budget(
        scores, tags, room, BudgetOptions(budget=budget), dimensions(memory_tokens)
    ).allocation
    assert cost(allocation, tags) <= room
    fitting = (
        limit
        for limit in range(budget, 0, -1)
        if cost(allocate(scores, limit, 4, memory_tokens), tags) <= room
    )
    assert allocation.limit == next(fitting)


@given(videos(), st.integers(13, 600), st.integers(1, 400))
def test_every_lowering_and_every_loss_is_told(video, room, budget):
    scores, tags = video
    fitted = fit_budget(scores, tags, room, BudgetOptions(budget=budget), dimensions())
    lowered, starved = fitted.allocation.limit < budget, 0 in fitted.allocation.tokens
    told = ["lowered" if "budget lowered" in warning else "starved" for warning in fitted.warnings]
    assert told == ["lowered"] * lowered + ["starved"] * starved
