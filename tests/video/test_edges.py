"""Reading ahead after the end, a seek that goes wrong, hidden key frames, and how exact a length must be."""

from collections.abc import Generator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tempo_cli.types import FramePlan
from tempo_cli.video import timeline
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.ffmpeg import find_ffmpeg
from tempo_cli.video.prefetch import Prefetch
from tempo_cli.video.probe import probe
from tempo_cli.video.seeking import Seeker

from .clips import ClipMaker


def test_nothing_more_is_made_once_it_is_closed() -> None:
    made = []

    def source() -> Generator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    ahead = Prefetch(source(), 2, lambda: None)
    assert ahead.take() == 0
    ahead.close()
    assert len(made) <= 4  # taken, two that waited, and one on its way


def test_a_frame_that_a_seek_misses_is_decoded_from_the_beginning(
    clip: ClipMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = replace(probe(clip("long.mp4")), packet_pts=None, packet_kinds=None)
    place, later = info.keyframes[2]
    assert 30 < place < 70  # the seek misses the first frame only
    plan = FramePlan(np.array([30, 70], np.int64), 2.0)
    binary, told = find_ffmpeg(), []

    def decoded() -> list[Any]:
        with FrameDecoder(info, plan, binary, told.append) as decoder:
            return list(decoder.frames())

    whole = decoded()
    monkeypatch.setattr(Seeker, "point", lambda *_: later)
    again = decoded()
    assert [frame.position for frame in again] == [frame.position for frame in whole] == [0, 1]
    for ours, theirs in zip(again, whole, strict=True):
        np.testing.assert_array_equal(ours.pixels, theirs.pixels)
    assert told == []


def test_decoding_can_begin_at_no_key_frame_that_is_hidden(clip: ClipMaker) -> None:
    # hidden is what follows the key frame at 0.8 s up to 1.5 s; the next ones are at 1.6, 2.4 and 3.2 s
    info = probe(clip("cut.mp4"))
    assert len(info.times) == 62
    assert [place for place, _ in info.keyframes] == [2, 22, 42]


@pytest.mark.parametrize(
    ("announced", "count"),
    [
        (100.0, 2500),
        (100.99, 2500),  # a hundredth of a long video is no loss
        (101.02, 2526),
        (200.0, 5000),
    ],
)
def test_a_length_is_believed_within_a_hundredth(
    announced: float, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert frames_of(2500, announced, monkeypatch) == count


@pytest.mark.parametrize(("announced", "count"), [(2.0, 50), (2.08, 50), (2.12, 53)])
def test_a_short_length_is_believed_within_two_frames_and_a_half(
    announced: float, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert frames_of(50, announced, monkeypatch) == count


def frames_of(count: int, announced: float, monkeypatch: pytest.MonkeyPatch) -> int:
    """Frames of a video at 25 frames per second whose header announces so many seconds."""
    monkeypatch.setattr(timeline, "announced_seconds", lambda *_: announced)
    monkeypatch.setattr(timeline, "is_cut_off", lambda *_: None)
    index = timeline.Index(list(range(count)), [0], 0, 1, True, [], None, False)
    rate = Fraction(25)
    stream: Any = SimpleNamespace(
        time_base=1 / rate, average_rate=rate, guessed_rate=rate, base_rate=rate, frames=0, id=1
    )
    container: Any = SimpleNamespace(format=SimpleNamespace(name="matroska,webm"), start_time=0)
    return len(timeline.make_timeline(index, stream, container, Path("x.mkv")).times)
