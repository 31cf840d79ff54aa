"""What a file announces of its length, and whether it may be believed.

A header may be stale, wrong or hostile. Its length matters only where the file was cut off, which the sizes
of the container's outermost elements tell: those of a whole file end where the file ends.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer

from .boxes import MP4, places
from .ebml import EBML, HEAD, MATROSKA, SEGMENT, read_head

# formats whose timestamps may start anew in mid-stream; libav guesses their duration from the last ones
GUESSED = {"mpegts", "mpeg", "flv", "asf"}
_MOST_ELEMENTS = 10_000


def announced_seconds(
    stream: av.VideoStream, container: InputContainer, start: float, hidden: int
) -> float | None:
    """How long the stream should be, from its first frame on, where the file itself says so.

    Args:
        start: timestamp of the first frame, seconds.
        hidden: packets in the header's count that are no frames.
    """
    if container.format.name == "avi":
        # libav shortens the duration of a file that was cut off; the header's count it leaves
        count = stream.frames - hidden
        return float(count / stream.average_rate) if count > 0 and stream.average_rate else None
    if container.format.name in GUESSED:
        return None
    if stream.duration is not None and stream.time_base is not None:
        # where libav has not found the stream's beginning, both are the file's
        begins = start if stream.start_time is None else float(stream.start_time * stream.time_base)
        return float(stream.duration * stream.time_base) + min(0.0, begins - start)
    # Matroska: HH:MM:SS.fraction, from the file's start, maybe copied from a longer file
    parts = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return None
    announced = hours * 3600 + minutes * 60 + seconds
    if not math.isfinite(announced):
        return None
    longest = math.inf if container.duration is None else container.duration / av.time_base
    return min(announced, longest) - start


def is_cut_off(path: Path, container: str) -> bool | None:
    """Whether the file ends before its outermost elements do; None where the format does not tell.

    Args:
        container: libav's name of the format.
    """
    ends = _ENDS.get(container)
    if ends is None:
        return None
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            return any(end > size for end in ends(file))
    except (OSError, _UntoldError):
        return None


class _UntoldError(Exception):
    """The format allows more elements, or an element of unknown size."""


def _matroska_ends(file: BinaryIO) -> Iterator[int]:
    """Where the segment ends. Of unknown size it was written as a stream, which announces nothing."""
    place = 0
    for wanted in (EBML, SEGMENT):
        file.seek(place)
        head = read_head(file.read(HEAD))
        if head is None or head.identity != wanted or head.end is None:
            return
        place += head.end
        yield place


def _mp4_ends(file: BinaryIO) -> Iterator[int]:
    """Where each box ends. More fragments may have followed a fragment."""
    for box in places(file):
        if box.kind == b"moof":
            raise _UntoldError
        yield box.end


def _avi_ends(file: BinaryIO) -> Iterator[int]:
    """Where each RIFF chunk ends: a large file has several. Size 0 is left by a recorder that was stopped."""
    place = 0
    for _ in range(_MOST_ELEMENTS):
        file.seek(place)
        head = file.read(8)
        size = int.from_bytes(head[4:], "little")
        if len(head) < 8 or head[:4] != b"RIFF":
            return
        if size == 0:
            raise _UntoldError
        place += 8 + size + size % 2
        yield place - size % 2
    raise _UntoldError


_ENDS = {MATROSKA: _matroska_ends, MP4: _mp4_ends, "avi": _avi_ends}
