"""The layers of a Qwen3 language model as one function over its loaded weights, with a static cache.

The compressor's and the decoder's text models have the same layers; `layers.TextModel` holds their weights.

| value | shape |
|---|---|
| hidden states | (B, L, D) |
| queries | (B, H, L, W), W the width of a head |
| cache | (layers, 2, B, K, capacity, W), K heads of keys and values |
| angles: cosines and sines of the rotary embedding | (B or 1, L, 1, W) each |
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import Activation, Linear, TextModel, without_cudnn_attention

_GROWTH = 256  # positions that a full cache grows by, at least


class Angles(NamedTuple):
    """Cosines and sines of the rotary embedding, (B or 1, L, 1, W) each; first halves of sines negated."""

    cos: Tensor
    sin: Tensor


class KVCache:
    """Keys and values of B sequences, written in place.

    Attributes:
        values: (layers, 2, B, K, capacity, W); positions from `length` on hold nothing yet.
        length: positions that are filled.
    """

    def __init__(self, values: Tensor, length: int = 0) -> None:
        self.values, self.length = values, length

    @property
    def capacity(self) -> int:
        """Positions that there is room for."""
        return int(self.values.shape[4])

    @property
    def filled(self) -> Tensor:
        """The filled positions: (layers, 2, B, K, length, W)."""
        return self.values[..., : self.length, :]

    def reserve(self, length: int) -> None:
        """Have room for `length` positions; a full cache grows by a quarter at least."""
        if length > self.capacity:
            grown = max(length, self.capacity + max(_GROWTH, self.capacity // 4))
            values = self.values.new_zeros((*self.values.shape[:4], grown, self.values.shape[5]))
            values[..., : self.length, :] = self.filled
            self.values = values


# linear layers that read the same input; their weights may be the rows of one tensor
_JOINED = (("self_attn", ("q_proj", "k_proj", "v_proj")), ("mlp", ("gate_proj", "up_proj")))

_MANY = 64  # rows from which on separate products cost less than slices of one


class Projection:
    """Linear layers that read the same input, as one function.

    Attributes:
        weights: (out, in) of each layer, or (sum of out, in) of all where they are neighbors in memory; none
            where a layer has a bias or computes in a way of its own (a quantized one).
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        plain = tuple(layer.weight for layer in layers if type(layer) is Linear and layer.bias is None)
        joined = _joined(plain) if len(plain) == len(layers) else None
        self.weights = () if len(plain) < len(layers) else plain if joined is None else (joined,)
        self._parts = [layer.forward for layer in layers]
        self._rows = [layer.out_features for layer in layers]

    def __call__(self, values: Tensor) -> Tensor:
        """(…, in) to (…, sum of out)."""
        if len(self.weights) == 1:
            return functional.linear(values, self.weights[0])
        return torch.cat([part(values) for part in self._parts], dim=-1)

    def each(self, values: Tensor) -> list[Tensor]:
        """(…, in) to (…, out) of each layer."""
        if len(self.weights) != 1:
            return [part(values) for part in self._parts]
        if values.numel() < _MANY * values.shape[-1]:
            return list(torch.split(self(values), self._rows, dim=-1))
        return [functional.linear(values, weight) for weight in torch.split(self.weights[0], self._rows)]

    def add_to(self, hidden: Tensor, values: Tensor) -> Tensor:
        """`hidden`, (…, out), plus the output for `values`, (…, in); it may be changed in place."""
        if len(self.weights) != 1:
            return hidden + self(values)
        rows = values.reshape(-1, values.shape[-1])
        hidden.view(-1, hidden.shape[-1]).addmm_(rows, self.weights[0].t())
        return hidden


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's weights."""

    norm: Tensor
    heads: Projection  # queries, keys and values
    heads_norm: Tensor  # (H + K, W), of queries and keys
    output: Projection
    inner_norm: Tensor
    gate_up: Projection
    down: Projection
    activation: Activation

    @property
    def projections(self) -> tuple[Projection, ...]:
        """All of them."""
        return self.heads, self.output, self.gate_up, self.down


