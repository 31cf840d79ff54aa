"""Parts of videos as files: their first and last picture, their sound, and what is left when it is killed."""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tempo_cli.errors import SetupError, UsageError, VideoError
from tempo_cli.types import Pixels
from tempo_cli.video.cutting import Clip, Cutter
from tempo_cli.video.isolated import probe

from .clips import COPY, FFMPEG, H264, PASSTHROUGH, RECIPES, ClipMaker, FullDecode, run_ffmpeg

KINDS = (
    "h264.mp4", "h264.mkv", "h264.ts", "hevc.mp4", "vp9.webm", "uneven.mp4", "uneven.mkv", "rotated_90.mp4",
    "late_1.mkv", "late_start.mp4", "open_gop.ts", "mpeg2.mpg",
)  # fmt: skip
FIRST, AFTER = 7, 16


def pictures(path: Path, size: tuple[int, int]) -> Pixels:
    """Every picture of a clip, as ffmpeg shows it."""
    raw = run_ffmpeg("-i", path, "-map", "0:v", *PASSTHROUGH, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0], 3)


def nearest(picture: Pixels, among: Pixels) -> tuple[int, float]:
    """Which one of `among` is most like a picture, and how far it is, levels."""
    errors = np.abs(among.astype(np.int16) - picture).mean(axis=(1, 2, 3))
    return int(errors.argmin()), float(errors.min())


