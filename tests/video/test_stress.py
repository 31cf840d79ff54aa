"""Right frames where much happens at once, or where a video is very long."""

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tempo_cli.config import FrameShape, SamplingOptions
from tempo_cli.plan.sampling import frames_between
from tempo_cli.types import FramePlan, Pixels
from tempo_cli.video import thinning
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.opened import Video, open_video
from tempo_cli.video.probe import probe
from tempo_cli.video.resize import shrink
from tempo_cli.video.thinning import DecodingRecord

from .clips import FFMPEG, ClipMaker, FullDecode, decode_plan

EVERY = SamplingOptions(fps=25.0, window=10)  # frame


def resized(frames: Pixels) -> Pixels:
    return np.stack([shrink(frame, FrameShape()) for frame in frames])


def whole(video: Video) -> Pixels:
    return np.concatenate([segment.frames for segment in video.read(range(video.total))])


def test_the_last_half_hour_of_nine_hours(clip: ClipMaker, truth: FullDecode) -> None:
    info = probe(clip("hours.mp4"))
    assert (info.frames, round(info.duration)) == (162_000, 32_400)
    first, _ = frames_between(info.times, 8.5 * 3600, None)
    assert first == 153_000
    indices, record = np.linspace(first, info.frames - 1, 40).round().astype(np.int64), DecodingRecord()
    with FrameDecoder(info, FramePlan(indices, 1.0), FFMPEG, pytest.fail, record=record) as decoder:
        frames = [frame.pixels for frame in decoder.frames()]
    np.testing.assert_array_equal(frames, truth("minute.mp4")[indices % 300])
    assert (record.exact, record.seekable) == (True, True)
    assert record.decoded < record.packets < 10_000


def test_hevc_is_read_in_any_order(clip: ClipMaker, truth: FullDecode) -> None:
    with open_video(clip("open_groups_265.mp4"), EVERY) as video:
        for index in (8, 2, 9, 0, 5):
            (segment,) = video.read([index])
            shown = truth("open_groups_265.mp4")[10 * index : 10 * index + 10]
            np.testing.assert_array_equal(segment.frames, resized(shown))


def test_eight_threads_read_one_file(
    clip: ClipMaker, truth: FullDecode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thinning, "_LEAST_PACKETS", 0)
    info = probe(clip("groups.mp4"))

    def read(number: int) -> bool:
        indices = np.arange(number, 100, 7 + number)
        frames, warnings = decode_plan(info, FramePlan(indices, 1.0))
        found = [frame.pixels for frame in frames]
        return not warnings and np.array_equal(found, truth("groups.mp4")[indices])

    truth("groups.mp4")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [True] * 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_decodes_beside_busy_threads(clip: ClipMaker, truth: FullDecode) -> None:
    """The parent has threads that work, and an open video of its own."""
    busy, path = threading.Event(), clip("groups.mp4")
    shown = resized(truth("groups.mp4"))

    def work() -> None:
        while not busy.is_set():
            hashlib.sha256(bytes(1 << 20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        with open_video(path, EVERY) as video:
            child = os.fork()
            if child == 0:
                right = False
                try:
                    with open_video(path, EVERY) as own:
                        right = np.array_equal(whole(own), shown)
                finally:
                    os._exit(0 if right else 1)
            assert os.waitpid(child, 0)[1] == 0
            np.testing.assert_array_equal(whole(video), shown)
    finally:
        busy.set()
        for thread in threads:
            thread.join()
