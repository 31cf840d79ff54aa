"""Values are checked when they are built, and stay as they are."""

from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tempo_cli.schema import (
    BudgetSummary,
    Memory,
    ModelInfo,
    Run,
    SamplingSummary,
    SegmentReport,
    Timing,
    VideoSummary,
)
from tempo_cli.types import Allocation, Frame, FramePlan, MemoryTokens, Segment, SegmentPlan, VideoInfo

INFO = VideoInfo(
    Path("a.mp4"), 0, "h264", 160, 90, Fraction(25), np.array([0.0, 0.04, 0.04]), 0.08, 1000, 0.0
)
PLAN = SegmentPlan(0, (0, 1, 2, 3), (0.25, 1.25), 1.0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"times": np.zeros(0)}, "frame times must be one ascending row"),
        ({"times": np.zeros((1, 2))}, "frame times must be one ascending row"),
        ({"times": np.array([0.0, 0.2, 0.1])}, "frame times must be one ascending row"),
        ({"rate": Fraction(0)}, "a stream of 160x90 at 0 frames per second"),
        ({"rate": Fraction(-25)}, "a stream of 160x90 at -25 frames per second"),
        ({"width": 0}, "a stream of 0x90 at 25 frames per second"),
        ({"height": -1}, "a stream of 160x-1 at 25 frames per second"),
    ],
)
def test_a_stream_is_checked(changed, message):
    assert INFO.frames == 3
    with pytest.raises(ValueError, match=message):
        replace(INFO, **changed)


@pytest.mark.parametrize("indices", [[], [[1, 2]], [3, 2]])
def test_planned_indices_are_one_ascending_row(indices):
    with pytest.raises(ValueError, match="frame indices must be one ascending row"):
        FramePlan(np.array(indices, np.int64), 2.0)


def test_model_times_are_means_from_the_origin():
    plan = FramePlan(np.array([0, 10, 20]), fps=4.0, origin=100.0)
    assert plan.mean_time([0]) == 100.0
    assert plan.mean_time([1, 2]) == 100.375
    assert plan.mean_time(range(2, 4)) == 100.625
    by_time = replace(plan, mode="time")  # each in the middle of what it stands for
    assert by_time.mean_time([0]) == 100.125
    assert by_time.mean_time([1, 2]) == 100.5


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)],
)
def test_a_frame_is_rgb_bytes(pixels):
    with pytest.raises(ValueError, match="a frame of shape"):
        Frame(0, pixels)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((4, 4, 3), np.uint8), "a segment of shape"),
        (np.zeros((4, 4, 4, 1), np.uint8), "a segment of shape"),
        (np.zeros((4, 4, 4, 3), np.int64), "a segment of shape"),
        (np.zeros((3, 4, 4, 3), np.uint8), "3 frames for 2 patches"),
    ],
)
def test_a_segment_is_rgb_bytes_and_whole_patches(frames, message):
    with pytest.raises(ValueError, match=message):
        Segment(PLAN, frames)


@pytest.mark.parametrize(("shape", "scores"), [((2, 4), 2), ((2, 4, 8), 3), ((0, 4, 8), 1)])
def test_memory_tokens_have_a_score_for_each_segment(shape, scores):
    with pytest.raises(ValueError, match="memory tokens for"):
        MemoryTokens(torch.zeros(shape), np.zeros(scores, np.float32))


def test_an_allocation_knows_its_sum_and_keeps_to_its_limit():
    assert Allocation(np.array([3, 0, 4]), 7, "linear").used == 7
    assert Allocation(np.array([300, 400]), None, "off").used == 700
    with pytest.raises(ValueError, match="7 tokens allocated of 6"):
        Allocation(np.array([3, 0, 4]), 6, "linear")
    with pytest.raises(ValueError, match="2 tokens allocated of 6"):
        Allocation(np.array([3, -1]), 6, "linear")


def run(tokens: tuple[int, ...], used: int) -> Run:
    rows = (
        SegmentReport(i, i * 4.0, i * 4.0 + 4, i * 4.0 + 2, 0.5, kept, 8) for i, kept in enumerate(tokens)
    )
    return Run(
        video=VideoSummary("a.mp4", 10.0, 25.0, 160, 90, "h264", 0.0, 10.0),
        question="what?",
        answer=None,
        model=ModelInfo("tiny", None, "cpu", "float32"),
        sampling=SamplingSummary(20, 2.0, 8),
        budget=BudgetSummary(100, used, "linear"),
        segments=tuple(rows),
        timing=Timing(0, 0, 0, 0, 0),
        memory=Memory(None, None),
    )


def test_a_run_whose_segments_do_not_add_up_is_refused():
    assert run((4, 5, 6), 15).budget.used == 15
    with pytest.raises(ValueError, match="segments and budget disagree"):
        run((4, 5, 6), 16)


def test_values_are_frozen():
    with pytest.raises(FrozenInstanceError):
        INFO.width = 320
