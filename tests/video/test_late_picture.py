"""A picture that begins after the sound: times are a player's, the model's times and the frames stay."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tempo_cli.config import SamplingOptions
from tempo_cli.errors import UsageError
from tempo_cli.plan.clock import clock_warnings
from tempo_cli.plan.sampling import plan_sampling
from tempo_cli.plan.segments import plan_segment, segment_span
from tempo_cli.video.opened import open_video
from tempo_cli.video.probe import probe

from .clips import LATE, ClipMaker, FullDecode, decode_plan, every_frame, middle_prefix

SHIFTED = [name for name in LATE if "-" not in name]


def lateness(name: str) -> float:
    """In MPEG-TS the sound also begins 11 ms earlier: its codec's delay."""
    return int(name[5]) + 0.010911 * name.endswith("ts")


def source_of(name: str) -> str:
    return "vp8.webm" if name.endswith("webm") else "h264.mp4"


@pytest.mark.parametrize("name", SHIFTED)
def test_times_are_those_of_a_player(name: str, clip: ClipMaker, truth: FullDecode) -> None:
    info = probe(clip(name))
    assert info.rate == 25
    np.testing.assert_allclose(info.times, lateness(name) + np.arange(50) / 25, rtol=0, atol=1e-6)
    assert info.duration == pytest.approx(lateness(name) + 2, abs=1e-6)
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth(source_of(name)))
    assert warnings == []


@pytest.mark.parametrize("name", [name for name in LATE if "-" in name])
def test_a_picture_that_begins_before_the_sound_begins_at_zero(name: str, clip: ClipMaker) -> None:
    info = probe(clip(name))
    np.testing.assert_allclose(info.times, np.arange(50) / 25, rtol=0, atol=1e-9)
    assert info.duration == pytest.approx(2.0, abs=1e-9)
    assert clock_warnings(info, "index") == ()


@pytest.mark.parametrize("name", ["late_1.mkv", "late_5.mp4", "late_8.ts"])
def test_the_model_s_frames_and_times_do_not_change(name: str, clip: ClipMaker) -> None:
    late, info, usual = lateness(name), probe(clip(name)), probe(clip("h264.mp4"))
    sampled, expected = (plan_sampling(one, SamplingOptions(window=2)) for one in (info, usual))
    assert sampled.plan.indices.tolist() == expected.plan.indices.tolist()
    assert (sampled.plan.origin, sampled.plan.fps) == (0.0, expected.plan.fps)
    for first in (0, 2):
        segments = [plan_segment(one.plan, range(first, first + 2), 2, 2) for one in (sampled, expected)]
        assert segments[0] == segments[1]
    spans = [segment_span(sampled.plan, index, 2, info.times, sampled.end) for index in (0, 1)]
    np.testing.assert_allclose(spans, [(late, late + 1.32), (late + 1.32, late + 2)], atol=1e-6)
    assert (sampled.start, sampled.end) == (info.times[0], info.duration)


def test_a_part_is_counted_as_a_player_counts(clip: ClipMaker) -> None:
    part = SamplingOptions(fps=25, start=5.4, end=6.0)
    with open_video(clip("late_5.mkv"), part) as video:
        assert video.plan.indices.tolist() == list(range(10, 25))
        assert (video.start, video.end) == pytest.approx((5.4, 6.0))
        assert video.plan.origin == pytest.approx(0.4)  # the model's
        assert video.warnings == [
            "the picture starts 5.0 s into the file, and the model counts from there: times in an answer's "
            "text are 5.0 s too early; all other times match a player's"
        ]
    with open_video(clip("late_5.mkv"), replace(part, mode="time")) as video:
        assert video.plan.indices.tolist() == list(range(10, 25))
        assert video.plan.origin == 5.4  # true, and said to be
        assert video.warnings == []
    whole = plan_sampling(probe(clip("late_5.mkv")), SamplingOptions(mode="time"))
    assert (whole.start, whole.end, whole.plan.origin) == (5.0, 7.0, 5.0)
    assert whole.plan.indices.tolist() == [6, 18, 31, 43]


@pytest.mark.parametrize("mode", ["index", "time"])
def test_before_the_picture_there_is_no_frame(mode: str, clip: ClipMaker) -> None:
    with pytest.raises(UsageError) as caught:
        plan_sampling(probe(clip("late_5.mp4")), SamplingOptions(end=3, mode=mode))
    assert caught.value.message == "the video has no frame between 0 s and 3 s"
    assert caught.value.hint == "Its picture lasts from 5.0 s to 7.0 s."


@pytest.mark.parametrize(
    ("late", "told"), [(0.0, False), (0.04, False), (0.49, False), (0.5, True), (3600.0, True)]
)
def test_less_than_half_a_second_is_not_told(late: float, told: bool, clip: ClipMaker) -> None:
    info = probe(clip("h264.mp4"))
    shifted = replace(info, times=info.times + late, duration=info.duration + late)
    assert len(clock_warnings(shifted, "index")) == told


def test_less_than_a_frame_is_no_delay(clip: ClipMaker) -> None:
    """The sound begins 11 ms earlier."""
    assert probe(clip("plain.m2ts")).times[0] == 0


def test_a_cut_off_file_lacks_what_it_announces_of_its_picture(clip: ClipMaker, tmp_path: Path) -> None:
    """libav has not met the picture when it reads the length of the file, and takes it for the picture's."""
    _, start, _ = middle_prefix(clip("late_8.mkv"))
    path = tmp_path / "cut.mkv"
    path.write_bytes(clip("late_8.mkv").read_bytes()[:start])
    info = probe(path)
    assert info.frames == 50
    assert info.duration == pytest.approx(10, abs=0.01)
    frames, (warning,) = decode_plan(info, every_frame(info))
    assert 0 < len(frames) < 50
    assert f"{50 - len(frames)} of 50 sampled frames are left out" in warning
