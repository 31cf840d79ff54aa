"""The decoder yields the planned frames and no others, exactly, and leaves no process behind."""

import os
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_cli.config import SamplingOptions
from tempo_cli.errors import VideoError
from tempo_cli.plan.sampling import frames_between, plan_frames
from tempo_cli.types import FramePlan, IntArray, Pixels, VideoInfo
from tempo_cli.video import limits, thinning
from tempo_cli.video.arguments import Range, selection, wanted_ranges
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.keyframes import needs_beginning
from tempo_cli.video.parameter_sets import ParameterSets
from tempo_cli.video.probe import probe
from tempo_cli.video.seeking import compared_place, seek_point
from tempo_cli.video.thinning import DecodingRecord

from .clips import (
    FFMPEG,
    GROUPS,
    VIDEOS,
    ClipMaker,
    FullDecode,
    Recipe,
    decode_all,
    decode_plan,
    every_frame,
    run_ffmpeg,
    source,
)

ONE_PIXEL_PAIR = r"printf 'P6\n2 1\n255\nabcdef'"  # a frame of 2x1 px, as ffmpeg writes it


def fake_video(frames: int, pts: IntArray | None = None) -> VideoInfo:
    """For scripts that stand in for ffmpeg; without timestamps their frames are only counted."""
    times, rate = np.arange(frames) / 25, Fraction(25)
    return VideoInfo(Path("fake.mp4"), 0, "h264", 2, 1, rate, times, frames / 25, 1000, 0.0, pts)


def plan(*indices: int) -> FramePlan:
    return FramePlan(np.array(indices), 1.0)


# --- exact frames ---


@pytest.mark.parametrize("name", VIDEOS)
def test_every_frame_is_ffmpegs(name: str, clip: ClipMaker, truth: FullDecode) -> None:
    info = probe(clip(name))
    frames, warnings = decode_plan(info, every_frame(info))
    assert [frame.position for frame in frames] == list(range(info.frames))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth(name))
    assert warnings == []


@pytest.mark.parametrize("name", VIDEOS)
def test_sampled_frames_are_ffmpegs(name: str, clip: ClipMaker, truth: FullDecode) -> None:
    """Short clips repeat frames: four are sampled at least."""
    info = probe(clip(name))
    planned = plan_frames(info.frames, float(info.rate), SamplingOptions(fps=9.0))
    frames, warnings = decode_plan(info, planned)
    assert [frame.position for frame in frames] == list(range(len(planned.indices)))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth(name)[planned.indices])
    assert warnings == []


@pytest.mark.parametrize("indices", [[0], [49], [7], [0, 0, 0], [3, 3, 4, 4, 20, 49, 49], [18, 19, 20, 21]])
def test_any_plan_is_followed(indices: list[int], clip: ClipMaker, truth: FullDecode) -> None:
    frames, warnings = decode_plan(probe(clip("h264.mp4")), plan(*indices))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth("h264.mp4")[indices])
    assert warnings == []


def test_a_cut_shows_the_same_frames_as_the_whole(clip: ClipMaker, truth: FullDecode) -> None:
    """1.5 s is between the frames 37 and 38, in the middle of a group of pictures."""
    info = probe(clip("cut.mp4"))
    frames, _ = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth("long.mp4")[38:])


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2), (270, 3)])
def test_rotated_videos_come_upright(degrees: int, quarters: int, clip: ClipMaker, truth: FullDecode) -> None:
    info = probe(clip(f"rotated_{degrees}.mp4"))
    (frame,), _ = decode_plan(info, plan(30))
    np.testing.assert_array_equal(frame.pixels, np.rot90(truth("h264.mp4")[30], quarters))


def test_a_change_of_size_is_scaled_to_the_first_size(
    clip: ClipMaker, truth: FullDecode, tmp_path: Path
) -> None:
    path = tmp_path / "two_sizes.h264"
    path.write_bytes(clip("h264.h264").read_bytes() + clip("small.h264").read_bytes())
    info = probe(path)
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames[:50]], truth("h264.h264"))
    assert [frame.pixels.shape for frame in frames[50:]] == [(90, 160, 3)] * 50
    assert warnings == []


