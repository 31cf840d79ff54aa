"""How the process that reads a video answers: a header of fixed size, facts as JSON, and arrays of numbers.

Nothing in an answer can name a type or run code, and no count in it is believed beyond the limits here.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ..checked import count
from ..types import Colors, Tracks, VideoInfo
from .limits import MOST_FRAMES

GREETING = b"tempo.probe/1\n"  # what comes before an answer, once the reader is ready
INFO, FAILURE = 0, 1
# the arrays behind the facts, in this order: name and type
_ARRAYS = (
    ("times", "<f8"),
    ("pts", "<i8"),
    ("restarting", "<i8"),
    ("keyframe_places", "<i8"),
    ("keyframe_seconds", "<f8"),
    ("packet_pts", "<i8"),
    ("packet_kinds", "u1"),
)
_HEADER = struct.Struct(
    f"<BI{len(_ARRAYS)}q"
)  # kind, bytes of JSON, length of each array (-1: there is none)
_MOST_JSON = 1 << 20
_MOST_FRAMES = 2 * MOST_FRAMES  # frames that are announced come on top of those that are there
Read = Callable[[int], bytes | bytearray]


class WireError(Exception):
    """An answer that no reader gives."""


def pack_info(info: VideoInfo) -> bytes:
    """A video's facts as an answer. Its path is left out: who asked knows it."""
    colors = info.colors
    facts = {
        "stream": info.stream,
        "codec": info.codec,
        "width": info.width,
        "height": info.height,
        "rate": [info.rate.numerator, info.rate.denominator],
        "duration": info.duration,
        "size": info.size,
        "mtime": info.mtime,
        "sample_aspect_ratio": [info.sample_aspect_ratio.numerator, info.sample_aspect_ratio.denominator],
        "colors": [colors.transfer, sorted(colors.untold), colors.dolby],
        "format": info.format,
        "without_index": info.without_index,
        "restarts": info.restarts,
        "needs_beginning": info.needs_beginning,
        "ctime": info.ctime,
        "tracks": asdict(info.tracks),
    }
    arrays = {
        "times": info.times,
        "pts": info.pts,
        "restarting": info.restarting,
        "keyframe_places": np.array([place for place, _ in info.keyframes], np.int64),
        "keyframe_seconds": np.array([second for _, second in info.keyframes], np.float64),
        "packet_pts": info.packet_pts,
        "packet_kinds": info.packet_kinds,
    }
    text = json.dumps(facts).encode()
    lengths = (-1 if (one := arrays[name]) is None else len(one) for name, _ in _ARRAYS)
    parts = (one.astype(kind).tobytes() for name, kind in _ARRAYS if (one := arrays[name]) is not None)
    return b"".join((_HEADER.pack(INFO, len(text), *lengths), text, *parts))


def pack_failure(kind: str, message: str, hint: str) -> bytes:
    """A failure as an answer: the code string of its class of error, and its two lines."""
    text = json.dumps([kind, message[: _MOST_JSON // 32], hint[: _MOST_JSON // 32]]).encode()
    return _HEADER.pack(FAILURE, len(text), *[-1] * len(_ARRAYS)) + text


def unpack(read: Read, path: Path) -> VideoInfo | tuple[str, str, str]:
    """The facts, or (kind, message, hint) of a failure.

    Args:
        read: gives exactly so many bytes, or raises.

    Raises:
        WireError: it is no answer.
    """
    kind, size, *lengths = _HEADER.unpack(read(_HEADER.size))
    if size > _MOST_JSON or max(lengths) > _MOST_FRAMES or min(lengths) < -1:
        raise WireError(f"an answer of {size} bytes with {lengths} numbers")
    try:
        facts = json.loads(read(size))
        if kind == FAILURE:
            code, message, hint = facts
            return str(code), str(message), str(hint)
        arrays = {
            name: None if length < 0 else np.frombuffer(read(np.dtype(kind).itemsize * length), kind)
            for (name, kind), length in zip(_ARRAYS, lengths, strict=True)
        }
        return _info(path, facts, **arrays)
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
        raise WireError(f"{type(error).__name__}: {error}") from None


def _info(
    path: Path,
    facts: Any,
    times: Any,
    pts: Any,
    restarting: Any,
    keyframe_places: Any,
    keyframe_seconds: Any,
    packet_pts: Any,
    packet_kinds: Any,
) -> VideoInfo:
    transfer, untold, dolby = facts["colors"]
    restarts = tuple(float(second) for second in facts["restarts"])
    numbers = [
        facts["duration"],
        facts["mtime"],
        *facts["rate"],
        *facts["sample_aspect_ratio"],
        *restarts,
    ]
    if not (np.isfinite(times).all() and np.isfinite(keyframe_seconds).all() and all(map(isfinite, numbers))):
        raise ValueError("not all of its numbers are finite")
    whole = [facts[name] for name in ("stream", "width", "height", "size")]
    if not all(type(number) is int and 0 <= number < 1 << 63 for number in whole):
        raise ValueError("not all of its counts are")
    if ((keyframe_places < 0) | (keyframe_places > len(times))).any():
        raise ValueError("key frames beyond its end")
    return VideoInfo(
        path=path,
        stream=facts["stream"],
        codec=str(facts["codec"]),
        width=facts["width"],
        height=facts["height"],
        rate=Fraction(*facts["rate"]),
        times=times.astype(np.float64, copy=False),  # for hours of video, a copy takes megabytes
        pts=None if pts is None else pts.astype(np.int64, copy=False),
        duration=float(facts["duration"]),
        size=facts["size"],
        mtime=float(facts["mtime"]),
        keyframes=tuple(zip(keyframe_places.tolist(), keyframe_seconds.tolist(), strict=True)),
        sample_aspect_ratio=Fraction(*facts["sample_aspect_ratio"]),
        colors=Colors(None if transfer is None else str(transfer), frozenset(untold), bool(dolby)),
        format=None if facts["format"] is None else str(facts["format"]),
        without_index=bool(facts["without_index"]),
        restarting=None if restarting is None else restarting.astype(np.int64, copy=False),
        restarts=restarts,
        packet_pts=None if packet_pts is None else packet_pts.astype(np.int64, copy=False),
        packet_kinds=None if packet_kinds is None else packet_kinds.astype(np.uint8, copy=False),
        needs_beginning=bool(facts["needs_beginning"]),
        ctime=None if facts["ctime"] is None else int(facts["ctime"]),
        tracks=_tracks(**facts["tracks"]),
    )


def _tracks(sound: int, texts: int, texts_on: bool, interlaced: bool, alpha: bool) -> Tracks:
    return Tracks(count(sound), count(texts), bool(texts_on), bool(interlaced), bool(alpha))
