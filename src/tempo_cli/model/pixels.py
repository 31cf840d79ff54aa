"""From resized frames to vision patches: the third resizing step, normalizing, patching.

| value | shape | type |
|---|---|---|
| frames after two steps | (T, H1, W1, 3) | uint8 |
| frames after the third | (T, H, W, 3), H and W multiples of patch * merge | uint8 |
| patches of a segment | (t * h * w, 3 * temporal * patch * patch), h = H / patch | float |
"""

import torch

from ..config import FrameShape, ModelDimensions
from ..plan.pixels import fitted_size
from ..types import Pixels


def fit(frames: Pixels, shape: FrameShape) -> Pixels:
    """The third resizing step, (T, H1, W1, 3) to (T, H, W, 3), uint8: torch bicubic with antialiasing.

    In floats, rounded at the end: torch's 8-bit kernel also rounds in between, up to 17 levels off. Bit for
    bit the reference on x86-64 with AVX2; within one level elsewhere (torch's vector code).
    """
    size = fitted_size((frames.shape[1], frames.shape[2]), shape)
    if size == frames.shape[1:3]:
        return frames
    planes = torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous().float()
    scaled = torch.nn.functional.interpolate(planes, size, mode="bicubic", antialias=True)
    levels = scaled.round().clamp(0, 255).to(torch.uint8)
    resized: Pixels = levels.permute(0, 2, 3, 1).contiguous().numpy()
    return resized


def patchify(frames: torch.Tensor, dimensions: ModelDimensions) -> torch.Tensor:
    """Normalize to [-1, 1] and cut into patches in the order that Qwen3-VL's vision tower reads.

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
