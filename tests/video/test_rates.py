"""Frame rates in headers: where frames are even, their timestamps decide; else libav's average stays."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tempo_cli.config import SamplingOptions
from tempo_cli.plan.sampling import plan_frames
from tempo_cli.plan.segments import plan_segment
from tempo_cli.video.probe import probe

from .clips import H264, PASSTHROUGH, decode_plan, run_ffmpeg, source

_DEFAULT_DURATION = b"\x23\xe3\x83\x84"


@pytest.fixture(scope="module")
def twenty_seconds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """20 s at 25 frames per second."""
    folder = tmp_path_factory.mktemp("rates")
    run_ffmpeg(*source(20, "32x32"), *H264, folder / "clip.mkv")
    run_ffmpeg("-i", folder / "clip.mkv", "-c", "copy", folder / "clip.flv")
    return lambda suffix: folder / f"clip.{suffix}"


def with_rate(data: bytes, suffix: str, rate: float) -> bytes:
    changed = bytearray(data)
    if suffix == "flv":
        struct.pack_into(">d", changed, data.index(b"framerate") + 10, rate)
    else:
        struct.pack_into(">I", changed, data.index(_DEFAULT_DURATION) + 4, round(1e9 / rate))
    return bytes(changed)


@pytest.mark.parametrize(
    "rate", [8.0, 12.5, 13.0, 16.95, 20.0, 24.0, 25.0, 26.0, 30.0, 37.5, 49.0, 50.0, 100.0]
)
@pytest.mark.parametrize("suffix", ["mkv", "flv"])
def test_the_timestamps_decide(
    suffix: str, rate: float, twenty_seconds: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / f"wrong.{suffix}"
    path.write_bytes(with_rate(twenty_seconds(suffix).read_bytes(), suffix, rate))
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == pytest.approx(rate, rel=1e-3)
    info = probe(path)
    assert (info.frames, info.rate) == (500, 25)
    assert info.duration == pytest.approx(20.0, abs=1e-9)
    planned = plan_frames(info.frames, float(info.rate), SamplingOptions())
    assert len(planned.indices) == 40
    assert plan_segment(planned, range(32, 40), 8, 2).time == pytest.approx(18.0, abs=1e-9)
    frames, warnings = decode_plan(info, planned)
    assert len(frames) == 40
    assert warnings == []


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(60)])
@pytest.mark.parametrize("suffix", ["mkv", "flv", "ts", "mp4", "avi"])
def test_a_rate_that_agrees_stays_a_fraction(suffix: str, rate: Fraction, tmp_path: Path) -> None:
    """Timestamps may be as coarse as milliseconds."""
    path = tmp_path / f"broken.{suffix}"
    run_ffmpeg("-f", "lavfi", "-i", f"testsrc2=size=64x64:rate={rate}:duration=3", *H264, path)
    with av.open(str(path)) as container:
        assert probe(path).rate == container.streams.video[0].average_rate == pytest.approx(rate, rel=1e-3)


def test_a_long_last_frame_counts_in_the_average(tmp_path: Path) -> None:
    """Its duration is in the file, and in the reference's rate."""
    path = tmp_path / "long_end.mp4"
    longer = ("-c", "copy", "-bsf:v", "setts=duration='if(eq(N,49),20*DURATION,DURATION)'")
    run_ffmpeg(*source(2, "64x64"), *H264, "-bf", "0", tmp_path / "even.mp4")
    run_ffmpeg("-i", tmp_path / "even.mp4", *longer, path)
    with av.open(str(path)) as container:
        average = container.streams.video[0].average_rate
    assert average is not None
    assert average < 20
    assert probe(path).rate == average


def test_frames_that_are_missing_here_and_there_do_not_make_a_video_uneven(
    tmp_path: Path,
) -> None:
    """Nineteen of twenty frames: 23.75 per second."""
    path = tmp_path / "dropped.mkv"
    run_ffmpeg(*source(20, "32x32"), "-vf", "select='mod(n,20)'", *PASSTHROUGH, *H264, path)
    path.write_bytes(with_rate(path.read_bytes(), "mkv", 50))
    info = probe(path)
    assert info.frames == 475
    assert float(info.rate) == pytest.approx(23.75, rel=0.005)
    np.testing.assert_allclose(info.times[[0, -1]], [0, 19.92], atol=1e-9)
