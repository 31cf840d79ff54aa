"""Fragmented MP4 that was cut off: what is announced is counted, and what is missing is reported."""

import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tempo_cli.config import SamplingOptions
from tempo_cli.types import FramePlan
from tempo_cli.video.fragments import Fragments, ends_in_description, read_fragments
from tempo_cli.video.opened import open_video
from tempo_cli.video.probe import probe

from .clips import ClipMaker, FullDecode, decode_plan, every_frame, run_ffmpeg

# five fragments of 20 frames, with and without tables that tell of all of them
LAYOUTS = {
    "plain": ("frag_keyframe+empty_moov", ()),
    "based on moof": ("frag_keyframe+empty_moov+default_base_moof", ()),
    "first samples in moov": ("frag_keyframe", ()),
    "cmaf": ("cmaf+frag_keyframe", ()),
    "an index in each": ("dash+frag_keyframe+default_base_moof", ()),
    "one index": ("dash+global_sidx+frag_keyframe", ()),
    "with sound": ("frag_keyframe+empty_moov+default_base_moof", ("-map", "1")),
    "sound, one index": ("dash+global_sidx+frag_keyframe", ("-map", "1")),
}
LATE = {
    "with sound": 0.08,
    "sound, one index": 0.08,
}  # seconds by which the picture begins after the sound, without an edit list
# where the third fragment is cut: in which of its boxes, and behind how much of it
CUTS = {
    "before the fragment": (b"moof", 0.0),
    "in its description": (b"moof", 0.5),
    "before its data": (b"mdat", 0.0),
    "in its data": (b"mdat", 0.8),
    "after its data": (b"mdat", 1.0),
}


UNEVEN = Fraction(1675, 69)  # what libav averages where frames are missing in between


def boxes(data: bytes) -> list[tuple[bytes, int, int]]:
    """(kind, start, end) of the outermost boxes."""
    found, place = [], 0
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        found.append((data[place + 4 : place + 8], place, place + size))
        place += size
    return found


