"""Segments: how frames are grouped, and the times that the model is told."""

from collections.abc import Iterator

import numpy as np
import pytest

from tempo_cli.plan.segments import cut_segments, plan_segment, segment_span
from tempo_cli.types import Frame, FramePlan, Pixels


def plan(frames: int, fps: float = 2.0, origin: float = 0.0) -> FramePlan:
    return FramePlan(np.arange(frames, dtype=np.int64), fps, origin)


def picture(level: int) -> Pixels:
    return np.full((2, 3, 3), level, np.uint8)


def stream(count: int) -> Iterator[Frame]:
    return (Frame(position, picture(position)) for position in range(count))


@pytest.mark.parametrize(
    ("positions", "window", "index", "patch_times", "time"),
    [
        (range(0, 8), 8, 0, (0.25, 1.25, 2.25, 3.25), 2.0),
        (range(8, 16), 8, 1, (4.25, 5.25, 6.25, 7.25), 6.0),
        (range(16, 19), 8, 2, (8.25, 9.25), 10.0),  # the third frame again, as frame 19
        (range(16, 17), 8, 2, (8.25,), 10.0),
        (range(3, 6), 3, 1, (1.75, 2.75), 2.25),
        (range(4, 5), 1, 4, (2.25,), 2.25),
        ([9, 10, 12], 8, 1, (4.75, 6.25), 6.0),  # without the frames that could not be decoded
    ],
)
def test_worked_examples(positions, window, index, patch_times, time):
    segment = plan_segment(plan(100), positions, window, temporal_patch=2)
    assert (segment.index, segment.positions) == (index, tuple(positions))
    assert segment.patch_times == pytest.approx(patch_times, abs=1e-12)
    assert segment.time == pytest.approx(time, abs=1e-12)


def test_times_count_from_the_videos_beginning_when_only_a_part_is_read():
    segment = plan_segment(plan(100, fps=4.0, origin=60.0), range(4, 8), 4, temporal_patch=2)
    assert segment.patch_times == pytest.approx((61.125, 61.625), abs=1e-12)
    assert segment.time == pytest.approx(61.5, abs=1e-12)


def test_the_temporal_patch_is_the_weights_own():
    segment = plan_segment(plan(100), range(6), 8, temporal_patch=4)
    assert segment.patch_times == pytest.approx((0.75, 2.75), abs=1e-12)


def test_the_last_segment_is_shorter_and_repeats_its_last_frame():
    first, second = cut_segments(stream(7), plan(7), 4, 2)
    assert first.frames[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert second.frames[:, 0, 0, 0].tolist() == [4, 5, 6, 6]
    assert second.plan == plan_segment(plan(7), range(4, 7), 4, 2)


def test_where_decoding_stops_early_the_segments_stop_too():
    segments = list(cut_segments(stream(5), plan(100), 4, 2))
    assert [segment.plan.positions for segment in segments] == [(0, 1, 2, 3), (4,)]


def test_no_frames_give_no_segments():
    assert list(cut_segments(stream(0), plan(1), 4, 2)) == []


def test_a_segment_comes_as_soon_as_the_next_one_begins():
    read = []

    def watched() -> Iterator[Frame]:
        for frame in stream(100):
            read.append(frame.position)
            yield frame

    next(cut_segments(watched(), plan(100), 4, 2))
    assert read == [0, 1, 2, 3, 4]  # the first frame of the next tells that none is missing at the end


def test_missing_frames_take_no_others_place():
    frames = [Frame(position, picture(position)) for position in (0, 2, 3, 9, 12)]
    segments = list(cut_segments(frames, plan(100), 4, 2))
    assert [segment.plan.index for segment in segments] == [0, 2, 3]
    assert [segment.frames[:, 0, 0, 0].tolist() for segment in segments] == [[0, 2, 3, 3], [9, 9], [12, 12]]
    assert [segment.plan.positions for segment in segments] == [(0, 2, 3), (9,), (12,)]


BY_TIME = FramePlan(np.arange(17, dtype=np.int64), fps=2.0, origin=60.0, mode="time")


@pytest.mark.parametrize(
    ("positions", "patch_times", "time"),
    [
        (range(0, 8), (60.5, 61.5, 62.5, 63.5), 62.0),
        (range(8, 16), (64.5, 65.5, 66.5, 67.5), 66.0),
        ([8, 9, 12], (64.5, 66.25), 66.0),  # the last one again, at its own time
        (range(16, 17), (68.25,), 68.25),  # the middle of its half second: the video ends at 68.5 s
    ],
)
def test_sampled_by_time_the_model_is_told_true_times(positions, patch_times, time):
    segment = plan_segment(BY_TIME, positions, 8, temporal_patch=2)
    assert segment.patch_times == pytest.approx(patch_times, abs=1e-12)
    assert segment.time == pytest.approx(time, abs=1e-12)


def test_segments_begin_and_end_at_true_times():
    times = np.array([0.0, 0.1, 0.2, 0.3, 10.0, 20.0, 30.0])
    by_index = FramePlan(np.array([0, 2, 4, 5, 6]), fps=0.1)
    assert [segment_span(by_index, index, 2, times, 31.0) for index in range(3)] == [
        (0.0, 10.0),
        (10.0, 30.0),
        (30.0, 31.0),
    ]
    by_time = FramePlan(np.array([3, 3, 4, 5, 6]), fps=0.125, origin=1.0, mode="time")
    assert [segment_span(by_time, index, 2, times, 41.0) for index in range(3)] == [
        (1.0, 17.0),
        (17.0, 33.0),
        (33.0, 41.0),
    ]
