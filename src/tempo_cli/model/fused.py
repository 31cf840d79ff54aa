"""One token through all layers with the kernels of `kernels`: seven per layer instead of some twenty."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from . import kernels
from .transformer import KVCache, Transformer


class FusedLayers:
    """All layers and the head of a language model for one token.

    Attributes:
        has_run: whether the kernels could be compiled and started.
    """

    def __init__(self, transformer: Transformer, embedding: Tensor, head: nn.Linear, cache: KVCache) -> None:
        self._transformer, self._embedding, self._head, self._cache = (
            transformer,
            embedding,
            head.weight,
            cache,
        )
        heads, width, first = transformer.heads, transformer.width, transformer.layers[0]
        cos, sin = transformer.text_angles(0, cache.capacity)
        self._cos, self._sin = cos[0, :, 0].contiguous(), sin[0, :, 0].contiguous()
        make = embedding.new_empty
        self._heads = make(heads + 2 * transformer.groups, width)
        self._queries = make(heads, width)
        self._inner = make(1, first.down.weights[0].shape[1])
        self._logits = torch.empty(1, len(self._head), dtype=torch.float32, device=embedding.device)
        self.has_run = False

    def __call__(
        self, token: Tensor, position: Tensor, attend: Callable[[Tensor, Tensor, Tensor], Tensor]
    ) -> Tensor:
        """Logits (V,) float32 behind `token`, (1,), at `position`, (1,), which then counts up."""
        eps = self._transformer.eps
        hidden = self._embedding.index_select(0, token)
        for layer, cache in zip(self._transformer.layers, self._cache.values[:, :, 0], strict=True):
            kernels.norm_product(hidden, layer.norm, eps, layer.heads.weights[0], self._heads.view(1, -1))
            kernels.turn_heads(
                self._heads, layer.heads_norm, self._cos, self._sin, position, cache, eps, self._queries
            )
            mixed = attend(self._queries, cache[0], cache[1])
            kernels.add_product(mixed.reshape(1, -1), layer.output.weights[0], hidden)
            kernels.gated_product(hidden, layer.inner_norm, eps, layer.gate_up.weights[0], self._inner)
            kernels.add_product(self._inner, layer.down.weights[0], hidden)
        kernels.norm_product(hidden, self._transformer.norm, eps, self._head, self._logits)
        position += 1
        self.has_run = True
        return self._logits[0]
