"""What a video file says of its stream: found without decoding, and without ffprobe."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

import av
import av.error
import numpy as np
from av.container import InputContainer

from ..errors import UsageError, VideoError
from ..types import Colors, FloatArray, IntArray, VideoInfo
from .announced import GUESSED, announced_seconds, is_cut_off
from .formats import READER_OPTIONS
from .keyframes import drops_leading_pictures, is_random_access, needs_beginning
from .references import PacketKinds
from .shown import shown_frames

# codecs whose missing presentation times libav can't tell from decoding times: PyAV would invent some
_REORDERED = {"h264", "hevc", "vvc"}
_GENERATE_PTS = 1  # AVFMT_FLAG_GENPTS, which PyAV sets
_LONGEST = 1e7  # seconds between timestamps that are no mistake
_MOST_FRAMES = 5_000_000  # that an announcement is believed, 55 hours: 40 MB of times
# timestamps that are a clock's: how far steps differ, how many are alike, how far a header's rate may be off
_UNEVEN, _MOSTLY, _TOLERANCE = 0.1, 0.9, 0.02
_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # pathlib makes one slash of two
_NOT_VIDEO = "Give a video file, for example an MP4, MKV, WebM or MOV."
_DAMAGED = "It is damaged, cut off, or in no video format."
_UNTOLD = 2  # libav's code for a matrix, primaries or a transfer that is not told
_TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}  # libav's names of its codes (ITU-T H.273)
_DOLBY_MATRIX = 15  # IPT-C2
_DOLBY_TAGS = {"dvh1", "dvhe", "dva1", "dvav", "dav1"}


def probe(path: str | Path) -> VideoInfo:
    """Read the stream's facts and its packet index.

    Every packet is read once, so that frame counts and presentation times are exact in every container.
    Packets that an edit list hides, that show nothing, or that stand before the first key frame, are no
    frames. Where the file ends before the duration that it announces, the announced frames stay in the
    count: what is missing shows when it is decoded.

    Raises:
        TypeError: `path` is neither a str nor a Path.
        UsageError: it is a URL.
        VideoError: no such file, not a video, no video stream in a known codec, or no frames in it.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"a video must be a str, a Path or a VideoInfo, not {type(path).__name__}")
    path = Path(path)
    status = _check_file(path)
    with _opened(path) as container:
        stream = _video_stream(path, container)
        index = _read_index(container, stream)
        if not index.pts:
            raise VideoError(f"{_name(path)} has no frames", "The file is damaged or empty; make it again.")
        codec = stream.codec_context
        if codec.width < 1 or codec.height < 1:
            raise VideoError(f"{_name(path)} does not tell the size of its pictures", _DAMAGED)
        timeline = _timeline(index, stream, container, path)
        packets = index.kinds.result() if timeline.pts is not None else None
        return VideoInfo(
            path=path,
            stream=stream.index,
            codec=codec.codec.canonical_name,
            width=codec.width,
            height=codec.height,
            rate=timeline.rate,
            times=timeline.times,
            pts=timeline.pts,
            duration=timeline.duration,
            size=status.st_size,
            mtime=status.st_mtime,
            keyframes=_keyframes(index, timeline.pts, stream.time_base),
            sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
            colors=_colors(codec),
            packet_pts=packets[0] if packets else None,
            packet_kinds=packets[1] if packets else None,
            needs_beginning=index.bound,
        )


def _check_file(path: Path) -> os.stat_result:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise VideoError(
                f"{_name(path)} is a folder", "Give a video file; loop over a folder in the shell."
            )
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(f"{_name(path)} is not a regular file", _NOT_VIDEO)
        with path.open("rb"):
            pass
    except FileNotFoundError:
        if _URL.match(str(path)):
            raise UsageError(
                f"{_name(path)} is a URL", "Download it first, for example with yt-dlp."
            ) from None
        raise VideoError(f"{_name(path)} does not exist", "Check the path.") from None
    except PermissionError:
        raise VideoError(f"{_name(path)} may not be read", "Check the file's permissions.") from None
    except (OSError, ValueError) as error:
        raise VideoError(f"{_name(path)} can't be opened: {error}", "Check the path.") from None
    if status.st_size == 0:
        raise VideoError(f"{_name(path)} is empty", _NOT_VIDEO)
    return status