@pytest.mark.parametrize("indices", [[57, 58, 99], [83, 91], [96], [60, 60, 61]], ids=str)
@pytest.mark.parametrize("name", GROUPS)
def test_decoding_from_near_the_first_frame_changes_none(
    name: str, indices: list[int], clip: ClipMaker, truth: FullDecode
) -> None:
    frames, warnings = decode_plan(probe(clip(name)), plan(*indices))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth(name)[indices])
    assert warnings == []


@pytest.mark.parametrize(
    "name",
    ["groups.mp4", "groups.mkv", "groups.ts", "groups_vp9.webm", "groups_av1.mkv", "open_groups_265.mp4"],
)
def test_usual_videos_need_not_be_decoded_from_their_start(name: str, clip: ClipMaker) -> None:
    info = probe(clip(name))
    start = seek_point(info, 99)
    assert start is not None
    assert 3.0 <= start - info.keyframes[0][1] <= 3.6


def test_where_ffmpeg_reads_other_stamps_frames_are_counted(clip: ClipMaker, truth: FullDecode) -> None:
    info = probe(clip("h264.mp4"))
    assert info.pts is not None
    frames, warnings = decode_plan(replace(info, pts=info.pts + 7), plan(3, 18, 49))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth("h264.mp4")[[3, 18, 49]])
    assert warnings == []


def test_decoding_begins_a_group_of_pictures_early(clip: ClipMaker) -> None:
    """Every tenth frame is a key frame; frames near one may refer to the group before."""
    info = probe(clip("groups.mp4"))
    assert [(place, round(seconds, 6)) for place, seconds in info.keyframes] == [
        (place, place / 25) for place in range(0, 100, 10)
    ]
    assert compared_place(info) == 20
    # before frame 30, a seek is compared with what it could save
    assert [seek_point(info, index) for index in (0, 10, 20, 39)] == [None] * 4
    assert [seek_point(info, index) for index in (40, 49, 50, 99)] == pytest.approx([1.2, 1.2, 1.6, 3.2])


@pytest.mark.parametrize("seconds", [0.5, 7200.0])
def test_wherever_the_key_frames_are_a_seek_is_compared_and_costs_less_than_it_saves(seconds: float) -> None:
    """Also where the third one stands after hours, or where every frame is one."""
    times = np.arange(300) * seconds / 20
    every, rare = range(300), range(0, 300, 20)
    for places in (every, rare):
        info = replace(
            fake_video(300), pts=np.arange(300), keyframes=tuple((place, times[place]) for place in places)
        )
        place = compared_place(info)
        assert place is not None
        assert times[place] >= times[places[1]] + 0.13, "a seek passes the second one"
        starts = [seek_point(info, index) for index in range(300)]
        assert all(start is None or start >= times[place + 8] for start in starts)
        assert starts[-1] is not None
    assert compared_place(replace(info, keyframes=info.keyframes[:2])) is None


def test_more_ranges_than_one_process_is_told(clip: ClipMaker, truth: FullDecode) -> None:
    info = probe(clip("many_frames.mp4"))
    planned = plan(*range(0, 3300, 2))
    frames, warnings = decode_plan(info, planned)
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth("many_frames.mp4")[::2])
    assert warnings == []


# --- start and end ---


def test_start_is_inside_and_end_is_outside() -> None:
    times = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    assert frames_between(times, None, None) == (0, 5)
    assert frames_between(times, 0.5, 1.5) == (1, 3)
    assert frames_between(times, 0.51, 1.51) == (2, 4)
    assert frames_between(times, 2.0, None) == (4, 5)
    assert frames_between(times, None, 0.5) == (0, 1)
    assert frames_between(times, 0.6, 0.9) == (2, 2)
    assert frames_between(times, 2.1, None) == (5, 5)


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "h264.ts", "vp9.webm", "mpeg4.avi", "h264.h264"])
def test_start_meets_its_frame_exactly(name: str, clip: ClipMaker) -> None:
    times = probe(clip(name)).times
    assert [frames_between(times, frame / 25, None)[0] for frame in range(50)] == list(range(50))


