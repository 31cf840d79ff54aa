"""What the fragments of an MP4 file announce.

libav's own numbers don't fit a file that was cut off: its count of frames is that of the part before the
fragments, and a duration from a segment index begins at another time than the first frame.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..types import FloatArray
from .boxes import Box, places, read_boxes, track_of

_FIRST = {b"ftyp", b"styp", b"moov", b"free", b"sidx"}  # kinds of boxes that an MP4 file begins with
_TFHD_DURATION = 0x8
# what stands in front of a tfhd's default duration, and in a trun's header and entries, by flag
_TFHD_BEFORE = {0x1: 8, 0x2: 4}
_TRUN_HEADER = {0x1: 4, 0x4: 4}
_TRUN_DURATION = 0x100
_TRUN_ENTRY = (0x100, 0x200, 0x400, 0x800)


class Fragments(NamedTuple):
    """The length of a track.

    Attributes:
        frames: samples of all fragments whose description is there.
        seconds: their durations.
        indexed: seconds of all fragments that a segment index names; 0 without one.
    """

    frames: int
    seconds: float
    indexed: float

    @property
    def end(self) -> float:
        """Seconds from the first frame to the end of the last one that is announced."""
        return max(self.seconds, self.indexed)

    def rate(self, reported: Sequence[Fraction]) -> Fraction | None:
        """The one of some frame rates that the samples have; None where none fits."""
        frames = ((abs(float(rate) * self.seconds - self.frames), rate) for rate in reported)
        return next((rate for off, rate in sorted(frames) if off < 0.5), None)

    def beyond(self, times: FloatArray, rate: Fraction, hidden: int, most: int) -> FloatArray:
        """Times of the frames that are announced and not there: they share the time that is left.

        Args:
            times: of the frames that are there, seconds.
            hidden: samples that are no frames.
            most: frames that are believed.
        """
        missing = self.frames - hidden - len(times) + round((self.end - self.seconds) * float(rate))
        if missing <= 0 or missing + len(times) > most:
            return np.empty(0)
        last = max(self.end - 1 / float(rate), float(times[-1]))
        return np.linspace(times[-1], last, missing + 1)[1:]


def ends_in_description(path: Path) -> bool:
    """Whether an MP4 file is cut off within the description of a fragment (its `moof` box)."""
    with suppress(OSError), path.open("rb") as file:
        if file.read(8)[4:] not in _FIRST:
            return False
        last = deque(places(file), maxlen=1)
        return bool(last) and last[0].kind == b"moof" and last[0].end > file.seek(0, 2)
    return False


def read_fragments(path: Path, track: int) -> Fragments | None:
    """What the fragments say of a track; None where the file has no fragments or they can't be read.

    Args:
        track: the number of the track in the file.
    """
    with suppress(OSError), path.open("rb") as file:
        trak = moov = None
        frames = ticks = 0
        indexed = 0.0
        fragmented = False
        for box in read_boxes(file, b"moov", b"moof", b"sidx"):
            if box.kind == b"moov" and trak is None:
                moov, trak = box, track_of(box, track)
                if trak is None:
                    return None
                for count, duration in _stored_samples(trak):
                    frames, ticks = frames + count, ticks + count * duration
            elif box.kind == b"sidx":
                indexed += _indexed_seconds(box, track)
            elif moov is not None:
                fragmented = True
                for count, duration in _fragment_samples(box, track, _default_duration(moov, track)):
                    frames, ticks = frames + count, ticks + duration
        scale = _timescale(trak) if trak is not None else 0
        if fragmented and scale:
            return Fragments(frames, ticks / scale, indexed)
    return None


def _timescale(trak: Box) -> int:
    mdhd = next(trak.find(b"mdia", b"mdhd"), None)
    return mdhd.number(20 if mdhd.number(0, 1) else 12) if mdhd is not None else 0


def _default_duration(moov: Box, track: int) -> int:
    return next((trex.number(12) for trex in moov.find(b"mvex", b"trex") if trex.number(4) == track), 0)


def _stored_samples(trak: Box) -> Iterator[tuple[int, int]]:
    """(count, ticks of each) of the samples that are no fragment's."""
    for stts in trak.find(b"mdia", b"minf", b"stbl", b"stts"):
        for place in range(8, min(8 + 8 * stts.number(4), stts.end - stts.start), 8):
            yield stts.number(place), stts.number(place + 4)


def _fragment_samples(moof: Box, track: int, default: int) -> Iterator[tuple[int, int]]:
    """(count, ticks of all) of each run of samples."""
    for traf in moof.find(b"traf"):
        tfhd = next(traf.find(b"tfhd"), None)
        if tfhd is None or tfhd.number(4) != track:
            continue
        flags, usual = tfhd.number(0), default
        if flags & _TFHD_DURATION:
            usual = tfhd.number(8 + sum(size for flag, size in _TFHD_BEFORE.items() if flags & flag))
        for trun in traf.find(b"trun"):
            flags, count = trun.number(0), trun.number(4)
            start = 8 + sum(size for flag, size in _TRUN_HEADER.items() if flags & flag)
            fields = sum(bool(flags & flag) for flag in _TRUN_ENTRY)
            if fields and count * fields * 4 > trun.end - trun.start - start:
                return
            if flags & _TRUN_DURATION:
                numbers = np.frombuffer(trun.data, ">u4", count * fields, trun.start + start)
                yield count, int(numbers[::fields].sum(dtype=np.int64))
            else:
                yield count, count * usual


def _indexed_seconds(sidx: Box, track: int) -> float:
    """Seconds of the media that a segment index refers to; an index of indices counts for nothing."""
    start = 32 if sidx.number(0, 1) else 24
    scale, count = sidx.number(8), sidx.number(start - 2, 2)
    if sidx.number(4) != track or not scale:
        return 0.0
    ticks = 0
    for place in range(start, min(start + 12 * count, sidx.end - sidx.start), 12):
        if sidx.number(place) >> 31 == 0:
            ticks += sidx.number(place + 4)
    return ticks / scale
