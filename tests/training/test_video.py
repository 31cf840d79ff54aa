"""Scenes as files: what is read back is what was painted, frame by frame, through every codec."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from tempo_cli.config import SamplingOptions
from tempo_cli.model.pixels import fit
from tempo_cli.video.probe import probe
from tempo_cli.video.resize import shrink
from training.scene import Painter, Pixels, Scene, Sight, plan_group
from training.shape import DIMENSIONS
from training.video import Encoding, random_encoding, read_segments, write_video

RATE = 4.0
GROUP = plan_group(np.random.default_rng(1), 0.6, 7.1, kinds=(2, 0), colours=(5, 7), motions=(1, 0))
SCENE = Scene(8.0, (GROUP,), (0.0,), 5)
PAINTER = Painter(SCENE, (90, 160))
CODECS = {"h264": (20, "mp4"), "hevc": (22, "mkv"), "vp9": (28, "webm")}


@dataclass(frozen=True)
class Written:
    """A file of SCENE and what `write_video` told of it."""

    path: Path
    seen: list[list[Sight]]


def encoding(codec: str = "h264", noise: int = 0, encoded: tuple[int, int] = (160, 90)) -> Encoding:
    return Encoding((160, 90), encoded, codec, CODECS[codec][0], RATE, noise)


@lru_cache(None)
def as_read(index: int) -> Pixels:
    """Painted frame `index` as the model would see it without a codec."""
    shrunk = shrink(PAINTER.draw(index / RATE), DIMENSIONS.shape)
    return fit(np.stack([shrunk]), DIMENSIONS.shape)[0].astype(np.float32)


def apart(frame: Pixels, other: Pixels) -> float:
    """Mean difference in grey levels."""
    return float(np.abs(frame.astype(np.float32) - other).mean())


@pytest.fixture(scope="module", params=CODECS)
def written(request, tmp_path_factory) -> Iterator[Written]:
    how = encoding(request.param)
    path = tmp_path_factory.mktemp("video") / ("scene" + how.suffix)
    return Written(path, write_video(SCENE, path, how))


def test_every_frame_of_the_file_has_its_sights(written):
    info = probe(written.path)
    assert len(info.times) == len(written.seen) == 32
    assert info.rate == RATE
    assert written.seen == [SCENE.seen(number / RATE) for number in range(32)]
    assert [len(sights) for sights in written.seen] == [0] * 3 + [2] * 26 + [0] * 3


def test_the_frames_that_are_read_are_those_that_were_painted(written):
    """Within 6 grey levels on average, and nearer to the frame of their own time than to those beside it."""
    pairs = list(read_segments(written.path, DIMENSIONS, SamplingOptions()))
    indices = [index for _, own in pairs for index in own]
    assert indices == np.linspace(0, 31, 16).round().astype(int).tolist()
    frames = np.concatenate([segment.frames for segment, _ in pairs])
    assert frames.shape == (16, 64, 96, 3)
    for frame, index in zip(frames, indices, strict=True):
        own = apart(frame, as_read(index))
        assert own < 6
        if written.seen[index] and written.seen[max(index - 1, 0)] and written.seen[min(index + 1, 31)]:
            assert own < min(apart(frame, as_read(index + step)) for step in (-1, 1))


def test_noise_and_size_change_little_and_no_count(tmp_path):
    """Noise is seen; the read frames keep to within 8 grey levels of the painted ones."""
    told = []
    for name, how in (("plain", encoding()), ("noisy", encoding(noise=12, encoded=(320, 180)))):
        path = tmp_path / (name + how.suffix)
        write_video(SCENE, path, how)
        ((first, _), _) = read_segments(path, DIMENSIONS, SamplingOptions())
        told.append((probe(path).width, apart(first.frames[0], as_read(0))))
    (width, plain), (wider, noisy) = told
    assert (width, wider) == (160, 320)
    assert plain < noisy < 8


def test_random_encodings_cover_all_codecs_and_sizes():
    random = np.random.default_rng(0)
    drawn = [random_encoding(random, 6.0) for _ in range(400)]
    assert {how.codec for how in drawn} == set(CODECS)
    assert {how.suffix for how in drawn} == {f".{suffix}" for _, suffix in CODECS.values()}
    assert {how.filmed for how in drawn} == {(320, 180), (320, 240), (240, 240), (180, 320)}
    assert len({how.encoded for how in drawn}) == 10
    assert all(
        how.encoded[0] * how.filmed[1] == pytest.approx(how.encoded[1] * how.filmed[0], rel=0.01)
        for how in drawn
    )
    assert all(how.aspect == how.filmed[0] / how.filmed[1] and how.rate == 6.0 for how in drawn)
    assert {how.noise for how in drawn} == set(range(13))


def test_a_file_that_can_not_be_written_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="ffmpeg could not write"):
        write_video(SCENE, tmp_path / "nowhere" / "scene.mp4", encoding())
