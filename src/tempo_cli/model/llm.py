"""The decoder: reads the spliced sequence and yields token ids. It knows no text.

| value | shape |
|---|---|
| decoder input | (L, D) |
| logits of the next token | (V,) |
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain

import numpy as np
import torch
from torch import nn

from ..config import GenerationOptions, ModelDimensions
from ..types import Allocation, MemoryTokens
from .architecture import TextArchitecture
from .device import device_free_bytes, put
from .generation import SamplingRule, Token, write
from .layers import LanguageModel
from .projector import build_projector
from .step import Step
from .transformer import KVCache, Transformer

_KEPT = 0.1  # of the free memory that may be kept for the next answer
ANSWER_ROOM = 256  # tokens of an answer that the cache has room for from the beginning


class Decoder(nn.Module):
    """Qwen3 with a projector from memory tokens to its own embeddings."""

    def __init__(self, config: TextArchitecture, dimensions: ModelDimensions) -> None:
        super().__init__()
        self.llm = LanguageModel(config)
        width = dimensions.compressor_width, dimensions.decoder_width
        self.projector = build_projector(dimensions.projector, *width)
        self._kept: Step | None = None

    @torch.inference_mode()
    def splice(
        self,
        before: Sequence[int],
        tags: Sequence[Sequence[int]],
        memory: MemoryTokens,
        allocation: Allocation,
        after: Sequence[int],
    ) -> torch.Tensor:
        """Put text and video together: the one place where they meet, exact to the token.

        For each segment its tag, then the first k of its M memory tokens, projected; a segment without
        tokens loses its tag too (reference).

        Returns:
            decoder input, (L, D).
        """
        counts = allocation.tokens.tolist()
        kept = [
            (tag, tokens[:count])
            for tag, tokens, count in zip(tags, memory.tokens, counts, strict=True)
            if count
        ]
        # all words at once, and all memory tokens at once: a device starts few operations instead of hundreds
        texts = [before, *(tag for tag, _ in kept), after]
        words = torch.split(self._embed(list(chain(*texts))), [len(text) for text in texts])
        pieces = [words[0]]
        if kept:
            together = torch.cat([tokens for _, tokens in kept]).to(self._weight.device, self._weight.dtype)
            projected = torch.split(self.projector(together), [len(tokens) for _, tokens in kept])
            pieces += [piece for pair in zip(words[1:-1], projected, strict=True) for piece in pair]
        embeds = torch.cat([*pieces, words[-1]])
        length = sum(map(len, texts)) + allocation.used
        if embeds.shape[0] != length:
            raise ValueError(f"spliced {embeds.shape[0]} embeddings where {length} were due")
        return embeds

    @torch.inference_mode()
    def prefill(self, embeds: torch.Tensor, cache: KVCache | None = None) -> tuple[torch.Tensor, KVCache]:
        """Logits (V,) after the decoder input (L, D), and the cache to go on with.

        Args:
            cache: to use, whatever it holds; a new one by default.
        """
        cache = cache or self._transformer.cache(1, len(embeds))
        cache.length = 0
        angles = self._transformer.text_angles(0, len(embeds))
        last = self._transformer(embeds[None], cache, angles)[0, -1]
        logits: torch.Tensor = self.llm.lm_head(last)
        return logits.float(), cache

    def generate(
        self, embeds: torch.Tensor, rule: SamplingRule, options: GenerationOptions
    ) -> Iterator[Token]:
        """Yield tokens until one of `rule.stop_ids` (not yielded) or `options.max_new_tokens`.

        Raises:
            ModelError: the logits are no numbers.
        """
        step = self._step(len(embeds) + min(options.max_new_tokens, ANSWER_ROOM))
        logits, _ = self.prefill(embeds, step.cache)
        try:
            yield from write(logits, step, rule, options)
        except GeneratorExit:  # nobody wants more; after an error nothing is kept
            self._keep(step)
            raise
        self._keep(step)

    def forget(self) -> bool:
        """Release what is kept for the next answer; False if there was nothing."""
        kept, self._kept = self._kept, None
        return kept is not None

    @torch.inference_mode()
    def _step(self, length: int) -> Step:
        """With room for so many tokens: the one that is kept, or a new one."""
        kept, self._kept = self._kept, None
        if kept is not None and kept.cache.capacity >= length:
            kept.cache.values.zero_()  # NaN of the last answer would pass through a mask
            return kept
        del kept
        cache = self._transformer.cache(1, length)
        return Step(self._transformer, self._weight, self.llm.lm_head, cache)

    def _keep(self, step: Step) -> None:
        """Keep a recorded step with its cache for the next answer, where it takes little of what is free."""
        free = device_free_bytes(self._weight.device)
        if free is not None and step.is_recorded and step.cache.values.nbytes <= _KEPT * free:
            self._kept = step

    @cached_property
    def _transformer(self) -> Transformer:
        return Transformer(self.llm.model)

    @property
    def _weight(self) -> torch.Tensor:
        weight: torch.Tensor = self.llm.model.embed_tokens.weight
        return weight

    def _embed(self, ids: Sequence[int]) -> torch.Tensor:
        numbers = np.array(ids, np.int64)
        embeds: torch.Tensor = self.llm.model.embed_tokens(put(numbers, self._weight.device))
        return embeds
