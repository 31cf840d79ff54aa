"""One more token through a language model, with shapes that never change.

The position is a number on the device, the cache has its full length from the beginning, and the token is
read from the device. So the step can be recorded as a CUDA graph once and replayed for each token, and the
device never waits for the host.
"""

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .device import current, is_recent_cuda
from .transformer import Angles, KVCache, Layer, Transformer, rotated

if TYPE_CHECKING:
    from .fused import FusedLayers

_EAGER = 3  # steps before one is recorded: recording costs about as much as two of them
_WIDEST = 256  # head that FlashAttention takes
_log = logging.getLogger(__name__)


class Step:
    """A step with fixed shapes; on CUDA recorded after a few tokens.

    Args:
        embedding: (V, D).
        head: from hidden states to logits.
        cache: of one sequence; what it has room for is the longest sequence.
    """

    def __init__(self, transformer: Transformer, embedding: Tensor, head: nn.Linear, cache: KVCache) -> None:
        self._transformer, self._embedding, self._head = transformer, embedding, head
        self.cache = cache
        norms = torch.stack([layer.heads_norm for layer in transformer.layers])
        self._norms = norms, norms.roll(norms.shape[-1] // 2, -1)  # (layers, H + K, W), and halves swapped
        self._token = torch.zeros(1, dtype=torch.long, device=embedding.device)
        self._position = torch.zeros_like(self._token)
        self._at = -1  # the position on the device, as far as the host knows it
        self._bind()

    def _bind(self) -> None:
        """Get ready for the cache as it is."""
        self._capacity = self.cache.capacity
        angles = self._transformer.text_angles(0, self._capacity)
        self._angles = Angles(angles.cos[0, :, 0], angles.sin[0, :, 0])  # (capacity, W)
        self._attention = _attention(self._transformer, self.cache)
        self._fused = _fused(self._transformer, self._embedding, self._head, self.cache)
        self._eager = _EAGER if self._token.device.type == "cuda" else -1  # steps until recording; -1: never
        self._graph: torch.cuda.CUDAGraph | None = None
        self._logits = self._norms[0]

    @property
    def token(self) -> Tensor:
        """The token that is read, (1,)."""
        return self._token

    @token.setter
    def token(self, value: Tensor) -> None:
        with torch.inference_mode():
            self._token.copy_(value)

    @property
    def is_recorded(self) -> bool:
        """Whether the step is a CUDA graph by now."""
        return self._graph is not None

    @torch.inference_mode()
    def __call__(self) -> Tensor:
        """Logits (V,)."""
        self.cache.reserve(self.cache.length + 1)
        if self._capacity != self.cache.capacity:
            self._bind()
        with current(self._token.device):  # Triton starts kernels on the current device
            if self._at != self.cache.length:
                self._position.fill_(self.cache.length)
            self._at = -1  # not known if the step fails
            if self._graph is None and self._eager == 0:
                self._record()
            if self._graph is not None:
                self._graph.replay()
                logits = self._logits
            else:
                self._eager -= self._eager > 0
                logits = self._step()
        self.cache.length += 1
        self._at = self.cache.length
        return logits

    def _record(self) -> None:
        """Record one step, without computing it; where that fails, steps stay eager."""
        graph, stream = torch.cuda.CUDAGraph(), _recording_stream(self._token.device)
        stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(stream):
                # other threads may copy and allocate meanwhile
                graph.capture_begin(capture_error_mode="thread_local")
                try:
                    logits = self._step()
                finally:
                    graph.capture_end()
        except RuntimeError as error:
            _log.info("a token can't be recorded as a CUDA graph here: %s", error)
            self._eager = -1
            return
        torch.cuda.current_stream().wait_stream(stream)
        self._graph, self._logits = graph, logits

    def _step(self) -> Tensor:
        """Logits (V,) after the token at the position; both are on the device."""
        if self._fused is not None:
            try:
                return self._fused(self._token, self._position, self._attention(self._position))
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                if self._fused.has_run:
                    raise
                _log.info("Triton's kernels can't be used here: %s", error)
                self._fused = None
        return self._unfused()

    def _unfused(self) -> Tensor:
        norms, swapped = self._norms
        cos, sin = (part.index_select(0, self._position) for part in self._angles)  # (1, W)
        # the gain of the heads' norms and the rotation in one: (layers, H + K, W)
        turns = Angles(norms * cos, swapped * sin)
        attend = self._attention(self._position)
        hidden = self._embedding.index_select(0, self._token)
        for number, layer in enumerate(self._transformer.layers):
            hidden = _layer_step(
                hidden,
                Angles(turns.cos[number], turns.sin[number]),
                self.cache.values[number, :, 0],
                self._position,
                attend,
                layer,
                self._transformer.eps,
            )
        self._position += 1
        normed = functional.rms_norm(hidden, hidden.shape[1:], self._transformer.norm, self._transformer.eps)
        logits: Tensor = self._head(normed)[0]
        return logits.float()


@functools.cache
def _recording_stream(device: torch.device) -> torch.cuda.Stream:
    """Always the same one, since cuBLAS keeps a workspace for each stream that it has seen."""
    stream: torch.cuda.Stream = cast(Any, torch.cuda).Stream(device)
    return stream


Attend = Callable[[Tensor, Tensor, Tensor], Tensor]  # queries (H, W), keys and values (K, capacity, W)


def _layer_step(
    hidden: Tensor, turn: Angles, cache: Tensor, position: Tensor, attend: Attend, layer: Layer, eps: float
) -> Tensor:
    """One layer for one token, (1, D), maybe in place; `cache` is the layer's own, (2, K, capacity, W)."""
    groups, width = cache.shape[1], cache.shape[3]
    normed = functional.rms_norm(hidden, layer.norm.shape, layer.norm, eps)
    heads = layer.heads(normed).view(-1, width)
    turned = rotated(functional.rms_norm(heads[:-groups], (width,), None, eps), turn)
    cache[0].index_copy_(1, position, turned[-groups:, None])
    cache[1].index_copy_(1, position, heads[-groups:, None])
    mixed = attend(turned[:-groups], cache[0], cache[1])
    hidden = layer.output.add_to(hidden, mixed.view(1, -1))
    normed = functional.rms_norm(hidden, layer.inner_norm.shape, layer.inner_norm, eps)
    gate, up = layer.gate_up(normed).chunk(2, dim=-1)
    return layer.down.add_to(hidden, layer.activation(gate) * up)


def _fused(
    transformer: Transformer, embedding: Tensor, head: nn.Linear, cache: KVCache
) -> "FusedLayers | None":
    """The layers as Triton kernels, where they can be used."""
    parts = [part for layer in transformer.layers for part in layer.projections]
    joined = all(len(part.weights) == 1 for part in parts)
    power_of_two = transformer.width & (transformer.width - 1) == 0
    silu = transformer.layers[0].activation is functional.silu
    if not (is_recent_cuda(cache.values) and joined and power_of_two and silu):
        return None
    try:
        from .fused import FusedLayers
    except ImportError:  # without Triton
        return None
    return FusedLayers(transformer, embedding, head, cache)


def _attention(transformer: Transformer, cache: KVCache) -> Callable[[Tensor], Attend]:
    """What makes the attention of queries at a position, (1,), to everything up to there."""
    fits = transformer.width % 8 == 0 and transformer.width <= _WIDEST
    if fits and is_recent_cuda(cache.values) and torch.backends.cuda.is_flash_attention_available():
        split = _SplitAttention(cache)
        try:  # a private operation: a later torch may want other arguments
            queries = cache.values.new_zeros(transformer.heads, transformer.width)
            split(torch.zeros(1, dtype=torch.long, device=queries.device))(queries, *cache.values[0, :, 0])
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001  whatever it says then
            _log.info("FlashAttention can't be used here: %s", error)
        else:
            return split
    return _MaskedAttention(transformer, cache)


class _MaskedAttention:
    """Over the whole cache, with a mask."""

    def __init__(self, transformer: Transformer, cache: KVCache) -> None:
        self._groups = transformer.groups
        self._slots = torch.arange(cache.capacity, device=cache.values.device)

    def __call__(self, position: Tensor) -> Attend:
        seen = (self._slots <= position)[None, None, None]  # (1, 1, 1, capacity)

        def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
            shared = queries.view(1, self._groups, -1, queries.shape[-1])
            mixed = functional.scaled_dot_product_attention(shared, keys[None], values[None], attn_mask=seen)
            return mixed.reshape(queries.shape)

        return attend


class _SplitAttention:
    """FlashAttention, which reads the number of filled positions from the device and splits long keys."""

    def __init__(self, cache: KVCache) -> None:
        self._one = torch.tensor([0, 1], dtype=torch.int32, device=cache.values.device)
        self._filled = torch.zeros(2, dtype=torch.int32, device=cache.values.device)
        self._capacity = cache.capacity

    def __call__(self, position: Tensor) -> Attend:
        self._filled[1:].copy_(position + 1)
        return self._attend

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        found: Tensor = torch.ops.aten._flash_attention_forward(
            queries[None],
            keys.transpose(0, 1),
            values.transpose(0, 1),
            self._one,
            self._filled,
            1,
            self._capacity,
            0.0,
            False,
            False,
        )[0]
        return found
