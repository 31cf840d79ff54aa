"""Pictures as ffmpeg writes them to its standard output."""

import re
from typing import NamedTuple

import numpy as np

from ..types import Look, Pixels
from .ffmpeg import FFmpegProcess

_HEADER = re.compile(rb"P6\n(\d+) (\d+)\n255\n")


class Picture(NamedTuple):
    """A decoded frame, and its index in the whole video."""

    place: int
    pixels: Pixels
    look: Look | None


def read_pixels(process: FFmpegProcess, patience: float) -> Pixels | None:
    """The next picture; None at the end of the output. After `patience` seconds the process is killed."""
    header = b"".join(process.read_line(patience) for _ in range(3))
    match = _HEADER.fullmatch(header)
    if match is None:
        return None
    width, height = int(match[1]), int(match[2])
    buffer = bytearray(height * width * 3)
    if not process.read_into(memoryview(buffer), patience):
        return None
    return np.frombuffer(buffer, np.uint8).reshape(height, width, 3)
