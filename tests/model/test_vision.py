"""The vision tower against that of transformers."""

import numpy as np
import pytest
import torch

from tempo_cli.model.device import Target
from tempo_cli.model.vision import patch_cells, position_taps

from .qwen import qwen3_vl

GRIDS = [((4, 8, 12), 1), ((2, 2, 2), 3), ((1, 4, 64), 2), ((3, 20, 6), 2)]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 5e-5), (torch.bfloat16, 0.125)])
@torch.inference_mode()
def test_tokens_are_those_of_transformers(tiny_model, dtype, tolerance):
    ours = tiny_model.checkpoint.load_compressor(Target(torch.device("cpu"), dtype))
    theirs = qwen3_vl(ours).visual
    for grid, rows in GRIDS:
        randomness = torch.Generator().manual_seed(rows)
        patches = torch.randn(rows * int(np.prod(grid)), 1536, generator=randomness).to(dtype)
        found = ours.vlm.visual(patches, *grid[1:])
        expected = theirs(patches, grid_thw=torch.tensor([grid] * rows))
        assert (found.merged - expected.pooler_output).abs().max() <= tolerance  # values up to 9
        assert len(found.deepstack) == len(expected.deepstack_features) > 0
        for one, other in zip(found.deepstack, expected.deepstack_features, strict=True):
            assert (one - other).abs().max() <= tolerance


@torch.inference_mode()
def test_a_frame_does_not_see_the_others(tiny_model):
    tower = tiny_model.compressor.vlm.visual
    patches = torch.randn(3, 24, 1536, generator=torch.Generator().manual_seed(1))
    together = tower(patches.flatten(0, 1), 4, 6).merged.view(3, 6, -1)
    for frame in range(3):
        assert torch.equal(together[frame], tower(patches[frame], 4, 6).merged)


def test_patches_stand_in_blocks_that_are_merged():
    assert patch_cells(2, 4, 2).tolist() == [
        [0, 0], [0, 1], [1, 0], [1, 1], [0, 2], [0, 3], [1, 2], [1, 3],
    ]  # fmt: skip


def test_a_frames_corners_are_those_of_the_learned_grid():
    places, weights = position_taps(2, 4, side=7, merge=2)
    assert places[[0, 5, 2, 7], 0].tolist() == [0, 6, 42, 48]
    assert weights[[0, 5, 2, 7]].tolist() == [[1, 0, 0, 0]] * 4
    assert (weights.sum(1) - 1 < 1e-6).all()
    assert (position_taps(1, 1, side=7, merge=1).places[:, 0] == 0).all()
