"""Which frames are looked at, against numbers worked out by hand from the reference's rule."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_cli.config import SamplingOptions
from tempo_cli.errors import UsageError
from tempo_cli.plan.sampling import Sampled, frames_between, plan_frames, plan_sampling
from tempo_cli.plan.segments import plan_segment, segment_span
from tempo_cli.types import VideoInfo


@pytest.mark.parametrize(
    ("total", "rate", "options", "indices"),
    [
        (10, 25, SamplingOptions(), [0, 3, 6, 9]),  # 0.8 frames wanted, but never fewer than 4
        (100, 25, SamplingOptions(fps=1), [0, 33, 66, 99]),
        (6, 25, SamplingOptions(max_frames=3), [0, 2, 5]),  # 2.5 to even
        (8, 25, SamplingOptions(max_frames=3), [0, 4, 7]),  # 3.5 to even
        (11, 4, SamplingOptions(), [0, 2, 4, 6, 8, 10]),  # 5.5 frames wanted: 6
        (13, 4, SamplingOptions(), [0, 2, 5, 7, 10, 12]),  # 6.5 frames wanted: 6
        (2, 25, SamplingOptions(), [0, 0, 1, 1]),  # a short video repeats frames
        (9, 25, SamplingOptions(max_frames=1), [8]),
        (9, 25, SamplingOptions(max_frames=2), [0, 8]),
        (1, 25, SamplingOptions(), [0]),
        (1, 25, SamplingOptions(max_frames=1), [0]),
    ],
)
def test_worked_examples(total, rate, options, indices):
    plan = plan_frames(total, rate, options)
    assert plan.indices.tolist() == indices
    assert plan.indices.dtype == np.int64
    assert plan.fps == pytest.approx(len(indices) * rate / total, rel=1e-12)
    assert plan.origin == 0.0


def test_a_part_of_a_video_is_sampled_like_a_video_of_its_own():
    whole = plan_frames(50, 25, SamplingOptions(fps=4))
    part = plan_frames(50, 25, SamplingOptions(fps=4), first=100, origin=4.004)
    assert (part.indices - 100).tolist() == whole.indices.tolist()
    assert (part.fps, part.origin) == (whole.fps, 4.004)


@given(
    total=st.integers(1, 10**6),
    rate=st.floats(0.1, 240),
    fps=st.floats(0.01, 60),
    most=st.integers(1, 2048),
)
def test_frames_are_spread_from_the_first_to_the_last(total, rate, fps, most):
    plan = plan_frames(total, rate, SamplingOptions(fps=fps, max_frames=most))
    indices = plan.indices
    assert min(total, most, 4) <= len(indices) <= most
    assert indices[-1] == total - 1
    assert indices[0] == (0 if len(indices) > 1 else total - 1)
    steps = np.diff(indices)
    assert steps.max(initial=0) - steps.min(initial=10**6) <= 1


@pytest.mark.parametrize(("total", "rate"), [(0, 25.0), (-1, 25.0), (10, 0.0), (10, -1.0)])
def test_without_frames_there_is_no_plan(total, rate):
    with pytest.raises(ValueError, match=f"no frames to choose from: {total} at {rate} per second"):
        plan_frames(total, rate, SamplingOptions())


TIMES = np.array([0.0, 0.5, 0.5, 1.0, 1.75])


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (None, None, (0, 5)),
        (0.5, None, (1, 5)),
        (0.51, None, (3, 5)),
        (None, 0.5, (0, 1)),
        (None, 0.51, (0, 3)),
        (0.5, 1.75, (1, 4)),
        (0.6, 0.9, (3, 3)),
        (1.76, None, (5, 5)),
        (0.0, 0.0, (0, 0)),
    ],
)
def test_a_part_begins_at_its_start_and_stops_before_its_end(start, end, found):
    assert frames_between(TIMES, start, end) == found


def video(shown, rate=None):
    """A video whose frames are shown for these seconds each."""
    ends = np.cumsum(np.asarray(shown, np.float64))
    times, seconds = np.concatenate([[0.0], ends[:-1]]), float(ends[-1])
    rate = Fraction(rate or len(times) / seconds)
    return VideoInfo(Path("v.mp4"), 0, "h264", 160, 90, rate, times, seconds, 1, 0.0)


def as_the_reference(info, options):
    """By index, the part from its first frame to the first one behind it."""
    first, last = frames_between(info.times, options.start, options.end)
    origin = float(info.times[first])
    end = float(info.times[last]) if last < info.frames else info.duration
    return plan_frames(last - first, float(info.rate), options, first, origin), end


def same(sampled: Sampled, plan, end):
    ours = sampled.plan
    return (
        ours.indices.tolist() == plan.indices.tolist()
        and (ours.fps, ours.origin, ours.mode) == (plan.fps, plan.origin, plan.mode)
        and (sampled.end, sampled.warnings) == (end, ())
    )


# 5 s at 30 per second, a longer one, then one every 10 s until 70 s
SCREEN = video([1 / 30] * 149 + [10 - 149 / 30] + [10] * 6)


def test_a_recording_of_a_screen_is_sampled_by_time():
    sampled = plan_sampling(SCREEN, SamplingOptions())
    plan = sampled.plan
    assert (plan.mode, plan.fps, plan.origin, sampled.end) == ("time", 2.0, 0.0, 70.0)
    assert plan.indices.dtype == np.int64
    assert plan.indices.tolist() == [
        *(7, 22, 37, 52, 67, 82, 97, 112, 127, 142),  # at 0.25 s, 0.75 s, ...
        *[149] * 10,
        *(index for index in range(150, 156) for _ in range(20)),
    ]
    assert sampled.warnings == (
        "the video's frames are unevenly spaced: sampling by index would leave gaps of 15.0 s, so they are "
        "sampled by time, unlike in the released code (use `mode='index'` to sample as it does)",
    )
    asked_for = plan_sampling(SCREEN, SamplingOptions(mode="time"))
    assert (asked_for.plan.indices.tolist(), asked_for.warnings) == (plan.indices.tolist(), ())
    by_index = SamplingOptions(mode="index")
    assert same(plan_sampling(SCREEN, by_index), *as_the_reference(SCREEN, by_index))
    assert (as_the_reference(SCREEN, by_index)[0].indices < 150).sum() == 135  # of 140


def test_the_last_tag_does_not_lie_behind_the_end():
    plan = plan_sampling(SCREEN, SamplingOptions()).plan
    last = plan_segment(plan, range(136, 140), 8, 2)
    assert (last.index, last.patch_times, last.time) == (17, (68.5, 69.5), 69.0)


@pytest.mark.parametrize(
    ("frames", "gap", "mode"),
    [(16, 5.0, "index"), (16, 5.0625, "time"), (15, 5.0625, "index"), (15, 1000.0, "index")],
)
def test_a_gap_of_more_than_four_mean_distances_of_16_samples(frames, gap, mode):
    """Frames of 1 s but for one; where it lasts 5 s, 4 * (15 + 5) / 16 are 5."""
    info = video([1.0] * 7 + [gap] + [1.0] * (frames - 8), rate=1)
    sampled = plan_sampling(info, SamplingOptions(fps=1))
    assert (len(sampled.plan.indices), sampled.plan.mode) == (frames, mode)


def test_a_gap_before_a_frame_that_is_not_held_does_not_count():
    info = video([1.0] * 11 + [9.0] + [1.0] * 8, rate=1)
    options = SamplingOptions(fps=1)
    for held, mode in ((20, "time"), (13, "time"), (12, "index")):
        assert plan_sampling(replace(info, pts=np.arange(held)), options).plan.mode == mode


@pytest.mark.parametrize(
    ("shown", "mode"),
    [
        ([10.0] * 60, "index"),  # pictures of 10 s each: every frame is sampled 17 times, as by time
        ([10.0] * 30 + [20.0] + [10.0] * 29, "index"),
        ([1 / 30] * 150 + [10.0] * 60, "time"),  # each picture is sampled 5 times, each early frame as well
    ],
)
def test_frames_that_are_fewer_than_the_samples(shown, mode):
    assert plan_sampling(video(shown), SamplingOptions()).plan.mode == mode


@given(
    shown=st.lists(st.floats(1, 2), min_size=1, max_size=300),
    step=st.floats(0.001, 60),
    fps=st.floats(0.01, 100),
    most=st.integers(1, 400),
    wrong=st.floats(0.2, 5),
)
def test_mildly_uneven_frames_are_sampled_as_the_reference_does(shown, step, fps, most, wrong):
    """None is shown more than twice as long as another; whatever the header says of the rate."""
    info = video([seconds * step for seconds in shown], rate=wrong / (1.5 * step))
    options = SamplingOptions(fps=fps, max_frames=most)
    assert same(plan_sampling(info, options), *as_the_reference(info, options))


@given(
    frames=st.integers(1, 3000),
    rate=st.sampled_from([Fraction(1, 10), 1, 15, 24, Fraction(30000, 1001), 60]),
    fps=st.floats(0.01, 100),
    start=st.floats(0, 20),
)
def test_even_frames_are_sampled_as_the_reference_does(frames, rate, fps, start):
    info = replace(video([1] * frames, rate), times=np.arange(frames) / float(rate), duration=frames / rate)
    options = SamplingOptions(fps=fps, start=min(start, float(info.times[-1])))
    assert same(plan_sampling(info, options), *as_the_reference(info, options))


@given(
    shown=st.lists(st.one_of(st.floats(0, 0.1), st.floats(0, 100)), min_size=1, max_size=60),
    fps=st.floats(0.05, 10),
    most=st.integers(1, 100),
    window=st.integers(1, 9),
    part=st.tuples(st.floats(0, 0.9), st.floats(0.05, 1.5)),
)
def test_by_time_each_sample_is_the_frame_that_is_shown(shown, fps, most, window, part):
    info = video([*shown, 0.1])
    start, end = part[0] * info.duration, min(part[0] + part[1], 2) * info.duration
    sampled = plan_sampling(info, SamplingOptions(fps, most, window, start, end, mode="time"))
    plan, times = sampled.plan, info.times
    count = len(plan.indices)
    assert (plan.origin, sampled.end, plan.mode) == (start, min(end, info.duration), "time")
    assert 1 <= count <= most
    assert (np.diff(plan.indices) >= 0).all()
    moments = start + (np.arange(count) + 0.5) * (sampled.end - start) / count
    assert (times[plan.indices] <= moments).all()
    assert (np.append(times, np.inf)[plan.indices + 1] > moments).all()
    at = start
    for first in range(0, count, window):
        positions = range(first, min(first + window, count))
        segment = plan_segment(plan, positions, window, 2)
        assert [plan.mean_time([place]) for place in positions] == pytest.approx(moments[first:][:window])
        begin, stop = segment_span(plan, segment.index, window, times, sampled.end)
        assert begin == pytest.approx(at)
        assert segment.time == pytest.approx((begin + stop) / 2)
        assert all(begin < time < stop for time in (*segment.patch_times, segment.time))
        at = stop
    assert at == sampled.end


def test_by_time_a_part_shows_what_is_on_the_screen_when_it_begins():
    part = SamplingOptions(start=25.0, end=29.0)
    with pytest.raises(UsageError) as caught:
        plan_sampling(SCREEN, part)
    assert caught.value.message == "the video has no frame between 25 s and 29 s"
    assert caught.value.hint == "It lasts 70.0 s; `mode='time'` takes the frame that is shown then."
    sampled = plan_sampling(SCREEN, replace(part, mode="time"))
    assert (sampled.plan.indices.tolist(), sampled.plan.origin, sampled.end) == ([151], 25.0, 29.0)
    longer = plan_sampling(SCREEN, SamplingOptions(start=25.0, end=45.0, mode="time"))
    assert longer.plan.indices.tolist() == [151, 152, 152, 153]


@pytest.mark.parametrize("mode", ["auto", "index", "time"])
def test_behind_the_end_there_is_no_frame(mode):
    with pytest.raises(UsageError) as caught:
        plan_sampling(SCREEN, SamplingOptions(start=70.0, mode=mode))
    assert caught.value.message == "the video has no frame from 70 s on"
    assert caught.value.hint == "It lasts 70.0 s."


@pytest.mark.parametrize(
    ("shown", "options", "indices"),
    [
        ([3.0], SamplingOptions(), [0]),
        ([0.1, 3.0], SamplingOptions(), [1, 1, 1, 1]),
        ([0.5, 0.5, 4.0], SamplingOptions(max_frames=1), [2]),
    ],
)
def test_few_frames_by_time(shown, options, indices):
    sampled = plan_sampling(video(shown), replace(options, fps=0.1, mode="time"))
    assert sampled.plan.indices.tolist() == indices


@pytest.mark.parametrize(
    ("start", "end", "index"), [(9.96, None, 249), (9.97, None, 249), (9.999, 50.0, 249), (9.92, 9.95, 248)]
)
def test_the_last_frame_is_shown_until_the_end(start, end, index):
    info = video([1 / 25] * 250)
    info = replace(info, times=np.arange(250) / 25, duration=10.0)
    sampled = plan_sampling(info, SamplingOptions(start=start, end=end, mode="index"))
    assert set(sampled.plan.indices.tolist()) == {index}
    assert (sampled.start, sampled.end) == (info.times[index], 10.0 if index == 249 else 9.96)
    with pytest.raises(UsageError, match=r"no frame from 10 s on"):
        plan_sampling(info, SamplingOptions(start=10.0))


@pytest.mark.parametrize("mode", ["auto", "index", "time"])
def test_nothing_ends_at_zero(mode):
    with pytest.raises(UsageError) as caught:
        plan_sampling(SCREEN, SamplingOptions(end=0.0, mode=mode))
    assert caught.value.message == "end is 0, so no frame is left"


@pytest.mark.parametrize("mode", ["auto", "index", "time"])
def test_an_end_beyond_the_video_is_told(mode):
    end = 75.0
    sampled = plan_sampling(SCREEN, SamplingOptions(end=end, mode=mode))
    assert sampled.warnings[-1] == "`end` is 75 s, but the video lasts 70.0 s"
    assert (
        sampled.plan.indices.tolist()
        == plan_sampling(SCREEN, SamplingOptions(mode=mode)).plan.indices.tolist()
    )
    assert "`end`" not in "".join(plan_sampling(SCREEN, SamplingOptions(end=70.4, mode=mode)).warnings)
