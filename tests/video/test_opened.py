"""An opened video: decoding begins at once, and any segments can be read again."""

import subprocess
import sys

import pytest

from tempo_cli.config import FrameShape, PixelLimits, SamplingOptions
from tempo_cli.errors import CancelledError, UsageError, VideoError
from tempo_cli.scope import CancelScope
from tempo_cli.types import Segment
from tempo_cli.video import opened
from tempo_cli.video.opened import Video, open_video
from tempo_cli.video.prefetch import Prefetch
from tempo_cli.video.probe import probe

from ..conftest import GOLDEN

VIDEO = GOLDEN / "videos/fractal.mp4"
SAMPLING = SamplingOptions(fps=6, window=4)  # 60 frames, 15 segments
EVERY = range(15)


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
    decoder = opened.FrameDecoder
    monkeypatch.setattr(opened, "FrameDecoder", lambda *a, **k: starts.append(1) or decoder(*a, **k))
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
    from tempo_cli.video.ffmpeg import find_ffmpeg

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
    assert caught.value.message == "the video has no frame between 11 s and 10 s"


def test_decoded_seconds_grow_only_while_decoding():
    with open_video(VIDEO, SAMPLING) as video:
        read(video)
        seconds = video.decode_seconds
        assert seconds > 0
        assert video.decode_seconds == seconds


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
    start, failing = opened.FrameDecoder._start, [VideoError("too many open files", "Close some.")]

    def limited(self, *arguments):
        if failing:
            raise failing.pop()
        return start(self, *arguments)

    monkeypatch.setattr(opened.FrameDecoder, "_start", limited)
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
