"""The operations that a device is tested with: those that the networks and the choice of tokens consist of.

Each is a function of tensors, run once on a CPU in float32 and once on the device. Inputs come from a seed,
so that a test can be repeated. Their sizes are those of a small network: a wrong kernel is wrong there, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from ..model.generation import SamplingRule, choose
from ..model.transformer import Angles, rotated

_WIDTH, _INNER, _ROWS = 256, 640, 96  # of hidden states, of the layer between, and how many of them
_HEADS, _GROUPS, _HEAD, _KEYS = 8, 2, 64, 160  # of attention
_VOCABULARY = 5000
_SEED = 1717


@dataclass(frozen=True)
class Operation:
    """Something that a device has to compute.

    Attributes:
        name: in words of the documentation.
        run: from the inputs, all on one device, to the result.
        shapes: of the inputs that are real numbers, from a normal distribution.
        places: of further inputs, which are indices: (shape, how many different ones).
        in_float32: whether it computes in float32 whatever the weights' type is, as all that follows the
            logits does.
        is_exact: whether every device must give the same result, bit for bit.
    """

    name: str
    run: Callable[..., Tensor]
    shapes: tuple[tuple[int, ...], ...]
    places: tuple[tuple[tuple[int, ...], int], ...] = ()
    in_float32: bool = False
    is_exact: bool = False

    def inputs(self) -> tuple[list[Tensor], list[Tensor]]:
        """Real numbers and indices, on the CPU; always the same."""
        randomness = torch.Generator().manual_seed(_SEED)
        real = [torch.randn(shape, generator=randomness) for shape in self.shapes]
        drawn = partial(torch.randint, 0, generator=randomness)
        return real, [drawn(many, shape) for shape, many in self.places]


def _added_product(hidden: Tensor, values: Tensor, weight: Tensor) -> Tensor:
    return hidden.clone().addmm_(values, weight.t())


def _rms_norm(values: Tensor, weight: Tensor) -> Tensor:
    return functional.rms_norm(values, weight.shape, weight, 1e-6)


def _layer_norm(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.layer_norm(values, weight.shape, weight, bias, 1e-6)


def _rotary(values: Tensor) -> Tensor:
    """Of queries (L, heads, W) at positions from 0 on, as `transformer.Transformer` turns them."""
    even = torch.arange(0, _HEAD, 2, device=values.device).float()
    angles = torch.arange(len(values), device=values.device).float()[:, None] / 1e4 ** (even / _HEAD)
    both = torch.cat((angles, angles), dim=-1)
    cos, sin = both.cos().to(values.dtype), both.sin().to(values.dtype)
    left, right = sin.chunk(2, dim=-1)
    return rotated(values, Angles(cos[:, None], torch.cat((-left, right), dim=-1)[:, None]))


def _masked(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """A part of the keys is seen, as by one more token, whose cache has room for others."""
    seen = torch.arange(keys.shape[-2], device=keys.device) <= keys.shape[-2] // 2
    return functional.scaled_dot_product_attention(queries, keys, values, attn_mask=seen[None, None, None])


def _copied(values: Tensor) -> Tensor:
    """Within the device: every second column, and back in its place."""
    found = torch.zeros_like(values)
    found[:, ::2].copy_(values[:, ::2])
    found[:, 1::2] = values[:, 1::2]
    return found


def _ordered(values: Tensor) -> Tensor:
    ordered, order = values.sort(descending=True, stable=True)
    return torch.cat((ordered, order.to(values.dtype)))


def _sampled(logits: Tensor) -> Tensor:
    """Tokens that are drawn from logits after top-k and top-p, at some places."""
    rule = SamplingRule(frozenset(), 50, 0.95)
    return torch.cat([choose(3 * logits, rule, 0.8, draw) for draw in (0.03, 0.21, 0.5, 0.77, 0.96)])


def _found(values: Tensor) -> Tensor:
    """Where numbers are among others in order."""
    return torch.searchsorted(values.sort().values, values[:_ROWS] / 2, right=True)


_ATTENTION = (1, _HEADS, _KEYS, _HEAD)
_SHARED = (1, _GROUPS, _KEYS, _HEAD)
_attention = functional.scaled_dot_product_attention
_logits = partial(Operation, shapes=((_VOCABULARY,),), in_float32=True)

OPERATIONS: Sequence[Operation] = (
    Operation("copies", _copied, ((1024, 512),), is_exact=True),
    Operation("linear layer", functional.linear, ((_ROWS, _WIDTH), (_INNER, _WIDTH), (_INNER,))),
    Operation("linear layer, one row", functional.linear, ((1, _WIDTH), (_INNER, _WIDTH))),
    Operation("product, added", _added_product, ((_ROWS, _WIDTH), (_ROWS, _INNER), (_WIDTH, _INNER))),
    Operation("RMS norm", _rms_norm, ((_ROWS, _WIDTH), (_WIDTH,))),
    Operation("layer norm", _layer_norm, ((_ROWS, _WIDTH), (_WIDTH,), (_WIDTH,))),
    Operation("rotary embedding", _rotary, ((_ROWS, _HEADS, _HEAD),)),
    Operation("attention", _attention, (_ATTENTION,) * 3),
    Operation("attention, causal", partial(_attention, is_causal=True), (_ATTENTION,) * 3),
    Operation("attention, masked", _masked, ((1, _GROUPS, _HEADS // _GROUPS, _HEAD), _SHARED, _SHARED)),
    Operation(
        "attention, grouped",
        partial(_attention, is_causal=True, enable_gqa=True),
        (_ATTENTION, _SHARED, _SHARED),
    ),
    Operation("GELU", functional.gelu, ((_ROWS, _INNER),)),
    Operation("GELU by tanh", partial(functional.gelu, approximate="tanh"), ((_ROWS, _INNER),)),
    Operation("SiLU", functional.silu, ((_ROWS, _INNER),)),
    Operation("softmax", partial(torch.softmax, dim=-1), ((_ROWS, _INNER),)),
    Operation(
        "embedding",
        lambda table, places: functional.embedding(places, table),
        ((_VOCABULARY, 64),),
        (((_ROWS,), _VOCABULARY),),
        is_exact=True,
    ),
    Operation(
        "gather",
        lambda values, places: values.gather(0, places),
        ((_VOCABULARY,),),
        (((_ROWS,), _VOCABULARY),),
        is_exact=True,
    ),
    _logits("argmax", lambda values: values.argmax().view(1), is_exact=True),
    _logits("sort", _ordered, is_exact=True),
    _logits("top-k", lambda values: values.topk(50).values, is_exact=True),
    _logits("logsumexp", lambda values: values.logsumexp(-1, keepdim=True)),
    _logits("cumulative sum", lambda values: values.abs().cumsum(-1)),
    _logits("search in order", _found, is_exact=True),
    _logits("sampling", _sampled, is_exact=True),
)
