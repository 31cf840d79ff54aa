"""What fits and what to advise: exact numbers in, exact plans out."""

from dataclasses import replace

import pytest

from tempo_cli.config import ModelDimensions
from tempo_cli.plan.memory import (
    Needs,
    Plan,
    Work,
    advice,
    expected_work,
    gigabytes,
    make_plan,
    micro_batch,
    too_large,
)

GB = 10**9
DIMENSIONS = ModelDimensions(
    memory_tokens=128,
    projector="linear",
    compressor_width=2048,
    decoder_width=2560,
    context=16_384,
    max_positions=40_960,
    patch=16,
    merge=2,
    temporal_patch=2,
)
# the full-size model in bfloat16, rounded: 4 and 8 GB of weights
NEEDS = Needs(compressor=4 * GB, decoder=8 * GB, segment=GB // 5, answer=2 * GB, kept=0)
SMALL = Needs(compressor=GB, decoder=2 * GB, segment=GB // 5, answer=2 * GB, kept=0)


@pytest.mark.parametrize(
    ("free", "plan"),
    [
        (None, Plan(True, 8)),
        (24 * GB, Plan(True, 8, 8_080_000_000)),
        # 0.92 * 16 = 14.72 GB: 12 of weights and 2 for the answer; 2.7 left for segments of 0.2
        (16 * GB, Plan(True, 8, 720_000_000)),
        (15 * GB, Plan(False, 8, 3_800_000_000)),
        # 0.92 * 5 = 4.6 GB: 0.6 beside the compressor
        (5 * GB, Plan(False, 2, 0)),
        (4 * GB, Plan(False, 1, 0)),
        (0, Plan(False, 1, 0)),
    ],
)
def test_the_plan_follows_from_what_is_free(free, plan):
    assert make_plan(free, NEEDS, 8) == plan


def test_a_smaller_batch_comes_before_parting_the_networks():
    needs = replace(NEEDS, answer=0, segment=GB)
    assert make_plan(16 * GB, needs, 8) == Plan(True, 2, 720_000_000)  # 2.72 GB left: two segments


def test_memory_tokens_that_are_kept_count():
    assert make_plan(16 * GB, replace(NEEDS, kept=GB), 8) == Plan(False, 8, 3_720_000_000)


@pytest.mark.parametrize(("device", "segments"), [("cpu", 8), ("mps", 8), ("cuda", 16)])
def test_twice_as_many_segments_at_once_pay_on_cuda(device, segments):
    assert micro_batch(device) == segments


def test_the_batch_is_never_larger_than_wanted():
    assert make_plan(100 * GB, NEEDS, 3) == Plan(True, 3, 78_000_000_000)


@pytest.mark.parametrize(
    ("free", "message"),
    [
        (None, None),
        (8 * GB, None),
        (7 * GB, "the decoder's weights take 8.0 GB, 7.0 GB are free"),
    ],
)
def test_one_network_that_is_too_large_is_named_with_the_numbers(free, message):
    assert too_large(free, NEEDS) == message


def test_without_a_decoder_only_the_compressor_counts():
    alone = replace(NEEDS, decoder=0, answer=0)
    assert too_large(5 * GB, alone) is None
    assert too_large(3 * GB, alone) == "the compressor's weights take 4.0 GB, 3.0 GB are free"


@pytest.mark.parametrize(
    ("stage", "free", "needs", "smaller", "budget", "device", "hint"),
    [
        # 0.92 * 9.5 = 8.74 GB: 0.74 beside the decoder, of 2 that 8,192 tokens take
        ("answer", 9.5, NEEDS, SMALL, 8192, "cuda:0", "Give `budget=2816`."),
        # it should have fitted: half
        ("answer", 24, NEEDS, SMALL, 8192, "cuda:0", "Give `budget=4096`."),
        # a budget that low would make no sense
        ("answer", 8.9, NEEDS, SMALL, 8192, "cuda:0", "Give `quantize='int4'`."),
        ("answer", 9.5, NEEDS, SMALL, None, "cuda:0", "Give `quantize='int4'`."),
        ("load", 6, NEEDS, SMALL, None, "cuda:0", "Give `quantize='int4'`."),
        ("load", 3, NEEDS, SMALL, None, "cuda:0", "Give `device='cpu'`."),  # 4 bits need 4 GB
        ("load", 3, SMALL, None, None, "mps", "Give `device='cpu'`."),
        ("load", None, NEEDS, SMALL, None, "cuda:0", "Give `quantize='int4'`."),
        ("load", 3, SMALL, None, None, "cpu", "Close other programs, or use a machine with 4.0 GB free."),
        ("compress", 11, replace(NEEDS, kept=2 * GB), SMALL, 8192, "cuda:0", "Give fewer `max_frames`."),
    ],
)
def test_the_flag_that_is_advised_follows_from_the_numbers(stage, free, needs, smaller, budget, device, hint):
    total = None if free is None else int(free * GB)
    assert advice(stage, total, needs, smaller, budget, device) == hint


def test_the_work_of_an_hour_with_the_published_settings():
    work = expected_work((256, 512), 1024, 8, 2, 8192, 60, DIMENSIONS)
    # 4 patches of 8 x 16 tokens; 128 segments; the budget, a tag for each segment and the text
    assert work == Work(visual=512, segments=128, questions=2, tokens=8192 + 128 * 8 + 60)


def test_the_work_of_a_short_video_is_bounded_by_its_tokens():
    work = expected_work((256, 512), 9, 8, 1, 8192, 60, DIMENSIONS)
    assert (work.segments, work.tokens) == (2, 256 + 16 + 60)
    assert expected_work((256, 512), 9, 8, 1, None, 60, DIMENSIONS) == work


def test_an_odd_window_fills_its_last_patch():
    assert expected_work((256, 512), 7, 7, 1, 8192, 0, DIMENSIONS).visual == 512


def test_bytes_for_people():
    assert gigabytes(12_345_678_901) == "12.3 GB"
