"""Which frames are looked at, against numbers worked out by hand from the reference's rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_cli.config import SamplingOptions
from tempo_cli.plan.sampling import frames_between, plan_frames


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
