"""Sizes against numbers worked out by hand from the reference's rules; patches against a slow loop."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tempo_cli.config import FrameShape, ModelDimensions, PixelLimits
from tempo_cli.model.pixels import fit, patchify
from tempo_cli.plan.pixels import resized_sizes, snap_to_grid
from tempo_cli.video.resize import shrink


def dimensions(patch: int = 16, merge: int = 2, temporal_patch: int = 2) -> ModelDimensions:
    return ModelDimensions(8, "linear", 8, 8, 100, 100, patch, merge, temporal_patch)


@pytest.mark.parametrize(
    ("size", "first", "second", "third"),
    [  # height, width
        ((720, 1280), (288, 512), (256, 512), (256, 512)),  # 288 / 64 is 4.5: to even
        ((1280, 720), (512, 288), (512, 256), (512, 256)),
        ((1080, 1920), (288, 512), (256, 512), (256, 512)),
        ((4320, 7680), (288, 512), (256, 512), (256, 512)),
        ((272, 640), (224, 512), (256, 512), (256, 512)),  # 217.6 to 14 * 16, then 3.5 * 64: to even
        ((144, 176), (144, 176), (128, 192), (320, 448)),  # scaled up by 2.309: 295.6 and 443.4
        ((240, 320), (240, 320), (256, 320), (352, 416)),  # scaled up by 1.265: 323.8 and 404.8
        ((512, 512), (512, 512), (512, 512), (512, 512)),
        ((511, 513), (512, 512), (512, 512), (512, 512)),
        ((480, 512), (480, 512), (512, 512), (512, 512)),  # 7.5 * 64: to even
        ((16, 16), (16, 16), (128, 128), (384, 384)),  # 64 x 64 is too small: 16 * 8; then 362.04
        ((1, 1), (1, 1), (128, 128), (384, 384)),
        ((100, 4000), (16, 512), (64, 512), (128, 1024)),  # 12.8 to 1 * 16
        ((4000, 100), (512, 16), (512, 64), (1024, 128)),
        ((2, 1000), (16, 512), (64, 512), (128, 1024)),  # never thinner than 16
    ],
)
def test_sizes_after_each_step(size, first, second, third):
    assert resized_sizes(size, FrameShape()) == (first, second, third)


@pytest.mark.parametrize(
    ("size", "first", "second", "third"),
    [
        ((180, 320), (48, 96), (64, 96), (64, 96)),  # 54 to 3 * 16, then 1.5 * 32: to even
        ((480, 640), (64, 96), (64, 96), (64, 96)),  # 72 to 4 * 16: 4.5 to even
        ((240, 240), (96, 96), (96, 96), (64, 64)),  # 96 / 1.2247 is 78.4, rounded down
        ((320, 180), (96, 48), (96, 64), (96, 64)),
    ],
)
def test_a_checkpoint_s_own_limits_hold_for_every_step(size, first, second, third):
    limits = PixelLimits(longest_edge=96, grid=32, min_pixels=4096, max_pixels=6144)
    assert resized_sizes(size, FrameShape(limits)) == (first, second, third)


@pytest.mark.parametrize(
    ("size", "snapped"),
    [
        ((1000, 1000), (864, 864)),  # 992 x 992 is too large: 1000 / 1.1276 is 886.8, rounded down
        ((2000, 600), (1600, 480)),  # 1984 x 608 is too large: 1619.1 and 485.7
        ((880, 880), (864, 864)),  # 896 x 896 is too large: 886.8
        ((885, 885), (864, 864)),
        ((864, 896), (864, 896)),
    ],
)
def test_a_size_above_the_bound_is_rounded_down(size, snapped):
    assert snap_to_grid(size, 32, 131_072, 786_432) == snapped


@given(st.integers(1, 8192), st.integers(1, 8192))
def test_every_size_ends_on_the_grid_and_within_the_bounds(height, width):
    first, second, third = resized_sizes((height, width), FrameShape())
    assert max(first) <= 512
    assert all(edge % 64 == 0 for edge in second)
    assert all(edge % 32 == 0 for edge in third)
    assert 131_072 <= third[0] * third[1] <= 786_432
    turned = resized_sizes((width, height), FrameShape())
    assert turned == (first[::-1], second[::-1], third[::-1])


def resize(frame: np.ndarray) -> np.ndarray:
    """All three steps."""
    return fit(np.stack([shrink(frame, FrameShape())]), FrameShape())[0]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def test_a_frame_of_the_right_size_is_not_touched():
    frame = noise(256, 512, 3)
    assert (resize(frame) == frame).all()
    frames = frame[None]
    assert fit(frames, FrameShape()) is frames


@pytest.mark.parametrize("size", [(144, 176), (90, 160), (720, 1280), (16, 16)])
def test_one_colour_stays_that_colour(size):
    frame = np.broadcast_to(np.array([10, 128, 250], np.uint8), (*size, 3)).copy()
    resized = resize(frame)
    assert resized.shape[:2] == resized_sizes(size, FrameShape())[2]
    assert resized.dtype == np.uint8
    assert np.unique(resized.reshape(-1, 3), axis=0).tolist() == [[10, 128, 250]]


def test_a_hard_edge_stays_within_eight_bits():
    frame = np.zeros((144, 176, 3), np.uint8)
    frame[:, 88:] = 255  # bicubic overshoots here: clamped, not wrapped around
    resized = resize(frame).astype(int)
    assert resized[:, :200].max() == 0
    assert resized[:, 248:].min() == 255
    assert (np.diff(resized, axis=1) >= 0).all()


def slow_patches(frames: np.ndarray, patch: int, merge: int, temporal: int) -> np.ndarray:
    """Rows: time, then blocks of merge x merge patches, then the patches of a block; in each, RGB first."""
    batch, count, height, width, channels = frames.shape
    down, across = height // patch // merge, width // patch // merge
    rows = []
    for b, t, i, j in itertools.product(range(batch), range(count // temporal), range(down), range(across)):
        for y, x in itertools.product(range(merge), range(merge)):
            top, left = (i * merge + y) * patch, (j * merge + x) * patch
            row = [
                (float(frames[b, t * temporal + f, top + dy, left + dx, c]) / 255 - 0.5) / 0.5
                for c in range(channels)
                for f in range(temporal)
                for dy in range(patch)
                for dx in range(patch)
            ]
            rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize(
    ("shape", "patch", "merge", "temporal"),
    [
        ((2, 4, 64, 96, 3), 16, 2, 2),
        ((1, 2, 8, 12, 3), 2, 2, 2),
        ((1, 6, 12, 6, 3), 2, 3, 3),
        ((2, 1, 4, 8, 3), 4, 1, 1),
    ],
)
def test_patches_are_those_of_a_slow_loop(shape, patch, merge, temporal):
    frames = noise(*shape)
    ours = patchify(torch.from_numpy(frames), dimensions(patch, merge, temporal))
    expected = slow_patches(frames, patch, merge, temporal)
    assert ours.shape == expected.shape
    assert ours.dtype == torch.float32
    assert np.abs(ours.numpy() - expected).max() <= 1e-6
