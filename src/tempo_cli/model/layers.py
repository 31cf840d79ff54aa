"""The weights of a Qwen3 language model as modules, by the names of the released files.

`transformer.Transformer` computes with them. Nothing here sets their first values: they come from a file, or
from whoever trains them.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .architecture import TextArchitecture

Activation = Callable[[Tensor], Tensor]


class _WithoutCuDNN:
    """Within it, cuDNN's attention is off: it takes most of a second to plan for each new length.

    The setting is the process's own, so it is put back when the last thread leaves.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._before = Lock(), 0, True

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = bool(cast(Any, torch.backends.cuda).cudnn_sdp_enabled())
                torch.backends.cuda.enable_cudnn_sdp(False)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                torch.backends.cuda.enable_cudnn_sdp(self._before)


without_cudnn_attention = _WithoutCuDNN()


def tanh_gelu(values: Tensor) -> Tensor:
    """GELU by its approximation with tanh."""
    return functional.gelu(values, approximate="tanh")


ACTIVATIONS: dict[str, Activation] = {
    "silu": functional.silu,
    "gelu": functional.gelu,
    "gelu_pytorch_tanh": tanh_gelu,
}


class Linear(nn.Linear):
    """Without first values."""

    def reset_parameters(self) -> None:
        """Leave the weights as they are."""


class Embedding(nn.Embedding):
    """Without first values."""

    def reset_parameters(self) -> None:
        """Leave the weights as they are."""


class RMSNorm(nn.Module):
    """Root mean square norm of the last axis."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.variance_epsilon = eps

    def forward(self, hidden: Tensor) -> Tensor:
        """Normed values, of the same shape."""
        return functional.rms_norm(hidden, self.weight.shape, self.weight, self.variance_epsilon)


class Rotary(nn.Module):
    """Cosines and sines of the rotary embedding.

    With `mrope_section`, pair i of a head turns with one of three positions: height for i = 1, 4, 7 …, width
    for i = 2, 5, 8 …, as many of each as the section says, and time for the others.
    """

    inv_freq: Tensor
    axes: Tensor | None

    def __init__(self, config: TextArchitecture) -> None:
        super().__init__()
        even = torch.arange(
            0, config.head_dim, 2, dtype=torch.float, device="cpu"
        )  # also where built on meta
        self.register_buffer(
            "inv_freq", 1.0 / config.rope_theta ** (even / config.head_dim), persistent=False
        )
        self.register_buffer("axes", None, persistent=False)
        if config.mrope_section is not None:
            self.axes = torch.zeros(len(even), dtype=torch.long, device="cpu")
            for axis in (1, 2):
                self.axes[axis : 3 * config.mrope_section[axis] : 3] = axis

    def forward(self, like: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Both (B, L, W), in the type of `like`.

        Args:
            positions: (B, L); with three axes (3, B, L).
        """
        each = positions[..., None] if self.axes is None else positions[self.axes].permute(1, 2, 0)
        angles = each.float() * self.inv_freq
        both = torch.cat((angles, angles), dim=-1)
        return both.cos().to(like.dtype), both.sin().to(like.dtype)


class Attention(nn.Module):
    """Projections of the heads, and norms of queries and keys."""

    def __init__(self, config: TextArchitecture) -> None:
        super().__init__()
        self.head_dim, bias = config.head_dim, config.attention_bias
        queries = config.num_attention_heads * config.head_dim
        keys = config.num_key_value_heads * config.head_dim
        self.q_proj = Linear(config.hidden_size, queries, bias=bias)
        self.k_proj = Linear(config.hidden_size, keys, bias=bias)
        self.v_proj = Linear(config.hidden_size, keys, bias=bias)
        self.o_proj = Linear(queries, config.hidden_size, bias=bias)
        self.q_norm = RMSNorm(config.head_dim, config.rms_norm_eps)
        self.k_norm = RMSNorm(config.head_dim, config.rms_norm_eps)


class GatedMLP(nn.Module):
    """The inner layer with a gate."""

    def __init__(self, config: TextArchitecture) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.gate_proj = Linear(width, inner, bias=False)
        self.up_proj = Linear(width, inner, bias=False)
        self.down_proj = Linear(inner, width, bias=False)
        self.act_fn = ACTIVATIONS[config.hidden_act]


class TextLayer(nn.Module):
    """One layer."""

    def __init__(self, config: TextArchitecture) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = GatedMLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class TextModel(nn.Module):
    """A language model without its head."""

    def __init__(self, config: TextArchitecture) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(TextLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.rotary_emb = Rotary(config)


class LanguageModel(nn.Module):
    """A language model with its head, which may be tied to the embedding."""

    def __init__(self, config: TextArchitecture) -> None:
        super().__init__()
        self.config = config
        self.model = TextModel(config)
        self.lm_head = Linear(config.hidden_size, config.vocab_size, bias=False)
        self.tie_weights()

    def tie_weights(self) -> None:
        """Have the head share the embedding's weights, if it is tied to it."""
        if self.config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
