"""Operations and bytes that the networks can't do without, counted from their sizes. Pure arithmetic.

A multiply and an add are two operations. Counted are matrix products, attention included, and for bytes
the weights and the keys and values; norms, activations and rotations are left out. The time that the
larger of both takes at the card's measured ceilings is a floor: nothing that computes the same is faster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Sizes = Mapping[str, Any]  # fields of a configuration


@dataclass(frozen=True)
class Cost:
    """Operations, and bytes that are read or written."""

    operations: float
    bytes: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.operations + other.operations, self.bytes + other.bytes)


@dataclass(frozen=True)
class Ceilings:
    """What a card reaches: operations per second, and bytes per second that a copy reads and writes."""

    matmul: float
    copy: float

    def floor(self, cost: Cost) -> float:
        """Seconds that `cost` takes at least."""
        return max(cost.operations / self.matmul, cost.bytes / self.copy)


def pairs(new: int, before: int) -> int:
    """Queries with keys under a causal mask: `new` tokens after `before` others."""
    return new * before + new * (new + 1) // 2


def layer_parameters(text: Sizes) -> int:
    """Weights of one layer's matrices: q and o, k and v, and three of the MLP."""
    width, size = text["hidden_size"], text["head_dim"]
    attention = 2 * width * size * (text["num_attention_heads"] + text["num_key_value_heads"])
    return int(attention + 3 * width * text["intermediate_size"])


def keys_and_values(text: Sizes, tokens: int, itemsize: int) -> int:
    """Bytes that the keys and values of `tokens` tokens take in all layers."""
    per_layer = 2 * text["num_key_value_heads"] * text["head_dim"] * itemsize
    return int(text["num_hidden_layers"] * per_layer * tokens)


def language(
    text: Sizes,
    new: int,
    before: int,
    *,
    batch: int = 1,
    head: bool = False,
    itemsize: int = 2,
    weight_bytes: float | None = None,
) -> Cost:
    """A language model reads `new` tokens after `before` cached ones, in each row of a batch.

    Args:
        head: whether the logits of the last token are computed.
        itemsize: bytes of a key or value.
        weight_bytes: of one weight of a layer's matrices; None: `itemsize`.
    """
    layers, width = text["num_hidden_layers"], text["hidden_size"]
    weights = layers * layer_parameters(text)
    logits = text["vocab_size"] * width if head else 0
    attention = 4 * text["num_attention_heads"] * text["head_dim"] * pairs(new, before)
    operations = 2 * weights * new + layers * attention + 2 * logits
    size = itemsize if weight_bytes is None else weight_bytes
    values = keys_and_values(text, batch * (before + new), itemsize)  # those before are read, the new written
    return Cost(batch * operations, weights * size + logits * itemsize + values)


def vision(tower: Sizes, frames: int, patches: int, *, batch: int = 1, itemsize: int = 2) -> Cost:
    """The vision tower reads `frames` temporal patches of `patches` patches each, in each row of a batch.

    Attention stays within a temporal patch. Each merger (the last one and those of the deep layers) joins
    merge² patches and has two layers.
    """
    width, merged = tower["hidden_size"], tower["hidden_size"] * tower["spatial_merge_size"] ** 2
    values = 3 * tower["temporal_patch_size"] * tower["patch_size"] ** 2
    block = 4 * width * width + 2 * width * tower["intermediate_size"]
    merger = merged * merged + merged * tower["out_hidden_size"]
    mergers = (1 + len(tower["deepstack_visual_indexes"])) * merger
    rows = frames * patches
    per_patch = 2 * (values * width + tower["depth"] * block)
    per_token = 2 * mergers
    attention = tower["depth"] * 4 * width * frames * patches * patches
    operations = rows * per_patch + rows // tower["spatial_merge_size"] ** 2 * per_token + attention
    weights = values * width + tower["depth"] * block + mergers
    return Cost(batch * operations, weights * itemsize)


def projector(tokens: int, inputs: int, outputs: int, *, itemsize: int = 2) -> Cost:
    """A linear layer from memory tokens to the decoder's embeddings."""
    return Cost(2 * tokens * inputs * outputs, inputs * outputs * itemsize)
