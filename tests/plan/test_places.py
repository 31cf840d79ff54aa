"""Networks on one device, or each on its own: what fits, what does not, and what to advise."""

import pytest

from tempo_cli.plan.memory import Needs, Plan, make_plan
from tempo_cli.plan.places import Places

GB = 10**9
# the full-size model in bfloat16, rounded: 4 and 8 GB of weights
NEEDS = Needs(compressor=4 * GB, decoder=8 * GB, segment=GB // 5, answer=2 * GB, kept=GB)
SMALL = Needs(compressor=GB, decoder=2 * GB, segment=GB // 5, answer=2 * GB, kept=GB)


def places(free: float | None, beside: float | None) -> Places:
    """Two devices with so many GB free."""
    sizes = (None if size is None else int(size * GB) for size in (free, beside))
    return Places("cuda:0", "cuda:1", *sizes)


@pytest.mark.parametrize("free", [None, 24 * GB, 16 * GB, 5 * GB])
def test_on_one_device_the_plan_is_the_usual_one(free):
    assert Places("cuda:0", "cuda:0", free, None).plan(NEEDS, 8) == make_plan(free, NEEDS, 8)


@pytest.mark.parametrize(
    ("free", "beside", "plan"),
    [
        (None, None, Plan(True, 8)),
        # 0.92 * 12 = 11.04: 1 kept, 4 of weights, 1.6 for segments; beside: 8 of weights, 2 to answer
        (12, 12, Plan(True, 8, 4_440_000_000, 1_040_000_000)),
        # as one device, 12 GB would hold them in turn only
        (8, 12, Plan(True, 8, 760_000_000, 1_040_000_000)),
        (6, 12, Plan(True, 2, 120_000_000, 1_040_000_000)),  # 0.52 GB beside the weights
        (5.5, 9, Plan(True, 1, 0, 0)),  # short on both: tried, and never in turn
        (12, None, Plan(True, 8, 4_440_000_000)),
        (None, 12, Plan(True, 8, None, 1_040_000_000)),
    ],
)
def test_on_two_devices_both_are_resident_and_each_plans_with_its_own_memory(free, beside, plan):
    assert places(free, beside).plan(NEEDS, 8) == plan


@pytest.mark.parametrize(
    ("free", "beside", "found"),
    [
        (5, 9, None),
        (None, None, None),
        (3, 9, ("compressor", "the compressor's weights take 4.0 GB, and only 3.0 GB is free on cuda:0")),
        (5, 7, ("decoder", "the decoder's weights take 8.0 GB, and only 7.0 GB is free on cuda:1")),
        (100, 7, ("decoder", "the decoder's weights take 8.0 GB, and only 7.0 GB is free on cuda:1")),
    ],
)
def test_the_network_that_is_too_large_is_named_with_its_device(free, beside, found):
    assert places(free, beside).too_large(NEEDS) == found


def test_on_one_device_no_device_is_named():
    message = "the decoder's weights take 8.0 GB, and only 7.0 GB is free"
    assert Places("cpu", "cpu", 7 * GB, None).too_large(NEEDS) == ("compressor", message)


@pytest.mark.parametrize(
    ("network", "stage", "free", "beside", "smaller", "budget", "hint"),
    [
        # 0.92 * 9.5 = 8.74 GB: 0.74 beside the decoder, of 2 that 8,192 tokens take
        ("decoder", "answer", 100, 9.5, SMALL, 8192, "Give `budget=2816`."),
        ("decoder", "load", 100, 6, SMALL, None, "Give `quantize='int4'`."),
        ("decoder", "load", 100, 3, SMALL, None, "Give `decoder_device='cpu'`."),  # 4 bits need 4 GB
        ("decoder", "load", 100, 3, None, None, "Give `decoder_device='cpu'`."),
        ("compressor", "load", 3, 100, SMALL, None, "Give `quantize='int4'`."),
        ("compressor", "load", 1, 100, SMALL, None, "Give `device='cpu'`."),  # 4 bits need 2.2 GB
        ("compressor", "compress", 5, 100, SMALL, 8192, "Give fewer `max_frames`."),
    ],
)
def test_the_advice_is_for_the_device_that_is_short(network, stage, free, beside, smaller, budget, hint):
    assert places(free, beside).advice(network, stage, NEEDS, smaller, budget) == hint


def test_a_cpu_that_is_short_needs_other_programs_closed():
    host = Places("cuda:0", "cpu", 100 * GB, 3 * GB)
    hint = "Close other programs, or use a machine with 10.0 GB free."
    assert host.advice("decoder", "load", NEEDS, None, None) == hint
