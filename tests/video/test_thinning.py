"""Decoding only what the wanted frames need gives the frames of plain decoding, or falls back to it."""

import os
import re
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tempo_cli.errors import SetupError
from tempo_cli.plan import packets
from tempo_cli.plan.comparison import plan_comparison
from tempo_cli.plan.packets import CUT, DISPOSABLE, index_packets, kept_ranges, needed_packets, share_out
from tempo_cli.types import VideoInfo
from tempo_cli.video import arguments, handed, lanes, limits, thinning
from tempo_cli.video.ffmpeg import FFmpegProcess, ffmpeg_version
from tempo_cli.video.handed import HandedText
from tempo_cli.video.probe import probe
from tempo_cli.video.thinning import DecodingRecord

from .clips import FFMPEG
from .test_child import is_running
from .thinned import CLIPS, digests, drawn, make

SEED, ROUNDS = 20_261, 2
THINNED = (
    "vp9_layers.webm",
    "av1.mp4",
    "x264.mp4",
    "x264_pyramid.mkv",
    "x265.mp4",
    "vp8.webm",
    "vp9.webm",
    "av1.mkv",
    "mpeg2.mkv",
)
Plain = Callable[[str], tuple[VideoInfo, dict[int, str]]]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    """What is said of a clip, and the hash of each of its frames when nothing is left out."""
    folder = tmp_path_factory.mktemp("thinned")
    known: dict[str, tuple[VideoInfo, dict[int, str]]] = {}

    def decoded(name: str) -> tuple[VideoInfo, dict[int, str]]:
        if name not in known:
            info = probe(make(name, folder))
            found = dict(digests(info, np.arange(info.frames), FFMPEG, DecodingRecord(exact=False)))
            assert len(set(found.values())) == info.frames == CLIPS[name].frames
            known[name] = info, found
        return known[name]

    return decoded


@pytest.fixture(autouse=True)
def _short_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "_LEAST_PACKETS", 0)
    monkeypatch.setattr(thinning, "_LEAST_SHARE", 2)
    monkeypatch.setattr(thinning, "usable_cores", lambda: 2)


@pytest.mark.parametrize("name", CLIPS)
def test_any_frames_are_those_of_plain_decoding(name: str, plain: Plain) -> None:
    info, frames = plain(name)
    random = np.random.default_rng([SEED, *name.encode()])
    for _ in range(ROUNDS):
        wanted = drawn(random, info.frames)
        record = DecodingRecord(exact=True)  # so that nothing is compared: a wrong frame must show here
        assert dict(digests(info, wanted, FFMPEG, record)) == {index: frames[index] for index in wanted}
        assert record.exact is True


@pytest.mark.parametrize("name", THINNED)
def test_packets_are_left_out(name: str, plain: Plain) -> None:
    info, frames = plain(name)
    record = DecodingRecord(exact=True)
    assert dict(digests(info, [5, 40, 70], FFMPEG, record)) == {index: frames[index] for index in (5, 40, 70)}
    assert 3 <= record.decoded < 0.6 * record.packets


def test_several_processes_take_turns(plain: Plain, started: list[int]) -> None:
    info, frames = plain("x264_pyramid.mkv")
    ffmpeg_version(FFMPEG)  # takes a process, the first time that anyone asks
    started.clear()
    record = DecodingRecord(exact=True)
    assert list(digests(info, np.arange(0, 100, 3), FFMPEG, record)) == [
        (index, frames[index]) for index in range(0, 100, 3)
    ]
    assert record.processes == len(started) == 2


