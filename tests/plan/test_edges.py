"""Pure decisions, worked out by hand on both sides of every limit."""

from dataclasses import is_dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_cli import plan
from tempo_cli.config import FrameShape, PixelLimits, SamplingOptions
from tempo_cli.errors import UsageError
from tempo_cli.plan.allocation import allocate
from tempo_cli.plan.clock import clock_warnings
from tempo_cli.plan.comparison import plan_comparison
from tempo_cli.plan.memory import Needs
from tempo_cli.plan.packets import (
    CUT,
    DISPOSABLE,
    PacketIndex,
    are_among,
    decoded_from,
    index_packets,
    kept_ranges,
    needed_packets,
    share_out,
)
from tempo_cli.plan.picture import raw_differences, shown_size, to_sdr
from tempo_cli.plan.pixels import resized_sizes
from tempo_cli.plan.questions import checked_history
from tempo_cli.plan.sampling import plan_frames, plan_sampling
from tempo_cli.plan.shape import frame_shape, pixel_limits
from tempo_cli.plan.similar import similar
from tempo_cli.types import Colors, Exchange, Look, VideoInfo

# three groups in the order of the file: I P B b b | I b P b | I; the b of the second is shown before its I
PTS = [0, 4, 2, 1, 3, 6, 5, 8, 7, 9]
KINDS = [CUT, 0, 0, DISPOSABLE, DISPOSABLE, CUT, DISPOSABLE, 0, DISPOSABLE, CUT]
SHOWN = [0, 3, 2, 4, 1, 6, 5, 8, 7, 9]  # packets in the order shown


def packets(pts: list[int] = PTS, kinds: list[int] = KINDS) -> PacketIndex:
    return index_packets(np.array(pts, np.int64), np.array(kinds, np.uint8))


def mask(*places: int) -> np.ndarray:
    return np.isin(np.arange(len(PTS)), places)


@pytest.mark.parametrize(("apart", "mode"), [(0.9e-8, "uniform"), (1.1e-8, "linear"), (1e-6, "linear")])
def test_scores_within_a_hundred_millionth_count_as_equal(apart: float, mode: str) -> None:
    found = allocate(np.array([0, apart], np.float32), 100, 4, 16)
    assert found.mode == mode
    assert found.tokens.tolist() == ([16, 16] if mode == "uniform" else [4, 16])


def test_an_edge_of_exactly_the_longest_leaves_the_frame_as_it_is() -> None:
    assert resized_sizes((500, 512), FrameShape())[0] == (500, 512)
    assert resized_sizes((500, 513), FrameShape())[0] == (496, 512)


def test_groups_begin_at_cuts_and_at_the_first_packet() -> None:
    index = packets()
    assert index.starts.tolist() == [0, 5, 9]
    assert index.order.tolist() == SHOWN
    assert index.positions(np.array([5, 3])).tolist() == [6, 4]
    assert index.groups(np.array([0, 4, 5, 8, 9])).tolist() == [0, 0, 1, 1, 2]
    assert packets(kinds=[0, *KINDS[1:]]).starts.tolist() == [0, 5, 9]
    assert packets(kinds=[0] * 10).starts.tolist() == [0]


@pytest.mark.parametrize(
    ("positions", "needed"),
    [
        ([], []),
        ([0], [0]),
        ([3], [0, 1, 2, 3]),
        ([4], [0, 1, 2, 4]),  # without 3, which nothing refers to
        ([6], [0, 1, 2, 5, 6]),  # shown before its group's first: the group before may be referred to
        ([5], [5]),
        ([8], [5, 7, 8]),
        ([1, 7], [0, 1, 5, 7]),
        ([9], [9]),
    ],
)
def test_packets_that_pictures_need(positions: list[int], needed: list[int]) -> None:
    assert np.flatnonzero(needed_packets(packets(), np.array(positions, np.int64))).tolist() == needed


def test_a_first_group_has_none_before_it() -> None:
    index = packets([1, 0, 2], [CUT, 0, CUT])
    assert needed_packets(index, np.array([1])).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("kept", "ranges"),
    [
        ([], []),
        ([0, 1, 2, 3], [(0, 2), (4, 4)]),
        ([9], [(9, 9)]),
        ([1, 5, 6], [(4, 6)]),
        (range(10), [(0, 9)]),
        ([0, 2, 7], [(0, 0), (2, 2), (8, 8)]),
    ],
)
def test_ranges_of_what_is_kept(kept: list[int], ranges: list[tuple[int, int]]) -> None:
    assert kept_ranges(packets(), mask(*kept)) == ranges


@pytest.mark.parametrize(
    ("lanes", "least", "shares"),
    [
        (2, 5, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]),
        (2, 4, [[0, 1, 2, 3, 4, 9], [5, 6, 7, 8]]),
        (2, 6, [[0, 1, 2, 3, 4, 5, 6, 7, 8], [9]]),
        (3, 1, [[0, 1, 2, 3, 4], [5, 6, 7, 8], [9]]),
        (3, 10, [list(range(10)), [], []]),
        (1, 1, [list(range(10))]),
    ],
)
def test_whole_groups_are_dealt_out_in_turn(lanes: int, least: int, shares: list[list[int]]) -> None:
    assert [share.tolist() for share in share_out(packets(), np.array(SHOWN), lanes, least)] == shares


