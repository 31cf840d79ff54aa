"""An opened video: decoding begins at once, and any segments can be read again."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest

from tempo_cli.config import FrameShape, PixelLimits, SamplingOptions
from tempo_cli.errors import CancelledError, UsageError, VideoError
from tempo_cli.plan.sampling import plan_frames, plan_sampling
from tempo_cli.scope import CancelScope
from tempo_cli.types import FramePlan, Segment
from tempo_cli.video import opened, resize, segmenting, stream
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.ffmpeg import find_ffmpeg
from tempo_cli.video.opened import Video, open_video
from tempo_cli.video.prefetch import Prefetch
from tempo_cli.video.probe import probe

from ..conftest import GOLDEN
from .clips import ClipMaker, FullDecode

VIDEO = GOLDEN / "videos/fractal.mp4"
SAMPLING = SamplingOptions(fps=6, window=4)  # 60 frames, 15 segments
EVERY = range(15)
SECONDS = 10.0  # that a test may hang before it fails


def prefetch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert prefetch_threads() == []


def planned() -> FramePlan:
    with open_video(VIDEO, SAMPLING) as video:
        return video.plan


def lose(monkeypatch: pytest.MonkeyPatch, positions) -> None:
    """No decoder gives the frames at `positions` of the plan."""
    lost = planned().indices[list(positions)].tolist()
    decoded = FrameDecoder._decoded
    monkeypatch.setattr(
        FrameDecoder, "_decoded", lambda self: (one for one in decoded(self) if one[0] not in lost)
    )
    monkeypatch.setattr(stream, "AHEAD", 1)  # so that the first decoder does not come to its end


def read(video: Video, indices=EVERY) -> dict[int, Segment]:
    return {segment.plan.index: segment for segment in video.read(indices)}


def same(ours: Segment, others: Segment) -> bool:
    return ours.plan == others.plan and bool((ours.frames == others.frames).all())


@pytest.fixture(scope="module")
def whole() -> dict[int, Segment]:
    with open_video(VIDEO, SAMPLING) as video:
        return read(video)


def test_segments_are_planned_and_resized(whole):
    assert list(whole) == list(EVERY)
    assert {segment.frames.shape for segment in whole.values()} == {(4, 256, 512, 3)}
    with open_video(VIDEO, SAMPLING) as video:
        assert (video.total, video.end, len(video.plan.indices)) == (15, 10.0, 60)
        assert video.warnings == []


@pytest.mark.parametrize("indices", [[0], [3, 4], [0, 7, 14], [14], [1, 2, 3, 9]])
def test_some_segments_are_the_same_as_in_the_whole(indices, whole):
    with open_video(VIDEO, SAMPLING) as video:
        again = read(video, indices)
        assert list(again) == indices
        assert all(same(again[index], whole[index]) for index in indices)
        assert all(same(one, whole[index]) for index, one in read(video, EVERY).items())


def test_reading_goes_on_where_it_was_left(whole, monkeypatch):
    starts = []
    decoder = segmenting.FrameDecoder
    monkeypatch.setattr(segmenting, "FrameDecoder", lambda *a, **k: starts.append(1) or decoder(*a, **k))
    scope = CancelScope()
    with open_video(VIDEO, SAMPLING) as video:
        segments = video.read(EVERY, scope)
        first = [next(segments).plan.index for _ in range(5)]
        scope.cancel()
        with pytest.raises(CancelledError):
            next(segments)
        rest = read(video, range(5, 15))
        assert first + list(rest) == list(EVERY)
        assert all(same(one, whole[index]) for index, one in rest.items())
        assert len(starts) == 1
        read(video, [2])
        assert len(starts) == 2


def test_what_was_probed_before_is_not_probed_again(monkeypatch):
    info = probe(VIDEO)
    monkeypatch.delattr(opened, "probe")
    with open_video(info, SAMPLING) as video:
        assert video.info is info


def test_the_shape_decides_the_size():
    small = FrameShape(PixelLimits(longest_edge=96, grid=32, min_pixels=4096, max_pixels=6144))
    with open_video(VIDEO, SAMPLING, small) as video:
        (segment,) = read(video, [0]).values()
        assert segment.frames.shape == (4, 64, 96, 3)  # 96x48, then 1.5 * 32: to even


def test_a_closed_video_can_not_be_read():
    video = open_video(VIDEO, SAMPLING)
    video.close()
    video.close()
    with pytest.raises(UsageError) as caught:
        read(video)
    assert caught.value.message == f"'{VIDEO}' is closed"


def test_closing_in_the_middle_is_no_end_of_the_video():
    with open_video(VIDEO, SAMPLING) as video:
        segments = video.read(EVERY)
        next(segments)
        video.close()
        with pytest.raises(UsageError, match="is closed"):
            list(segments)
        assert video.absent == set()


def test_a_file_that_was_replaced_is_not_read_again(tmp_path):
    path = tmp_path / "v.mp4"
    path.write_bytes(VIDEO.read_bytes())
    with open_video(path, SAMPLING) as video:
        read(video)
        path.unlink()
        with pytest.raises(VideoError, match="has changed since it was opened"):
            read(video, [0])


def test_segments_that_can_not_be_decoded_are_absent(tmp_path):
    path = tmp_path / "cut.mp4"
    data = VIDEO.read_bytes()
    path.write_bytes(data[: len(data) // 2])  # the index is at the end: not a video any more
    with pytest.raises(VideoError):
        open_video(path, SAMPLING)
    moved = tmp_path / "cut.mkv"
    subprocess.run([find_ffmpeg(), "-v", "error", "-i", VIDEO, "-c", "copy", moved], check=True)
    moved.write_bytes(moved.read_bytes()[: moved.stat().st_size * 2 // 3])
    with open_video(moved, SAMPLING) as video:
        whole = read(video)
        assert 0 < len(whole) < 15
        assert video.absent == set(EVERY) - set(whole)
        (warning,) = video.warnings
        assert warning.startswith("the video is damaged (")
        again = read(video, [0, *sorted(video.absent)])
        assert list(again) == [0]
        assert video.warnings == [warning]


def test_opening_a_video_imports_no_torch():
    code = (
        "import sys; from tempo_cli import open_video, read_shape; "
        f"video = open_video({str(VIDEO)!r}, shape=read_shape('nano')); "
        "print(len(list(video.read(range(video.total))))); video.close(); "
        "print(*sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3"]


def test_a_part_without_frames_is_refused():
    with pytest.raises(UsageError) as caught:
        open_video(VIDEO, SamplingOptions(start=11))
    assert caught.value.message == "the video has no frame from 11 s on"


def test_decoded_seconds_grow_only_while_decoding():
    with open_video(VIDEO, SAMPLING) as video:
        read(video)
        seconds = video.findings.decode_seconds
        assert seconds > 0
        assert video.findings.decode_seconds == seconds


def test_an_interrupt_right_after_a_segment_was_taken_loses_nothing(whole, monkeypatch):
    take = Prefetch.take

    def interrupted(self, scope=None):
        found = take(self, scope)
        if found is not None and found.plan.index == 4:
            monkeypatch.setattr(Prefetch, "take", take)
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(Prefetch, "take", interrupted)
    with open_video(VIDEO, SAMPLING) as video:
        segments = video.read(EVERY)
        first = [next(segments).plan.index for _ in range(4)]
        with pytest.raises(KeyboardInterrupt):
            next(segments)
        rest = read(video, range(4, 15))
        assert first + list(rest) == list(EVERY)
        assert same(rest[4], whole[4])
        assert video.absent == set()


def test_an_error_of_the_decoder_is_not_kept_for_the_next_reading(monkeypatch):
    start, failing = segmenting.FrameDecoder._first, [VideoError("too many open files", "Close some.")]

    def limited(self, *arguments):
        if failing:
            raise failing.pop()
        return start(self, *arguments)

    monkeypatch.setattr(segmenting.FrameDecoder, "_first", limited)
    with open_video(VIDEO, SAMPLING) as video:
        with pytest.raises(VideoError, match="too many open files"):
            read(video)
        assert list(read(video)) == list(EVERY)


def test_a_forked_child_leaves_its_parents_decoder_alone():
    code = (
        "import os, time; from tempo_cli import SamplingOptions, open_video\n"
        f"video = open_video({str(VIDEO)!r}, SamplingOptions(fps=25, window=4))\n"
        "time.sleep(0.5)\n"
        "if os.fork() == 0:\n"
        "    try: next(video.read(range(video.total)))\n"
        "    except Exception as error: print(error, flush=True)\n"
        "    video.close(); os._exit(0)\n"
        "os.wait()\n"
        "print(len(list(video.read(range(video.total)))), video.total, video.warnings); video.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["a forked process can't read its parent's video", "63 63 []"]


def test_segments_in_the_middle_that_can_not_be_decoded_are_left_out(whole, monkeypatch):
    lose(monkeypatch, [*range(12, 20), 21])  # segments 3 and 4, and a frame of 5
    with open_video(VIDEO, SAMPLING) as video:
        found = read(video)
        assert list(found) == [0, 1, 2, *range(5, 15)]
        assert found[5].plan.positions == (20, 22, 23)
        assert (found[5].frames[[0, 1, 2]] == whole[5].frames[[0, 2, 3]]).all()
        assert video.absent == {3, 4}
        times = [video.info.times[video.plan.indices[place]] for place in (12, 21)]
        damaged = f"the video is damaged ({times[0]:.1f} s to {times[1]:.1f} s)"
        assert video.warnings == [f"{damaged}: 9 of 60 sampled frames are left out"]
        assert list(read(video, [2, 3, 5])) == [2, 5]
        assert (video.absent, len(video.warnings)) == ({3, 4}, 1)


def test_one_segment_that_can_not_be_decoded_is_no_video_without_frames(whole, monkeypatch):
    lose(monkeypatch, range(12, 16))
    with open_video(VIDEO, SAMPLING) as video:
        assert read(video, [3]) == {}
        assert video.absent == {3}
        assert all(same(one, whole[index]) for index, one in read(video, [2, 4]).items())


def test_a_video_without_any_frame_is_an_error_also_where_it_was_read_in_parts(monkeypatch):
    lose(monkeypatch, range(60))
    with open_video(VIDEO, SAMPLING) as video:
        assert read(video, [0]) == {}
        assert read(video, [1]) == {}
        with pytest.raises(VideoError, match=r"no frame of '.*' could be decoded"):
            read(video, range(2, 15))


def test_what_earlier_decoders_missed_is_told_with_what_this_one_misses(monkeypatch):
    lose(monkeypatch, [8, 40])
    info, plan, missing, told = probe(VIDEO), planned(), set(), []
    for positions, left in (([40, 41], 41), ([7, 8], 7)):
        with FrameDecoder(
            info, plan, find_ffmpeg(), told.append, positions=positions, missing=missing
        ) as one:
            assert [frame.position for frame in one.frames()] == [left]
    assert missing == {8, 40}
    early, late = (f"{info.times[plan.indices[place]]:.1f} s" for place in (8, 40))
    assert told == [
        f"the video is damaged ({late} to {late}): 1 of 60 sampled frames are left out",
        f"the video is damaged ({early} to {late}): 2 of 60 sampled frames are left out",
    ]


def test_frames_behind_the_end_of_a_cut_off_file_are_missing(started):
    info, plan, told = probe(VIDEO), planned(), []
    cut = replace(info, pts=info.pts[:100])  # 250 frames are announced
    before = len(started)
    with FrameDecoder(cut, plan, find_ffmpeg(), told.append, positions=[58, 59]) as one:
        assert list(one.frames()) == []
    assert len(started) == before
    assert len(told) == 1
    assert "2 of 60 sampled frames are left out" in told[0]
    with pytest.raises(VideoError) as caught:
        open_video(cut, SamplingOptions(start=5))
    assert caught.value.message == f"'{VIDEO}' ends before the requested part"


def test_a_decoder_waits_longer_where_many_frames_lie_between_two():
    info, plan = probe(VIDEO), planned()

    def patience(*positions: int) -> float:
        return FrameDecoder(info, plan, "ffmpeg", pytest.fail, stall=1.0, positions=positions)._patience

    first, second = int(plan.indices[10]), int(plan.indices[40])
    assert patience(10) == 1 + first / 2
    assert patience(10, 40) == 1 + (second - first) / 2
    assert patience() == 1


def test_no_segment_at_all_can_be_read():
    with open_video(VIDEO, SAMPLING) as video:
        assert read(video, []) == {}
        assert list(read(video, [1])) == [1]
        assert video.absent == set()


def test_only_one_thread_decodes_and_none_after_closing():
    with open_video(VIDEO, SamplingOptions(fps=6, window=1)) as video:  # more segments than may wait
        for index in (0, 20):
            segments = video.read([index, *range(30, 60)])
            next(segments)
            assert len(prefetch_threads()) == 1
    assert prefetch_threads() == []


def test_closing_while_a_decoder_is_made_starts_none(monkeypatch, started):
    with open_video(VIDEO, SAMPLING) as video:
        read(video)
        before, decoder = len(started), segmenting.FrameDecoder

        def closing(*arguments, **options):
            video.close()
            return decoder(*arguments, **options)

        monkeypatch.setattr(segmenting, "FrameDecoder", closing)
        with pytest.raises(UsageError, match="is closed"):
            read(video, [2])
        assert prefetch_threads() == []
        assert len(started) == before


def test_closing_interrupts_a_decoder_that_waits(monkeypatch):
    waits, killed, in_time = threading.Event(), threading.Event(), []

    class Waiting(FrameDecoder):
        def frames(self):
            waits.set()
            in_time.append(killed.wait(SECONDS))
            yield from ()

        def kill(self):
            killed.set()

    monkeypatch.setattr(segmenting, "FrameDecoder", Waiting)
    with open_video(VIDEO, SAMPLING):
        assert waits.wait(SECONDS)
    assert in_time == [True]


def test_decoded_seconds_are_those_of_all_decoders(monkeypatch):
    monkeypatch.setattr(segmenting, "time", SimpleNamespace(perf_counter=count().__next__))
    with open_video(VIDEO, SAMPLING) as video:
        read(video)
        assert video.findings.decode_seconds == 16  # 15 segments, and the end
        read(video, [2, 9])
        assert video.findings.decode_seconds == 19


@pytest.mark.parametrize(
    ("start", "end", "shown"), [(None, 9.96, (0.0, 9.96)), (9.96, None, (9.96, 10.0)), (3, 4, (3.0, 4.0))]
)
def test_the_part_that_is_looked_at_is_known(start, end, shown):
    with open_video(VIDEO, SamplingOptions(start=start, end=end)) as video:
        times = video.info.times[video.plan.indices]
        assert (video.plan.origin, video.end) == pytest.approx(shown)
        assert shown[0] <= times[0] <= times[-1] < shown[1]


def test_a_rotated_video_has_its_size_as_shown(clip):
    with open_video(clip("rotated_90.mp4")) as video:
        assert video.shown == (90, 160)  # height, width as stored
        list(video.read(range(video.total)))
        assert video.shown == (160, 90)


@pytest.mark.parametrize("what", ["size", "time", "content", "file"])
def test_a_file_with_another_size_time_or_content_has_changed(what, tmp_path):
    path = tmp_path / "v.mp4"
    path.write_bytes(VIDEO.read_bytes())
    with open_video(path, SAMPLING) as video:
        read(video)
        if what == "size":
            path.write_bytes(VIDEO.read_bytes() + b"\0")
        elif what == "content":
            path.write_bytes(VIDEO.read_bytes()[:-1] + b"\0")
        elif what == "file":
            other = tmp_path / "other.mp4"
            other.write_bytes(VIDEO.read_bytes()[:-1] + b"\0")
            os.utime(other, (video.info.mtime, video.info.mtime))
            other.replace(path)
        os.utime(path, (video.info.mtime, video.info.mtime + (what == "time")))
        with pytest.raises(VideoError, match="has changed since it was opened"):
            read(video, [0])


@pytest.mark.parametrize("what", ["rights", "link", "name"])
def test_a_file_with_other_rights_or_names_has_not_changed(what, tmp_path, whole):
    path = tmp_path / "v.mp4"
    path.write_bytes(VIDEO.read_bytes())
    with open_video(path, SAMPLING) as video:
        read(video)
        if what == "rights":
            path.chmod(0o600)
        elif what == "link":
            os.link(path, tmp_path / "link.mp4")
        else:
            path.rename(tmp_path / "other.mp4").rename(path)
        assert path.stat().st_ctime_ns != video.info.ctime
        assert all(same(one, whole[index]) for index, one in read(video, [0, 9]).items())
        path.write_bytes(VIDEO.read_bytes()[:-1] + b"\0")
        os.utime(path, (video.info.mtime, video.info.mtime))
        with pytest.raises(VideoError, match="has changed since it was opened"):
            read(video, [0])


def test_a_file_that_was_replaced_before_another_process_opens_it_has_changed(tmp_path, monkeypatch):
    path = tmp_path / "v.mp4"
    path.write_bytes(VIDEO.read_bytes())
    decoded = FrameDecoder._decoded

    def replacing(decoder):
        for number, picture in enumerate(decoded(decoder)):
            if number == 20:
                path.write_bytes(VIDEO.read_bytes() + b"\0")
                decoder.running.start(lambda: SimpleNamespace(kill=lambda: None, close=lambda: None))
            yield picture

    monkeypatch.setattr(FrameDecoder, "_decoded", replacing)
    with (
        open_video(path, SAMPLING) as video,
        pytest.raises(VideoError, match="has changed since it was opened"),
    ):
        read(video)


EXAMPLES = GOLDEN.parent.parent / "examples"
EVEN = [*sorted(GOLDEN.glob("videos/*.mp4")), *sorted(EXAMPLES.glob("*.[mw][pek][4vb]*"))]
UNEVEN = ["uneven.mp4", "uneven.mkv", "uneven.gif"]


@pytest.mark.parametrize("fps", [0.5, 2, 9.7, 24, 100])
@pytest.mark.parametrize("name", [*EVEN, *UNEVEN], ids=lambda name: getattr(name, "name", name))
def test_usual_videos_are_sampled_as_the_reference_does(name, fps, clip: ClipMaker):
    """Also the mildly uneven ones, whose times are worked out in `clips`."""
    info = probe(clip(name) if name in UNEVEN else name)
    options = SamplingOptions(fps=fps)
    sampled, plan = plan_sampling(info, options), plan_frames(info.frames, float(info.rate), options)
    assert sampled.plan.indices.tolist() == plan.indices.tolist()
    assert (sampled.plan.fps, sampled.plan.origin, sampled.plan.mode) == (plan.fps, 0.0, "index")
    assert (sampled.end, sampled.warnings) == (info.duration, ())


def test_the_examples_are_there():
    assert len(EVEN) == 7


# 80 samples of 60.04 s, each stands for 0.7505 s; frames 150 to 155 are shown from 10, 20, ..., 60 s on
OFTEN = {149: 6, 150: 14, 151: 13, 152: 13, 153: 14, 154: 13}
SCREEN = [11, 33, 56, 78, 101, 123, 146, *(index for index, times in OFTEN.items() for _ in range(times))]
PICTURES = FrameShape(PixelLimits(longest_edge=96, grid=32, min_pixels=4096, max_pixels=6144))


def of_pictures(segments: dict[int, Segment], pictures) -> bool:
    """Whether every segment's frames are the planned ones, resized as each of them alone."""
    return all(
        (one == resize.shrink(pictures[SCREEN[place]], PICTURES)).all()
        for segment in segments.values()
        for one, place in zip(segment.frames, segment.plan.positions, strict=True)
    )


