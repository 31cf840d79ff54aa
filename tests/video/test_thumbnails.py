"""Small pictures of a video: the ones that a player shows at the asked times."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from tempo_cli.config import SamplingOptions
from tempo_cli.types import Pixels
from tempo_cli.video.isolated import probe
from tempo_cli.video.thumbnails import thumbnails

from .clips import FFMPEG, ClipMaker, FullDecode, run_ffmpeg

MOST = SamplingOptions.max_pixels


def pixels(data: bytes | None) -> Pixels:
    assert data is not None
    return np.asarray(Image.open(io.BytesIO(data)))


def test_each_shows_what_a_player_shows_then(clip: ClipMaker, truth: FullDecode) -> None:
    for name in ("uneven.mkv", "rotated_90.mp4", "vp9.webm"):
        info, frames = probe(clip(name)), truth(name)
        asked = [0, len(frames) // 3, len(frames) // 3, len(frames) - 1]
        found = thumbnails(info, [float(info.times[at]) + 1e-4 for at in asked], FFMPEG, MOST)
        for at, data in zip(asked, found, strict=True):
            errors = [np.abs(pixels(data).astype(int) - frame).mean() for frame in frames]
            assert int(np.argmin(errors)) == at
            assert errors[at] < 10  # what JPEG loses of a sharp pattern


def test_large_and_stretched_pictures_are_small_and_in_their_shape(clip: ClipMaker) -> None:
    for name, shape in (("wide_pixels.mp4", (68, 240, 3)), ("odd_size.mp4", (135, 240, 3))):
        (data,) = thumbnails(probe(clip(name)), [0.5], FFMPEG, MOST)
        assert pixels(data).shape == shape


def test_noise_keeps_within_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "noise.mkv"
    noise = ("-f", "lavfi", "-i", "color=gray:size=480x480:rate=25,noise=alls=100:allf=t", "-frames:v", "8")
    run_ffmpeg(*noise, "-c:v", "ffv1", path)
    found = thumbnails(probe(path), [at / 25 for at in range(8)], FFMPEG, MOST)
    assert max(len(data or b"") for data in found) < 16_000


def test_times_outside_and_no_times(clip: ClipMaker) -> None:
    info = probe(clip("h264.mp4"))
    assert thumbnails(info, [], FFMPEG, MOST) == []
    first, last = thumbnails(info, [-5.0, 1e6], FFMPEG, MOST)
    assert pixels(first).shape == pixels(last).shape == (90, 160, 3)
