"""Steps of a decoder for tests: what they give behind a text."""

from pathlib import Path

import torch

import tempo_cli
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.llm import Decoder
from tempo_cli.model.step import Step


def nano_checkpoint() -> Checkpoint:
    """The packaged model."""
    folder = Path(tempo_cli.__file__).parent / "nano"
    return Checkpoint.open(folder / "Tempo-nano", folder / "Qwen3-VL-nano")


class GrowingStep(Step):
    """The same token through the layers as a prompt goes: the cache is read up to its filled length."""

    @torch.inference_mode()
    def __call__(self) -> torch.Tensor:
        hidden = self._embedding.index_select(0, self.token)[None]
        angles = self._transformer.text_angles(self.cache.length, 1)
        logits: torch.Tensor = self._head(self._transformer(hidden, self.cache, angles)[0, -1])
        return logits.float()


def new_step(decoder: Decoder, length: int, kind: type[Step] = Step) -> Step:
    """With room for so many tokens."""
    cache = decoder._transformer.cache(1, length)
    return kind(decoder._transformer, decoder._weight, decoder.llm.lm_head, cache)


def chances(decoder: Decoder, embeds: torch.Tensor, ids: list[int], step: Step) -> torch.Tensor:
    """Log-probabilities of all tokens behind each of `ids`, (T, V)."""
    found = []
    with torch.inference_mode():
        decoder.prefill(embeds.to(decoder._weight.dtype), step.cache)
        for token in ids:
            step.token = torch.tensor([token])
            found.append(step().log_softmax(-1))
    return torch.stack(found)
