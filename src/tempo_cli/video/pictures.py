"""Pictures as ffmpeg writes them to its standard output."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..types import IntArray, Look, Pixels, VideoInfo
from .arguments import Range
from .counted import CountedFrames
from .ffmpeg import FFmpegProcess
from .limits import check_size

_HEADER = re.compile(rb"P6\n(\d+) (\d+)\n255\n")


class Picture(NamedTuple):
    """A decoded frame, and its index in the whole video."""

    place: int
    pixels: Pixels
    look: Look | None


def read_pixels(process: FFmpegProcess, path: Path, patience: float, max_pixels: int) -> Pixels | None:
    """The next picture; None at the end of the output. After `patience` seconds the process is killed.

    Raises:
        VideoError: it has more than `max_pixels`.
    """
    header = b"".join(process.read_line(patience) for _ in range(3))
    match = _HEADER.fullmatch(header)
    if match is None:
        return None
    width, height = int(match[1]), int(match[2])
    check_size(path, width, height, max_pixels)
    buffer = bytearray(height * width * 3)
    if not buffer or not process.read_into(memoryview(buffer), patience):
        return None
    return np.frombuffer(buffer, np.uint8).reshape(height, width, 3)


class PictureReader:
    """Reads the pictures of one process after the other, and tells which frames they are.

    Args:
        counted: where the timestamps restart.
        patience: seconds without output after which a process counts as hung.
    """

    def __init__(self, info: VideoInfo, counted: CountedFrames, patience: float, max_pixels: int) -> None:
        self._path, self._counted = info.path, counted
        self._patience, self._max_pixels = patience, max_pixels
        self._courtesy = 1.0  # seconds that one waits for what can be done without
        self._pts: IntArray | None = None
        self._numbers: Iterator[int] = iter(())

    def expect(self, pts: IntArray | None, ranges: Sequence[Range]) -> None:
        """The next process gives frames `ranges`; they are counted where `pts` is None."""
        self._pts = pts
        self._numbers = iter([number for first, last in ranges for number in range(first, last + 1)])

    def next(self, process: FFmpegProcess) -> Picture | None:
        """The next picture; None at the end of what is expected or comes."""
        number = next(self._numbers, None)
        if number is None:
            return None
        pixels = read_pixels(process, self._path, self._patience, self._max_pixels)
        if pixels is None:
            return None
        if self._pts is None:
            stamp = process.read_stamp(self._courtesy, needed=False)
            self._courtesy = 0.0 if stamp is None else self._courtesy
            place = self._counted.index(number, stamp.pts) if stamp else number
            return Picture(place, pixels, stamp.look if stamp else None)
        stamp = process.read_stamp(self._patience)
        if stamp is None or stamp.pts is None:
            return None
        return Picture(int(np.searchsorted(self._pts, stamp.pts)), pixels, stamp.look)
