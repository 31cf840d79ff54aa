"""Adaptive Token Allocation (paper, ATA): how many memory tokens each segment keeps.

A pure function on float32 numbers, step for step as the reference computes it, but the budget is
never exceeded: the reference breaks it where there are more segments than tokens.
"""

import numpy as np

from ..types import Allocation, FloatArray, IntArray

FLAT_RANGE = 1e-8  # scores closer together than this count as equal (reference)


def allocate(scores: FloatArray, budget: int, min_tokens: int, max_tokens: int) -> Allocation:
    """Share `budget` tokens among segments by relevance.

    Args:
        scores: relevance, float, shape (S,), finite.
        budget: tokens in all, at least 0.
        min_tokens, max_tokens: bounds per segment. The lower one is reduced if the budget is too small.

    Returns:
        tokens per segment, int64, shape (S,), their sum at most `budget`, and how they were found.
        Ties: the earlier segment first.

    Raises:
        ValueError: a score is NaN or infinite, or the bounds make no sense.
    """
    relevance = np.asarray(scores, np.float32)
    if relevance.ndim != 1 or not np.isfinite(relevance).all():
        raise ValueError("scores must be finite and one-dimensional")
    if budget < 0 or not 0 <= min_tokens <= max_tokens or max_tokens < 1:
        raise ValueError(f"budget {budget}, tokens per segment {min_tokens} to {max_tokens}")
    count = len(relevance)
    if budget < count:
        return Allocation(_one_each(relevance, budget), budget, "rescaled")
    if count == 0:
        return Allocation(np.zeros(0, np.int64), budget, "uniform")
    floor = min_tokens if count * min_tokens <= budget else max(1, budget // count)
    low, high = relevance.min(), relevance.max()
    if high - low < FLAT_RANGE:
        tokens = np.full(count, min(max_tokens, budget // count), np.int64)
        return Allocation(tokens, budget, "uniform")
    scaled = (relevance - low) / (high - low)
    linear = floor + np.floor(scaled * np.float32(max_tokens - floor)).astype(np.int64)
    if linear.sum() <= budget:
        return Allocation(linear, budget, "linear")
    tokens = floor + _shares(relevance, scaled, budget - count * floor)
    return Allocation(np.clip(tokens, floor, max_tokens), budget, "rescaled")


def _shares(relevance: FloatArray, scaled: FloatArray, extra: int) -> IntArray:
    """Split `extra` in proportion to `scaled`; the most relevant get what rounding down leaves.

    Ranked by relevance, not by weight as in the reference: neighboring scores can end on the same weight.
    """
    weights = scaled / scaled.sum(dtype=np.float32)
    shares: IntArray = np.floor(weights * np.float32(extra)).astype(np.int64)
    ranked = _ranked(relevance)
    left = extra - int(shares.sum())
    if left >= 0:
        shares[ranked[:left]] += 1
        return shares
    # float32 can round the products up past the total; the lowest segments give that back
    for index in ranked[::-1]:
        back = min(int(shares[index]), -left)
        shares[index] -= back
        left += back
    return shares


def _one_each(relevance: FloatArray, budget: int) -> IntArray:
    tokens = np.zeros(len(relevance), np.int64)
    tokens[_ranked(relevance)[:budget]] = 1
    return tokens


def _ranked(relevance: FloatArray) -> IntArray:
    """Segments from the most to the least relevant; ties: the earlier one first."""
    return np.argsort(-relevance, kind="stable").astype(np.int64)
