"""Frames that are only there for others to refer to are no frames: counts and times are ffmpeg's."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_cli.types import FramePlan
from tempo_cli.video.probe import probe
from tempo_cli.video.shown import shown_frames

from .clips import PASSTHROUGH, Recipe, decode_all, decode_plan, every_frame, run_ffmpeg, source

SIZE = (96, 54)
COMMON = ("-auto-alt-ref", "1", "-lag-in-frames", "25", "-deadline", "good", "-cpu-used", "5", "-b:v", "200k")
ENCODERS = {
    "vp8": ("-c:v", "libvpx", *COMMON),
    "vp9": ("-c:v", "libvpx-vp9", *COMMON),
    "vp9_layers": ("-c:v", "libvpx-vp9", *COMMON, "-auto-alt-ref", "6"),  # with show_existing_frame
    "groups_vp8": ("-c:v", "libvpx", *COMMON, "-g", "20", "-keyint_min", "20"),
    "av1": ("-c:v", "libsvtav1", "-preset", "11"),
}
# one packet for each frame, those that are not shown included
SPLIT = {
    "vp9": ("-bsf:v", "vp9_superframe_split", "-fflags", "-autobsf"),
    "av1": ("-bsf:v", "av1_frame_split", "-fflags", "-autobsf"),
}
# clip: whether packets are split, and in which containers
CLIPS = [
    *(("vp8", False, suffix) for suffix in ("webm", "mkv", "ivf")),
    *(("vp9", False, suffix) for suffix in ("webm", "mp4", "ivf")),
    *(("vp9", True, suffix) for suffix in ("webm", "mkv", "ivf")),
    *(("vp9_layers", True, suffix) for suffix in ("webm", "mkv", "ivf")),
    *(("av1", False, suffix) for suffix in ("mp4", "mkv", "ivf", "obu")),
    *(("av1", True, suffix) for suffix in ("mkv", "mp4", "ivf")),
]
Maker = Callable[[str, bool, str], Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """A clip of 100 frames, encoded in two passes where the encoder has them: one hides no frames."""
    folder = tmp_path_factory.mktemp("hidden")

    @cache
    def encode(kind: str) -> Path:
        path, encoder = folder / f"{kind}.mkv", (*source(4, "96x54"), *ENCODERS[kind])
        if kind == "av1":
            run_ffmpeg(*encoder, path)
            return path
        for number, target in (("1", ("-f", "null", "-")), ("2", (path,))):
            run_ffmpeg(*encoder, "-pass", number, "-passlogfile", folder / kind, *target)
        return path

    @cache
    def make(kind: str, split: bool, suffix: str) -> Path:
        path = folder / f"{kind}_{split}.{suffix}"
        run_ffmpeg("-i", encode(kind), "-c", "copy", *(SPLIT[kind[:3]] if split else ()), path)
        return path

    return make


def ffmpegs_times(path: Path) -> list[float]:
    """Seconds from the first frame, of every frame that ffmpeg outputs."""
    output = (*PASSTHROUGH, "-copyts", "-enc_time_base", "demux", "-f", "framehash", "-")
    lines = run_ffmpeg("-i", path, *output).decode().splitlines()
    (tick,) = (line.split(": ")[1].split("/") for line in lines if line.startswith("#tb 0"))
    pts = [int(line.split(",")[2]) for line in lines if not line.startswith("#")]
    return [(one - pts[0]) * int(tick[0]) / int(tick[1]) for one in pts]


def packets(path: Path) -> list[int]:
    """How many frames each packet shows."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context
        name = codec.codec.canonical_name
        return [shown_frames(name, one, codec.extradata) for one in container.demux(stream) if one.size]


@pytest.mark.parametrize(("kind", "split", "suffix"), CLIPS)
def test_frames_and_times_are_ffmpegs(kind: str, split: bool, suffix: str, made: Maker) -> None:
    path = made(kind, split, suffix)
    info, expected = probe(path), decode_all(path, Recipe((), SIZE))
    assert info.frames == len(expected) == 100
    np.testing.assert_allclose(info.times, ffmpegs_times(path), rtol=0, atol=1e-6)
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], expected)
    assert warnings == []


def test_the_clips_have_what_is_tested(made: Maker) -> None:
    """Packets that show nothing, superframes, and frames shown by reference."""
    for kind in ("vp8", "vp9", "vp9_layers", "av1"):
        shown = packets(made(kind, kind != "vp8", "mkv"))
        assert set(shown) == {0, 1}
        assert sum(shown) == 100
    with av.open(str(made("vp9", False, "mkv"))) as container:
        assert any(bytes(packet)[-1] >> 5 == 0b110 for packet in container.demux() if packet.size)
    with av.open(str(made("vp9_layers", True, "mkv"))) as container:
        assert any(
            bytes(packet)[0] & 0b1111_1000 == 0b1000_1000 for packet in container.demux() if packet.size
        )