class _Index(NamedTuple):
    """The shown packets.

    `pts` are their presentation times in ticks, None where unknown, `keys` those of key frames;
    `hidden` counts the others that a header may have counted; `last` is the duration of the last one, in
    ticks; `exact` is whether the container tells presentation times at all; `kinds` are all packets';
    `bound` is whether all need the first one.
    """

    pts: list[int | None]
    keys: list[int]
    hidden: int
    last: int
    exact: bool
    kinds: PacketKinds
    bound: bool


class _Timeline(NamedTuple):
    rate: Fraction
    times: FloatArray
    pts: IntArray | None
    duration: float


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """The demuxer, restricted to formats that read nothing but this file."""
    try:
        str(path).encode("utf-8")
        source: str | BinaryIO = f"file:{path}"
    except UnicodeEncodeError:
        source = path.open("rb")  # PyAV passes only names in UTF-8 on
    try:
        # tags may be in any encoding
        with av.open(source, "r", options=READER_OPTIONS, metadata_errors="replace") as container:
            yield container
    except av.error.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise VideoError(f"{_name(path)} is not a readable video ({reason})", _DAMAGED) from None
    finally:
        if not isinstance(source, str):
            source.close()


def _name(path: Path) -> str:
    return f"'{path}'"


def _video_stream(path: Path, container: InputContainer) -> av.VideoStream:
    """The stream that a player would show; a cover picture is none, nor one in an unknown codec."""
    moving = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not moving:
        raise VideoError(f"{_name(path)} has no video stream", "tempo sees, it does not hear: give a video.")
    # libav has no context for a codec that it does not know
    known = [stream for stream in moving if stream.codec_context is not None]
    if not known:
        raise VideoError(
            f"{_name(path)} has video in a codec that ffmpeg does not know",
            "Convert it to H.264 with the program or camera software that made it.",
        )
    best = container.streams.best("video")
    return next((s for s in known if best is not None and s.index == best.index), known[0])


def _read_index(container: InputContainer, stream: av.VideoStream) -> _Index:
    codec, reader = stream.codec_context, container.format.name
    name = codec.codec.canonical_name
    if name in _REORDERED:
        container.flags &= ~_GENERATE_PTS
    pts: list[int | None] = []
    dts: list[int | None] = []
    keys: list[int] = []
    kinds = PacketKinds(reader, name, codec.extradata)
    hidden = last = early = 0
    opening: int | None = None
    started = undated = bound = False
    with suppress(av.error.FFmpegError):  # the rest can't be read: what is announced but missing shows later
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if not pts and not hidden:
                bound = needs_beginning(name, codec.pix_fmt, packet)
            count = 0 if packet.is_discard else shown_frames(name, packet, codec.extradata)
            if packet.is_keyframe and not started:
                started, early = True, len(pts)
                if early > 0 or drops_leading_pictures(codec.name, packet, codec.extradata):
                    opening = packet.pts
            entry = packet.pts if packet.is_keyframe else None
            access = entry is not None and is_random_access(reader, codec.name, packet, codec.extradata)
            if access and entry is not None and count:
                keys.append(entry)
            kinds.add(packet, access)
            if count:
                pts += [packet.pts] * count
                dts += [packet.dts] * count
                undated = undated or (packet.pts is None and packet.dts is not None)
                last = packet.duration or last
            else:
                hidden += 1
    # AVI tells decoding times; with B-frames they are not the presentation times
    exact = not undated and (reader != "avi" or not codec.has_b_frames)
    if undated:
        pts, opening = dts, None
    # what stands before the first key frame, or is shown before it and refers to what is missing, is no frame
    shown = [s for s in pts[early:] if opening is None or s is None or s >= opening]
    if exact and any(one is not None for one in shown):
        # a packet without a pts among others with one: a second field, or the rest of a cut-off group
        shown = [one for one in shown if one is not None]
    return _Index(shown, keys, hidden + len(pts) - len(shown), last, exact, kinds, bound)