def test_all_that_follows_the_last_packet_is_decoded() -> None:
    kept = np.array([True, False, False, False])
    assert decoded_from(kept, 1).tolist() == [True, False, True, True]
    assert kept.tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("positions", "most", "expected"),
    [
        ([0, 3], 100, ([0, 1, 5, 7], 1, 8)),
        ([0, 3], 7, ([0, 1, 5], 1, 6)),
        ([0, 3], 6, ([0, 1, 5], 1, 6)),
        ([0, 3], 5, None),  # as far as it goes, nothing would be left out
        ([0, 3], 1, None),
        ([3, 2], 100, ([1, 5, 7], 0, 8)),
        ([6, 8], 100, ([6, 5, 9], 1, 5)),
        ([9], 100, None),
    ],
)
def test_what_is_compared(
    positions: list[int], most: int, expected: tuple[list[int], int, int] | None
) -> None:
    found = plan_comparison(packets(), np.array(positions), mask(*range(10)), most)
    assert (found and (found.positions.tolist(), found.wanted, found.packets)) == expected


def test_a_group_with_one_reference_leaves_the_next_one_out() -> None:
    index = packets([0, 1, 2, 3, 4, 5], [CUT, DISPOSABLE, DISPOSABLE, CUT, DISPOSABLE, CUT])
    found = plan_comparison(index, np.array([0, 1, 2]), np.ones(6, np.bool_), 100)
    assert found is not None
    assert (found.positions.tolist(), found.wanted, found.packets) == ([0, 1, 2, 5], 3, 6)


def test_what_is_not_shown_is_not_compared() -> None:
    found = plan_comparison(packets(), np.array([0]), ~mask(1, 5), 100)
    assert found is not None
    assert (found.positions.tolist(), found.wanted, found.packets) == ([0, 7], 1, 8)


@pytest.mark.parametrize(
    ("aspect", "shown"),
    [
        ("1", (576, 720)),
        ("64/45", (576, 1024)),
        ("16/15", (576, 768)),
        ("8/9", (648, 720)),
        ("4", (576, 2880)),
        ("401/100", (576, 720)),
        ("1/4", (2304, 720)),
        ("24/100", (576, 720)),
    ],
)
def test_the_narrower_edge_of_a_pixel_is_stretched(aspect: str, shown: tuple[int, int]) -> None:
    assert shown_size((576, 720), Fraction(aspect)) == shown


def colors(transfer: str | None, *untold: str) -> Colors:
    return Colors(transfer, frozenset(untold), False)


def test_differences_of_a_stored_picture() -> None:
    def told(aspect: str, transfer: str | None, dolby: bool = False) -> str:
        return raw_differences(Look(576, 720, Fraction(aspect), colors(transfer)), dolby)

    assert told("1", "bt709") == told("5", None) == ""
    assert "64:45" in told("64/45", "bt709")
    assert "smpte2084" in told("1", "smpte2084")
    assert "arib-std-b67" in told("1", "arib-std-b67")
    assert "Dolby Vision" in told("1", None, dolby=True)
    both = told("2", "smpte2084")
    assert "2:1" in both
    assert "smpte2084" in both


def test_only_hdr_is_converted_and_what_is_not_told_is_supposed() -> None:
    assert to_sdr(colors("bt709")) == to_sdr(colors(None)) == ""
    assert to_sdr(colors("smpte2084", "range", "matrix")) == (
        "zscale=w='iw*min(1,2048/max(iw,ih))':h='ih*min(1,2048/max(iw,ih))':f=bicubic"
        ":t=linear:p=bt709:npl=203"
        ":matrixin=bt2020nc:rangein=tv,format=gbrpf32le,"
        "tonemap=mobius:param=0.95:peak=4.926:desat=0,zscale=t=bt709:m=gbr:r=pc,format=gbrp"
    )


@pytest.mark.parametrize(
    ("first", "mode", "count"), [(0.49, "index", 0), (0.5, "index", 1), (2.0, "index", 1), (2.0, "time", 0)]
)
def test_a_late_picture_is_told_where_times_count_from_it(first: float, mode: str, count: int) -> None:
    told = clock_warnings(SimpleNamespace(restarts=(), times=np.array([first])), mode)  # type: ignore[arg-type]
    assert len(told) == count
    assert all(f"{first:.1f} s" in warning for warning in told)


