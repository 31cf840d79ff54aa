"""A key names everything that decides the pixels: any change makes another."""

from dataclasses import fields, replace

import pytest

from tempo_cli.config import FrameShape, PixelLimits, SamplingOptions
from tempo_cli.plan.frame_key import FileIdentity, FrameKey

FILE = FileIdentity(device=1, inode=2, size=3, mtime_ns=4, ctime_ns=5, ends="6")
SAMPLING = SamplingOptions(start=1.0, end=9.0)
LIMITS = PixelLimits(longest_edge=96, grid=32, min_pixels=4096, max_pixels=6144)
KEY = FrameKey(FILE, SAMPLING, FrameShape(LIMITS), "ffmpeg", "1 18", "12.0", 1)
OTHER = {
    "device": 9, "inode": 9, "size": 9, "mtime_ns": 9, "ctime_ns": 9, "ends": "9",
    "fps": 9.0, "max_frames": 9, "window": 9, "start": 2.0, "end": 8.0, "picture": "raw", "mode": "time",
    "max_pixels": 9, "longest_edge": 9, "grid": 9, "min_pixels": 9, "token_edge": 9, "temporal_patch": 9,
}  # fmt: skip


def changed(value: object) -> list[object]:
    """`value` with each of its fields changed in turn."""
    return [
        replace(value, **{field.name: OTHER.get(field.name, 9)})  # type: ignore[type-var]
        for field in fields(value)  # type: ignore[arg-type]
        if field.name != "limits"
    ]


KEYS = [
    *(replace(KEY, file=file) for file in changed(FILE)),
    *(replace(KEY, sampling=sampling) for sampling in changed(SAMPLING)),
    *(replace(KEY, shape=shape) for shape in changed(FrameShape(LIMITS))),
    *(replace(KEY, shape=FrameShape(limits)) for limits in changed(LIMITS)),
    replace(KEY, decoder="another"),
    replace(KEY, reader="1 19"),
    replace(KEY, pillow="12.1"),
    replace(KEY, resizing=2),
]


@pytest.mark.parametrize("other", KEYS, ids=repr)
def test_each_field_changes_the_key(other: FrameKey) -> None:
    assert other.digest != KEY.digest


def test_equal_keys_have_equal_digests() -> None:
    assert replace(KEY, file=replace(FILE)).digest == KEY.digest
    assert len({key.digest for key in KEYS}) == len(KEYS) == 24
