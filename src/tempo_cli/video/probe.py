"""What a video file says of its stream: found without decoding, and without ffprobe."""

import math
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import numpy as np
from av.container import InputContainer

from ..config import SamplingOptions
from ..errors import UsageError, VideoError
from ..types import Colors, IntArray, VideoInfo
from .demuxer import open_demuxer, packets_of
from .encryption import codec_tag, refuse_encrypted
from .fields import Fields
from .formats import RAW
from .keyframes import drops_leading_pictures, is_random_access, needs_beginning
from .limits import MOST_FRAMES, check_size
from .parameter_sets import ParameterSets
from .references import PacketKinds
from .refusal import MOTION_JPEG
from .sequence_headers import SequenceHeaders, has_sequence_headers
from .shown import shown_frames
from .timeline import SEEN_APART, Index, Opening, make_timeline, part_starts, shown_places
from .tracks import tracks_of
from .unreadable import refuse_unreadable
from .webp import probe_animated_webp

# codecs whose missing presentation times libav can't tell from decoding times: PyAV would invent some
_REORDERED = {"h264", "hevc", "vvc"}
_GENERATE_PTS = 1  # AVFMT_FLAG_GENPTS, which PyAV sets
_IGNORE_INDEX = 2  # AVFMT_FLAG_IGNIDX
_WATCHED = 64  # packets
_FEW = 0.1  # of the packets, that have no time for another reason than that the container tells none
_MANY_KEYFRAMES, _KEYFRAME_SECONDS = 10_000, 0.5
_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # pathlib makes one slash of two
_NOT_VIDEO = "Give a video file, for example an MP4, MKV, WebM or MOV."
_DAMAGED = "It is damaged, incomplete, or not a video."
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
_DOLBY_TAGS = {b"dvh1", b"dvhe", b"dva1", b"dvav", b"dav1"}