class Transformer:
    """Runs the layers of a language model.

    It takes the model's weights as they are when it is made, and copies none but the norms of heads.
    """

    def __init__(self, text: TextModel) -> None:
        config = text.config
        self._rotary = text.rotary_emb
        self._axes = 1 if config.mrope_section is None else 3  # time, height and width
        self.heads, self.groups = config.num_attention_heads, config.num_key_value_heads
        self.width, self.eps = config.head_dim, config.rms_norm_eps
        self.norm = text.norm.weight
        self.layers = [_layer(layer) for layer in text.layers]
        self._text: Angles | None = None  # of positions from 0 on

    def cache(self, batch: int, capacity: int) -> KVCache:
        """An empty cache for `batch` sequences."""
        shape = len(self.layers), 2, batch, self.groups, capacity, self.width
        return KVCache(self.norm.new_zeros(shape))

    def angles(self, positions: Tensor) -> Angles:
        """Of `positions`, (3, L): time, height and width of every token."""
        return self._signed(*self._rotary(self.norm, positions[:, None]))

    def text_angles(self, start: int, count: int) -> Angles:
        """Of `count` text tokens from position `start` on."""
        end = start + count
        if self._text is None or end > self._text.cos.shape[1]:
            positions = torch.arange(2 * end, device=self.norm.device)[None]
            if self._axes > 1:
                positions = positions.expand(self._axes, 1, -1)
            self._text = self._signed(*self._rotary(self.norm, positions))
        return Angles(self._text.cos[:, start:end], self._text.sin[:, start:end])

    def _signed(self, cos: Tensor, sin: Tensor) -> Angles:
        """Of cosines and sines (B, L, W)."""
        left, right = sin.chunk(2, dim=-1)
        return Angles(cos[:, :, None], torch.cat((-left, right), dim=-1)[:, :, None])

    def __call__(
        self,
        hidden: Tensor,
        cache: KVCache,
        angles: Angles,
        deepstack: Sequence[Tensor] = (),
        at: Tensor | None = None,
    ) -> Tensor:
        """Hidden states (B, L, D) behind the last layer's norm; keys and values are appended to `cache`.

        Args:
            angles: of the L positions.
            deepstack: added behind the first layers, (B, N, D) each.
            at: which N of the L positions they are added to.
        """
        start, count = cache.length, hidden.shape[1]
        cache.reserve(start + count)
        mask = None
        if start and count > 1 and start >= count:
            seen = torch.ones(count, start + count, dtype=torch.bool, device=hidden.device).tril_(start)
            mask = seen.repeat(self.heads // self.groups, 1)
        hidden = hidden.clone()  # layers add to it in place
        with without_cudnn_attention:
            for number, layer in enumerate(self.layers):
                hidden = self._layer(layer, hidden, cache.values[number], start, angles, mask)
                if number < len(deepstack):
                    hidden[:, at] += deepstack[number]
        cache.length = start + count
        return functional.rms_norm(hidden, self.norm.shape, self.norm, self.eps)

    def _layer(
        self, layer: Layer, hidden: Tensor, cache: Tensor, start: int, angles: Angles, mask: Tensor | None
    ) -> Tensor:
        """One layer; `cache` is its own, (2, B, K, capacity, W)."""
        batch, count, _ = hidden.shape
        normed = functional.rms_norm(hidden, layer.norm.shape, layer.norm, self.eps)
        heads = layer.heads(normed).view(batch, count, -1, self.width)
        # values are normed in vain, because a part of the heads would have to be copied first
        turned = functional.rms_norm(heads, (self.width,), None, self.eps)[:, :, : -self.groups]
        turned = rotated(turned * layer.heads_norm, angles).transpose(1, 2)
        keys, values = cache[:, :, :, : start + count]
        keys[:, :, start:] = turned[:, self.heads :]
        values[:, :, start:] = heads[:, :, -self.groups :].transpose(1, 2)
        mixed = self._attend(turned[:, : self.heads], keys, values, mask)
        hidden = layer.output.add_to(hidden, mixed.transpose(1, 2).reshape(batch, count, -1))
        normed = functional.rms_norm(hidden, layer.inner_norm.shape, layer.inner_norm, self.eps)
        gate, up = layer.gate_up.each(normed)
        return layer.down.add_to(hidden, layer.activation(gate) * up)

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Attention of the last L positions to all, without a mask to all before; (B, H, L, W)."""
        count, length = queries.shape[2], keys.shape[2]
        if mask is None and count > 1:
            # more queries in front, whose results are of no use, cost less than a mask
            padded = functional.pad(queries, (0, 0, length - count, 0)) if count < length else queries
            mixed = functional.scaled_dot_product_attention(
                padded, keys, values, is_causal=True, enable_gqa=True
            )
            return mixed[:, :, length - count :]
        # queries that share keys are one longer row of queries: no key is repeated
        shared = queries.reshape(queries.shape[0], self.groups, -1, self.width)
        mixed = functional.scaled_dot_product_attention(shared, keys, values, attn_mask=mask)
        return mixed.reshape(queries.shape)


def joined_weights(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """{name of a weight: names of all weights that may be the rows of one tensor with it, in order}."""
    known = set(names)
    found: dict[str, tuple[str, ...]] = {}
    for name in known:
        for part, layers in _JOINED:
            before, here, _ = name.partition(f".{part}.{layers[0]}.weight")
            group = tuple(f"{before}.{part}.{layer}.weight" for layer in layers)
            if here and known.issuperset(group):
                found |= dict.fromkeys(group, group)
    return found


def _layer(layer: Any) -> Layer:
    attention, mlp = layer.self_attn, layer.mlp
    queries, keys = attention.q_norm.weight, attention.k_norm.weight
    rows = attention.q_proj.out_features // len(queries), attention.k_proj.out_features // len(keys)
    heads, gate_up = ([getattr(layer.get_submodule(part), name) for name in names] for part, names in _JOINED)
    return Layer(
        norm=layer.input_layernorm.weight,
        heads=Projection(heads),
        heads_norm=torch.cat([queries.expand(rows[0], -1), keys.expand(rows[1], -1)]),
        output=Projection([attention.o_proj]),
        inner_norm=layer.post_attention_layernorm.weight,
        gate_up=Projection(gate_up),
        down=Projection([mlp.down_proj]),
        activation=mlp.act_fn,
    )


def _joined(weights: Sequence[Tensor]) -> Tensor | None:
    """The tensor whose rows `weights` are, in order; None where there is none."""
    at = None
    for weight in weights:
        if not weight.is_contiguous() or at not in (None, weight.data_ptr()):
            return None
        at = weight.data_ptr() + weight.nbytes
    if not weights or weights[0].untyped_storage().data_ptr() != weights[-1].untyped_storage().data_ptr():
        return None
    size = sum(len(weight) for weight in weights), weights[0].shape[1]
    return weights[0].as_strided(size, weights[0].stride())


def rotated(values: Tensor, angles: Angles) -> Tensor:
    """The rotary embedding of (…, heads, W): halves of a head turn together."""
    half = values.shape[-1] // 2
    found = values * angles.cos
    found[..., :half].addcmul_(values[..., half:], angles.sin[..., :half])
    found[..., half:].addcmul_(values[..., :half], angles.sin[..., half:])
    return found
