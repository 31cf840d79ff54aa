"""Pictures that are too large, and videos that change while they are looked at."""

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tempo_cli.config import FrameShape, SamplingOptions
from tempo_cli.errors import VideoError
from tempo_cli.types import VideoInfo
from tempo_cli.video import decode, isolated, limits
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.opened import Video, open_video
from tempo_cli.video.probe import probe

from .clips import FFMPEG, H264, ClipMaker, decode_plan, every_frame, run_ffmpeg, source

Script = Callable[[str, str], str]


def bomb(path: Path, edge: int) -> Path:
    """A GIF of 204 bytes with eight pictures of one pixel on a canvas of `edge` squared."""
    canvas = struct.pack("<HHBBB", edge, edge, 128, 0, 0) + b"\xff\0\0\0\0\xff"
    picture = struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0"
    path.write_bytes(b"GIF89a" + canvas + (b"\x21\xf9\4\4\x0a\0\0\0\x2c" + picture) * 8 + b"\x3b")
    return path


def test_pictures_that_are_too_large_are_refused_before_decoding(tmp_path: Path) -> None:
    path = bomb(tmp_path / "b.gif", 16_000)
    with pytest.raises(VideoError) as caught:
        isolated.probe(path)
    assert caught.value.message == f"'{path}' has pictures of 16000 x 16000 pixels, more than 36,000,000"
    assert caught.value.hint == "Raise `max_pixels` if they are meant to be so large."


@pytest.mark.parametrize(("most", "fits"), [(160 * 90, True), (160 * 90 - 1, False)])
def test_the_limit_is_the_callers(most: int, fits: bool, clip: ClipMaker) -> None:
    path = clip("h264.mp4")
    probed = probe(path)

    def refused(attempt: Callable[[], object]) -> bool:
        try:
            attempt()
        except VideoError as error:
            return error.message == f"'{path}' has pictures of 160 x 90 pixels, more than {most:,}"
        return False

    def opened(video: Path | VideoInfo) -> None:
        open_video(video, SamplingOptions(max_pixels=most), ffmpeg=FFMPEG).close()

    assert refused(lambda: isolated.probe(path, most)) is not fits
    assert refused(lambda: opened(path)) is not fits
    assert refused(lambda: opened(probed)) is not fits


def decoded(path: Path, binary: str, most: int = 36_000_000) -> list[tuple[int, ...]]:
    info = probe(path)
    with FrameDecoder(info, every_frame(info), binary, print, stall=20, max_pixels=most) as decoder:
        return [frame.pixels.shape for frame in decoder.frames()]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("P6\\n999999 999999\\n255\\n", "has pictures of 999999 x 999999 pixels"),
        ("P6\\n6001 6000\\n255\\n", "has pictures of 6001 x 6000 pixels"),
        ("P6\\n0 0\\n255\\n", "no frame of"),
        ("P6\\n0 90\\n255\\n", "no frame of"),
        ("P6\\n160 -90\\n255\\n", "no frame of"),
    ],
)
def test_a_picture_of_an_impossible_size(header: str, message: str, script: Script, clip: ClipMaker) -> None:
    with pytest.raises(VideoError, match=message):
        decoded(clip("frames_3.mp4"), script("ffmpeg", f"printf '{header}'"))


def test_pictures_that_grow_beyond_the_limit_are_not_decoded(tmp_path: Path) -> None:
    """The header tells the small ones; ffmpeg scales the others to their size."""
    parts = []
    for size in ("96x54", "288x162"):
        run_ffmpeg(*source(0.4, size), *H264, "-f", "h264", part := tmp_path / f"{size}.h264")
        parts.append(part.read_bytes())
    path = tmp_path / "grows.h264"
    path.write_bytes(b"".join(parts))
    assert decoded(path, FFMPEG) == [(54, 96, 3)] * 20
    info = probe(path)
    warnings: list[str] = []
    with FrameDecoder(info, every_frame(info), FFMPEG, warnings.append, max_pixels=96 * 54) as decoder:
        assert [frame.pixels.shape for frame in decoder.frames()] == [(54, 96, 3)] * 10
    assert "10 of 20 sampled frames are left out" in warnings[0]


