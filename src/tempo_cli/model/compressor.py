"""The compressor: reads a segment with the question, gives memory tokens and a relevance.

| value | shape |
|---|---|
| frames of B segments | (B, T, H, W, 3) uint8 |
| features of the vision tower: N visual tokens, K deepstack layers | (B, N, D), K times the same |
| prefix: system prompt and video, before the question | (layers, 2, B, K, L0, W), keys and values |
| suffix: question, end of the prompt, memory tokens | (B, L1 + M, D) |
| memory tokens | (B, M, D) |
| relevance | (B,) float32 |

Segments in a batch have one layout (equal shapes, their frames at equal places in the prompt), so nothing is
padded or masked out. Everything is causal: features and prefix are computed once and read by every question
(reference: prompt order). `segment_features` and `segment_prefix` take one segment out of a batch, and
`stack_features` and `stack_prefixes` put kept segments together again.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice, takewhile
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..config import ModelDimensions
from ..plan import prompts
from ..types import IntArray, MemoryTokens, Pixels, Segment
from .architecture import VisionLanguageArchitecture
from .device import put
from .pixels import fit, patchify
from .tokenizer import TextTokenizer
from .transformer import KVCache, Transformer
from .vision import VisionLanguageModel

BoolArray = npt.NDArray[np.bool_]
Grid = tuple[int, int, int]  # temporal patches, rows and columns of patches


class HasLayout(Protocol):
    """What can be computed together with others of the same layout."""

    @property
    def layout(self) -> Hashable:
        """Equal for segments that fit into one batch."""


Row = TypeVar("Row", bound=HasLayout)


@dataclass(frozen=True)
class SegmentInput:
    """One segment for the vision tower: frames uint8 (T, H, W, 3), prompt ids and visual places (L0,)."""

    frames: Pixels
    ids: IntArray
    visual: BoolArray
    grid: Grid

    @property
    def layout(self) -> Hashable:
        """Size of the frames, and their places in the prompt."""
        return "frames", self.frames.shape, self.visual.tobytes()


@dataclass(frozen=True)
class SegmentFeatures:
    """What the vision tower made of one segment: values (1 + K, N, D), merged first, then deepstack."""

    values: torch.Tensor
    ids: IntArray
    visual: BoolArray
    grid: Grid

    @property
    def layout(self) -> Hashable:
        """Number of visual tokens, and their places in the prompt."""
        return "features", self.grid, self.visual.tobytes()


@dataclass(frozen=True)
class SegmentPrefix:
    """Keys and values of one segment's prefix: (layers, 2, H, L0, D / H); text goes on at `next_position`."""

    values: torch.Tensor
    next_position: int

    @property
    def layout(self) -> Hashable:
        """Length, and where the text goes on."""
        return "prefix", tuple(self.values.shape), self.next_position


@dataclass(frozen=True)
class Features:
    """What the vision tower made of B segments: `merged` (B * N, D), `deepstack` K times (B * N, D)."""

    merged: torch.Tensor
    deepstack: tuple[torch.Tensor, ...]
    ids: IntArray
    visual: BoolArray
    grid: Grid

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Prefix:
    """Keys and values of B segments before any question, with room for one; text goes on at `next_position`.

    Attributes:
        cache: its filled positions are the prefix, and what is behind them is any question's.
    """

    cache: KVCache
    next_position: int

    def __len__(self) -> int:
        return int(self.cache.values.shape[2])


def batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Consecutive rows together, up to `size`, while their layout is the same."""
    for _, run in groupby(rows, key=lambda row: row.layout):
        while pack := list(islice(run, size)):
            yield pack


class Compressor(nn.Module):
    """Qwen3-VL without a head, M learned memory tokens, and the router's direction."""

    def __init__(
        self, config: VisionLanguageArchitecture, dimensions: ModelDimensions, tokenizer: TextTokenizer
    ) -> None:
        super().__init__()
        self.vlm = VisionLanguageModel(config)
        self.memory = nn.Parameter(torch.empty(1, dimensions.memory_tokens, dimensions.compressor_width))
        self.router = nn.Parameter(torch.empty(dimensions.compressor_width, dtype=torch.float32))
        self.dimensions = dimensions
        self.tokenizer = tokenizer

    def prepare(self, segment: Segment) -> SegmentInput:
        """The third resizing step, and the prompt up to the end of the frames."""
        return self.input(fit(segment.frames, self.dimensions.shape), segment.plan.patch_times)

    def input(self, frames: Pixels, patch_times: Sequence[float]) -> SegmentInput:
        """Frames of the right size, (T, H, W, 3), with their prompt."""
        count, height, width, _ = frames.shape
        patch, merge = self.dimensions.patch, self.dimensions.merge
        grid = count // self.dimensions.temporal_patch, height // patch, width // patch
        tokens = (grid[1] // merge) * (grid[2] // merge)
        ids = np.array(prompts.compressor_prefix(self.tokenizer, patch_times, tokens))
        visual = ids == self.tokenizer.special_id(prompts.VIDEO_PAD)
        return SegmentInput(frames, ids, visual, grid)

    @torch.inference_mode()
    def see(self, rows: Sequence[SegmentInput]) -> Features:
        """The vision tower on B segments of one layout."""
        first, device = rows[0], self.memory.device
        frames = np.stack([row.frames for row in rows])
        patches = patchify(put(frames, device), self.dimensions).to(self.memory.dtype)
        merged, deepstack = self.vlm.visual(patches, *first.grid[1:])
        due = int(first.visual.sum()) * len(rows)
        if merged.shape[0] != due:
            raise ValueError(f"{due} places for {merged.shape[0]} visual tokens")
        ids = np.stack([row.ids for row in rows])
        return Features(merged, deepstack, ids, first.visual, first.grid)

    @torch.inference_mode()
    def read(self, features: Features, room: int = 0) -> Prefix:
        """Keys and values of everything before the question. Those of the system prompt are computed once.

        Args:
            room: tokens that the longest question will take behind it (`suffix_tokens`).
        """
        batch, visual, transformer = len(features), features.visual, self._transformer
        cache = transformer.cache(batch, len(visual) + room)
        first = self._begin(features.ids, cache)
        places = put(np.flatnonzero(visual) - first, self.memory.device)
        hidden = self._embed(features.ids[:, first:])
        hidden[:, places] = features.merged.to(hidden.dtype).view(batch, -1, hidden.shape[2])
        positions = mrope_positions(visual, features.grid, self.dimensions.merge)
        transformer(
            hidden,
            cache,
            transformer.angles(put(positions[:, first:], hidden.device)),
            [part.to(hidden.dtype).view(batch, -1, hidden.shape[2]) for part in features.deepstack],
            places,
        )
        return Prefix(cache, int(positions.max()) + 1)

    @torch.inference_mode()
    def compress(self, prefix: Prefix, question: str) -> MemoryTokens:
        """Memory tokens and relevance of the B segments for one question; `prefix` stays as it is."""
        ids, batch = prompts.compressor_suffix(self.tokenizer, question), len(prefix)
        words = self._embed(np.array(ids)).expand(batch, -1, -1)
        embeds = torch.cat([words, self.memory.expand(batch, -1, -1)], dim=1)
        length = prefix.cache.length
        angles = self._transformer.text_angles(prefix.next_position, embeds.shape[1])
        try:
            hidden = self._transformer(embeds, prefix.cache, angles)
        finally:
            prefix.cache.length = length
        scores = torch.sigmoid(hidden[:, len(ids) - 1].float() @ self.router)
        return MemoryTokens(hidden[:, len(ids) :].clone(), scores.cpu().numpy())

    def _begin(self, ids: IntArray, cache: KVCache) -> int:
        """Fill the cache with the system prompt, if all (B, L) begin with it; its number of tokens."""
        system, known = self._system
        length = len(system)
        if ids.shape[1] <= length or (ids[:, :length] != system).any():
            return 0
        cache.values[..., :length, :] = known.filled
        cache.length = length
        return length

    @cached_property
    def _system(self) -> tuple[IntArray, KVCache]:
        """Ids of the system prompt, and its keys and values: nothing before them, so always the same."""
        alone, before_time = (prompts.compressor_prefix(self.tokenizer, times, 0) for times in ((), (0.0,)))
        ids = np.array(common_beginning(alone, before_time))
        cache = self._transformer.cache(1, len(ids))
        self._transformer(self._embed(ids[None]), cache, self._transformer.text_angles(0, len(ids)))
        return ids, cache

    def suffix_tokens(self, question: str) -> int:
        """Tokens behind the prefix: the question and the memory tokens."""
        return len(prompts.compressor_suffix(self.tokenizer, question)) + self.dimensions.memory_tokens

    @cached_property
    def _transformer(self) -> Transformer:
        return Transformer(self.vlm.language_model)

    def _embed(self, ids: IntArray) -> torch.Tensor:
        embeds: torch.Tensor = self.vlm.language_model.embed_tokens(put(ids, self.memory.device))
        return embeds


def common_beginning(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Ids that both begin with."""
    return [left for left, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))]


def features_shape(features: Features) -> tuple[int, int, int]:
    """Shape of `SegmentFeatures.values` for each segment of a batch."""
    rows, width = features.merged.shape
    return 1 + len(features.deepstack), rows // len(features), width


def segment_features(features: Features, row: int, into: torch.Tensor) -> SegmentFeatures:
    """One segment of a batch, copied into `into`, a tensor of `features_shape` on any device."""
    count = into.shape[1]
    here = slice(row * count, (row + 1) * count)
    for number, part in enumerate((features.merged, *features.deepstack)):
        into[number].copy_(part[here], non_blocking=True)
    return SegmentFeatures(into, features.ids[row], features.visual, features.grid)


def stack_features(rows: Sequence[SegmentFeatures], device: torch.device) -> Features:
    """Segments of one layout as a batch on `device`."""
    first = rows[0]
    values = [row.values.to(device, non_blocking=True) for row in rows]
    merged, *deepstack = (torch.cat([one[part] for one in values]) for part in range(len(first.values)))
    ids = np.stack([row.ids for row in rows])
    return Features(merged, tuple(deepstack), ids, first.visual, first.grid)


def prefix_shape(prefix: Prefix) -> tuple[int, ...]:
    """Shape of `SegmentPrefix.values` for each segment of a batch."""
    layers, two, _, heads, length, width = prefix.cache.filled.shape
    return layers, two, heads, length, width


def segment_prefix(prefix: Prefix, row: int, into: torch.Tensor) -> SegmentPrefix:
    """One segment of a batch, copied into `into`, a tensor of `prefix_shape` on any device."""
    into.copy_(prefix.cache.filled[:, :, row], non_blocking=True)
    return SegmentPrefix(into, prefix.next_position)


def stack_prefixes(rows: Sequence[SegmentPrefix], device: torch.device, room: int = 0) -> Prefix:
    """Segments of one layout as a batch on `device`, with room for a question of so many tokens."""
    layers, two, heads, length, width = rows[0].values.shape
    shape = layers, two, len(rows), heads, length + room, width
    cache = KVCache(torch.empty(shape, dtype=rows[0].values.dtype, device=device), length)
    for row, one in enumerate(rows):
        cache.filled[:, :, row].copy_(one.values, non_blocking=True)
    return Prefix(cache, rows[0].next_position)


def mrope_positions(visual: BoolArray, grid: Grid, merge: int) -> IntArray:
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