def probe(
    path: str | Path, max_pixels: int = SamplingOptions.max_pixels, watch: Callable[[], object] = lambda: None
) -> VideoInfo:
    """Read the stream's facts and its packet index, in this process: `isolated.probe` is for files of others.

    Every packet is read once, so that frame counts and presentation times are exact in every container.
    Packets that an edit list hides, that show nothing, or that come before the first keyframe, are no
    frames. Where the file ends before the duration that it announces, the announced frames stay in the
    count: what is missing shows when it is decoded.

    Args:
        max_pixels: of a picture at most.
        watch: called as long as packets come.

    Raises:
        TypeError: `path` is neither a str nor a Path.
        UsageError: it is a URL.
        VideoError: no such file, not a video, no video stream in a known codec, no frames in it, or
            pictures that are too large.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"a video must be a str, a Path or a VideoInfo, not {type(path).__name__}")
    path = Path(path)
    status = _check_file(path)
    if (animation := probe_animated_webp(path, status)) is not None:
        check_size(path, animation.width, animation.height, max_pixels)
        return animation
    with _opened(path) as container:
        stream = _video_stream(path, container)
        check_size(path, stream.codec_context.width, stream.codec_context.height, max_pixels)
        index = _read_index(container, stream, watch, path)
        if not index.pts:
            raise VideoError(f"{_name(path)} has no frames", "The file is damaged or empty; make it again.")
        codec = stream.codec_context
        if codec.width < 1 or codec.height < 1:
            raise VideoError(f"{_name(path)} does not state the size of its pictures", _DAMAGED)
        timeline = make_timeline(index, stream, container, path)
        packets = index.packets if timeline.pts is not None else None
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
            format=MOTION_JPEG if container.format.name == MOTION_JPEG else None,
            without_index=bool(container.flags & _IGNORE_INDEX),
            restarting=timeline.restarting,
            restarts=timeline.restarts,
            packet_pts=packets[0] if packets else None,
            packet_kinds=packets[1] if packets else None,
            needs_beginning=index.bound,
            ctime=status.st_ctime_ns,
            tracks=tracks_of(container, stream),
        )


def _check_file(path: Path) -> os.stat_result:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise VideoError(
                f"{_name(path)} is a folder", "Give a video file, or use tempo batch for a folder of videos."
            )
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(f"{_name(path)} is not a regular file", _NOT_VIDEO)
        with path.open("rb"):
            pass
    except FileNotFoundError:
        if url := _URL.match(str(path)):
            # a path has one of the two slashes only
            whole = str(path).replace(url[0], f"{url[0]}/", 1) if not url[0].endswith("//") else str(path)
            raise UsageError(f"'{whole}' is a URL", "Download it first, for example with yt-dlp.") from None
        raise VideoError(f"{_name(path)} does not exist", "Check the path.") from None
    except PermissionError:
        raise VideoError(f"{_name(path)} may not be read", "Check the file's permissions.") from None
    except (OSError, ValueError) as error:
        raise VideoError(f"{_name(path)} can't be opened: {error}", "Check the path.") from None
    if status.st_size == 0:
        raise VideoError(f"{_name(path)} is empty", _NOT_VIDEO)
    return status


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """The demuxer, restricted to formats that read nothing but this file."""
    try:
        str(path).encode("utf-8")
        source: str | BinaryIO = f"file:{path}"
    except UnicodeEncodeError:
        source = path.open("rb")  # PyAV passes only names in UTF-8 on
    try:
        with open_demuxer(source, path) as container:
            yield container
    except VideoError:
        refuse_unreadable(path, 0)
        raise
    except av.error.FFmpegError as error:
        refuse_unreadable(path, 0)
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
        raise VideoError(f"{_name(path)} has no video stream", "tempo looks at pictures only: give a video.")
    # libav has no context for a codec that it does not know
    known = [stream for stream in moving if stream.codec_context is not None]
    if not known:
        refuse_encrypted(path, container.format.name, moving[0])
        raise VideoError(
            f"{_name(path)} has video in a codec that ffmpeg does not know",
            "Convert it to H.264 with the program or camera software that made it.",
        )
    best = container.streams.best("video")
    chosen = next((s for s in known if best is not None and s.index == best.index), known[0])
    refuse_encrypted(path, container.format.name, chosen)
    return chosen


def _read_index(
    container: InputContainer, stream: av.VideoStream, watch: Callable[[], object], path: Path
) -> Index:
    codec, reader = stream.codec_context, container.format.name
    name = codec.codec.canonical_name
    if name in _REORDERED or reader in RAW.split(","):
        container.flags &= ~_GENERATE_PTS
    pts: list[int | None] = []
    dts: list[int | None] = []
    keys: list[tuple[int, bool]] = []  # and whether they bring parameter sets
    openings: list[Opening] = []
    hidden = last = reached = 0
    looked = undated = False
    clock: int | None = None
    apart = float(SEEN_APART / stream.time_base) if stream.time_base else math.inf
    kinds = PacketKinds(reader, name, codec.extradata)
    sets = (SequenceHeaders if has_sequence_headers(name) else ParameterSets)(name, codec.extradata)
    fields, bound = Fields(name, codec.extradata), False
    with suppress(av.error.FFmpegError):  # the rest can't be read: what is announced but missing shows later
        for number, packet in enumerate(packets_of(container, stream)):
            if number % _WATCHED == 0:
                watch()
            if packet.size == 0:
                continue
            reached = max(reached, packet.pos or 0)
            if len(pts) > MOST_FRAMES:
                raise VideoError(f"the video has more than {MOST_FRAMES:,} frames", "Cut it into parts.")
            if not pts and not hidden:
                bound = needs_beginning(name, codec.pix_fmt, packet)
            count = shown_frames(name, packet, codec.extradata)
            if fields.is_second(packet) or packet.is_discard:
                count = 0
            if packet.dts is not None:
                looked = looked and (
                    clock is None or abs(packet.dts - clock) <= apart
                )  # a part may begin here
                clock = packet.dts
            if packet.is_keyframe and not looked:
                looked = True
                loses = drops_leading_pictures(codec.name, packet, codec.extradata)
                openings.append(Opening(len(pts), packet.pts, loses))
            entry = packet.pts if packet.is_keyframe else None
            access = entry is not None and is_random_access(reader, codec.name, packet, codec.extradata)
            brought = sets.look(packet)
            if access and entry is not None and count:
                keys.append((entry, brought[1]))
            kinds.add(packet, access, brought)
            if count:
                pts += [packet.pts] * count
                dts += [packet.dts] * count
                undated = undated or (packet.pts is None and packet.dts is not None)
                last = packet.duration or last
            else:
                hidden += 1
    refuse_unreadable(path, reached)
    # AVI tells decoding times, and so may MXF; with B-frames they are not the presentation times
    decoding = reader == "avi" or (reader == "mxf" and pts == dts)
    exact = not (undated or (decoding and codec.has_b_frames))
    if undated:
        pts, openings = dts, [opening._replace(pts=None) for opening in openings]
    starts = part_starts(pts if None in dts else dts, stream.time_base, reader)
    places = shown_places(pts, starts, openings)
    untold = sum(pts[place] is None for place in places)
    if exact and untold < len(places) and not (name in _REORDERED and untold > _FEW * len(places)):
        # a packet without a pts among others with one: damage, or the rest of a cut-off group
        places = [place for place in places if pts[place] is not None]
    parts = sorted({place for place in np.searchsorted(places, starts).tolist() if 0 < place < len(places)})
    hidden += len(pts) - len(places)
    entries = [entry for entry, whole in keys if whole or not sets.changing]
    packets = None if fields.apart else kinds.result(sets.changing)  # one can't go without the other
    return Index([pts[place] for place in places], entries, hidden, last, exact, parts, packets, bound)


def _colors(codec: av.VideoCodecContext) -> Colors:
    told = {
        "matrix": codec.colorspace != _UNTOLD,
        "primaries": codec.color_primaries != _UNTOLD,
        "range": codec.color_range != 0,
    }
    transfer = _TRANSFERS.get(codec.color_trc)
    # a picture that is meant for other players too tells an ordinary transfer
    dolby = codec.colorspace == _DOLBY_MATRIX or (transfer is None and codec_tag(codec) in _DOLBY_TAGS)
    return Colors(transfer, frozenset(name for name, known in told.items() if not known), dolby)


def _keyframes(index: Index, pts: IntArray | None, tick: Fraction | None) -> tuple[tuple[int, float], ...]:
    if pts is None or tick is None:
        return ()
    keys = index.keys
    if len(keys) > _MANY_KEYFRAMES:  # every frame may be one; seeking needs no more than a few a second
        steps = np.diff(np.array(keys, np.float64) * float(tick) // _KEYFRAME_SECONDS, prepend=-1)
        keys = [key for key, step in zip(keys, steps.tolist(), strict=True) if step]
    places = np.searchsorted(pts, keys).tolist()
    return tuple((place, float(key * tick)) for place, key in zip(places, keys, strict=True))
