"""Headers that are odd, wrong or hostile: the packets decide, and nothing in them is an internal error."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tempo_cli.errors import VideoError
from tempo_cli.video.demuxer import packets_of
from tempo_cli.video.probe import probe

from .clips import ClipMaker, FullDecode, decode_plan, every_frame, run_ffmpeg

# --- tags ---

LATIN_1 = "title=Caf\udce9"  # b"Caf\xe9" as an argument: cut off in the middle of a character for UTF-8
CYRILLIC = "title=\udccf\udcf0\udce8\udce2\udce5\udcf2"  # CP1251


@pytest.mark.parametrize("tag", [LATIN_1, CYRILLIC], ids=["latin-1", "cp1251"])
@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        *(("h264.mp4", suffix) for suffix in ("mp4", "mov", "mkv", "flv", "nut", "avi", "ts")),
        ("vp9.webm", "webm"),
        ("theora.ogv", "ogv"),
        ("wmv2.wmv", "wmv"),
    ],
)
def test_tags_may_be_in_any_encoding(
    name: str, suffix: str, tag: str, clip: ClipMaker, tmp_path: Path
) -> None:
    path = tmp_path / f"tagged.{suffix}"
    tags = ("-metadata", tag, "-metadata:s:v", tag, "-metadata:s:v", f"comment{tag[5:]}")
    run_ffmpeg("-i", clip(name), "-c", "copy", *tags, path)
    info = probe(path)
    assert (info.width, info.height, info.rate) == (160, 90, 25)


def test_a_tag_that_is_not_utf_8_changes_no_frame(clip: ClipMaker, truth: FullDecode, tmp_path: Path) -> None:
    path = tmp_path / "tagged.mkv"
    run_ffmpeg("-i", clip("h264.mkv"), "-c", "copy", "-metadata", LATIN_1, "-metadata:s:v", LATIN_1, path)
    info = probe(path)
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth("h264.mkv"))
    assert warnings == []


# --- codecs ---


@pytest.mark.parametrize(
    ("name", "suffix", "tag", "unknown"),
    [
        ("h264.mp4", "mp4", b"avc1", b"zzzz"),
        ("h264.mp4", "mov", b"avc1", b"BRAW"),
        ("fragmented.mp4", "mp4", b"avc1", b"zzzz"),
        ("h264.mkv", "mkv", b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/ZZZ"),
        ("vp9.webm", "webm", b"V_VP9", b"V_XYZ"),
        ("mpeg4.avi", "avi", b"FMP4", b"zzzz"),
        ("wmv2.wmv", "wmv", b"WMV2", b"ZZZZ"),
        ("vp9.ivf", "ivf", b"VP90", b"ZZZZ"),
    ],
)
def test_a_codec_that_libav_does_not_know(
    name: str, suffix: str, tag: bytes, unknown: bytes, clip: ClipMaker, tmp_path: Path
) -> None:
    whole = clip(name).read_bytes()
    assert tag in whole
    path = tmp_path / f"unknown.{suffix}"
    path.write_bytes(whole.replace(tag, unknown))
    with pytest.raises(VideoError) as caught:
        probe(path)
    assert caught.value.message == f"'{path}' has video in a codec that ffmpeg does not know"
    assert caught.value.hint


def test_a_stream_in_a_known_codec_is_taken_before_one_in_an_unknown(
    clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    both = tmp_path / "both.mp4"
    run_ffmpeg("-i", clip("av1.mp4"), "-i", clip("h264.mp4"), "-map", "0", "-map", "1", "-c", "copy", both)
    whole = both.read_bytes()
    path = tmp_path / "first_unknown.mp4"
    path.write_bytes(whole.replace(b"av01", b"zzzz"))
    info = probe(path)
    assert (info.stream, info.codec) == (1, "h264")
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth("h264.mp4"))
    assert warnings == []


# --- streams ---


@pytest.mark.parametrize("seconds", [2, 20])
def test_sound_that_begins_in_the_middle_changes_nothing(
    seconds: int, clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    """FLV whose header tells of no sound: libav finds its stream when it comes."""
    both = tmp_path / "both.flv"
    sound = ("-f", "lavfi", "-i", f"sine=duration={seconds}", "-c:v", "copy", "-c:a", "aac")
    run_ffmpeg("-stream_loop", str(seconds // 2 - 1), "-i", clip("h264.flv"), *sound, both)
    data = both.read_bytes()
    late, place = bytearray(data[:4] + b"\1" + data[5:13]), 13
    while place < len(data):
        end = place + 15 + int.from_bytes(data[place + 1 : place + 4], "big")
        milliseconds = int.from_bytes(data[place + 4 : place + 7], "big")
        if data[place] != 8 or milliseconds > 900 * seconds:
            late += data[place:end]
        place = end
    path = tmp_path / "late.flv"
    path.write_bytes(late)
    info = probe(path)
    assert info.frames == 25 * seconds
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames[:50]], truth("h264.flv"))
    assert warnings == []


def test_the_end_of_the_packets_may_be_an_index_error() -> None:
    """PyAV flushes all streams at the end, and does not know those that began in mid-file."""

    def demux(*_: object) -> Iterator[int]:
        yield from (1, 2)
        raise IndexError("list index out of range")

    container = SimpleNamespace(demux=demux)
    assert list(packets_of(container, None)) == [1, 2]  # type: ignore[arg-type]


# --- timestamps ---


@pytest.mark.parametrize("stamp", [(1 << 63) - 2, (1 << 63) - 50, 1 << 62, 1 << 40, (1 << 64) - 1])
@pytest.mark.parametrize("place", [0, 10, 49])
def test_a_timestamp_that_is_absurd(
    place: int, stamp: int, clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    """Frames are counted then."""
    data = bytearray(clip("vp9.ivf").read_bytes())
    start = int.from_bytes(data[6:8], "little")
    for _ in range(place):
        start += 12 + int.from_bytes(data[start : start + 4], "little")
    data[start + 4 : start + 12] = stamp.to_bytes(8, "little")
    path = tmp_path / "absurd.ivf"
    path.write_bytes(data)
    info = probe(path)
    assert info.frames == 50
    assert info.duration == pytest.approx(2.0, abs=0.05)
    frames, warnings = decode_plan(info, every_frame(info))
    if stamp < 1 << 63:  # else it is -1, a frame before the first
        np.testing.assert_array_equal([frame.pixels for frame in frames], truth("vp9.ivf"))
    assert len(warnings) == (len(frames) < info.frames)