@pytest.fixture(scope="module")
def fragmented(clip: ClipMaker, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("fragmented")
    made = {}
    for number, (name, (flags, maps)) in enumerate(LAYOUTS.items()):
        path = folder / f"{number}.mp4"
        sources = ("-i", clip("long.mp4"), "-i", clip("tone.m4a"), "-map", "0")
        run_ffmpeg(*sources, *maps, "-t", "4", "-c", "copy", "-movflags", flags, path)
        made[name] = path.read_bytes()
    return made


def cut(data: bytes, where: str) -> bytes:
    kind, part = CUTS[where]
    found = boxes(data)
    third = [place for place, box in enumerate(found) if box[0] == b"mdat"][2]
    _, start, end = found[third if kind == b"mdat" else third - 1]
    return data[: start + int((end - start) * part)]


@pytest.mark.parametrize("where", CUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_cut_off_file_has_the_frames_that_it_announces(
    layout: str, where: str, fragmented: dict[str, bytes], truth: FullDecode, tmp_path: Path
) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(cut(fragmented[layout], where))
    info = probe(path)
    if layout in ("one index", "sound, one index"):
        announced = 100
    elif where in ("before the fragment", "in its description"):
        announced = 60 if layout == "an index in each" else 40  # that index stands before the fragment
    else:
        announced = 60
    whole = {"in its data": 43, "after its data": 60}.get(where, 40)
    delay = LATE.get(layout, 0.0)
    assert (info.frames, info.rate) == (announced, 25)
    assert info.duration == pytest.approx(announced / 25 + delay, abs=1e-6)
    held = 0 if info.pts is None else len(info.pts)
    times = np.arange(whole) / 25 + delay
    np.testing.assert_allclose(info.times[: min(whole, held)], times, rtol=0, atol=1e-6)
    assert info.times[-1] == pytest.approx((announced - 1) / 25 + delay, abs=1e-6)

    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames[:whole]], truth("long.mp4")[:whole])
    assert len(warnings) == (len(frames) < announced)
    if where != "in its data":
        assert len(frames) == whole


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_whole_file_is_as_long_as_before(layout: str, fragmented: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "whole.mp4"
    path.write_bytes(fragmented[layout])
    info = probe(path)
    assert (info.frames, info.rate, info.without_index) == (100, 25, False)
    assert info.duration == pytest.approx(4.0 + LATE.get(layout, 0.0), abs=1e-6)


def test_frames_before_a_cut_off_description_come_in_any_order(
    fragmented: dict[str, bytes], truth: FullDecode, tmp_path: Path
) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(cut(fragmented["plain"], "in its description"))
    info = probe(path)
    assert info.without_index
    for indices in ([30, 39], [21], [0, 20]):
        frames, warnings = decode_plan(info, FramePlan(np.array(indices), 25.0))
        np.testing.assert_array_equal([frame.pixels for frame in frames], truth("long.mp4")[indices])
        assert warnings == []


def test_what_is_cut_off_is_said_once(fragmented: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(cut(fragmented["first samples in moov"], "before its data"))
    with open_video(path, SamplingOptions(fps=5.0, window=4)) as video:
        planned = video.plan.indices.tolist()
        first = [segment.plan.index for segment in video.read(range(video.total))]
        again = [segment.plan.index for segment in video.read(range(video.total))]
    assert planned == [0, 5, 11, 16, 21, 27, 32, 38, 43, 48, 54, 59]  # of 60
    assert first == again == [0, 1]
    (warning,) = video.warnings
    assert "(1.7 s to 2.4 s): 4 of 12 sampled frames are left out" in warning


# --- what is announced ---


def test_the_samples_are_counted_by_track(fragmented: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "two.mp4"
    path.write_bytes(fragmented["sound, one index"])
    video, sound = read_fragments(path, 1), read_fragments(path, 2)
    assert video is not None
    assert sound is not None
    assert video.frames == 100
    assert (video.seconds, video.indexed) == pytest.approx((4.0, 4.0), abs=1e-6)
    assert sound.frames > 160
    assert sound.seconds == pytest.approx(4.08, abs=0.05)
    assert read_fragments(path, 3) is None


def test_a_file_without_fragments_says_nothing(clip: ClipMaker) -> None:
    assert read_fragments(clip("h264.mp4"), 1) is None
    assert not ends_in_description(clip("h264.mp4"))
    assert not ends_in_description(clip("h264.mkv"))


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", len(body) + 8) + kind + body


def numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def film(*fragments: bytes, default: int = 40) -> bytes:
    """A track 7 with 1,000 ticks a second and no samples of its own."""
    tkhd, mdhd = box(b"tkhd", numbers(0, 0, 0, 7)), box(b"mdhd", numbers(0, 0, 0, 1000))
    trak = box(b"trak", tkhd, box(b"mdia", mdhd))
    return box(b"moov", trak, box(b"mvex", box(b"trex", numbers(0, 7, 1, default)))) + b"".join(fragments)


def fragment(tfhd: bytes, *truns: bytes) -> bytes:
    return box(b"moof", box(b"traf", box(b"tfhd", tfhd), *(box(b"trun", trun) for trun in truns)))


@pytest.mark.parametrize(
    ("fragments", "expected"),
    [
        ([fragment(numbers(0, 7), numbers(0, 25))], (25, 1.0, 0.0)),
        ([fragment(numbers(0, 8), numbers(0, 25))], (0, 0.0, 0.0)),  # another track
        ([fragment(numbers(0x8, 7, 20), numbers(0, 25), numbers(0, 25))], (50, 1.0, 0.0)),
        ([fragment(numbers(0xB, 7, 0, 0, 1, 20), numbers(0x5, 25, 0, 0))], (25, 0.5, 0.0)),
        ([fragment(numbers(8, 7, 20), numbers(0, 25)), fragment(numbers(0, 7), numbers(0, 5))], (30, 0.7, 0)),
        ([fragment(numbers(0, 7), numbers(0x301, 2, 0, 100, 5, 300, 5))], (2, 0.4, 0.0)),
        ([fragment(numbers(0, 7), numbers(0x301, 3, 0, 100, 5, 300, 5))], (0, 0.0, 0.0)),  # too short
        (
            [
                box(b"sidx", numbers(0, 7, 500, 99, 0, 3, 10, 1000, 0, 10, 500, 0, 1 << 31, 9999, 0)),
                fragment(numbers(0, 7), numbers(0, 25)),
            ],
            (25, 1.0, 3.0),
        ),
        (
            [
                box(b"sidx", numbers(1 << 24, 7, 500, 0, 99, 0, 0, 1, 10, 1000, 0)),
                fragment(numbers(0, 7), numbers(0, 25)),
            ],
            (25, 1.0, 2.0),
        ),
        ([box(b"sidx", numbers(0, 7, 0, 99, 0, 1, 10, 1000, 0)), fragment(numbers(0, 7))], (0, 0.0, 0.0)),
    ],
)  # fmt: skip
def test_what_fragments_announce(
    fragments: list[bytes], expected: tuple[int, float, float], tmp_path: Path
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(film(*fragments))
    assert read_fragments(path, 7) == pytest.approx(expected)


def test_only_a_description_that_is_cut_off_takes_the_index_away(
    fragmented: dict[str, bytes], tmp_path: Path
) -> None:
    whole = fragmented["plain"]
    kinds = [kind for kind, _, _ in boxes(whole)]
    assert kinds == [b"ftyp", b"moov", *[b"moof", b"mdat"] * 5, b"mfra"]
    path = tmp_path / "cut.mp4"
    for (kind, start, end), (following, _, _) in pairwise(boxes(whole)):
        for size in (start + 12, end - 1, end):
            path.write_bytes(whole[:size])
            assert ends_in_description(path) == (kind == b"moof" and size < end), (kind, following, size)


def test_the_rate_is_the_one_that_all_samples_have() -> None:
    assert Fragments(75, 3.0, 0.0).rate([UNEVEN, Fraction(25)]) == 25
    assert Fragments(75, 3.0, 0.0).rate([UNEVEN]) is None


def test_an_absurd_number_of_samples_is_not_believed() -> None:
    times = np.arange(10) / 25
    absurd = Fragments(1 << 40, (1 << 40) / 25, 0.0)
    assert len(absurd.beyond(times, UNEVEN, 0, 5_000_000)) == 0
