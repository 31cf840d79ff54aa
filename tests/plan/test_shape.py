"""The shape of frames from plain configurations: every field, its default, and what makes no sense."""

import pytest

from tempo_cli.config import FrameShape, PixelLimits
from tempo_cli.plan.shape import frame_shape, pixel_limits


def base(**vision: object) -> dict[str, object]:
    return {"vision_config": vision}


def test_the_vision_tower_decides_the_tokens():
    vision = base(patch_size=14, spatial_merge_size=3, temporal_patch_size=5)
    assert frame_shape({}, vision) == FrameShape(PixelLimits(), token_edge=42, temporal_patch=5)


def test_what_is_left_out_is_qwen3_vl_s_own():
    assert frame_shape({}, base()) == FrameShape(PixelLimits(), token_edge=32, temporal_patch=2)


@pytest.mark.parametrize("name", ["patch_size", "spatial_merge_size", "temporal_patch_size"])
@pytest.mark.parametrize("value", [0, -2, 2.0, "2", True, None])
def test_a_size_is_a_positive_whole_number(name, value):
    with pytest.raises(ValueError) as caught:
        frame_shape({}, base(**{name: value}))
    assert str(caught.value) == name


@pytest.mark.parametrize("config", [{}, {"vision_config": None}, {"vision_config": [16]}])
def test_a_base_without_a_vision_tower_has_no_shape(config):
    with pytest.raises(ValueError) as caught:
        frame_shape({}, config)
    assert str(caught.value) == "vision_config"


def test_limits_of_a_checkpoint_s_own():
    own = {"longest_edge": 96, "grid": 32, "min_pixels": 4096, "max_pixels": 6144, "min_tokens": 2}
    assert pixel_limits({"tempo": own}) == PixelLimits(96, 32, 4096, 6144)
    assert pixel_limits({"tempo": {"grid": 32}}) == PixelLimits(grid=32)
    assert pixel_limits({}) == PixelLimits()


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"grid": 0}, "tempo"),
        ({"grid": True}, "tempo"),
        ({"grid": "32"}, "tempo"),
        ({"min_tokens": 0}, "tempo"),
        ([], "tempo"),
        ({"width": 5, "edge": 5}, "tempo.edge"),
    ],
)
def test_limits_that_make_no_sense_are_named(own, message):
    with pytest.raises(ValueError) as caught:
        pixel_limits({"tempo": own})
    assert str(caught.value) == message
