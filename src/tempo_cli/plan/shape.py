"""What a checkpoint's configuration says of its frames: on plain JSON, so that it needs no torch."""

from dataclasses import fields
from typing import Any

from ..config import FrameShape, PixelLimits

Json = dict[str, Any]

_TOLD = ("scope", "weak_relevance")  # what a checkpoint says of itself
_PATCH, _MERGE, _TEMPORAL = 16, 2, 2  # Qwen3-VL's own, where its configuration leaves them out


def frame_shape(config: Json, base: Json) -> FrameShape:
    """The shape of frames from the Tempo configuration and its base's.

    Raises:
        ValueError: a field of them makes no sense; the message is its name.
    """
    vision = base.get("vision_config")
    if not isinstance(vision, dict):
        raise ValueError("vision_config")
    return FrameShape(
        limits=pixel_limits(config),
        token_edge=_size(vision, "patch_size", _PATCH) * _size(vision, "spatial_merge_size", _MERGE),
        temporal_patch=_size(vision, "temporal_patch_size", _TEMPORAL),
    )


def pixel_limits(config: Json) -> PixelLimits:
    """Limits other than the released model's, which a checkpoint may name under `tempo`.

    Raises:
        ValueError: one of them is no positive number, or not known; the message is its name.
    """
    own = config.get("tempo", {})
    known = {item.name for item in fields(PixelLimits)}
    if not isinstance(own, dict):
        raise ValueError("tempo")
    own = {name: value for name, value in own.items() if name not in _TOLD}
    if any(type(value) is not int or value < 1 for value in own.values()):
        raise ValueError("tempo")
    if extra := own.keys() - known - {"min_tokens"}:
        raise ValueError(f"tempo.{min(extra)}")
    return PixelLimits(**{name: value for name, value in own.items() if name in known})


def _size(config: Json, name: str, default: int) -> int:
    value = config.get(name, default)
    if type(value) is not int or value < 1:
        raise ValueError(name)
    return value
