"""An opened video: decoding begins at once, and any segments can be read again."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tempo_cli.config import FrameShape, PixelLimits, SamplingOptions
from tempo_cli.errors import CancelledError, UsageError, VideoError
from tempo_cli.plan.sampling import plan_frames, plan_sampling
from tempo_cli.scope import CancelScope
from tempo_cli.types import Segment
from tempo_cli.video import opened
from tempo_cli.video.opened import Video, open_video
from tempo_cli.video.probe import probe

from ..conftest import GOLDEN
from .clips import ClipMaker, FullDecode

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
        (one == opened.shrink(pictures[SCREEN[place]], PICTURES)).all()
        for segment in segments.values()
        for one, place in zip(segment.frames, segment.plan.positions, strict=True)
    )


def test_a_frame_that_is_shown_for_long_is_sampled_several_times(
    clip: ClipMaker, truth: FullDecode, monkeypatch
):
    resized = []
    shrink = opened.shrink
    with open_video(clip("screen.mp4"), None, PICTURES) as video:
        assert video.plan.indices.tolist() == SCREEN
        assert (video.plan.mode, video.plan.origin, video.end, video.total) == ("time", 0.0, 60.04, 10)
        assert len(video.warnings) == 1
        whole = read(video, range(10))
        assert list(whole) == list(range(10))
        assert of_pictures(whole, truth("screen.mp4"))
        monkeypatch.setattr(opened, "shrink", lambda *words: resized.append(1) or shrink(*words))
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
        assert uneven.startswith("the video's frames come unevenly: ")
        assert planned.count(156) == 10
        assert damaged == "the video is damaged (70.0 s to 70.0 s): 10 of 81 sampled frames are left out"
        left = [place for segment in found.values() for place in segment.plan.positions]
        assert left == list(range(71))
        read(video, [0, 10])
        assert video.warnings == [uneven, damaged]