def test_a_frame_that_is_shown_for_long_is_sampled_several_times(
    clip: ClipMaker, truth: FullDecode, monkeypatch
):
    resized = []
    shrink = resize.shrink
    with open_video(clip("screen.mp4"), None, PICTURES) as video:
        assert video.plan.indices.tolist() == SCREEN
        assert (video.plan.mode, video.plan.origin, video.end, video.total) == ("time", 0.0, 60.04, 10)
        assert len(video.warnings) == 1
        whole = read(video, range(10))
        assert list(whole) == list(range(10))
        assert of_pictures(whole, truth("screen.mp4"))
        monkeypatch.setattr(resize, "shrink", lambda *words: resized.append(1) or shrink(*words))
        some = read(video, [2, 3, 8])  # 2 is made of one frame, and 3 begins with it
        assert len(resized) == 4
        assert all(same(some[index], whole[index]) for index in (2, 3, 8))
        assert (set(SCREEN[16:24]), SCREEN[24]) == ({150}, 150)
        assert (some[2].frames == some[2].frames[0]).all()
        assert len(video.warnings) == 1


def test_frames_that_can_not_be_decoded_are_told_beside_the_sampling(clip: ClipMaker):
    info = probe(clip("screen.mp4"))
    assert info.pts is not None
    announced = replace(
        info,
        times=np.append(info.times, 70.0),
        pts=np.append(info.pts, info.pts[-1] + 900_000),
        duration=80.0,
    )
    with open_video(announced, None, PICTURES) as video:
        planned = video.plan.indices.tolist()
        found = read(video, range(video.total))
        uneven, damaged = video.warnings
        assert uneven.startswith("the video's frames are unevenly spaced: ")
        assert planned.count(156) == 10
        assert damaged == "the video is damaged (70.0 s to 70.0 s): 10 of 81 sampled frames are left out"
        left = [place for segment in found.values() for place in segment.plan.positions]
        assert left == list(range(71))
        read(video, [0, 10])
        assert video.warnings == [uneven, damaged]
