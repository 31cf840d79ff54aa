"""Damaged, mistaken and hostile files: an error, or a warning that counts, but no crash and no other file."""

import os
import random
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tempo_cli.config import SamplingOptions
from tempo_cli.errors import TempoError, UsageError, VideoError
from tempo_cli.plan.sampling import plan_frames
from tempo_cli.types import FramePlan, VideoInfo
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.probe import probe

from .clips import (
    FFMPEG,
    ClipMaker,
    FullDecode,
    complete_prefixes,
    decode_plan,
    every_frame,
    middle_prefix,
    run_ffmpeg,
)
from .conftest import Trap


def sampled(info: VideoInfo) -> FramePlan:
    return plan_frames(info.frames, float(info.rate), SamplingOptions(fps=10.0))


def reported_part(warning: str) -> tuple[float, float]:
    """The seconds that a warning names, of the first and of the last frame that is left out."""
    found = re.search(r"damaged \(([\d.]+) s to ([\d.]+) s\)", warning)
    assert found is not None, warning
    return float(found[1]), float(found[2])


# --- cut off ---


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "vp9.webm", "av1.mkv"])
@pytest.mark.parametrize("inside", [False, True], ids=["between packets", "inside a packet"])
def test_a_cut_off_video_keeps_what_is_there(
    name: str, inside: bool, clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    """The stored frames come out unharmed, and one warning counts the sampled ones that do not.

    A packet that is cut itself may still give a frame, or none.
    """
    stored, start, size = middle_prefix(clip(name))
    path = tmp_path / name
    path.write_bytes(clip(name).read_bytes()[: start + inside * size // 2])

    info = probe(path)
    assert info.frames == 50
    planned = sampled(info)
    frames, warnings = decode_plan(info, planned)

    whole = int((planned.indices < stored).sum())
    assert [frame.position for frame in frames] == list(range(len(frames)))
    assert whole <= len(frames) <= whole + inside
    np.testing.assert_array_equal(
        [frame.pixels for frame in frames[:whole]], truth(name)[planned.indices[:whole]]
    )
    missing = len(planned.indices) - len(frames)
    (warning,) = warnings
    assert f"{missing} of {len(planned.indices)} sampled frames are left out" in warning
    first, last = reported_part(warning)
    # a packet that is cut itself may be of a later frame: frames are not stored in order
    assert first == pytest.approx(planned.indices[len(frames)] / 25, abs=0.15 if inside else 0.051)
    assert last == pytest.approx(1.96, abs=0.15 if inside else 0.051)


@pytest.mark.parametrize("name", ["h264.ts", "h264.flv", "mpeg2.mpg", "fragmented.mp4", "mpeg4.avi"])
def test_a_cut_off_stream_keeps_what_is_there(
    name: str, clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    """These need not announce their length, so that a warning may be missing; the frames may not."""
    stored, start, _ = middle_prefix(clip(name))
    path = tmp_path / name
    path.write_bytes(clip(name).read_bytes()[:start])
    info = probe(path)
    frames, warnings = decode_plan(info, every_frame(info))
    safe = stored - 2  # MPEG-TS and -PS packets are not aligned with pictures
    np.testing.assert_array_equal([frame.pixels for frame in frames[:safe]], truth(name)[:safe])
    assert len(warnings) == (len(frames) < info.frames)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_cut_off_avi_is_not_silent(part: float, clip: ClipMaker, tmp_path: Path) -> None:
    """libav shortens its duration by what is missing; the count of frames in the header still stands."""
    whole = clip("mpeg4.avi").read_bytes()
    path = tmp_path / "cut.avi"
    path.write_bytes(whole[: int(len(whole) * part)])
    info = probe(path)
    assert info.frames == 50
    _, warnings = decode_plan(info, every_frame(info))
    assert len(warnings) == 1


def test_a_cut_off_video_without_its_index_is_an_error(clip: ClipMaker, tmp_path: Path) -> None:
    whole = clip("index_last.mp4").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VideoError):
        probe(path)


# --- damaged inside ---


def with_damage(source: Path, target: Path, where: float, kind: str) -> Path:
    """A copy in which a tenth of the bytes from `where` on are zeros or noise."""
    data = bytearray(source.read_bytes())
    start, size = int(len(data) * where), len(data) // 10
    data[start : start + size] = bytes(size) if kind == "zeros" else random.Random(7).randbytes(size)
    target.write_bytes(data[: source.stat().st_size])
    return target


@pytest.mark.parametrize("kind", ["zeros", "noise"])
@pytest.mark.parametrize("where", [0.0, 0.05, 0.45, 0.9])
@pytest.mark.parametrize(
    "name",
    ["h264.mp4", "h264.mkv", "h264.ts", "h264.flv", "vp9.webm", "mpeg4.avi", "fragmented.mp4", "uneven.gif"],
)
def test_damage_gives_frames_or_an_error_but_no_crash(
    name: str, where: float, kind: str, clip: ClipMaker, tmp_path: Path
) -> None:
    """What is left out is counted in one warning; nothing is left out without it."""
    path = with_damage(clip(name), tmp_path / name, where, kind)
    try:
        info = probe(path)
        planned = sampled(info)
        frames, warnings = decode_plan(info, planned)
    except VideoError:
        return
    positions = [frame.position for frame in frames]
    assert positions
    assert positions == sorted(set(positions))
    missing = len(planned.indices) - len(frames)
    if missing:
        (warning,) = warnings
        assert f"{missing} of {len(planned.indices)} sampled frames are left out" in warning
    else:
        assert warnings == []


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "vp9.webm", "mpeg4.avi"])
def test_frames_before_the_damage_are_unharmed(
    name: str, clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    path = clip(name)
    whole = max(n for n, start, _ in complete_prefixes(path) if start <= path.stat().st_size * 0.45)
    assert whole > 10
    info = probe(with_damage(path, tmp_path / name, 0.45, "noise"))
    frames, warnings = decode_plan(info, FramePlan(np.arange(whole), 25.0))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth(name)[:whole])
    assert warnings == []


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "h264.ts"])
def test_frames_after_the_damage_keep_their_times(
    name: str, clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    """A frame that can't be decoded is left out: the next one does not take its place."""
    info = probe(with_damage(clip(name), tmp_path / name, 0.4, "zeros"))
    planned = every_frame(info)
    frames, _ = decode_plan(info, planned)
    originals = {frame.tobytes(): index for index, frame in enumerate(truth(name))}
    times: dict[float, float] = {}  # true and told, where a frame is first seen: a damaged one may repeat it
    for frame in frames:
        index = originals.get(frame.pixels.tobytes())
        if index is not None:
            times.setdefault(index / 25, float(info.times[planned.indices[frame.position]]))
    assert len(times) > 15
    np.testing.assert_allclose(list(times.values()), list(times.keys()), rtol=0, atol=1e-6)


def test_a_stream_of_garbage_is_an_error(clip: ClipMaker, tmp_path: Path) -> None:
    """The container is whole, every packet is noise."""
    data = clip("h264.mp4").read_bytes()
    start = data.index(b"mdat") + 4
    path = tmp_path / "noise.mp4"
    path.write_bytes(data[:start] + random.Random(7).randbytes(len(data) - start))
    info = probe(path)
    assert info.frames == 50
    with pytest.raises(VideoError, match=r"no frame .* could be decoded") as caught:
        decode_plan(info, every_frame(info))
    assert "ffmpeg says" in caught.value.message
    assert "@ 0x" not in caught.value.message


@pytest.mark.parametrize("name", ["no_packets.mp4", "no_packets.mkv"])
def test_a_stream_without_packets_is_an_error(name: str, clip: ClipMaker) -> None:
    with pytest.raises(VideoError):
        probe(clip(name))


@pytest.mark.parametrize("size", [1, 7, 8, 100, 1000])
@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "h264.ts", "h264.flv", "uneven.gif"])
def test_a_file_of_few_bytes_is_a_video_or_an_error(
    name: str, size: int, clip: ClipMaker, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(clip(name).read_bytes()[:size])
    try:
        info = probe(path)
        frames, warnings = decode_plan(info, every_frame(info))
    except VideoError:
        return
    assert len(warnings) == (len(frames) < info.frames)


# --- no video at all ---


def error_of(path: Path) -> TempoError:
    with pytest.raises(TempoError) as caught:
        probe(path)
    assert caught.value.hint
    return caught.value


def test_a_missing_file(tmp_path: Path) -> None:
    error = error_of(tmp_path / "none.mp4")
    assert isinstance(error, VideoError)
    assert error.message == f"'{tmp_path / 'none.mp4'}' does not exist"


def test_a_file_used_as_a_folder(clip: ClipMaker) -> None:
    assert isinstance(error_of(clip("h264.mp4") / "movie.mp4"), VideoError)


@pytest.mark.parametrize("name", ["a\0b.mp4", "x" * 300 + ".mp4"], ids=["zero byte", "too long"])
def test_an_impossible_name(name: str, tmp_path: Path) -> None:
    assert isinstance(error_of(tmp_path / name), VideoError)


def test_a_folder(tmp_path: Path) -> None:
    error = error_of(tmp_path)
    assert isinstance(error, VideoError)
    assert error.message == f"'{tmp_path}' is a folder"


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    error = error_of(path)
    assert isinstance(error, VideoError)
    assert error.message == f"'{path}' is empty"


@pytest.mark.parametrize(
    "content",
    [b"Dear diary, " * 500, b"<html><body>404</body></html>", bytes(4096), random.Random(7).randbytes(4096)],
    ids=["text", "html", "zeros", "noise"],
)
def test_a_file_that_is_no_video(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "diary.mp4"
    path.write_bytes(content)
    assert isinstance(error_of(path), VideoError)


@pytest.mark.parametrize("name", ["tone.m4a", "tone_with_cover.m4a"])
def test_sound_alone(name: str, clip: ClipMaker) -> None:
    error = error_of(clip(name))
    assert isinstance(error, VideoError)
    assert error.message == f"'{clip(name)}' has no video stream"


@pytest.mark.parametrize("name", ["cover.jpg", "picture.png", "tone.mp3"])
@pytest.mark.parametrize("suffix", [None, ".mp4"])
def test_pictures_and_sound_files(name: str, suffix: str | None, clip: ClipMaker, tmp_path: Path) -> None:
    path = (tmp_path / name).with_suffix(suffix or Path(name).suffix)
    path.write_bytes(clip(name).read_bytes())
    assert isinstance(error_of(path), VideoError)


def test_a_numbered_picture_is_no_pattern_of_pictures(clip: ClipMaker, tmp_path: Path) -> None:
    for name in ("shot%03d.png", "shot001.png", "shot002.png"):
        (tmp_path / name).write_bytes(clip("picture.png").read_bytes())
    assert isinstance(error_of(tmp_path / "shot%03d.png"), VideoError)


def test_a_fifo_is_refused_without_opening_it(clip: ClipMaker, trap: Trap, tmp_path: Path) -> None:
    """To open one is to wait for a writer, perhaps forever."""
    path = tmp_path / "fifo.mp4"
    opened = trap(path, clip("h264.ts").read_bytes())
    error = error_of(path)
    assert not opened.is_set()
    assert isinstance(error, VideoError)
    assert error.message == f"'{path}' is not a regular file"


def test_a_device_is_refused() -> None:
    error = error_of(Path(os.devnull))
    assert isinstance(error, VideoError)
    assert error.message == f"'{os.devnull}' is not a regular file"


@pytest.mark.parametrize("method", ["stat", "open"])
def test_a_file_that_may_not_be_read(method: str, clip: ClipMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused here and not by the file's mode: root may read everything."""

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    path = clip("h264.mp4")
    with monkeypatch.context() as patched:
        patched.setattr(Path, method, refuse)
        with pytest.raises(VideoError) as caught:
            probe(path)
    assert caught.value.message == f"'{path}' may not be read"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.mp4",
        "https://example.com/a.mp4",
        "rtsp://example.com/a",
        "HTTPS://example.com/a.mp4",
        "rtmp://example.com/a",
        "ftp://example.com/a.mp4",
        "s3://bucket/a.mp4",
        "file:///a.mp4",
    ],
)
def test_a_url(url: str) -> None:
    error = error_of(Path(url))
    assert isinstance(error, UsageError)
    assert "is a URL" in error.message


# --- names ---

NAMES = [
    "two words.mp4",
    'it\'s "quoted".mp4',
    "100%.mp4",
    "shot%03d.mp4",
    "-i.mp4",
    "--help",
    "c:d.mp4",
    "concat:a.mp4|b.mp4",
    "pipe:0",
    "two\nlines.mp4",
    "back\\slash.mp4",
    "$(touch pwned); `touch pwned`.mp4",
    "[1,2]={3}.mp4",
    "Übung 視频 🎬.mp4",
    os.fsdecode(b"not utf-8 \xff.mp4"),
    "no_suffix",
    "wrong.txt",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_any_name_is_only_a_name(
    name: str,
    relative: bool,
    clip: ClipMaker,
    truth: FullDecode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name) if relative else tmp_path / name
    path.write_bytes(clip("frames_3.mp4").read_bytes())
    info = probe(path)
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth("frames_3.mp4"))
    assert warnings == []
    assert [found.name for found in tmp_path.iterdir()] == [name]


# --- files that name other files ---

HLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n"
DASH = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4">
<Representation id="0" bandwidth="1000" width="160" height="90"><BaseURL>{target}</BaseURL><SegmentBase/>
</Representation></AdaptationSet></Period></MPD>
"""
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns={target}\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
XSPF = """<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList>
<track><location>{target}</location></track></trackList></playlist>"""

# those that ffmpeg follows: script, its name, the file that it names
FOLLOWED = {
    "hls": (HLS, "list.m3u8", "h264.ts"),
    "ffconcat": ("ffconcat version 1.0\nfile '{target}'\n", "list.mp4", "h264.ts"),
    "dash": (DASH, "list.mp4", "fragmented.mp4"),
    "dash by name": (DASH, "list.mpd", "fragmented.mp4"),
}
NOT_FOLLOWED = {
    "hls in disguise": (HLS, "list.mp4", "h264.ts"),
    "sdp": (SDP, "list.mp4", "h264.ts"),
    "sdp by name": (SDP, "list.sdp", "h264.ts"),
    "xspf": (XSPF, "list.mp4", "h264.ts"),
    "m3u": ("{target}\n", "list.m3u", "h264.ts"),
}
SCRIPTS = FOLLOWED | NOT_FOLLOWED


@pytest.fixture
def write_script(tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """Write a script of `SCRIPTS`; returns its path and the path that it names."""

    def write(kind: str) -> tuple[Path, Path]:
        text, name, target = SCRIPTS[kind]
        path = tmp_path / name
        path.write_text(text.format(target=target), encoding="utf-8")
        return path, tmp_path / target

    return write


@pytest.mark.parametrize("kind", FOLLOWED)
def test_ffmpeg_alone_would_follow(
    kind: str, clip: ClipMaker, trap: Trap, write_script: Callable[[str], tuple[Path, Path]]
) -> None:
    """Otherwise the next tests would prove nothing: the script works, and the trap sees it."""
    path, target = write_script(kind)
    target.write_bytes(clip(target.name).read_bytes())
    assert run_ffmpeg("-i", path, "-f", "framehash", "-").count(b"\n0,") == 50
    target.unlink()
    opened = trap(target, clip(target.name).read_bytes())
    run_ffmpeg("-i", path, "-frames:v", "1", "-f", "null", "-")
    assert opened.is_set()


@pytest.mark.parametrize("kind", SCRIPTS)
def test_the_probe_follows_no_script(
    kind: str, clip: ClipMaker, trap: Trap, write_script: Callable[[str], tuple[Path, Path]]
) -> None:
    path, target = write_script(kind)
    opened = trap(target, clip(target.name).read_bytes())
    assert isinstance(error_of(path), VideoError)
    assert not opened.is_set()


@pytest.mark.parametrize("kind", SCRIPTS)
def test_the_decoder_follows_no_script(
    kind: str, clip: ClipMaker, trap: Trap, write_script: Callable[[str], tuple[Path, Path]]
) -> None:
    """A file may have been exchanged since it was probed."""
    path, target = write_script(kind)
    opened = trap(target, clip(target.name).read_bytes())
    info = VideoInfo(path, 0, "h264", 160, 90, Fraction(25), np.arange(50) / 25, 2.0, 1000, 0.0)
    with pytest.raises(VideoError):
        decode_plan(info, every_frame(info))
    assert not opened.is_set()


def test_a_long_tail_of_zeros_is_named(clip: ClipMaker, tmp_path: Path) -> None:
    """As copying a recording that was not finished leaves; ffmpeg looks for pictures in all of it."""
    path = tmp_path / "zeros.ts"
    path.write_bytes(clip("h264.ts").read_bytes())
    try:
        os.truncate(path, 200 << 30)
    except OSError:
        pytest.skip("no sparse files here")
    info = probe(path)
    with (
        FrameDecoder(info, every_frame(info), FFMPEG, pytest.fail, stall=1.0) as decoder,
        pytest.raises(VideoError) as caught,
    ):
        list(decoder.frames())
    assert caught.value.message == f"'{path}' ends in zeros, in which ffmpeg finds no picture within 2 s"
    assert caught.value.hint == "It was not written to its end: cut the zeros off, or copy it again."