def test_many_cores_start_no_more_threads_than_memory_is_there_for(
    plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], int | None]] = []
    original = lanes.FFmpegProcess

    def noted(arguments: list[str], memory: int | None, *inherited: Any) -> FFmpegProcess:
        started.append((arguments, memory))
        return original(arguments, memory, *inherited)

    for module in (thinning, lanes, limits):
        monkeypatch.setattr(module, "usable_cores", lambda: 64)
    monkeypatch.setattr(thinning, "_COMPARED_PACKETS", 20)
    monkeypatch.setattr(lanes, "FFmpegProcess", noted)
    info, frames = plain("x264_pyramid.mkv")
    record = DecodingRecord(seekable=True)
    wanted = list(range(0, 100, 3))
    assert dict(digests(info, wanted, FFMPEG, record)) == {index: frames[index] for index in wanted}
    assert (record.exact, record.processes) == (True, 4)
    assert {memory for _, memory in started} == {limits.decoder_memory(36_000_000) // 4}
    for words, _ in started:
        threads = [words[place + 1] for place, word in enumerate(words) if word.endswith("threads")]
        assert sorted(threads) == ["1", "1", "4"]  # of the filters, of the output, of the decoder


def test_pictures_that_grow_beyond_the_header_do_not_wait(
    plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_MOST_GROWTH", 0.5)
    info, frames = plain("x264_pyramid.mkv")
    record = DecodingRecord(exact=True)
    assert dict(digests(info, [5, 40, 70], FFMPEG, record)) == {index: frames[index] for index in (5, 40, 70)}
    assert record.exact is False


def test_the_first_frames_are_decoded_both_ways_once(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "_COMPARED_PACKETS", 20)
    info, frames = plain("x264_pyramid.mkv")
    record = DecodingRecord()
    for wanted in ([3, 7, 50, 60, 99], [4, 90]):
        assert dict(digests(info, wanted, FFMPEG, record)) == {index: frames[index] for index in wanted}
        assert record.exact is True


def _without_a_reference(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """Leave out what must not be left out: packet `place`, to which others refer."""

    def needed(index: packets.PacketIndex, positions: np.ndarray) -> packets.Mask:
        kept = needed_packets(index, positions)
        kept[place] = False
        return kept

    monkeypatch.setattr(lanes, "needed_packets", needed)


@pytest.mark.parametrize("exact", [None, True], ids=["compared", "reported by the decoder"])
@pytest.mark.parametrize("name", ["x264.mp4", "x264_refresh.mp4", "x265.mp4"])
def test_a_reference_left_out_is_noticed(
    name: str, exact: bool | None, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No picture is missing then: others come, and they are wrong."""
    monkeypatch.setattr(thinning, "_COMPARED_PACKETS", 30)
    info, frames = plain(name)
    assert info.packet_kinds is not None
    place = next(n for n in range(3, 12) if not info.packet_kinds[n] & (DISPOSABLE | CUT))
    _without_a_reference(monkeypatch, place)
    wanted = [place + 4, place + 6, 40, 95]
    record = DecodingRecord(exact=exact)
    assert dict(digests(info, wanted, FFMPEG, record)) == {index: frames[index] for index in wanted}
    assert record.exact is False


@pytest.mark.parametrize(("wrong", "place"), [(DISPOSABLE, 0), (CUT, 1)], ids=["disposable", "cut"])
def test_what_is_read_wrongly_is_noticed_before_anything_is_left_out(
    wrong: int, place: int, plain: Plain
) -> None:
    """Also where the first wanted frame needs nothing else: the rest of its group and the next show it."""
    info, frames = plain("mpeg4.mp4")
    assert info.packet_kinds is not None
    kinds = info.packet_kinds.copy()
    referred = np.flatnonzero(kinds == 0)
    assert len(referred) > 20, "MPEG-4's decoder reports no missing reference: only comparing shows this"
    kinds[referred[place::3]] |= wrong
    wanted, record = [0, 45, 57, 69, 81, 99], DecodingRecord()
    info = replace(info, packet_kinds=kinds)
    assert dict(digests(info, wanted, FFMPEG, record)) == {index: frames[index] for index in wanted}
    assert record.exact is False


def test_a_frame_that_does_not_come_is_decoded_plainly(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    info, frames = plain("prores.mov")
    monkeypatch.setattr(lanes, "needed_packets", lambda index, _: np.zeros(len(index.pts), np.bool_))
    record = DecodingRecord(exact=True)
    assert dict(digests(info, [5, 40, 70], FFMPEG, record)) == {index: frames[index] for index in (5, 40, 70)}
    assert record.exact is False


@pytest.mark.parametrize("left", [0.3, 0.98], ids=["in the middle", "at the end"])
def test_a_damaged_part_is_no_reason_to_decode_all_from_then_on(
    left: float, plain: Plain, tmp_path: Path
) -> None:
    """There, decoders report errors whatever is left out."""
    info, _ = plain("x264_no_b.ts")
    content = bytearray(info.path.read_bytes())
    place = round(left * len(content)) // 188 * 188
    del content[place : place + (188 if left < 0.5 else len(content))]
    path = tmp_path / "damaged.ts"
    path.write_bytes(content)
    damaged, record = probe(path), DecodingRecord(exact=True)
    every = dict(digests(damaged, range(0, damaged.frames, 2), FFMPEG, DecodingRecord(exact=False)))
    for _ in range(2):
        found = dict(digests(damaged, range(0, damaged.frames, 2), FFMPEG, record))
        assert found.keys() == every.keys()
        # how a damaged picture is repaired depends on the number of threads, and so does its group
        assert len({index // 12 for index in every if found[index] != every[index]}) <= 1
        assert record.exact is True


def test_a_lack_of_memory_may_pass(plain: Plain, script: Callable[[str, str], str]) -> None:
    info, frames = plain("x264_pyramid.mkv")
    starve = 'echo "[info] Input #0" >&2; echo "[error] Cannot allocate memory" >&2; exit 1'
    binary = script("ffmpeg", f'case "$*" in *"/bsf"*) {starve};; esac\nexec "{FFMPEG}" "$@"')
    record = DecodingRecord(exact=True)
    for exact in (True, False):
        assert dict(digests(info, [5, 40, 70], binary, record)) == {n: frames[n] for n in (5, 40, 70)}
        assert record.exact is exact


@pytest.mark.parametrize("exact", [None, True])
@pytest.mark.parametrize("place", [0, 1])
def test_where_no_more_processes_can_start_one_decodes_all(
    place: int, exact: bool | None, plain: Plain, monkeypatch: pytest.MonkeyPatch, started: list[int]
) -> None:
    info, frames = plain("x264_pyramid.mkv")
    original, calls = lanes.FFmpegProcess, list[bool]()

    def start(*arguments: Any) -> FFmpegProcess:
        calls.append(len(calls) == place)
        if calls[-1]:
            raise SetupError("ffmpeg can't be started: Cannot allocate memory", "")
        return original(*arguments)

    monkeypatch.setattr(lanes, "FFmpegProcess", start)
    record = DecodingRecord(exact=exact)
    wanted = range(0, 100, 3)
    assert dict(digests(info, wanted, FFMPEG, record)) == {index: frames[index] for index in wanted}
    assert record.exact is exact
    assert not any(is_running(process) for process in started)


@pytest.mark.parametrize("name", ["prefetch", "keep_stderr"])
def test_without_a_thread_no_process_is_left(
    name: str, plain: Plain, monkeypatch: pytest.MonkeyPatch, started: list[int]
) -> None:
    info, frames = plain("x264_pyramid.mkv")
    original = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if name in thread.name and len(started) < 2:
            raise RuntimeError("can't start new thread")
        original(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    record = DecodingRecord(exact=True)
    assert dict(digests(info, [5, 40, 70], FFMPEG, record)) == {n: frames[n] for n in (5, 40, 70)}
    assert not any(is_running(process) for process in started)
    assert len(started) == 2


def test_nothing_lies_in_the_temporary_folder(
    plain: Plain, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else it would stay there if tempo is killed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    info, frames = plain("x264_pyramid.mkv")
    found: list[Path] = []
    original = lanes.FFmpegProcess

    def start(*arguments: Any) -> FFmpegProcess:
        found.extend(tmp_path.iterdir())
        return original(*arguments)

    monkeypatch.setattr(lanes, "FFmpegProcess", start)
    record = DecodingRecord(exact=True)
    assert dict(digests(info, [5, 70], FFMPEG, record)) == {n: frames[n] for n in (5, 70)}
    assert record.decoded < record.packets
    assert found == []


@pytest.mark.parametrize("system", ["posix", "nt"])
def test_a_text_is_handed_over_in_any_system(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handed, "os", SimpleNamespace(name=system, fdopen=os.fdopen))
    text = HandedText("a text")
    with Path(text.name).open() as file:
        assert file.read() == "a text"
    text.close()
    assert not Path(text.name).exists()
    text.close()


def test_an_ffmpeg_older_than_7_decodes_all(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    info, frames = plain("x264.mp4")
    monkeypatch.setattr(thinning, "ffmpeg_version", lambda _: (6, 1))
    record = DecodingRecord(exact=True)
    assert dict(digests(info, [5, 70], FFMPEG, record)) == {index: frames[index] for index in (5, 70)}
    assert record.decoded == record.packets >= 70


# --- which packets are needed ---


def _index(text: str, pts: list[int]) -> packets.PacketIndex:
    """`I` begins a group, `b` is referred to by nothing, `P` is."""
    kinds = {"I": CUT, "P": 0, "b": DISPOSABLE}
    return index_packets(np.array(pts), np.array([kinds[letter] for letter in text], np.uint8))


def _needed(index: packets.PacketIndex, *pts: int) -> str:
    kept = needed_packets(index, index.positions(np.array(pts)))
    return "".join("x" if one else "." for one in kept)


def test_of_a_group_what_stands_before_the_last_wanted_picture_is_needed() -> None:
    index = _index("IPbbPbbIPbb", [0, 3, 1, 2, 6, 4, 5, 7, 10, 8, 9])
    assert _needed(index, 1) == "xxx........"
    assert _needed(index, 6) == "xx..x......"
    assert _needed(index, 5, 8) == "xx..x.xxxx."
    assert _needed(index, 7) == ".......x..."


def test_a_picture_shown_before_its_groups_first_one_needs_the_group_before() -> None:
    index = _index("IPbIbbPbb", [0, 2, 1, 5, 3, 4, 8, 6, 7])
    assert _needed(index, 4) == "xx.x.x..."
    assert _needed(index, 6) == "...x..xx."


def test_ranges_hold_just_the_packets_that_are_kept() -> None:
    index = _index("IPbbPbb", [0, 30, 10, 20, 60, 40, 50])
    kept = np.array([True, True, False, True, True, False, False])
    assert kept_ranges(index, kept) == [(0, 0), (20, 30), (60, 60)]
    assert kept_ranges(index, np.zeros(7, np.bool_)) == []


def _compared(text: str, wanted: list[int], most: int = 100) -> tuple[list[int], int, int] | None:
    """Times of the compared packets, how many are wanted, how many packets that takes; times count them."""
    index = _index(text, list(range(len(text))))
    found = plan_comparison(index, np.array(wanted), np.ones(len(text), np.bool_), most)
    return found and (found.positions.tolist(), found.wanted, found.packets)


def test_a_whole_group_is_compared_and_how_the_next_one_begins() -> None:
    text = "IbPbPbPbIbPbPbPb"
    # the last picture that others refer to, at 6, is left out: what follows must not need it
    assert _compared(text, [0, 12]) == ([0, 4, 8, 10], 1, 11)
    assert _compared(text, [0, 3, 6, 12]) == ([0, 3, 4, 8, 10], 2, 11)
    assert _compared(text, [7, 12]) == ([4, 8, 10], 0, 11)
    assert _compared(text, [9, 12]) == ([9, 12], 2, 5), "the last group: nothing follows it"


def test_where_every_picture_stands_alone_one_is_left_out() -> None:
    assert _compared("IIIII", [0, 4]) == ([0, 2], 1, 3)
    assert _compared("IbbIbbIbb", [0, 8]) == ([0, 6], 1, 7)


def test_a_long_group_is_compared_as_far_as_is_allowed() -> None:
    assert _compared("IbPbPbPbPbIb", [0, 11], 5) == ([0, 4], 1, 5)
    assert _compared("IPPPPPPPPPIP", [0, 11], 5) is None, "nothing is left out so far"
    assert _compared("IPPPPPPPPPIP", [0, 11], 12) == ([0, 8, 10, 11], 1, 12)


def test_only_pictures_that_can_be_asked_for_are_compared() -> None:
    index = _index("IbPbPbIbP", list(range(9)))
    shown = np.array([True, True, False, True, True, True, False, True, True])
    found = plan_comparison(index, np.array([0, 8]), shown, 100)
    assert found is not None
    assert found.positions.tolist() == [0, 8]


def test_groups_are_dealt_out_in_turn() -> None:
    index = _index("IPIPIPIP", list(range(8)))
    shares = share_out(index, np.array([0, 1, 2, 4, 5, 6, 7]), 2, 2)
    assert [share.tolist() for share in shares] == [[0, 1, 5, 6], [2, 3, 4]]


# --- what a decoder says ---


@pytest.mark.parametrize(
    ("line", "troubled"),
    [
        ("[h264 @ 0x5] [error] Missing reference picture, default is 65530", True),
        ("[h264 @ 0x5] [error] mmco: unref short failure", True),
        ("[h264 @ 0x5] [info] concealing 12 DC, 12 AC, 12 MV errors in P frame", True),
        ("[hevc @ 0x5] [error] Could not find ref with POC 12", True),
        ("[hevc @ 0x5] [warning] missing picture in access unit", True),
        (
            "[image2pipe @ 0x5] [error] non monotonically increasing dts to muxer in stream 0: 3 >= 3",
            False,
        ),
        (
            "[swscaler @ 0x5] [warning] deprecated pixel format used, set range correctly",
            False,
        ),
        ("[info]     title           : concealing", False),
    ],
)
def test_what_counts_as_a_decoders_error(
    line: str, troubled: bool, script: Callable[[str, str], str]
) -> None:
    binary = script("ffmpeg", f"echo '{line}' >&2; echo '[info] Input #0, mp4' >&2; sleep 0.1; echo >&2")
    assert not _troubled(binary), "what is said of the first packets, before decoding, is not counted"
    binary = script("ffmpeg", f"echo '[info] Input #0, mp4' >&2; echo '{line}' >&2")
    assert _troubled(binary) == troubled


def _troubled(binary: str) -> bool:
    process = FFmpegProcess([binary])
    process.wait(5)
    process.complaints()
    process.close()
    return process.troubled


def test_packets_without_a_time_are_not_dropped() -> None:
    """ffmpeg's expressions have the smallest integer for what is not there."""
    expression = re.fullmatch(r"noise=drop='(.*)'", arguments.packet_filter([(5, 9), (20, 20)]))
    assert expression
    functions = {
        "gt": lambda x, y: x > y,
        "lt": lambda x, y: x < y,
        "eq": lambda x, y: x == y,
        "not_": lambda x: not x,
        "between": lambda x, low, high: low <= x <= high,
        "if_": lambda condition, then, otherwise: then if condition else otherwise,
    }
    body = re.sub(r"\b(if|not)\(", r"\1_(", expression[1])
    times = [-(2**63), -1, 0, 4, 5, 9, 10, 20, 21]
    dropped = [pts for pts in times if eval(body, {"__builtins__": {}}, {**functions, "pts": pts})]
    assert dropped == [-1, 0, 4, 10, 21]
