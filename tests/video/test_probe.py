"""What the probe says of a file agrees with what ffmpeg and a full decode find in it."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tempo_cli.errors import VideoError
from tempo_cli.video.probe import probe

from .clips import (
    H264,
    RECIPES,
    VIDEOS,
    ClipMaker,
    FullDecode,
    decode_all,
    decode_plan,
    every_frame,
    run_ffmpeg,
)

# raw streams carry no timestamps, AVI and ASF only the order of decoding
WITHOUT_TIMES = {"h264.h264", "hevc.hevc", "mpeg4_b_frames.avi", "h264.avi", "h264.mpg", "h264.asf"}


def decoded_times(path: Path, stream: int) -> list[float]:
    """Seconds from the file's beginning, of every decoded frame."""
    with av.open(str(path)) as container:
        video = container.streams[stream]
        assert video.time_base is not None
        pts = [frame.pts for frame in container.decode(video)]
        begins = pts[0] * video.time_base
        if container.start_time is not None and begins - Fraction(container.start_time, 10**6) > 0.04:
            begins = Fraction(container.start_time, 10**6)
        return [float(one * video.time_base - begins) for one in pts]


def test_a_path_may_be_a_text(clip: ClipMaker) -> None:
    path = clip("uneven.mp4")
    told, expected = probe(str(path)), probe(path)
    assert (told.path, told.times.tolist()) == (path, expected.times.tolist())


@pytest.mark.parametrize(("path", "kind"), [(None, "NoneType"), (3, "int"), (b"a.mp4", "bytes")])
def test_what_is_no_path_is_refused_by_its_type(path: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=f"^a video must be a str, a Path or a VideoInfo, not {kind}$"):
        probe(path)


@pytest.mark.parametrize("name", VIDEOS)
def test_counts_the_frames_that_ffmpeg_emits(name: str, clip: ClipMaker, truth: FullDecode) -> None:
    info = probe(clip(name))
    assert info.frames == len(truth(name)) == RECIPES[name].frames


@pytest.mark.parametrize("name", sorted(VIDEOS.keys() - WITHOUT_TIMES))
def test_times_are_those_of_the_decoded_frames(name: str, clip: ClipMaker) -> None:
    info = probe(clip(name))
    np.testing.assert_allclose(info.times, decoded_times(clip(name), info.stream), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", sorted(WITHOUT_TIMES))
def test_without_timestamps_frames_are_counted(name: str, clip: ClipMaker) -> None:
    info = probe(clip(name))
    np.testing.assert_allclose(info.times, np.arange(50) / 25, rtol=0, atol=1e-9)
    assert info.duration == pytest.approx(2.0, abs=1e-9)


@pytest.mark.parametrize(
    "name",
    [
        "h264.avi",
        "h264.asf",
        "h264_no_b_frames.avi",
        "h264_no_b_frames.asf",
        "h264_no_b_frames.wmv",
    ],
)
def test_frames_that_can_only_be_counted_are_at_their_times(name: str, clip: ClipMaker) -> None:
    """PyAV would take the next packet's decoding time for a missing presentation time: one frame late."""
    info = probe(clip(name))
    assert info.pts is None
    np.testing.assert_allclose(info.times, np.arange(50) / 25, rtol=0, atol=1e-9)
    assert info.duration == pytest.approx(2.0, abs=1e-9)


@pytest.mark.parametrize("suffix", ["avi", "asf", "h264"])
def test_what_comes_before_the_first_keyframe_is_not_counted(
    suffix: str, clip: ClipMaker, tmp_path: Path
) -> None:
    """Frames that only refer to a picture that is missing: a decoder drops them."""
    *_, first, rest = re.split(b"(?=\0\0\1\x65)", clip("h264.h264").read_bytes(), maxsplit=1)
    cut = tmp_path / "cut.h264"
    cut.write_bytes(first + rest[rest.index(b"\0\0\1", 3) :])  # without the first IDR picture
    path = tmp_path / f"cut_off_start.{suffix}"
    run_ffmpeg("-r", "25", "-i", cut, "-c", "copy", path)
    shown = decode_all(path, RECIPES["h264.h264"], check=False)
    info = probe(path)
    assert info.frames == len(shown) == 30
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], shown)
    assert warnings == []


@pytest.mark.parametrize(
    ("name", "tick"), [("uneven.mp4", 0.001), ("uneven.mkv", 0.001), ("uneven.gif", 0.01)]
)
def test_uneven_frame_times(name: str, tick: float, clip: ClipMaker) -> None:
    step, n = (40 if tick == 0.001 else 4), np.arange(20)
    np.testing.assert_allclose(probe(clip(name)).times, tick * (step * n + n * n), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "name", ["h264.mp4", "h264.mkv", "h264.ts", "vp9.webm", "sound_first.mp4", "longer_sound.mkv"]
)
def test_times_start_at_zero_and_duration_reaches_the_end_of_the_last_frame(
    name: str, clip: ClipMaker
) -> None:
    info = probe(clip(name))
    assert info.times[0] == 0
    assert info.times[-1] == pytest.approx(1.96, abs=1e-9)
    assert info.duration == pytest.approx(2.0, abs=1e-9)