@pytest.mark.parametrize(
    ("name", "start", "end", "indices"),
    [
        ("h264.mp4", 1.0, None, [25, 33, 41, 49]),
        ("h264.mp4", None, 1.0, [0, 8, 16, 24]),
        ("h264.mp4", 0.4, 0.8, [10, 13, 16, 19]),
        ("h264.mp4", 0.4, 0.48, [10, 10, 11, 11]),
        ("h264.mp4", 1.96, None, [49]),
        ("uneven.mp4", 0.5, 1.0, [10, 12, 15, 17]),  # shown at 0.5, 0.624, 0.825, 0.969 s
        ("cut.mp4", 0.4, 0.8, [10, 13, 16, 19]),
    ],
)
def test_a_part_of_a_video(
    name: str,
    start: float | None,
    end: float | None,
    indices: list[int],
    clip: ClipMaker,
    truth: FullDecode,
) -> None:
    info = probe(clip(name))
    first, last = frames_between(info.times, start, end)
    planned = plan_frames(
        last - first, float(info.rate), SamplingOptions(), first, origin=float(info.times[first])
    )
    assert planned.indices.tolist() == indices
    assert planned.origin == pytest.approx(info.times[indices[0]], abs=1e-9)
    frames, warnings = decode_plan(info, planned)
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth(name)[indices])
    assert warnings == []


def test_a_part_keeps_the_whole_videos_clock() -> None:
    whole = plan_frames(1000, 25.0, SamplingOptions(fps=2.0))
    part = plan_frames(500, 25.0, SamplingOptions(fps=2.0), first=500, origin=20.0)
    assert (whole.fps, part.fps) == (2.0, 2.0)
    assert part.indices[[0, -1]].tolist() == [500, 999]
    assert part.mean_time([0, 1]) == 20.25
    assert whole.mean_time([40, 41]) == 20.25


# --- ranges and the filter expression ---

plans = st.lists(st.integers(0, 300), min_size=1, max_size=60).map(lambda found: np.array(sorted(found)))


def runs(indices: IntArray) -> list[Range]:
    """Maximal rows of neighbours."""
    found: list[Range] = []
    for index in sorted(set(indices.tolist())):
        if found and found[-1][1] == index - 1:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return found


@given(plans)
def test_ranges_are_the_runs_of_neighbours(indices: IntArray) -> None:
    ranges = wanted_ranges(indices)
    assert ranges == runs(indices)
    assert sorted(set(indices)) == [n for first, last in ranges for n in range(first, last + 1)]
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))


def meaning(expression: str, variable: str) -> Callable[[int], bool]:
    """A filter expression as a function of `variable`, by ffmpeg's documented meaning of its functions."""
    functions = {
        "eq": lambda x, y: x == y,
        "lt": lambda x, y: x < y,
        "between": lambda x, low, high: low <= x <= high,
        "if_": lambda condition, then, otherwise: then if condition else otherwise,
    }
    body = re.sub(r"\bif\(", "if_(", expression)
    function: Callable[[int], bool] = eval(f"lambda {variable}: {body}", {"__builtins__": {}, **functions})
    return function


@pytest.mark.parametrize("variable", ["n", "pts"])
@given(indices=plans)
def test_the_filter_expression_is_true_in_the_ranges_only(variable: str, indices: IntArray) -> None:
    ranges = wanted_ranges(indices)
    selected = meaning(selection(ranges, variable), variable)
    assert [n for n in range(303) if selected(n)] == sorted(set(indices))


def test_a_plan_of_any_length_fits_the_command_line(script: Callable[[str, str], str]) -> None:
    """An argument may be 128 KiB. Ticks may be nanoseconds, so a range takes some 70 characters."""
    frames = 900_000  # 10 hours
    pts = np.arange(frames) * 40_000_000
    planned = plan(*range(0, frames, 300))
    with (
        pytest.raises(VideoError, match="no frame"),
        FrameDecoder(fake_video(frames, pts), planned, script("ffmpeg", "exit 0"), pytest.fail) as decoder,
    ):
        list(decoder.frames())


# --- processes ---


def assert_gone(ids: list[int], expected: int = 1) -> None:
    """Ended and reaped: a zombie would still be there."""
    assert len(ids) == expected
    for number in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def test_no_process_is_left_after_all_frames(clip: ClipMaker, started: list[int]) -> None:
    decode_plan(probe(clip("h264.mp4")), plan(0, 49))
    assert_gone(started)


