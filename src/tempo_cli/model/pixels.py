"""From decoded frames to vision patches: three resizing steps, normalising, patching.

| value | shape | type |
|---|---|---|
| decoded frame | (H0, W0, 3) | uint8 |
| resized frame | (H, W, 3), H and W multiples of patch * merge | uint8 |
| patches of a segment | (t * h * w, 3 * temporal * patch * patch), h = H / patch | float |

All bounds are the reference's; each step is a no-op where the size already fits.
"""

from math import ceil, floor, sqrt

import numpy as np
import torch
from PIL import Image

from ..config import FIRST_GRID, SECOND_MAX_CELLS, SECOND_MIN_CELLS, ModelDimensions, PixelLimits
from ..types import Pixels

Size = tuple[int, int]  # height, width in px


def cap_longest_edge(size: Size, longest: int) -> Size:
    """First step: shrink to `longest` px at most, edges rounded to 16."""
    if max(size) <= longest:
        return size
    ratio = longest / max(size)
    height, width = (max(FIRST_GRID, round(edge * ratio / FIRST_GRID) * FIRST_GRID) for edge in size)
    return height, width


def snap_to_grid(size: Size, grid: int, min_pixels: int, max_pixels: int) -> Size:
    """Second and third step: edges to the nearest multiple of `grid`, then scale into the bounds."""
    height, width = (max(grid, round(edge / grid) * grid) for edge in size)
    area = size[0] * size[1]
    if height * width > max_pixels:
        scale = sqrt(area / max_pixels)
        height, width = (max(grid, floor(edge / scale / grid) * grid) for edge in size)
    elif height * width < min_pixels:
        scale = sqrt(min_pixels / area)
        height, width = (ceil(edge * scale / grid) * grid for edge in size)
    return height, width


def resized_sizes(size: Size, grid: int, limits: PixelLimits) -> tuple[Size, Size, Size]:
    """The size after each of the three steps; `grid` is patch * merge of the weights."""
    first = cap_longest_edge(size, limits.longest_edge)
    cell = limits.grid**2
    second = snap_to_grid(first, limits.grid, SECOND_MIN_CELLS * cell, SECOND_MAX_CELLS * cell)
    third = snap_to_grid(second, grid, limits.min_pixels, limits.max_pixels)
    return first, second, third


def resize(frame: Pixels, dimensions: ModelDimensions) -> Pixels:
    """Resize one frame, (H0, W0, 3) to (H, W, 3), uint8: PIL bicubic twice, then torch bicubic.

    Bit for bit the reference on x86-64 with AVX2; within one level elsewhere (torch's vector code).
    """
    height, width = frame.shape[:2]
    grid = dimensions.patch * dimensions.merge
    first, second, third = resized_sizes((height, width), grid, dimensions.pixels)
    image = Image.fromarray(frame)
    for step in (first, second):
        if (image.height, image.width) != step:
            image = image.resize(step[::-1], Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    return pixels if third == second else _resize_tensor(pixels, third)


def _resize_tensor(pixels: Pixels, size: Size) -> Pixels:
    """In floats, rounded at the end: torch's 8-bit kernel also rounds in between, up to 17 levels off."""
    planes = torch.tensor(pixels).permute(2, 0, 1)[None].contiguous().float()
    scaled = torch.nn.functional.interpolate(planes, size, mode="bicubic", antialias=True)
    levels = scaled.round().clamp(0, 255).to(torch.uint8)
    resized: Pixels = levels[0].permute(1, 2, 0).contiguous().numpy()
    return resized


def patchify(frames: torch.Tensor, dimensions: ModelDimensions) -> torch.Tensor:
    """Normalise to [-1, 1] and cut into patches in the order that Qwen3-VL's vision tower reads.

    Args:
        frames: uint8, (B, T, H, W, 3).

    Returns:
        float32, (B * t * h * w, 3 * temporal * patch * patch), merge blocks together.
    """
    batch, count, height, width, channels = frames.shape
    patch, merge, temporal = dimensions.patch, dimensions.merge, dimensions.temporal_patch
    t, h, w = count // temporal, height // patch, width // patch
    cells = frames.view(batch, t, temporal, h // merge, merge, patch, w // merge, merge, patch, channels)
    ordered = cells.permute(0, 1, 3, 6, 4, 7, 9, 2, 5, 8)
    flat = ordered.reshape(batch * t * h * w, channels * temporal * patch * patch)  # of bytes: less to move
    return (flat.to(torch.float32) - 127.5) / 127.5