def test_large_pictures_get_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "usable_cores", lambda: 64)
    most, alone = 36_000_000, {"threads": 1, "thread_queue_size": 1}
    options = limits.decoder_options
    assert options(640, 360, most) == ({"max_pixels": 9_000_000, "threads": 16}, alone, "")
    assert options(1920, 1080, most) == ({"max_pixels": 9_000_000, "threads": 16}, alone, "")
    assert options(3840, 2160, most) == ({"max_pixels": 9_078_784, "threads": 4}, alone, "")
    assert options(3000, 3000, most) == ({"max_pixels": 9_784_384, "threads": 4}, alone, "")
    one, queue, halved = options(3001, 3000, most)
    assert (one, queue) == ({"max_pixels": most, "threads": 1}, {"threads": 1, "thread_queue_size": 1})
    assert halved.startswith("scale=")
    assert options(10, 10, 50) == ({"max_pixels": 138**2, "threads": 16}, alone, "")
    monkeypatch.setattr(limits, "usable_cores", lambda: 2)
    assert options(3840, 2160, most) == ({"max_pixels": 9_078_784, "threads": 2}, alone, "")
    assert limits.decoder_memory(most) == 1_100_000_000
    assert limits.decoder_memory(most + 100) == 1_100_003_200


@pytest.mark.parametrize(
    ("size", "transfer", "most"),
    [
        ((640, 360), None, 4),
        ((1920, 1080), "bt709", 4),
        ((1920, 1080), "smpte2084", 2),
        ((2560, 1440), None, 2),
        ((3840, 2160), None, 1),
        ((7680, 4320), "arib-std-b67", 1),
    ],
)
def test_large_pictures_get_few_processes(
    size: tuple[int, int], transfer: str | None, most: int, clip: ClipMaker
) -> None:
    info = probe(clip("h264.mp4"))
    sized = replace(info, width=size[0], height=size[1], colors=replace(info.colors, transfer=transfer))
    assert limits.most_decoders(sized) == most


@pytest.mark.parametrize("name", ["h264.mp4", "rotated_90.mp4", "odd_size.mp4", "uneven.gif"])
def test_large_pictures_are_halved(name: str, clip: ClipMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """And otherwise the same, at the same places, with the size as shown that they have."""
    info = probe(clip(name))
    many, _ = decode_plan(info, every_frame(info))
    arguments: list[list[str]] = []
    original = decode.FFmpegProcess
    monkeypatch.setattr(
        decode, "FFmpegProcess", lambda words, memory: arguments.append(words) or original(words, memory)
    )
    monkeypatch.setattr(limits, "SINGLE_THREAD_PIXELS", 1)
    one, warnings = decode_plan(info, every_frame(info))
    height, width = (edge // 2 for edge in many[0].pixels.shape[:2])
    whole = np.array([frame.pixels[: 2 * height, : 2 * width] for frame in many], np.float64)
    means = whole.reshape(len(many), height, 2, width, 2, 3).mean(axis=(2, 4))
    apart = [[np.abs(mean - frame.pixels).mean() for mean in means] for frame in one[:20]]
    assert np.argmin(apart, axis=1).tolist() == list(range(20))
    assert np.min(apart) < 8  # of 255: colors are stored at half size already
    assert [frame.look for frame in one] == [frame.look for frame in many]
    assert (arguments[0].count("-threads"), warnings) == (2, [])


def test_a_video_that_is_replaced_when_it_was_checked_is_noticed(clip: ClipMaker, tmp_path: Path) -> None:
    """Just before ffmpeg opens it: the frames are the new one's."""
    path = tmp_path / "a.mp4"
    path.write_bytes(clip("h264.mp4").read_bytes())
    info, few = probe(path), SamplingOptions(max_frames=4)
    binary = tmp_path / "ffmpeg"
    binary.write_text(f"#!/bin/sh\ncp '{clip('long.mp4')}' '{path}'\nexec '{FFMPEG}' \"$@\"\n")
    binary.chmod(0o755)
    with Video(info, few, FrameShape(), FFMPEG) as video:
        assert len(list(video.read(range(video.total)))) == 1
    with (
        Video(info, few, FrameShape(), str(binary)) as video,
        pytest.raises(VideoError, match="has changed since it was opened"),
    ):
        list(video.read(range(video.total)))