@pytest.mark.parametrize("taken", [1, 3])
def test_no_process_is_left_after_stopping_halfway(taken: int, clip: ClipMaker, started: list[int]) -> None:
    info = probe(clip("many_frames.mp4"))
    with FrameDecoder(info, every_frame(info), FFMPEG, pytest.fail) as decoder:
        frames = decoder.frames()
        assert [next(frames).position for _ in range(taken)] == list(range(taken))
        assert started
    assert_gone(started, len(started))


def test_no_process_starts_before_the_first_frame_or_after_the_end(
    clip: ClipMaker, started: list[int]
) -> None:
    info = probe(clip("many_frames.mp4"))
    with FrameDecoder(info, every_frame(info), FFMPEG, pytest.fail) as decoder:
        late = decoder.frames()
    assert list(late) == []
    assert started == []


def test_no_process_is_left_after_an_error(clip: ClipMaker, started: list[int]) -> None:
    info = probe(clip("many_frames.mp4"))
    with pytest.raises(KeyError), FrameDecoder(info, every_frame(info), FFMPEG, pytest.fail) as decoder:
        {}[next(decoder.frames()).position]
    assert_gone(started, 2)  # the first frames are decoded both ways


def test_no_thread_is_left(clip: ClipMaker) -> None:
    info = probe(clip("many_frames.mp4"))
    before = set(threading.enumerate())
    with FrameDecoder(info, every_frame(info), FFMPEG, pytest.fail) as decoder:
        next(decoder.frames())
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(timeout=5)  # a cancelled timer needs a moment
    assert not [thread for thread in left if thread.is_alive()]


@pytest.mark.parametrize(
    ("before", "indices"),
    [("", [0]), (r"printf 'P6\n2 '", [0]), (r"printf 'P6\n2 1\n255\nab'", [0]), (ONE_PIXEL_PAIR, [0, 1])],
    ids=["at the start", "in a header", "in a frame", "after a frame"],
)
def test_an_ffmpeg_that_hangs_is_ended(
    before: str, indices: list[int], script: Callable[[str, str], str], started: list[int]
) -> None:
    binary = script("ffmpeg", f"{before}\nexec sleep 600")
    with (
        pytest.raises(VideoError, match="hang"),
        FrameDecoder(fake_video(2), plan(*indices), binary, pytest.fail, stall=0.3) as decoder,
    ):
        list(decoder.frames())
    assert_gone(started)


def test_an_ffmpeg_that_tells_no_time_stamp_is_ended(script: Callable[[str, str], str]) -> None:
    binary = script("ffmpeg", f"{ONE_PIXEL_PAIR}\nexec sleep 600")
    with (
        pytest.raises(VideoError, match="hang"),
        FrameDecoder(fake_video(1, np.array([7])), plan(0), binary, pytest.fail, stall=0.3) as decoder,
    ):
        list(decoder.frames())


def test_an_ffmpeg_that_closes_its_output_and_hangs_is_ended(
    script: Callable[[str, str], str], tmp_path: Path
) -> None:
    """Without output there is nothing to watch."""
    survived = tmp_path / "survived"
    binary = script("ffmpeg", f"exec >&-\nsleep 3\ntouch '{survived}'")
    with (
        pytest.raises(VideoError),
        FrameDecoder(fake_video(1), plan(0), binary, pytest.fail, stall=0.3) as decoder,
    ):
        list(decoder.frames())
    assert not survived.exists()


def test_children_of_ffmpeg_are_ended_too(script: Callable[[str, str], str], tmp_path: Path) -> None:
    """Where ffmpeg is a wrapper script: its child would keep our pipe open, and we would wait for it."""
    survived = tmp_path / "survived"
    binary = script("ffmpeg", f"(sleep 3; touch '{survived}')\ntrue")
    with (
        pytest.raises(VideoError, match="hang"),
        FrameDecoder(fake_video(1), plan(0), binary, pytest.fail, stall=0.3) as decoder,
    ):
        list(decoder.frames())
    assert not survived.exists()


