"""What a video file says of its stream: found without decoding, and without ffprobe."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import av.error
import numpy as np

from ..errors import UsageError, VideoError
from ..types import FloatArray, VideoInfo
from .formats import READER_OPTIONS

_JUMPY = {"mpegts", "mpeg", "flv", "asf"}  # formats whose timestamps may start anew in mid-stream
_NOT_VIDEO = "Give a video file, for example an MP4, MKV, WebM or MOV."


def probe(path: Path) -> VideoInfo:
    """Read the stream's facts and its packet index.

    Every packet is read once, so that frame counts and presentation times are exact in every container.
    Packets that an edit list hides are no frames. Where the file ends before the duration that it
    announces, the announced frames stay in the count: what is missing shows when it is decoded.

    Raises:
        UsageError: `path` is a URL.
        VideoError: no such file, not a video, no video stream, or no frames in it.
    """
    check_file(path)
    with _reading(path), av.open(f"file:{path}", options=READER_OPTIONS) as container:
        stream = _video_stream(path, container)
        index = _read_index(container, stream)
        if not index.packets:
            raise VideoError(f"{_name(path)} has no frames", "The file is damaged or empty; make it again.")
        times, rate, duration = _timeline(index, stream, container.format.name)
        return VideoInfo(
            path=path,
            stream=stream.index,
            codec=stream.codec_context.codec.canonical_name,
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            rate=rate,
            times=times,
            duration=duration,
        )


class _Index(NamedTuple):
    """`stamps` are presentation times in ticks of shown packets, None where unknown; `last` ticks of duration."""

    stamps: list[int | None]
    packets: int
    hidden: int
    last: int


def check_file(path: Path) -> None:
    """Raise UsageError or VideoError if `path` can't be a video file at all, without reading it."""
    if "://" in str(path) or str(path).startswith(("http:/", "https:/", "rtsp:/")):
        raise UsageError(f"{_name(path)} is a URL", "Download it first, for example with yt-dlp.")
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise VideoError(
                f"{_name(path)} is a folder", "Give a video file; loop over the folder in the shell."
            )
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(f"{_name(path)} is not a regular file", _NOT_VIDEO)
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise VideoError(f"{_name(path)} does not exist", "Check the path.") from None
    except PermissionError:
        raise VideoError(f"{_name(path)} may not be read", "Check the file's permissions.") from None
    except (OSError, ValueError) as error:
        raise VideoError(f"{_name(path)} can't be opened: {error}", "Check the path.") from None
    if status.st_size == 0:
        raise VideoError(f"{_name(path)} is empty", _NOT_VIDEO)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except av.error.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        message = f"{_name(path)} is not a readable video ({reason})"
        raise VideoError(message, "It is damaged, cut off, or in no video format.") from None


def _name(path: Path) -> str:
    return f"'{path}'"


def _video_stream(path: Path, container: av.container.InputContainer) -> av.VideoStream:
    """The stream that a player would show; a cover picture is none."""
    moving = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    best = container.streams.best("video")
    for stream in moving:
        if best is not None and stream.index == best.index:
            return stream
    if not moving:
        raise VideoError(f"{_name(path)} has no video stream", "tempo sees, it does not hear: give a video.")
    return moving[0]


def _read_index(container: av.container.InputContainer, stream: av.VideoStream) -> _Index:
    stamps: list[int | None] = []
    packets = hidden = last = 0
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            packets += 1
            if packet.is_discard:
                hidden += 1
            else:
                stamps.append(packet.pts)
                last = packet.duration or last
    except av.error.FFmpegError:
        pass  # the rest can't be read: frames that are announced but missing show when decoding
    return _Index(stamps, packets, hidden, last)


def _timeline(index: _Index, stream: av.VideoStream, container: str) -> tuple[FloatArray, Fraction, float]:
    """Times of all announced frames in seconds from the first, the average rate, and the duration in seconds."""
    tick = stream.time_base or Fraction(1, 1000)
    known = sorted(stamp for stamp in index.stamps if stamp is not None)
    reported = [rate for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate) if rate]
    count = len(index.stamps) or index.packets
    span = float((known[-1] - known[0] + index.last) * tick) if known else 0.0
    fitting = [rate for rate in reported if span and 0.5 <= span * rate / count <= 2]
    usable = len(known) == len(index.stamps) and bool(known)
    if usable and (fitting or not reported or container not in _JUMPY):
        rate = (fitting or [Fraction(count / span) if span else Fraction(25)])[0]
        times = np.array([float((stamp - known[0]) * tick) for stamp in known])
    else:
        # no timestamps, or they jump: count frames
        rate = reported[0] if reported else Fraction(25)
        times = np.arange(count) / float(rate)
    step = float(index.last * tick) or 1 / float(rate)
    announced = _announced_frames(index, stream, rate, float(times[-1]) + step)
    missing = max(0, announced - len(times))
    if missing:
        times = np.concatenate([times, times[-1] + np.arange(1, missing + 1) / float(rate)])
        step = 1 / float(rate)
    end = (_announced_seconds(stream) or 0.0) if missing else 0.0
    return times, rate, max(end, float(times[-1]) + step)


def _announced_frames(index: _Index, stream: av.VideoStream, rate: Fraction, end: float) -> int:
    """Frames that the file should have if it stops before the duration that it announces, else 0."""
    duration = _announced_seconds(stream)
    if duration is None or duration - end < max(2.5 / float(rate), 0.01 * duration):
        return 0
    return stream.frames - index.hidden if stream.frames else round(duration * rate)


def _announced_seconds(stream: av.VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    parts = stream.metadata.get("DURATION", "").split(":")  # Matroska: HH:MM:SS.fraction, per track
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return None
    return hours * 3600 + minutes * 60 + seconds