@pytest.mark.parametrize(
    ("restarts", "listed"),
    [
        ((1.0,), " 1.0 s,"),
        ((1.0, 2.0), " 1.0 s and 2.0 s,"),
        ((1.0, 2.0, 3.0), " 1.0 s, 2.0 s and 3.0 s,"),
        ((1.0, 2.0, 3.0, 4.0, 5.0), " 1.0 s, 2.0 s, 3.0 s and 2 more times,"),
    ],
)
def test_restarts_are_listed(restarts: tuple[float, ...], listed: str) -> None:
    (told,) = clock_warnings(SimpleNamespace(restarts=restarts, times=np.zeros(1)), "index")  # type: ignore[arg-type]
    assert listed in told


def test_what_is_decided_stays_as_it_was() -> None:
    (folder,) = plan.__path__
    modules = [import_module(f"tempo_cli.plan.{path.stem}") for path in Path(folder).glob("[a-z]*.py")]
    values = [one for module in modules for one in vars(module).values() if is_dataclass(one)]
    assert len(values) > 10
    assert [one for one in values if not one.__dataclass_params__.frozen] == []


@pytest.mark.parametrize(
    ("name", "highest"),
    [
        ("longest_edge", 16_384),
        ("grid", 1024),
        ("min_pixels", 2**26),
        ("max_pixels", 2**26),
        ("min_tokens", 65_536),
    ],
)
def test_limits_of_a_checkpoint_have_limits(name: str, highest: int) -> None:
    expected = PixelLimits() if name == "min_tokens" else PixelLimits(**{name: highest})
    assert pixel_limits({"tempo": {name: highest}}) == expected
    with pytest.raises(ValueError, match=f"^tempo.{name}$"):
        pixel_limits({"tempo": {name: highest + 1}})


@pytest.mark.parametrize("name", ["patch_size", "spatial_merge_size", "temporal_patch_size"])
def test_sizes_of_a_patch_have_limits(name: str) -> None:
    frame_shape({}, {"vision_config": {name: 256}})
    with pytest.raises(ValueError, match=f"^{name}$"):
        frame_shape({}, {"vision_config": {name: 257}})


@pytest.mark.parametrize(
    ("name", "names", "meant"),
    [
        ("ab", ["ba"], None),  # one error in two letters
        ("abc", ["bac"], "bac"),  # one in three: the first two are swapped
        ("abc", ["acb"], "acb"),
        ("abc", ["cba"], None),
        ("abcde", ["abcxy"], "abcxy"),  # 0.6 is enough
        ("abcd", ["abxy"], None),
        ("abc", ["abd", "abe"], "abd"),  # equal ones: the first
        ("a" * 90, ["a" * 80], "a" * 80),  # what is beyond 80 letters does not count
    ],
)
def test_letters_that_differ(name: str, names: list[str], meant: str | None) -> None:
    assert similar(name, names) == meant


def test_the_least_that_is_needed_is_the_larger_network_with_its_work() -> None:
    assert Needs(compressor=3, decoder=1, segment=3, answer=1, kept=5).least == 11
    assert Needs(compressor=1, decoder=3, segment=1, answer=3, kept=0).least == 6


@pytest.mark.parametrize("history", ["what", b"what", 3, None, Exchange("what", "that")])
def test_what_is_no_history_is_refused_by_its_type(history: object) -> None:
    with pytest.raises(TypeError, match=f"not {type(history).__name__}$"):
        checked_history(history)


def test_a_history_is_checked_exchange_by_exchange() -> None:
    first, second = Exchange("what", ""), Exchange("why", "so")
    assert checked_history(iter([first, second])) == (first, second)
    assert checked_history([]) == ()
    with pytest.raises(TypeError, match=r"not of str$"):
        checked_history([first, "why"])
    with pytest.raises(UsageError):
        checked_history([first, Exchange(" \n", "so")])


def test_one_frame_is_sampled_once() -> None:
    found = plan_frames(1, 25.0, SamplingOptions(fps=2.0, max_frames=8), first=7)
    assert found.indices.tolist() == [7]
    assert found.fps == 25.0
    assert plan_frames(3, 25.0, SamplingOptions(fps=2.0, max_frames=1)).indices.tolist() == [2]


@pytest.mark.parametrize(
    ("start", "end", "part"), [(None, 1.0, "0 s and 1 s"), (0.5, 1.5, "0.5 s and 1.5 s"), (6.0, None, "6 s")]
)
def test_the_part_without_a_frame_is_told(start: float | None, end: float | None, part: str) -> None:
    info = VideoInfo(Path("v.mp4"), 0, "h264", 160, 90, Fraction(1), np.array([2.0, 3.0, 4.0]), 5.0, 1, 0.0)
    with pytest.raises(UsageError, match=f" {part}( |$)"):
        plan_sampling(info, SamplingOptions(start=start, end=end))


@given(st.lists(st.integers(-9, 9)), st.lists(st.integers(-9, 9), unique=True))
def test_are_among_says_what_numpy_says(values: list[int], others: list[int]) -> None:
    asked, known = np.array(values, np.int64), np.array(others, np.int64)
    expected = np.isin(asked, known).tolist()
    assert are_among(asked, np.sort(known)).tolist() == expected
    assert are_among(asked, known, np.argsort(known)).tolist() == expected
