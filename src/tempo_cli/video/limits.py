"""What reading and decoding a video may take. A hostile file meets these limits before the machine's.

What they add up to, and what was measured, is in docs/limits.md.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..config import SamplingOptions
from ..errors import VideoError
from ..plan.picture import HDR
from ..plan.threads import MOST_DECODER_THREADS
from ..types import VideoInfo

MOST_FRAMES = 5_000_000  # in a video: 46 hours at 30 frames per second
SINGLE_THREAD_PIXELS = 9_000_000  # of a picture, beyond which ffmpeg decodes with one thread
MOST_DECODERS = 4  # processes of ffmpeg for one video
THREAD_PIXELS = 40_000_000  # in all threads of ffmpeg, one picture each
STALL_SECONDS = 30.0  # of reading without a picture's packet
_EDGE = 128  # px that codecs and libav add to an edge at most
_READER_BYTES = 1_300_000_000  # of address space; Python, libav and numpy take 0.2 GB of it
_DECODER_BYTES = 1_100_000_000  # that ffmpeg allocates; 8K takes 0.8 GB
_BYTES_PER_PIXEL = 32  # more where a user allows larger pictures
_FIXED_SECONDS = 60.0
_SLOWEST = 10e6  # bytes per second that any disk reads


@dataclass(frozen=True)
class ReadLimits:
    """What reading one file may take.

    Attributes:
        max_pixels: of a picture.
        memory: bytes of address space.
        seconds: for the whole file.
        stall: seconds without a packet of its pictures.
    """

    max_pixels: int
    memory: int
    seconds: float
    stall: float = STALL_SECONDS


def read_limits(size: int, max_pixels: int | None = None) -> ReadLimits:
    """The limits for a file of `size` bytes; `max_pixels` None: as `SamplingOptions` has it."""
    most = SamplingOptions.max_pixels if max_pixels is None else max_pixels
    return ReadLimits(most, _READER_BYTES + _extra_bytes(most), _FIXED_SECONDS + size / _SLOWEST)


def decoder_memory(max_pixels: int) -> int:
    """Bytes that ffmpeg may allocate."""
    return _DECODER_BYTES + _extra_bytes(max_pixels)


def _extra_bytes(max_pixels: int) -> int:
    return _BYTES_PER_PIXEL * max(0, max_pixels - SamplingOptions.max_pixels)


# before anything is kept at full size; the model looks at 512 pixels an edge
_HALVED = "scale=trunc(iw/2):trunc(ih/2):flags=area"
_WRITING = {"threads": 1, "thread_queue_size": 1}  # else 8 pictures wait to be written


class DecoderOptions(NamedTuple):
    """Options of ffmpeg's input and of its output, and a filter for the pictures; empty: none."""

    reading: dict[str, int]
    writing: dict[str, int]
    shrinking: str


def decoder_options(width: int, height: int, max_pixels: int) -> DecoderOptions:
    """Options for pictures of this size.

    Each thread holds pictures of its own. Where there may be several, pictures that are much larger than the
    header says are refused. Pictures that leave room for one thread only are halved.
    """
    coded = (width + _EDGE) * (height + _EDGE)
    pixels = width * height
    if pixels > SINGLE_THREAD_PIXELS:
        one = {"threads": 1, "max_pixels": max(max_pixels, coded)}
        return DecoderOptions(one, _WRITING, _HALVED)
    threads = min(THREAD_PIXELS // pixels, usable_cores(), MOST_DECODER_THREADS)
    limits = {"max_pixels": max(min(max_pixels, SINGLE_THREAD_PIXELS), coded), "threads": threads}
    return DecoderOptions(limits, _WRITING, "")


def most_decoders(info: VideoInfo) -> int:
    """Processes that may decode a video side by side; each gets its part of the memory.

    To convert a picture from HDR takes several times its size.
    """
    most = 2 if info.colors.transfer in HDR else MOST_DECODERS
    return max(1, min(most, THREAD_PIXELS // 4 // (info.width * info.height)))


def usable_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Refuse pictures that are too large.

    Raises:
        VideoError: they have more than `max_pixels`.
    """
    if width * height > max_pixels:
        raise VideoError(
            f"'{path}' has pictures of {width} x {height} pixels, more than {max_pixels:,}",
            "Raise `max_pixels` if they are meant to be so large.",
        )