@pytest.mark.parametrize("suffix", ["webm", "mkv", "ivf"])
@pytest.mark.parametrize("indices", [[57, 58, 99], [83, 91], [96], [60, 60, 61]], ids=str)
def test_decoding_from_a_keyframe_changes_no_frame(suffix: str, indices: list[int], made: Maker) -> None:
    path = made("groups_vp8", False, suffix)
    frames, warnings = decode_plan(probe(path), FramePlan(np.array(indices), 1.0))
    expected = decode_all(path, Recipe((), SIZE))[indices]
    np.testing.assert_array_equal([frame.pixels for frame in frames], expected)
    assert warnings == []


# --- headers, bit by bit ---


def shown(codec: str, data: bytes, extradata: bytes | None = None) -> int:
    return shown_frames(codec, av.Packet(data), extradata)


def test_other_codecs_show_every_packet() -> None:
    assert shown("h264", b"\x00") == 1


@pytest.mark.parametrize(("first", "count"), [(0x10, 1), (0x11, 1), (0x01, 0), (0x00, 0), (0xEF, 0)])
def test_vp8_show_frame(first: int, count: int) -> None:
    assert shown("vp8", bytes([first, 0, 0])) == count


@pytest.mark.parametrize(
    ("first", "count"),
    [
        (0b10_00_0_0_1_0, 1),  # key frame, shown
        (0b10_00_0_1_1_0, 1),
        (0b10_00_0_1_0_0, 0),
        (0b10_00_1_111, 1),  # show_existing_frame
        (0b10_10_0_1_0_0, 0),  # profile 1
        (0b10_11_0_0_1_0, 0),  # profile 3: a reserved bit, then the same
        (0b10_11_0_0_1_1, 1),
        (0b10_11_0_1_0_0, 1),
        (0b01_00_0_1_0_0, 1),  # no VP9
    ],
)
def test_vp9_uncompressed_header(first: int, count: int) -> None:
    assert shown("vp9", bytes([first, 0, 0])) == count


def superframe(*frames: bytes, width: int = 1) -> bytes:
    marker = bytes([0b110_00_000 | width - 1 << 3 | len(frames) - 1])
    sizes = b"".join(len(frame).to_bytes(width, "little") for frame in frames)
    return b"".join(frames) + marker + sizes + marker


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_vp9_superframes(width: int) -> None:
    hidden, visible = b"\x84hidden", b"\x86visible"
    assert shown("vp9", superframe(hidden, visible, width=width)) == 1
    assert shown("vp9", superframe(hidden, width=width)) == 0
    assert shown("vp9", superframe(hidden, hidden, b"\x88", width=width)) == 1
    assert shown("vp9", superframe(visible, hidden, visible, width=width)) == 2
    assert shown("vp9", superframe(hidden, visible, width=width)[6:]) == 1  # its sizes are beyond the packet


def obu(kind: int, payload: bytes, layer: int | None = None, sized: bool = True) -> bytes:
    extension = b"" if layer is None else bytes([layer << 3])
    size = bytes([len(payload) | 0x80, 0]) if sized else b""  # leb128, two bytes long
    return bytes([kind << 3 | (layer is not None) << 2 | sized << 1]) + extension + size + payload


SEQUENCE, STILL = obu(1, b"\x00\x00"), obu(1, b"\x18\x00")
EXISTING, HIDDEN, VISIBLE = b"\x80\x00", b"\x20\x00", b"\x30\x00"


@pytest.mark.parametrize(
    ("units", "count"),
    [
        (SEQUENCE + obu(6, VISIBLE), 1),
        (obu(2, b"") + obu(6, HIDDEN), 0),
        (obu(3, HIDDEN) + obu(4, b"tiles"), 0),
        (obu(3, HIDDEN) + obu(7, VISIBLE), 0),  # a redundant header is no second frame
        (obu(6, HIDDEN) + obu(6, HIDDEN) + obu(3, EXISTING), 1),
        (obu(6, HIDDEN) + obu(6, VISIBLE, sized=False), 1),
        (obu(6, VISIBLE, layer=0) + obu(6, VISIBLE, layer=1), 1),  # one is output
        (obu(6, VISIBLE) + obu(3, EXISTING), 2),
        (STILL + obu(6, b"\x00"), 1),
        (obu(5, b"metadata"), 1),  # no frame at all: in doubt
    ],
)
def test_av1_frame_headers(units: bytes, count: int) -> None:
    assert shown("av1", units) == count


def test_av1_still_picture_by_the_streams_header() -> None:
    assert shown("av1", obu(6, b"\x00"), b"\x81\x00\x00\x00" + STILL) == 1
    assert shown("av1", obu(6, b"\x00"), b"\x81\x00\x00\x00" + SEQUENCE) == 0


@given(codec=st.sampled_from(["vp8", "vp9", "av1"]), data=st.binary(min_size=1), extradata=st.binary())
def test_no_bytes_are_an_error(codec: str, data: bytes, extradata: bytes) -> None:
    assert 0 <= shown(codec, data, extradata) <= len(data)