@pytest.mark.parametrize("before", ["", ONE_PIXEL_PAIR])
def test_kill_ends_frames_in_another_thread_without_a_word(
    before: str, script: Callable[[str, str], str], started: list[int]
) -> None:
    binary = script("ffmpeg", f"{before}\nexec sleep 600")
    outcome: list[object] = []
    reading = threading.Event()

    def read(decoder: FrameDecoder) -> None:
        try:
            for frame in decoder.frames():
                outcome.append(frame.position)
                reading.set()
        except BaseException as error:  # noqa: BLE001  shown by the assertion
            outcome.append(error)

    with FrameDecoder(fake_video(2), plan(0, 1), binary, outcome.append) as decoder:
        reader = threading.Thread(target=read, args=(decoder,), daemon=True)
        reader.start()
        reading.wait(timeout=20 if before else 0.3)  # let it come to where it waits
        decoder.kill()
        reader.join(timeout=20)  # ffmpeg counts as hung after a minute only
        assert not reader.is_alive()
    assert outcome == ([0] if before else [])
    assert_gone(started)


def test_a_talkative_ffmpeg_does_not_block(script: Callable[[str, str], str]) -> None:
    """More on stderr than a pipe holds, before the first frame."""
    line = "x" * 1000
    binary = script(
        "ffmpeg", f"i=0\nwhile [ $i -lt 500 ]; do echo {line} >&2; i=$((i+1)); done\n{ONE_PIXEL_PAIR}"
    )
    with FrameDecoder(fake_video(1), plan(0), binary, pytest.fail, stall=20) as decoder:
        (frame,) = decoder.frames()
    assert frame.pixels.tolist() == [[list(b"abc"), list(b"def")]]


# --- what is wrong after a seek ---