@pytest.mark.parametrize("name", VIDEOS)
def test_rate_is_libavs_average(name: str, clip: ClipMaker) -> None:
    info = probe(clip(name))
    with av.open(str(clip(name))) as container:
        video = container.streams[info.stream]
        assert isinstance(video, av.VideoStream)
        assert info.rate == (video.average_rate or video.guessed_rate)
    assert info.rate == 25 or name.startswith("uneven")


def test_a_broken_rate_stays_a_fraction(tmp_path: Path) -> None:
    path = tmp_path / "ntsc.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=30000/1001:duration=1", *H264, path)
    assert probe(path).rate == Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("h264.mp4", "h264"),
        ("hevc_10_bit.mp4", "hevc"),
        ("vp8.webm", "vp8"),
        ("vp9.webm", "vp9"),
        ("av1.mp4", "av1"),
        ("prores.mov", "prores"),
        ("uneven.gif", "gif"),
    ],
)
def test_codec_is_named(name: str, codec: str, clip: ClipMaker) -> None:
    assert probe(clip(name)).codec == codec


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("h264.mp4", (160, 90)),
        ("odd_size.mp4", (321, 181)),
        ("portrait.mp4", (90, 160)),
        ("rotated_90.mp4", (160, 90)),
        ("wide_pixels.mp4", (160, 90)),
    ],
)
def test_size_is_as_stored(name: str, size: tuple[int, int], clip: ClipMaker) -> None:
    info = probe(clip(name))
    assert (info.width, info.height) == size


@pytest.mark.parametrize("name", VIDEOS)
def test_chooses_the_stream_that_a_player_shows(name: str, clip: ClipMaker) -> None:
    assert probe(clip(name)).stream == RECIPES[name].stream


def boxes(data: bytes) -> list[bytes]:
    """The MP4 boxes in `data`, one after the other."""
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        found.append(data[:size])
        data = data[size:]
    return found


def test_a_cover_that_comes_first_is_no_video(clip: ClipMaker, truth: FullDecode, tmp_path: Path) -> None:
    """As some taggers write it: the metadata with the cover stand before the tracks."""
    *before, moov = boxes(clip("cover.mp4").read_bytes())
    inner = sorted(boxes(moov[8:]), key=lambda box: box[4:8] != b"udta")
    path = tmp_path / "cover_first.mp4"
    path.write_bytes(b"".join([*before, moov[:8], *inner]))
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["mjpeg", "h264"]

    info = probe(path)
    assert (info.stream, info.codec, info.frames) == (1, "h264", 50)
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth("h264.mp4"))
    assert warnings == []


def test_a_track_that_starts_late_announces_no_more_frames_than_it_has(clip: ClipMaker) -> None:
    """Matroska's DURATION tag counts from the file's start, not from the track's first frame."""
    info = probe(clip("late_start.mkv"))
    assert info.frames == 50
    assert info.duration == pytest.approx(2.7, abs=1e-9)


def test_a_pause_in_the_timestamps_announces_no_frames(clip: ClipMaker) -> None:
    """In MPEG-TS the duration is libav's guess from the timestamps, no announcement."""
    assert probe(clip("pause.ts")).frames == 50


@pytest.mark.parametrize(
    "name",
    [
        "groups.ts",
        "open_groups.ts",
        "open_groups_265.ts",
        "groups_mpeg2.mpg",
    ],
)
def test_a_recording_that_starts_between_key_frames_is_not_damaged(
    name: str, clip: ClipMaker, tmp_path: Path
) -> None:
    """What no decoder can show is no frame."""
    whole, block = clip(name).read_bytes(), 188 if name.endswith(".ts") else 2048
    path = tmp_path / name
    path.write_bytes(whole[len(whole) // block // 3 * block :])
    shown = decode_all(path, RECIPES[name], check=False)
    assert len(shown) > 50
    info = probe(path)
    assert info.frames == len(shown)
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], shown)
    assert warnings == []


def test_a_stream_of_unknown_size_is_an_error_of_the_video(clip: ClipMaker, tmp_path: Path) -> None:
    """No parameter sets, so libav says 0x0."""
    packets = clip("h264.ts").read_bytes()
    packets = packets.replace(b"\x00\x00\x01\x67", b"\x00\x00\x01\x7f").replace(
        b"\x00\x00\x01\x68", b"\x00\x00\x01\x7f"
    )
    path = tmp_path / "no_parameters.ts"
    path.write_bytes(packets)
    with pytest.raises(VideoError):
        probe(path)
