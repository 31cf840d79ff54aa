"""Where segments are kept: worked examples, and that no limit is ever exceeded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_cli.plan.keep import TIERS, KeepLimits, SegmentSizes, plan_tiers

FULL = SegmentSizes(prefix=70, features=8, frames=3)  # about the full-size model's, in MB


def counts(tiers):
    return tuple(tiers.count(tier) for tier in (*TIERS, None))


@pytest.mark.parametrize(
    ("limits", "found"),
    [  # device, host, features, frames, none
        (KeepLimits(10_000, 0), (10, 0, 0, 0, 0)),
        (KeepLimits(0, 700), (0, 10, 0, 0, 0)),
        (KeepLimits(699, 0), (9, 0, 0, 0, 1)),
        (KeepLimits(210, 490), (3, 7, 0, 0, 0)),
        (KeepLimits(0, 699), (0, 9, 1, 0, 0)),  # 9 * 70 + 8 = 638
        (KeepLimits(0, 142), (0, 1, 9, 0, 0)),  # 9 * 8 + 70
        (KeepLimits(0, 141), (0, 0, 10, 0, 0)),
        (KeepLimits(0, 79), (0, 0, 9, 1, 0)),  # 9 * 8 + 3 = 75
        (KeepLimits(0, 30), (0, 0, 0, 10, 0)),
        (KeepLimits(0, 29), (0, 0, 0, 9, 1)),
        (KeepLimits(0, 2), (0, 0, 0, 0, 10)),
        (KeepLimits(10_000, 10_000, "host"), (0, 10, 0, 0, 0)),
        (KeepLimits(10_000, 10_000, "features"), (0, 0, 10, 0, 0)),
        (KeepLimits(10_000, 10_000, "frames"), (0, 0, 0, 10, 0)),
        (KeepLimits(10_000, 10_000, "none"), (0, 0, 0, 0, 10)),
    ],
)
def test_ten_segments_within_some_limits(limits, found):
    assert counts(plan_tiers(10, FULL, limits)) == found


def test_the_first_segments_get_the_better_tiers():
    # the host holds frames of the four others (12), then features of two (10); or of all, and a prefix (62)
    tiers = plan_tiers(5, FULL, KeepLimits(70, 12 + 10))
    assert tiers == ["device", "features", "features", "frames", "frames"]
    tiers = plan_tiers(5, FULL, KeepLimits(70, 12 + 20 + 62))
    assert tiers == ["device", "host", "features", "features", "features"]


def test_a_tier_that_is_no_smaller_than_a_better_one_is_passed_over():
    tiny = SegmentSizes(prefix=10, features=10, frames=100)
    assert counts(plan_tiers(10, tiny, KeepLimits(0, 55))) == (0, 5, 0, 0, 5)
    odd = SegmentSizes(prefix=50, features=80, frames=20)
    assert counts(plan_tiers(10, odd, KeepLimits(0, 230))) == (0, 1, 0, 9, 0)


def test_frames_that_are_on_disk_take_no_memory():
    on_disk = SegmentSizes(prefix=70, features=8, frames=None)
    assert plan_tiers(3, on_disk, KeepLimits(0, 20)) == ["features", "features", None]
    assert plan_tiers(3, on_disk, KeepLimits(0, 100)) == ["host", "features", "features"]
    assert plan_tiers(3, FULL, KeepLimits(0, 20)) == ["features", "features", "frames"]


@given(
    st.integers(0, 200),
    st.tuples(st.integers(1, 100), st.integers(1, 100), st.integers(1, 100)),
    st.integers(0, 5000),
    st.integers(0, 5000),
    st.sampled_from([*TIERS, "none"]),
)
def test_no_limit_is_exceeded_and_no_better_tier_taken(count, sizes, device, host, tier):
    one = SegmentSizes(*sizes)
    tiers = plan_tiers(count, one, KeepLimits(device, host, tier))
    assert len(tiers) == count
    found = counts(tiers)
    assert found[0] * one.prefix <= device
    assert found[1] * one.prefix + found[2] * one.features + found[3] * one.frames <= host
    allowed = [*TIERS, "none"].index(tier)
    assert all(found[place] == 0 for place in range(min(allowed, 4)))