def _colors(codec: av.VideoCodecContext) -> Colors:
    told = {
        "matrix": codec.colorspace != _UNTOLD,
        "primaries": codec.color_primaries != _UNTOLD,
        "range": codec.color_range != 0,
    }
    transfer = _TRANSFERS.get(codec.color_trc)
    # a picture that is meant for other players too tells an ordinary transfer
    dolby = codec.colorspace == _DOLBY_MATRIX or (transfer is None and codec.codec_tag in _DOLBY_TAGS)
    return Colors(transfer, frozenset(name for name, known in told.items() if not known), dolby)


def _keyframes(index: _Index, pts: IntArray | None, tick: Fraction | None) -> tuple[tuple[int, float], ...]:
    if pts is None or tick is None:
        return ()
    places = np.searchsorted(pts, index.keys).tolist()
    return tuple((place, float(key * tick)) for place, key in zip(places, index.keys, strict=True))


def _timeline(index: _Index, stream: av.VideoStream, container: InputContainer, path: Path) -> _Timeline:
    """Rate, times of all announced frames from the first on, and duration."""
    tick = stream.time_base or Fraction(1, 1000)
    known = sorted(one for one in index.pts if one is not None)
    reported = [rate for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate) if rate]
    count = len(index.pts)
    span = float((known[-1] - known[0] + index.last) * tick) if known else 0.0
    fitting = [rate for rate in reported if span and 0.5 <= span * rate / count <= 2]
    usable = len(known) == count and span < _LONGEST
    last = float(index.last * tick) if index.last * tick < _LONGEST else 0.0
    pts: IntArray | None = None
    if usable and (fitting or not reported or container.format.name not in GUESSED):
        rate = (fitting or [Fraction(count / span) if span else Fraction(25)])[0]
        ticks = np.array(known, np.int64)
        times = (ticks - ticks[0]) * tick.numerator / tick.denominator
        measured = _measured_rate(ticks, tick)
        # the last frame may stay for long: with its duration or without
        averages = (measured, count / Fraction(span)) if measured else ()
        if measured and not (fitting and any(_agrees(rate, average, count) for average in averages)):
            rate = next((one for one in reported if _agrees(one, measured, count)), measured)
            last = 0.0  # a header that is wrong about the rate is so about a frame's duration
        if index.exact and (np.diff(ticks) > 0).all():
            pts = ticks
    else:
        # no timestamps, or they jump: count frames
        rate = reported[0] if reported else Fraction(25)
        times = np.arange(count) / float(rate)
    end = float(times[-1]) + (last or 1 / float(rate))
    announced = announced_seconds(stream, container, float(known[0] * tick) if known else 0.0, index.hidden)
    if announced is None or announced - end < max(2.5 / float(rate), 0.01 * announced):
        return _Timeline(rate, times, pts, end)
    total = announced * float(rate)
    if stream.frames and container.format.name != "avi":
        total = stream.frames - index.hidden
    if total > _MOST_FRAMES or is_cut_off(path, container.format.name) is False:
        return _Timeline(rate, times, pts, end)  # what is announced is not so
    beyond = times[-1] + np.arange(1, max(0, round(total) - count) + 1) / float(rate)
    return _Timeline(rate, np.concatenate([times, beyond]), pts, max(announced, end))


def _measured_rate(ticks: IntArray, tick: Fraction) -> Fraction | None:
    """Frames per second by the timestamps, where they are even; else the average that libav reports stays."""
    steps = np.diff(ticks)
    if not steps.any():
        return None
    usual = float(np.median(steps))
    even = np.abs(steps - usual) <= max(1.0, _UNEVEN * usual)  # ticks may be as coarse as milliseconds
    if even.mean() < _MOSTLY:
        return None
    return len(steps) / (int(ticks[-1] - ticks[0]) * tick)


def _agrees(rate: Fraction, measured: Fraction, count: int) -> bool:
    """Whether a rate gives `count` frames the time that they take, up to one and a half frames."""
    return abs(count * (rate / measured - 1)) <= max(1.5, _TOLERANCE * count)
