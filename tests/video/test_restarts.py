"""Files whose clock starts anew, as where files were joined end to end: the parts follow each other."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tempo_cli.config import SamplingOptions
from tempo_cli.plan.clock import clock_warnings
from tempo_cli.types import FramePlan
from tempo_cli.video.counted import CountedFrames
from tempo_cli.video.opened import open_video
from tempo_cli.video.probe import probe
from tempo_cli.video.timeline import part_starts

from .clips import (
    FFMPEG,
    JOINED,
    PARTS,
    RECIPES,
    ClipMaker,
    FullDecode,
    decode_all,
    decode_plan,
    every_frame,
)


@pytest.mark.parametrize("name", [name for name in JOINED if name != "rates.ts"])
def test_the_parts_of_a_joined_file_follow_each_other(name: str, clip: ClipMaker, truth: FullDecode) -> None:
    counts = [PARTS[part].frames for part in JOINED[name]]
    info = probe(clip(name))
    assert info.rate == 25
    np.testing.assert_allclose(info.times, np.arange(sum(counts)) / 25, atol=1e-9)
    assert info.duration == pytest.approx(sum(counts) / 25)
    assert info.restarts == pytest.approx(np.cumsum(counts)[:-1] / 25)
    expected = np.concatenate([truth(part) for part in JOINED[name]])
    frames, warnings = decode_plan(info, every_frame(info))
    assert warnings == []
    assert all((frame.pixels == expected[frame.position]).all() for frame in frames)
    assert len(frames) == len(expected)


@pytest.mark.parametrize("name", ["longer_last.ts", "joined.vob", "later.ts"])
def test_some_frames_of_the_second_part(name: str, clip: ClipMaker, truth: FullDecode) -> None:
    first, second = (truth(part) for part in JOINED[name])
    at = len(first) / 25
    sampling = SamplingOptions(fps=25, start=at + 0.4, end=at + 0.8)
    with open_video(clip(name), sampling, ffmpeg=FFMPEG) as video:
        indices = video.plan.indices.tolist()
        assert indices == list(range(len(first) + 10, len(first) + 20))
        assert video.plan.origin == pytest.approx(at + 0.4)
        assert len(video.warnings) == 1
    frames, warnings = decode_plan(probe(clip(name)), video.plan)
    assert warnings == []
    assert all((frame.pixels == second[10 + frame.position]).all() for frame in frames)


@pytest.fixture
def from_between(clip: ClipMaker, tmp_path: Path) -> Path:
    """A part that begins between two key frames, behind one that ends as it should: 100 and 60 frames."""
    whole = clip("open_groups_265.ts").read_bytes()
    (tmp_path / "tail.ts").write_bytes(whole[len(whole) // 3 // 188 * 188 :])
    (tmp_path / "joined.ts").write_bytes(whole + (tmp_path / "tail.ts").read_bytes())
    return tmp_path / "joined.ts"


@pytest.mark.parametrize("step", [1, 7, 23])
def test_a_joined_part_that_begins_between_key_frames(
    step: int, from_between: Path, truth: FullDecode
) -> None:
    """What is stored before its first key frame is no frame. What can't be decoded takes no other's place."""
    tail = decode_all(from_between.with_name("tail.ts"), RECIPES["open_groups_265.ts"])
    expected = np.concatenate([truth("open_groups_265.ts"), tail])
    info = probe(from_between)
    assert (len(tail), info.frames, info.restarts) == (60, 160, (4.0,))
    plan = FramePlan(np.arange(0, 160, step), 25 / step)
    frames, warnings = decode_plan(info, plan)
    found = [step * frame.position for frame in frames]
    assert [index for index in plan.indices.tolist() if index not in found and not 95 < index < 112] == []
    assert all((frame.pixels == expected[step * frame.position]).all() for frame in frames)
    assert len(warnings) == (len(frames) < len(plan.indices))


def test_parts_of_different_rates(clip: ClipMaker, truth: FullDecode) -> None:
    info = probe(clip("rates.ts"))
    np.testing.assert_allclose(info.times, [*np.arange(50) / 50, *(1 + np.arange(50) / 25)], atol=1e-9)
    assert (info.duration, info.restarts) == (pytest.approx(3.0), (1.0,))
    frames, _ = decode_plan(info, every_frame(info))
    expected = [*truth("fast.ts"), *truth("plain.ts")]
    np.testing.assert_array_equal([frame.pixels for frame in frames], expected)


@pytest.mark.parametrize("name", ["open_groups_wrapping.ts", "uneven.mkv", "pause.ts", "open_groups.flv"])
def test_the_clock_of_usual_files_goes_on(name: str, clip: ClipMaker) -> None:
    """Also where libav corrects a clock that has wrapped."""
    info = probe(clip(name))
    assert info.restarts == ()
    assert clock_warnings(info, "index") == ()


EVEN = list(range(0, 4000, 40))  # ms


def starts(clock: list[int | None], reader: str = "mpegts") -> list[int]:
    return part_starts(clock, Fraction(1, 1000), reader)


def test_a_clock_that_goes_back_starts_a_part() -> None:
    assert starts(EVEN + EVEN) == [100]
    assert starts([*EVEN, None, *EVEN[:50], *EVEN]) == [101, 151]
    assert starts(EVEN + [one + 3300 for one in EVEN]) == [100]
    assert starts(EVEN + [one + 3321 for one in EVEN]) == []  # less than 16 frames
    assert starts(EVEN + EVEN, "mov,mp4,m4a,3gp,3g2,mj2") == [100]


def test_a_clock_that_jumps_by_hours_starts_a_part_where_clocks_may_jump() -> None:
    for reader, found in (("mpegts", [100]), ("mpeg", [100]), ("matroska,webm", []), ("flv", [])):
        assert starts(EVEN + [one + 7_200_000 for one in EVEN], reader) == found
    assert starts(EVEN + [one + 3960 + 600_000 for one in EVEN]) == []  # 10 minutes are a pause
    assert starts([one * 20_000 for one in range(50)]) == []  # as usual in this file


@pytest.mark.parametrize("wrong", [[-5000], [9_000_000], [9_000_000, 40], [7, 7, 7]])
def test_a_few_wrong_timestamps_start_no_part(wrong: list[int]) -> None:
    assert starts([*EVEN, *wrong, *(one + 4000 for one in EVEN)]) == []
    assert starts([*EVEN, *wrong, *(one + 4000 for one in EVEN), *EVEN]) == [200 + len(wrong)]


def test_timestamps_that_are_no_clock_s_start_no_part() -> None:
    assert starts([0, 5000] * 3000) == []
    assert starts([]) == starts([40]) == starts([None] * 5) == []


@pytest.mark.parametrize(
    ("restarts", "told"),
    [
        ((4.0,), "4.0 s"),
        ((4.0, 10.04), "4.0 s and 10.0 s"),
        ((4.0, 10.0, 14.0), "4.0 s, 10.0 s and 14.0 s"),
        ((4.0, 10.0, 14.0, 18.0, 19.0), "4.0 s, 10.0 s, 14.0 s and 2 more times"),
    ],
)
def test_one_warning_says_where(restarts: tuple[float, ...], told: str, clip: ClipMaker) -> None:
    (warning,) = clock_warnings(replace(probe(clip("plain.ts")), restarts=restarts), "index")
    assert warning == (
        f"the timestamps restart at {told}, as in joined files: the parts are read in order, and times count "
        "through all of them"
    )


def test_a_picture_is_the_nearest_frame_with_its_timestamp() -> None:
    counted = CountedFrames(np.array([0, 1, 2, 3, 0, 1, 2, 3], np.int64))
    assert [counted.index(number, number % 4) for number in range(8)] == list(range(8))
    assert counted.apart == 0
    assert (counted.index(3, 0), counted.index(5, 0), counted.apart) == (4, 4, 1)
    assert (counted.index(1, 7), counted.index(1, None), counted.index(900, 0)) == (1, 1, 900)
    assert (counted.index(3, 2), counted.apart) == (2, 1)
    assert (counted.index(0, 3), counted.apart) == (3, 3)
    assert CountedFrames(None).index(5, 9) == 5