@pytest.mark.parametrize("name", KINDS)
def test_encoded_anew_it_has_exactly_the_asked_pictures_at_their_times(
    name: str, clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    info, source = probe(clip(name)), truth(name)
    start, end = float(info.times[FIRST]), float(info.times[AFTER])
    made = Cutter(info, copy=False, ffmpeg=FFMPEG).cut(start, end, tmp_path / "a.mp4", force=False)
    found = pictures(tmp_path / "a.mp4", RECIPES[name].size)
    assert len(found) == made.pictures == AFTER - FIRST
    for place, index in ((0, FIRST), (-1, AFTER - 1)):
        at, error = nearest(found[place], source)
        assert (at, error < 6) == (index, True)
    assert made.begins == start
    assert made.ends == pytest.approx(end, abs=0.045)
    written = probe(tmp_path / "a.mp4")
    expected = info.times[FIRST:AFTER] - info.times[FIRST]
    assert np.abs(written.times - written.times[0] - expected).max() < 1.1e-3
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    "name",
    ["h264.mp4", "h264.mkv", "h264.flv", "h264.ts", "hevc.mp4", "vp9.webm", "rotated_90.mp4",
     "rotated_90.mkv", "uneven.mp4", "uneven.mkv", "late_start.mp4", "late_1.mkv", "open_gop.ts",
     "mpeg2.mpg"],
)  # fmt: skip
def test_copied_it_begins_at_the_keyframe_before_and_loses_nothing(
    name: str, clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    info, source = probe(clip(name)), truth(name)
    keyframe = max(place for place, _ in info.keyframes if place <= len(info.times) - 5)
    first, after = keyframe + 2, min(keyframe + 12, len(info.times) - 1)
    cutter = Cutter(info, copy=True, ffmpeg=FFMPEG)
    path = tmp_path / f"a{cutter.ending}"
    made = cutter.cut(float(info.times[first]), float(info.times[after]), path, force=False)
    found = pictures(path, RECIPES[name].size)
    begun = int(np.flatnonzero(info.times == made.begins)[0])
    assert begun == keyframe
    assert (found[: after - begun] == source[begun:after]).all()
    assert made.ends >= info.times[after] - 1e-3


@pytest.mark.parametrize("kind", ["mkv", "mp4", "flv"])
def test_a_picture_that_does_not_change_does_not_hide_where_a_copy_begins(kind: str, tmp_path: Path) -> None:
    still = tmp_path / f"still.{kind}"
    run_ffmpeg("-f", "lavfi", "-i", "color=gray:size=64x64:rate=25:duration=4", *H264, still)
    cutter = Cutter(probe(still), copy=True, ffmpeg=FFMPEG)
    path = tmp_path / f"part{cutter.ending}"
    made = cutter.cut(2.5, 3.2, path, force=False)
    assert (made.begins, probe(path).frames) == (2.4, pytest.approx(20, abs=3))


def test_a_copy_that_begins_elsewhere_is_named_after_that_moment(
    clip: ClipMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempo_cli.video.cutting._FURTHER_BACK", 0)
    cutter = Cutter(probe(clip("h264.mkv")), copy=True, ffmpeg=FFMPEG)
    made = cutter.cut(
        1.7, 1.9, tmp_path / "1.6.mkv", force=False, renamed=lambda begins: tmp_path / f"{begins}.mkv"
    )
    assert made.begins == 0.8
    assert [path.name for path in tmp_path.iterdir()] == ["0.8.mkv"]


@pytest.fixture(scope="session")
def beeps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s: white and two tones for 0.2 s at every second, with a place and a chapter in its metadata."""
    path = tmp_path_factory.mktemp("beeps") / "beeps.mp4"
    flash = "color=black:size=64x64:rate=25:duration=4,geq=lum='if(lt(mod(T,1),0.2),235,16)':cb=128:cr=128"
    tone = "aevalsrc='if(lt(mod(t,1),0.2),0.8*sin({0}*t),0)':d=4:s=48000"
    inputs = (
        "-f",
        "lavfi",
        "-i",
        flash,
        "-f",
        "lavfi",
        "-i",
        tone.format(6000),
        "-f",
        "lavfi",
        "-i",
        tone.format(3000),
    )
    maps = (
        "-map",
        "0",
        "-map",
        "1",
        "-map",
        "2",
        "-metadata",
        "location=+48.1+011.5/",
        "-metadata",
        "title=secret",
    )
    run_ffmpeg(*inputs, *maps, *H264, "-c:a", "aac", path)
    return path


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
@pytest.mark.parametrize("copy", [False, True])
def test_sound_is_in_time_and_metadata_is_gone(copy: bool, kind: str, beeps: Path, tmp_path: Path) -> None:
    video = beeps.with_suffix(f".{kind}")
    if not video.exists():
        run_ffmpeg("-i", beeps, *COPY, video)
    cutter = Cutter(probe(video), copy, FFMPEG)
    path = tmp_path / f"a{cutter.ending}"
    made = cutter.cut(0.84, 3.0, path, force=False)
    info = probe(path)
    assert info.tracks.sound == 2
    white = pictures(path, (64, 64)).mean(axis=(1, 2, 3)) > 100
    flashes = info.times[1:][white[1:] & ~white[:-1]]
    decoding = ("-map", "0:a:1", "-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", "8000")
    raw = run_ffmpeg("-i", path, *decoding, "-f", "s16le", "-")
    loud = np.abs(np.frombuffer(raw, np.int16).astype(int)) > 8000
    quiet_before = np.array([not loud[max(0, at - 400) : at].any() for at in np.flatnonzero(loud)])
    beginnings = np.flatnonzero(loud)[quiet_before] / 8000
    flashes = flashes[made.begins + flashes < 2.9]  # a copied one may end with a picture from later on
    for flash in flashes:
        assert np.abs(beginnings - flash).min() < 0.04
    assert len(flashes) == 2
    assert made.begins + flashes[0] - info.times[0] == pytest.approx(1.0, abs=1e-3)
    assert b"+48.1" not in path.read_bytes()
    assert b"secret" not in path.read_bytes()


def test_a_part_at_the_end_and_one_without_length(clip: ClipMaker, tmp_path: Path) -> None:
    info = probe(clip("h264.mp4"))
    cutter = Cutter(info, copy=False, ffmpeg=FFMPEG)
    assert cutter.cut(1.8, 99.0, tmp_path / "a.mp4", force=False) == Clip(
        1.8, pytest.approx(2.0, abs=1e-3), 5
    )
    assert cutter.cut(1.0, 1.0, tmp_path / "b.mp4", force=False).pictures == 1
    assert cutter.cut(50.0, 60.0, tmp_path / "c.mp4", force=False).pictures == 1
    with pytest.raises(UsageError, match="exists"):
        cutter.cut(0.0, 1.0, tmp_path / "a.mp4", force=False)
    assert cutter.cut(0.0, 0.2, tmp_path / "a.mp4", force=True).pictures == 5


def test_odd_sizes_and_streams_without_times(clip: ClipMaker, tmp_path: Path) -> None:
    info = probe(clip("odd_size.mp4"))
    assert Cutter(info, False, FFMPEG).cut(0.4, 0.8, tmp_path / "a.mp4", force=False).pictures == 10
    written = probe(tmp_path / "a.mp4")
    assert (written.width, written.height) == (322, 182)
    raw = probe(clip("h264.h264"))
    assert Cutter(raw, False, FFMPEG).cut(0.4, 0.8, tmp_path / "b.mp4", force=False).pictures == 10
    if raw.pts is None:
        with pytest.raises(VideoError, match="can be cut"):
            Cutter(raw, True, FFMPEG)


def test_what_can_not_be_cut(clip: ClipMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VideoError, match=r"timestamps of .* restart"):
        Cutter(probe(clip("longer_last.ts")), copy=False, ffmpeg=FFMPEG)
    info = probe(clip("h264.mp4"))
    with pytest.raises(SetupError, match="can't be written"):
        Cutter(info, False, FFMPEG).cut(0.0, 1.0, tmp_path / "no" / "a.mp4", force=False)
    monkeypatch.setattr("tempo_cli.video.cutting._encoders", lambda _: frozenset({"aac"}))
    with pytest.raises(SetupError, match="no encoder libx264") as raised:
        Cutter(info, copy=False, ffmpeg=FFMPEG)
    assert "`copy=True`" in raised.value.hint
    Cutter(info, copy=True, ffmpeg=FFMPEG)


def test_a_full_disk_is_no_fault_of_the_video(clip: ClipMaker, tmp_path: Path) -> None:
    full = tmp_path / "ffmpeg"
    full.write_text("#!/bin/sh\necho 'Error submitting a packet: No space left on device' >&2\nexit 228\n")
    full.chmod(0o755)
    cutter = Cutter(probe(clip("h264.mp4")), copy=True, ffmpeg=FFMPEG)
    cutter._binary = str(full)
    with pytest.raises(SetupError, match=r"a\.mp4' can't be written: No space left on device"):
        cutter.cut(0.0, 1.0, tmp_path / "a.mp4", force=False)
    assert not (tmp_path / "a.mp4").exists()


CUT = """
import sys
from tempo_cli.video.cutting import Cutter
from tempo_cli.video.isolated import probe
from pathlib import Path
cutter = Cutter(probe(sys.argv[1]), False)
print("ready", flush=True)
for number in range(100):
    cutter.cut(0.5, 1.5, Path(sys.argv[2]) / f"{number}.mp4", False)
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="needs files without names")
def test_killed_at_any_moment_it_leaves_only_whole_files(clip: ClipMaker, tmp_path: Path) -> None:
    moments, source = random.Random(1), clip("h264.mp4")

    def kill(number: int, seconds: float) -> list[Path]:
        folder = tmp_path / str(number)
        folder.mkdir()
        process = subprocess.Popen([sys.executable, "-c", CUT, source, folder], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        return list(folder.iterdir())

    with ThreadPoolExecutor(4) as pool:
        left = list(pool.map(kill, range(20), [moments.uniform(0.0, 1.0) for _ in range(20)]))
    assert any(left)
    for path in (path for paths in left for path in paths):
        assert path.suffix == ".mp4"
        assert path.stem.isdecimal()
    for path in (paths[-1] for paths in left if paths):
        assert probe(path).frames == 25
