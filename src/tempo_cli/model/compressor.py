"""The compressor: reads a segment with the question, gives memory tokens and a relevance.

| value | shape |
|---|---|
| frames of B segments | (B, T, H, W, 3) uint8 |
| prefix: system prompt and video, independent of the question | (B, L0, D), keys and values of every layer |
| suffix: question, end of the prompt, memory tokens | (B, L1 + M, D) |
| memory tokens | (B, M, D) |
| relevance | (B,) float32 |

Segments in a batch have equal shapes and their frames at equal places, so nothing is padded or masked out.
Everything is causal: the prefix is computed once and read by every question (reference: prompt order).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from transformers import DynamicCache, Qwen3VLConfig, Qwen3VLModel

from ..config import ModelDimensions
from ..plan import prompts
from ..types import IntArray, MemoryTokens, Segment
from .pixels import patchify
from .tokenizer import TextTokenizer

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Batch:
    """B segments of equal shape: `frames` uint8 (B, T, H, W, 3), `ids` of their prefixes (B, L0)."""

    frames: torch.Tensor
    ids: IntArray

    def split(self, size: int) -> "Iterator[Batch]":
        """The same segments in batches of `size` at most."""
        for start in range(0, len(self.ids), size):
            yield Batch(self.frames[start : start + size], self.ids[start : start + size])


@dataclass(frozen=True)
class Prefix:
    """Keys and values of B segments before any question; text goes on at `next_position`."""

    cache: DynamicCache
    length: int
    next_position: int
    batch: int


class Compressor(nn.Module):
    """Qwen3-VL without a head, M learned memory tokens, and the router's direction."""

    def __init__(self, config: Qwen3VLConfig, dimensions: ModelDimensions, tokenizer: TextTokenizer) -> None:
        super().__init__()
        self.vlm = Qwen3VLModel(config)
        self.memory = nn.Parameter(torch.empty(1, dimensions.memory_tokens, dimensions.compressor_width))
        self.router = nn.Parameter(torch.empty(dimensions.compressor_width, dtype=torch.float32))
        self.dimensions = dimensions
        self.tokenizer = tokenizer

    def prefix_ids(self, segment: Segment) -> list[int]:
        """Prompt ids of one segment up to the end of its frames, (L0,)."""
        edge = self.dimensions.patch * self.dimensions.merge
        height, width = segment.frames.shape[1:3]
        tokens = (height // edge) * (width // edge)
        return prompts.compressor_prefix(self.tokenizer, segment.plan.patch_times, tokens)

    def batches(self, segments: Iterable[Segment], size: int) -> Iterator[Batch]:
        """Yield consecutive segments together, up to `size`, while shape and frame places are the same."""
        pairs = ((segment.frames, np.array(self.prefix_ids(segment))) for segment in segments)
        for _, run in groupby(pairs, key=lambda pair: (pair[0].shape, self._visual(pair[1]).tobytes())):
            while pack := list(islice(run, size)):
                frames, ids = zip(*pack, strict=True)
                yield Batch(torch.from_numpy(np.stack(frames)), np.stack(ids))

    @torch.inference_mode()
    def read(self, batch: Batch) -> Prefix:
        """Compute what does not depend on the question."""
        device = self.memory.device
        frames, ids = batch.frames.to(device), batch.ids
        visual = self._visual(ids)
        grid = self._grid(frames)
        features = self.vlm.visual(
            patchify(frames, self.dimensions).to(self.memory.dtype),
            grid_thw=torch.tensor([grid] * len(ids), device=device),
        )
        embeds = self._embed(ids)
        mask = torch.from_numpy(visual).to(device)
        if int(visual.sum()) != features.pooler_output.shape[0]:
            raise ValueError(
                f"{int(visual.sum())} places for {features.pooler_output.shape[0]} visual tokens"
            )
        embeds[mask] = features.pooler_output.to(embeds.dtype)
        positions = mrope_positions(visual[0], grid, self.dimensions.merge)
        cache = DynamicCache(config=self.vlm.language_model.config)
        self.vlm.language_model(
            inputs_embeds=embeds,
            position_ids=_on(device, positions, len(ids)),
            visual_pos_masks=mask,
            deepstack_visual_embeds=features.deepstack_features,
            past_key_values=cache,
            use_cache=True,
        )
        return Prefix(cache, ids.shape[1], int(positions.max()) + 1, len(ids))

    @torch.inference_mode()
    def compress(self, prefix: Prefix, question: str) -> MemoryTokens:
        """Memory tokens and relevance of the B segments for one question.

        The prefix is left as it was, ready for the next question.
        """
        ids = prompts.compressor_suffix(self.tokenizer, question)
        memory = self.memory.expand(prefix.batch, -1, -1)
        embeds = torch.cat([self._embed(np.array([ids] * prefix.batch)), memory], dim=1)
        positions = np.arange(embeds.shape[1]) + prefix.next_position
        hidden = self.vlm.language_model(
            inputs_embeds=embeds,
            position_ids=_on(embeds.device, np.stack([positions] * 3), prefix.batch),
            past_key_values=prefix.cache,
            use_cache=True,
        ).last_hidden_state
        prefix.cache.crop(-embeds.shape[1])
        scores = torch.sigmoid(hidden[:, len(ids) - 1].float() @ self.router)
        return MemoryTokens(hidden[:, len(ids) :].clone(), scores.cpu().numpy())

    def _visual(self, ids: IntArray) -> BoolArray:
        """Which ids are places of the frames; the same in every row of a batch."""
        places: BoolArray = ids == self.tokenizer.special_id(prompts.VIDEO_PAD)
        return places

    def _embed(self, ids: IntArray) -> torch.Tensor:
        embeds: torch.Tensor = self.vlm.language_model.embed_tokens(
            torch.from_numpy(ids).to(self.memory.device)
        )
        return embeds

    def _grid(self, frames: torch.Tensor) -> tuple[int, int, int]:
        _, count, height, width, _ = frames.shape
        patch = self.dimensions.patch
        return count // self.dimensions.temporal_patch, height // patch, width // patch


def mrope_positions(visual: BoolArray, grid: tuple[int, int, int], merge: int) -> IntArray:
    """Time, height and width position of every prompt token, (3, L) (reference: Qwen3-VL's rotary index).

    Text counts up by one on all three axes. The tokens of a temporal patch share one time position and
    count rows and columns from there; text goes on after the longer of the two.

    Args:
        visual: which tokens are video tokens, (L,).
        grid: temporal patches, rows and columns of patches in the segment.
        merge: patches per token edge.
    """
    rows, columns = grid[1] // merge, grid[2] // merge
    row, column = np.divmod(np.arange(rows * columns), columns)
    block = np.stack([np.zeros_like(row), row, column])
    parts: list[IntArray] = []
    at = index = 0
    while index < len(visual):
        if visual[index]:
            parts.append(block + at)
            at += max(rows, columns)
            index += block.shape[1]
        else:
            parts.append(np.full((3, 1), at))
            at += 1
            index += 1
    return np.concatenate(parts, axis=1).astype(np.int64)


def _on(device: torch.device, positions: IntArray, batch: int) -> torch.Tensor:
    return torch.from_numpy(positions).to(device)[:, None].expand(-1, batch, -1)
