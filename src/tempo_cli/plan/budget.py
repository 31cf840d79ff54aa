"""Fitting the memory tokens into the decoder's context. Nothing is ever cut silently."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..config import CONTEXT_MARGIN, BudgetOptions, ModelDimensions
from ..errors import UsageError
from ..types import Allocation, FloatArray
from .allocation import allocate


@dataclass(frozen=True)
class Fitted:
    """An allocation that fits, and what had to be said about it."""

    allocation: Allocation
    warnings: tuple[str, ...]


def context_room(text: int, options: BudgetOptions, dimensions: ModelDimensions) -> int:
    """Tokens that the context leaves to the video: time tags and memory tokens (reference).

    Args:
        text: tokens of the prompt around the video.

    Raises:
        UsageError: the context is larger than the model's, or the text alone fills it.
    """
    context = options.context or dimensions.context
    if context > dimensions.max_positions:
        raise UsageError(
            f"a context of {context:,} tokens is more than the model's {dimensions.max_positions:,}",
            f"Give `context={dimensions.max_positions}` or less.",
        )
    room = context - CONTEXT_MARGIN - text
    if room < 1:
        raise UsageError(
            f"the question takes {text:,} of {context - CONTEXT_MARGIN:,} tokens: "
            "nothing is left for the video",
            f"Shorten it, or raise `context` (up to {dimensions.max_positions}).",
        )
    return room


def fit_budget(
    scores: FloatArray, tags: Sequence[int], room: int, options: BudgetOptions, dimensions: ModelDimensions
) -> Fitted:
    """Allocate within the budget and the context.

    Args:
        scores: relevance, (S,).
        tags: tokens of each segment's time tag; they count against the context, not against the budget.
        room: tokens that the context leaves to the video.

    Raises:
        UsageError: not even one token fits; or, without ATA, not every token does.
    """
    if not options.ata:
        return Fitted(_all_tokens(tags, room, dimensions), ())
    allocation = _allocate(scores, options.budget, dimensions)
    warnings = []
    if _cost(allocation, tags) > room:
        allocation = _largest_fitting(scores, tags, room, options.budget, dimensions)
        warnings.append(
            f"budget lowered from {options.budget:,} to {allocation.limit:,} tokens: "
            f"the context leaves {room:,} tokens for the video and its time tags (raise `context`)"
        )
    without = int((allocation.tokens == 0).sum())
    if without:
        warnings.append(
            f"more segments ({len(tags)}) than tokens ({allocation.limit}): "
            f"the {without} least relevant segments keep none (raise `budget`)"
        )
    return Fitted(allocation, tuple(warnings))


def _allocate(scores: FloatArray, budget: int, dimensions: ModelDimensions) -> Allocation:
    return allocate(scores, budget, dimensions.min_tokens, dimensions.memory_tokens)


def _cost(allocation: Allocation, tags: Sequence[int]) -> int:
    return allocation.used + int(np.asarray(tags)[allocation.tokens > 0].sum())


def _all_tokens(tags: Sequence[int], room: int, dimensions: ModelDimensions) -> Allocation:
    tokens = np.full(len(tags), dimensions.memory_tokens, np.int64)
    allocation = Allocation(tokens, None, "off")
    cost = _cost(allocation, tags)
    if cost > room:
        raise UsageError(
            f"without ATA the video takes {cost:,} tokens, the context leaves {room:,}",
            "Leave `ata=False` out, or lower `max_frames`, or raise `context`.",
        )
    return allocation


def _largest_fitting(
    scores: FloatArray, tags: Sequence[int], room: int, budget: int, dimensions: ModelDimensions
) -> Allocation:
    fits, breaks = 0, min(budget, room + 1)
    while breaks - fits > 1:
        middle = (fits + breaks) // 2
        if _cost(_allocate(scores, middle, dimensions), tags) <= room:
            fits = middle
        else:
            breaks = middle
    if fits == 0:
        raise UsageError(
            f"the context leaves {room:,} tokens for the video: not even one segment fits",
            "Shorten the question, or raise `context`.",
        )
    return _allocate(scores, fits, dimensions)
