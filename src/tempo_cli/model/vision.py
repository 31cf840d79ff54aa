"""The vision tower of Qwen3-VL: patches of frames in, visual tokens out.

| value | shape |
|---|---|
| patches of F frames (temporal patches) of h x w patches, merge blocks together | (F * h * w, C) |
| hidden states | (F, h * w, D) |
| tokens, merged and of each deepstack layer | (F * h * w / merge², width of the language model) |

A patch sees all patches of its frame, and no others.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..types import IntArray
from .architecture import VisionArchitecture, VisionLanguageArchitecture
from .layers import ACTIVATIONS, Embedding, Linear, TextModel, without_cudnn_attention

_EPS = 1e-6  # of its layer norms
_THETA = 10_000.0  # of its rotary embedding


class VisualTokens(NamedTuple):
    """What the tower gives: (N, width) each."""

    merged: Tensor
    deepstack: tuple[Tensor, ...]


class Taps(NamedTuple):
    """For each patch of a frame the four learned positions around it and their weights, (h * w, 4) each."""

    places: IntArray
    weights: npt.NDArray[np.float32]


class PatchEmbed(nn.Module):
    """A linear layer over the pixels of a patch, stored as a convolution."""

    def __init__(self, config: VisionArchitecture) -> None:
        super().__init__()
        kernel = config.temporal_patch_size, config.patch_size, config.patch_size
        self.proj = _Convolution(config.in_channels, config.hidden_size, kernel, stride=kernel)

    def forward(self, patches: Tensor) -> Tensor:
        """(N, C) to (N, D)."""
        # as a product of matrices: convolutions round to TF32 by default, and are slow in bfloat16
        return functional.linear(patches, self.proj.weight.flatten(1), self.proj.bias)


class _Convolution(nn.Conv3d):
    """Without first values."""

    def reset_parameters(self) -> None:
        """Leave the weights as they are."""


class VisionRotary(nn.Module):
    """Cosines and sines by row and column: half of a head's pairs turn with each."""

    inv_freq: Tensor

    def __init__(self, head_width: int) -> None:
        super().__init__()
        half = head_width // 2
        even = torch.arange(0, half, 2, dtype=torch.float, device="cpu")  # also where the module is on meta
        self.register_buffer("inv_freq", 1.0 / _THETA ** (even / half), persistent=False)

    def forward(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Both (N, W), float32.

        Args:
            cells: row and column of each patch, (N, 2).
        """
        angles = (cells[..., None].float() * self.inv_freq).flatten(1)
        both = torch.cat((angles, angles), dim=-1)
        return both.cos(), both.sin()


class VisionAttention(nn.Module):
    """Attention within each frame."""

    def __init__(self, config: VisionArchitecture) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.qkv = Linear(config.hidden_size, 3 * config.hidden_size)
        self.proj = Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(F, N, D) to the same; cosines and sines (N, 1, 1, W), the first halves of sines negated."""
        frames, count, width = hidden.shape
        heads = self.qkv(hidden).view(frames, count, 3, self.num_heads, -1)
        queries, keys = _rotated(heads[:, :, :2], cos, sin).permute(2, 0, 3, 1, 4)
        scale = heads.shape[-1] ** -0.5
        mixed = functional.scaled_dot_product_attention(
            queries, keys, heads[:, :, 2].transpose(1, 2), scale=scale
        )
        found: Tensor = self.proj(mixed.transpose(1, 2).reshape(frames, count, width))
        return found


class VisionMLP(nn.Module):
    """The inner layer."""

    def __init__(self, config: VisionArchitecture) -> None:
        super().__init__()
        self.linear_fc1 = Linear(config.hidden_size, config.intermediate_size)
        self.linear_fc2 = Linear(config.intermediate_size, config.hidden_size)
        self.act_fn = ACTIVATIONS[config.hidden_act]

    def forward(self, hidden: Tensor) -> Tensor:
        """(…, D) to the same."""
        found: Tensor = self.linear_fc2(self.act_fn(self.linear_fc1(hidden)))
        return found


class VisionBlock(nn.Module):
    """One layer."""

    def __init__(self, config: VisionArchitecture) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.hidden_size, eps=_EPS)
        self.norm2 = nn.LayerNorm(config.hidden_size, eps=_EPS)
        self.attn = VisionAttention(config)
        self.mlp = VisionMLP(config)

    def forward(self, hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(F, N, D) to the same, by the cosines and sines of the attention."""
        hidden = hidden + self.attn(self.norm1(hidden), cos, sin)
        found: Tensor = hidden + self.mlp(self.norm2(hidden))
        return found


class PatchMerger(nn.Module):
    """Four neighboring patches to one token; their values are normed before they are joined, or after."""

    def __init__(self, config: VisionArchitecture, *, norm_joined: bool) -> None:
        super().__init__()
        self.joined = config.hidden_size * config.spatial_merge_size**2
        self.norm = nn.LayerNorm(self.joined if norm_joined else config.hidden_size, eps=_EPS)
        self.linear_fc1 = Linear(self.joined, self.joined)
        self.linear_fc2 = Linear(self.joined, config.out_hidden_size)

    def forward(self, hidden: Tensor) -> Tensor:
        """(F, N, D) to tokens (F * N / merge², width)."""
        normed = self.norm(hidden.view(-1, *self.norm.normalized_shape)).view(-1, self.joined)
        found: Tensor = self.linear_fc2(functional.gelu(self.linear_fc1(normed)))
        return found


class VisionTower(nn.Module):
    """Frames of one size, each for itself."""

    def __init__(self, config: VisionArchitecture) -> None:
        super().__init__()
        self.config = config
        self.deepstack_visual_indexes = config.deepstack_visual_indexes
        self.num_grid_per_side = int(config.num_position_embeddings**0.5)
        self.patch_embed = PatchEmbed(config)
        self.pos_embed = Embedding(config.num_position_embeddings, config.hidden_size)
        self.rotary_pos_emb = VisionRotary(config.hidden_size // config.num_heads)
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config.depth))
        self.merger = PatchMerger(config, norm_joined=False)
        self.deepstack_merger_list = nn.ModuleList(
            PatchMerger(config, norm_joined=True) for _ in config.deepstack_visual_indexes
        )

    def forward(self, patches: Tensor, rows: int, columns: int) -> VisualTokens:
        """Tokens of frames of rows x columns patches, (F * rows * columns, C)."""
        hidden = self.patch_embed(patches).view(-1, rows * columns, self.config.hidden_size)
        hidden = hidden + self.positions(rows, columns).to(hidden.dtype)
        cells = _cells(rows, columns, self.config.spatial_merge_size, hidden.device)
        cos, sin = (part[:, None, None] for part in self.rotary_pos_emb(cells))
        left, right = sin.chunk(2, dim=-1)
        sin = torch.cat((-left, right), dim=-1)
        deep: list[Tensor] = []
        with without_cudnn_attention:
            for number, block in enumerate(self.blocks):
                hidden = block(hidden, cos, sin)
                if number in self.deepstack_visual_indexes:
                    place = self.deepstack_visual_indexes.index(number)
                    deep.append(self.deepstack_merger_list[place](hidden))
        return VisualTokens(self.merger(hidden), tuple(deep))

    def positions(self, rows: int, columns: int) -> Tensor:
        """Learned positions for every patch of a frame, interpolated between four of them: (N, D)."""
        sizes = rows, columns, self.num_grid_per_side, self.config.spatial_merge_size
        places, weights = _taps(*sizes, self.pos_embed.weight.device)
        found: Tensor = (self.pos_embed(places) * weights[:, :, None]).sum(1)
        return found


class VisionLanguageModel(nn.Module):
    """Qwen3-VL without a head."""

    def __init__(self, config: VisionLanguageArchitecture) -> None:
        super().__init__()
        self.config = config
        self.visual = VisionTower(config.vision_config)
        self.language_model = TextModel(config.text_config)


@lru_cache(maxsize=64)
def patch_cells(rows: int, columns: int, merge: int) -> IntArray:
    """Row and column of every patch in the order that the tower reads: (N, 2), merge blocks together."""
    row, column = np.indices((rows, columns)).reshape(2, rows // merge, merge, columns // merge, merge)
    ordered = [part.transpose(0, 2, 1, 3).ravel() for part in (row, column)]
    return np.stack(ordered, axis=1).astype(np.int64)


@lru_cache(maxsize=64)
def position_taps(rows: int, columns: int, side: int, merge: int) -> Taps:
    """Where each patch of a frame stands in the learned grid of `side` x `side` positions.

    The frame's corners are the grid's; in float32, step by step, so that weights are the same bit for bit.
    """
    cells = patch_cells(rows, columns, merge)
    down, right = (_axis_taps(cells[:, axis], size, side) for axis, size in ((0, rows), (1, columns)))
    places = down[0][:, :, None] * side + right[0][:, None]
    weights = down[1][:, :, None] * right[1][:, None]
    return Taps(places.reshape(-1, 4), weights.reshape(-1, 4))


def _axis_taps(cells: IntArray, size: int, side: int) -> tuple[IntArray, npt.NDArray[np.float32]]:
    """The two positions around each cell and their weights, (N, 2) each."""
    at = cells.astype(np.float32) * np.float32(side - 1) / np.float32(max(size - 1, 1))
    low = np.floor(at)
    offsets = np.arange(2)
    distance = np.abs((at - low)[:, None] - offsets.astype(np.float32))
    places = (low.astype(np.int64)[:, None] + offsets).clip(0, side - 1)
    return places, (np.float32(1) - distance).clip(min=0)


def _rotated(values: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """The rotary embedding of (F, N, 2, heads, W) in float32: halves of a head turn together."""
    half = values.shape[-1] // 2
    exact = values * cos
    exact[..., :half].addcmul_(values[..., half:], sin[..., :half])
    exact[..., half:].addcmul_(values[..., :half], sin[..., half:])
    return exact.to(values.dtype)


@lru_cache(maxsize=64)
def _cells(rows: int, columns: int, merge: int, device: torch.device) -> Tensor:
    """`patch_cells` on a device, copied there once."""
    with torch.inference_mode(False):  # training may use them too
        return torch.from_numpy(patch_cells(rows, columns, merge)).to(device)


@lru_cache(maxsize=64)
def _taps(rows: int, columns: int, side: int, merge: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """`position_taps` on a device, copied there once."""
    with torch.inference_mode(False):
        places, weights = position_taps(rows, columns, side, merge)
        return torch.from_numpy(places).to(device), torch.from_numpy(weights).to(device)