@pytest.fixture(scope="module")
def old_444(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4:4:4 that claims to be of an x264 whose way of coding it only the first packet tells."""
    path = tmp_path_factory.mktemp("old") / "old_444.mkv"
    run_ffmpeg(*source(4), "-c:v", "libx264", "-pix_fmt", "yuv444p", "-g", "10", path)
    content = path.read_bytes()
    found = re.search(rb"x264 - core (\d{3})", content)
    assert found
    path.write_bytes(content.replace(found[0], b"x264 - core 148", 1))
    return path


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> str:
    """An ffmpeg that decodes in one thread: what it makes of a damaged video is always the same."""
    for module in (limits, thinning):
        monkeypatch.setattr(module, "usable_cores", lambda: 1)
    return FFMPEG


def _frames(info: VideoInfo, binary: str, record: DecodingRecord | None = None) -> list[Pixels]:
    with FrameDecoder(info, plan(97, 99), binary, lambda _: None, record=record) as decoder:
        return [frame.pixels for frame in decoder.frames()]


def test_old_x264_444_is_decoded_from_its_beginning(old_444: Path, one_thread: str) -> None:
    """After a seek ffmpeg would take it for today's: other pictures come, without an error."""
    info = probe(old_444)
    assert info.needs_beginning
    assert seek_point(info, 99) is None
    whole = _frames(replace(info, keyframes=()), one_thread)
    np.testing.assert_array_equal(_frames(info, one_thread), whole)
    sought = _frames(replace(info, needs_beginning=False), one_thread, DecodingRecord(seekable=True))
    assert (sought[0] != whole[0]).any(), "else this test shows nothing"


def test_a_video_that_seeks_to_other_pictures_is_decoded_from_its_beginning(
    old_444: Path, one_thread: str
) -> None:
    """Even where nothing tells: some frames that a seek can reach are decoded both ways."""
    info, record = replace(probe(old_444), needs_beginning=False), DecodingRecord()
    whole = _frames(replace(info, keyframes=()), one_thread)
    np.testing.assert_array_equal(_frames(info, one_thread, record), whole)
    assert record.seekable is False


@pytest.mark.parametrize(("name", "group"), [("colors.mkv", 20), ("colors.mp4", 20), ("colors.mkv", 6)])
def test_a_header_that_stands_in_the_first_packet_only(
    name: str, group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a seek other colors come, without an error. In MKV ffmpeg seeks to the key frame before."""
    changing = property(lambda _: False, lambda *_: None)  # as where nothing tells
    made = [tmp_path / f"{offset}.mp4" for offset in (0, 12)]
    for path in made:
        options = f"chroma-qp-offset={path.stem}:keyint={group}:min-keyint={group}:scenecut=0:psy-rd=0"
        run_ffmpeg(*source(4), "-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params", options, path)
    with av.open(made[0]) as right, av.open(made[1]) as wrong, av.open(tmp_path / name, "w") as mixed:
        stream = mixed.add_stream_from_template(right.streams.video[0])
        header = right.streams.video[0].codec_context.extradata
        stream.codec_context.extradata = wrong.streams.video[0].codec_context.extradata
        assert header is not None
        place = 8 + int.from_bytes(header[6:8]) + 1  # of the picture parameters, behind those of the sequence
        parameters = b"\0\0" + header[place : place + 2 + int.from_bytes(header[place : place + 2])]
        for number, packet in enumerate(right.demux(video=0)):
            if packet.size:
                copy = packet if number else _with_content(packet, parameters + bytes(packet))
                copy.stream = stream
                mixed.mux(copy)
    right_frames = decode_all(made[0], Recipe(()))[[97, 99]]
    known = probe(tmp_path / name)
    assert seek_point(known, 99) is None
    np.testing.assert_array_equal(_frames(known, FFMPEG), right_frames)
    monkeypatch.setattr(ParameterSets, "changing", changing, raising=False)
    info, record = probe(tmp_path / name), DecodingRecord()
    assert seek_point(info, 99) is not None
    np.testing.assert_array_equal(_frames(info, FFMPEG, record), right_frames)
    assert record.seekable is False


def _with_content(packet: "av.Packet[Any]", content: bytes) -> "av.Packet[Any]":
    made = av.Packet(content)
    made.pts, made.dts, made.time_base = packet.pts, packet.dts, packet.time_base
    made.is_keyframe, made.duration = packet.is_keyframe, packet.duration
    return made


@pytest.mark.parametrize(
    ("core", "pixels", "bound"),
    [(b"150", "yuv444p", True), (b"151", "yuv444p", False), (b"150", "yuv420p", False)],
)
def test_which_x264_must_be_decoded_from_its_beginning(core: bytes, pixels: str, bound: bool) -> None:
    packet = av.Packet(b"\0\0\0\1\6x264 - core " + core + b" r1")
    assert needs_beginning("h264", pixels, packet) == bound
    assert not needs_beginning("hevc", pixels, packet)


def test_a_seek_is_tried_once_for_each_video(clip: ClipMaker, truth: FullDecode, started: list[int]) -> None:
    info, record, whole = probe(clip("groups.mp4")), DecodingRecord(), truth("groups.mp4")
    started.clear()
    for index in (99, 57):
        with FrameDecoder(info, plan(index), FFMPEG, pytest.fail, record=record) as decoder:
            np.testing.assert_array_equal(next(decoder.frames()).pixels, whole[index])
    assert record.seekable is True
    assert len(started) == 4


def test_an_error_after_a_seek_means_decoding_from_the_beginning(
    clip: ClipMaker, truth: FullDecode, script: Callable[[str, str], str], started: list[int]
) -> None:
    info, record = probe(clip("groups.mp4")), DecodingRecord(seekable=True)
    noise = 'echo "[info] Input #0" >&2; echo "[h264 @ 0x5] [error] no frame!" >&2'
    noisy = f'case "$*" in *" -ss "*) {noise};; esac\nexec "{FFMPEG}" "$@"'
    with FrameDecoder(info, plan(97, 99), script("ffmpeg", noisy), pytest.fail, record=record) as decoder:
        frames = [frame.pixels for frame in decoder.frames()]
    np.testing.assert_array_equal(frames, truth("groups.mp4")[[97, 99]])
    assert len(started) == 2  # a short video asks no ffmpeg for its version


# --- frames that are counted ---


@pytest.mark.parametrize("second", ["small.h264", "whole_chroma.h264"])
@pytest.mark.parametrize("indices", [[45, 55, 105, 120], [149], [60, 99, 100]], ids=str)
def test_frames_are_counted_across_changes_of_size_and_color(
    second: str, indices: list[int], clip: ClipMaker, tmp_path: Path
) -> None:
    path = tmp_path / "changes.h264"
    first = clip("h264.h264").read_bytes()
    path.write_bytes(first + clip(second).read_bytes() + first)
    info = probe(path)
    assert info.pts is None
    frames, warnings = decode_plan(info, plan(*indices))
    np.testing.assert_array_equal([frame.pixels for frame in frames], decode_all(path, Recipe(()))[indices])
    assert warnings == []
