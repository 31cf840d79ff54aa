"""The decoder: reads the spliced sequence and yields token ids. It knows no text.

| value | shape |
|---|---|
| decoder input | (L, D) |
| logits of the next token | (V,) |
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import nn

from ..config import GenerationOptions, ModelDimensions
from ..errors import ModelError
from ..types import Allocation, MemoryTokens
from .architecture import TextArchitecture
from .layers import LanguageModel
from .projector import build_projector
from .transformer import KVCache, Transformer

ANSWER_ROOM = 256  # tokens of an answer that the cache has room for from the beginning


class Token(NamedTuple):
    """A generated token and its log-probability under the model (temperature 1)."""

    id: int
    logprob: float


class SamplingRule(NamedTuple):
    """The checkpoint's own `generation_config.json`: used with a temperature above 0."""

    stop_ids: frozenset[int]
    top_k: int | None
    top_p: float | None


class Decoder(nn.Module):
    """Qwen3 with a projector from memory tokens to its own embeddings."""

    def __init__(self, config: TextArchitecture, dimensions: ModelDimensions) -> None:
        super().__init__()
        self.llm = LanguageModel(config)
        width = dimensions.compressor_width, dimensions.decoder_width
        self.projector = build_projector(dimensions.projector, *width)

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
        pieces = [self._embed(before)]
        length = len(before) + len(after) + allocation.used
        for tag, tokens, keep in zip(tags, memory.tokens, allocation.tokens.tolist(), strict=True):
            if keep:
                kept = tokens[:keep].to(self._weight.device, self._weight.dtype)
                pieces += [self._embed(tag), self.projector(kept)]
                length += len(tag)
        pieces.append(self._embed(after))
        embeds = torch.cat(pieces)
        if embeds.shape[0] != length:
            raise ValueError(f"spliced {embeds.shape[0]} embeddings where {length} were due")
        return embeds

    @torch.inference_mode()
    def prefill(self, embeds: torch.Tensor, room: int = 0) -> tuple[torch.Tensor, KVCache]:
        """Logits (V,) after the decoder input (L, D), and the cache to go on with.

        Args:
            room: tokens that the cache has room for without growing.
        """
        cache = self._transformer.cache(1, len(embeds) + room)
        return self._logits(embeds[None], cache), cache

    @torch.inference_mode()
    def step(self, token: int, cache: KVCache) -> torch.Tensor:
        """Logits (V,) after one more token."""
        weight = self._weight
        return self._logits(weight[token].view(1, 1, -1), cache)

    def generate(
        self, embeds: torch.Tensor, rule: SamplingRule, options: GenerationOptions
    ) -> Iterator[Token]:
        """Yield tokens until one of `rule.stop_ids` (not yielded) or `options.max_new_tokens`.

        Raises:
            ModelError: the logits are no numbers.
        """
        randomness = torch.Generator(device=embeds.device)
        if options.seed is None:
            randomness.seed()
        else:
            randomness.manual_seed(options.seed)
        logits, cache = self.prefill(embeds, min(options.max_new_tokens, ANSWER_ROOM))
        for count in range(options.max_new_tokens):
            if not logits.isfinite().all():
                raise ModelError(
                    "the language model gives no numbers (NaN or infinity)", "Try `dtype='float32'`."
                )
            token = choose(logits, rule, options.temperature, randomness)
            if token in rule.stop_ids:
                return
            yield Token(token, float(torch.log_softmax(logits, -1)[token]))
            if count + 1 < options.max_new_tokens:
                logits = self.step(token, cache)

    def _logits(self, hidden: torch.Tensor, cache: KVCache) -> torch.Tensor:
        """Of the token after `hidden`, (1, L, D)."""
        angles = self._transformer.text_angles(cache.length, hidden.shape[1])
        last = self._transformer(hidden, cache, angles)[0, -1]
        logits: torch.Tensor = self.llm.lm_head(last)
        return logits.float()

    @cached_property
    def _transformer(self) -> Transformer:
        return Transformer(self.llm.model)

    @property
    def _weight(self) -> torch.Tensor:
        weight: torch.Tensor = self.llm.model.embed_tokens.weight
        return weight

    def _embed(self, ids: Sequence[int]) -> torch.Tensor:
        embeds: torch.Tensor = self.llm.model.embed_tokens(
            torch.tensor(ids, dtype=torch.long, device=self._weight.device)
        )
        return embeds


def choose(logits: torch.Tensor, rule: SamplingRule, temperature: float, randomness: torch.Generator) -> int:
    """The next token of logits (V,): the likeliest at temperature 0, else drawn after top-k and top-p."""
    if temperature == 0:
        return int(logits.argmax())
    scaled = logits / temperature
    if rule.top_k:
        lowest = scaled.topk(min(rule.top_k, len(scaled))).values[-1]
        scaled = scaled.masked_fill(scaled < lowest, -torch.inf)
    if rule.top_p is not None and rule.top_p < 1:
        ordered, order = scaled.sort(descending=True)
        chances = ordered.softmax(-1)
        beyond = chances.cumsum(-1) - chances >= rule.top_p  # the likeliest token always stays
        scaled = scaled.index_fill(0, order[beyond], -torch.inf)
    return int(torch.multinomial(scaled.softmax(-1), 1, generator=randomness))
