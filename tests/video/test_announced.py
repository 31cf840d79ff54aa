"""Lengths that headers announce: the packets decide, and only a cut-off file lacks frames."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest

from tempo_cli.errors import VideoError
from tempo_cli.video.announced import is_cut_off
from tempo_cli.video.probe import probe

from .clips import ClipMaker, FullDecode, decode_plan, every_frame, middle_prefix

MATROSKA, MP4, AVI = "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "avi"
_TAG = re.compile(rb"00:00:02\.\d{9}")  # of 18 bytes; what replaces it is padded by digits


def with_tag(data: bytes, tag: bytes) -> bytes:
    """Matroska with another DURATION tag."""
    assert len(tag) == 18
    changed, count = _TAG.subn(tag, data)
    assert count == 1
    return changed


def with_count(data: bytes, count: int) -> bytes:
    """AVI with another number of frames in both headers."""
    changed = bytearray(data)
    for name, place in ((b"avih", 24), (b"strh", 40)):
        struct.pack_into("<I", changed, data.index(name) + place, count)
    return bytes(changed)


# --- lengths ---

TAGS = {
    "10 times": b"00:00:20.000000000",
    "1.5 times": b"00:00:03.000000000",
    "half a year": b"3999:00:00.0000000",
    "a thousand years": b"9999999:00:00.0000",
    "infinite": b"inf:00:00.00000000",
    "no number": b"nan:00:00.00000000",
    "beyond floats": b"1e308:1e308:1e3080",
    "negative": b"-100:00:00.0000000",
    "text": b"about two seconds.",
}


@pytest.mark.parametrize("tag", TAGS.values(), ids=TAGS)
def test_a_wrong_duration_tag_announces_nothing(
    tag: bytes, clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    path = tmp_path / "stale.mkv"
    path.write_bytes(with_tag(clip("h264.mkv").read_bytes(), tag))
    info = probe(path)
    assert (info.frames, info.rate) == (50, 25)
    assert info.duration == pytest.approx(2.0, abs=1e-9)
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth("h264.mkv"))
    assert warnings == []


@pytest.mark.parametrize("tag", ["10 times", "half a year", "a thousand years"])
def test_a_cut_off_file_with_a_wrong_tag_lacks_what_its_header_says(
    tag: str, clip: ClipMaker, tmp_path: Path
) -> None:
    """Beside the tag, Matroska has a duration of the whole file."""
    _, start, _ = middle_prefix(clip("h264.mkv"))
    path = tmp_path / "cut.mkv"
    path.write_bytes(with_tag(clip("h264.mkv").read_bytes(), TAGS[tag])[:start])
    info = probe(path)
    assert info.frames == 50
    _, (warning,) = decode_plan(info, every_frame(info))
    assert "damaged" in warning


@pytest.mark.parametrize("count", [51, 75, 100, 500, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("name", ["mpeg4.avi", "mjpeg.avi", "h264.avi", "mpeg4_b_frames.avi"])
def test_a_wrong_number_of_frames_in_avi_announces_nothing(
    name: str, count: int, clip: ClipMaker, tmp_path: Path
) -> None:
    path = tmp_path / "count.avi"
    path.write_bytes(with_count(clip(name).read_bytes(), count))
    info = probe(path)
    assert info.frames == 50
    assert info.duration == pytest.approx(2.0, abs=1e-9)


@pytest.mark.parametrize("count", [0x7FFFFFFF, 0xFFFFFFFF])
def test_an_absurd_number_of_frames_is_ignored_in_a_cut_off_file_too(
    count: int, clip: ClipMaker, tmp_path: Path
) -> None:
    whole = with_count(clip("mpeg4.avi").read_bytes(), count)
    path = tmp_path / "cut.avi"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert 10 < probe(path).frames < 50


@pytest.mark.parametrize("delta", [1, 512, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("count", [100, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("cut", [False, True])
def test_sample_times_of_an_mp4(cut: bool, count: int, delta: int, clip: ClipMaker, tmp_path: Path) -> None:
    data = bytearray(clip("h264.mp4").read_bytes())
    struct.pack_into(">II", data, data.index(b"stts") + 12, count, delta)
    path = tmp_path / "times.mp4"
    path.write_bytes(data[: len(data) * 3 // 4] if cut else data)
    try:
        info = probe(path)
    except VideoError:
        return
    assert info.frames <= (100 if cut else 50)


# --- where a file ends ---


@pytest.mark.parametrize(
    ("name", "container", "expected"),
    [
        ("h264.mkv", MATROSKA, False),
        ("vp9.webm", MATROSKA, False),
        ("h264.mp4", MP4, False),
        ("index_last.mp4", MP4, False),
        ("prores.mov", MP4, False),
        ("fragmented.mp4", MP4, None),  # more fragments may have followed
        ("mpeg4.avi", AVI, False),
        ("h264.ts", "mpegts", None),
    ],
)
def test_a_whole_file_is_not_cut_off(
    name: str, container: str, expected: bool | None, clip: ClipMaker, tmp_path: Path
) -> None:
    assert is_cut_off(clip(name), container) is expected
    path = tmp_path / name
    path.write_bytes(clip(name).read_bytes()[:-1])
    assert is_cut_off(path, container) is (None if expected is None else True)


def riff(size: int, told: int | None = None) -> bytes:
    return b"RIFF" + (size if told is None else told).to_bytes(4, "little") + bytes(size)


def box(kind: bytes, size: int, wide: bool = False) -> bytes:
    head = (1 if wide else size + 8).to_bytes(4, "big") + kind
    return head + ((size + 16).to_bytes(8, "big") if wide else b"") + bytes(size)


@pytest.mark.parametrize(
    ("container", "data", "expected"),
    [
        (AVI, riff(100) + riff(51) + b"\0", False),
        (AVI, riff(100) + riff(51), False),  # the last byte only fills up
        (AVI, riff(100) + riff(50)[:-1], True),
        (AVI, riff(100) + b"junk after the end", False),
        (AVI, riff(100, told=0), None),
        (AVI, riff(100, told=0xFFFFFFFF), True),
        (MP4, box(b"ftyp", 8) + box(b"moov", 100) + box(b"mdat", 100, wide=True), False),
        (MP4, box(b"ftyp", 8) + box(b"moov", 100) + box(b"mdat", 100, wide=True)[:-1], True),
        (MP4, box(b"ftyp", 8) + b"\0\0\0\0mdat" + bytes(100), False),  # to the end of the file
        (MP4, box(b"free", 0) * 20_000, False),
        (MP4, box(b"free", 0) * 20_000 + box(b"free", 9)[:-1], True),
        (MATROSKA, b"\x1a\x45\xdf\xa3\x81\0\x18\x53\x80\x67\xff" + bytes(9), False),  # as a stream
        (MATROSKA, b"\x1a\x45\xdf\xa3\x81\0\x18\x53\x80\x67\x89" + bytes(9), False),
        (MATROSKA, b"\x1a\x45\xdf\xa3\x81\0\x18\x53\x80\x67\x40\x0a" + bytes(9), True),
        *((container, data, False) for container in (AVI, MP4, MATROSKA) for data in (b"", b"\0", bytes(99))),
    ],
)
def test_where_the_outermost_elements_end(
    container: str, data: bytes, expected: bool | None, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert is_cut_off(path, container) is expected


def test_a_file_that_is_gone_tells_nothing(tmp_path: Path) -> None:
    assert is_cut_off(tmp_path / "none", AVI) is None
