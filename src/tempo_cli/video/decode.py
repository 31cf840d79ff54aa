"""Frames by index, through ffmpeg: exact, in order, and never more than one in memory here."""

import re
from collections.abc import Callable, Iterator, Sequence

import ffmpeg
import numpy as np

from ..errors import VideoError
from ..types import Frame, FramePlan, IntArray, Pixels, VideoInfo
from .ffmpeg import FFmpegProcess
from .formats import READER_OPTIONS

STALL_SECONDS = 60.0  # without output; more where many frames lie between two wanted ones
_SLOWEST = 2.0  # frames per second that any machine decodes
_MOST_RANGES = 2000  # in one filter expression: an argument of a process may be 128 KiB
_HEADER = re.compile(rb"P6\n(\d+) (\d+)\n255\n")
_SOURCE = re.compile(r"^\[[^]]*@ 0x[0-9a-f]+\] ")  # the part of ffmpeg that speaks, with its address

Range = tuple[int, int]


class FrameDecoder:
    """Decodes the planned frames. A context manager: on exit no process is left.

    Args:
        warn: is told what had to be left out.
        stall: seconds without output after which ffmpeg counts as hung.
    """

    def __init__(
        self,
        info: VideoInfo,
        plan: FramePlan,
        binary: str,
        warn: Callable[[str], None],
        stall: float = STALL_SECONDS,
    ) -> None:
        self._info, self._plan, self._warn = info, plan, warn
        self._ranges = wanted_ranges(plan.indices, _MOST_RANGES)
        self._patience = stall + int(np.diff(plan.indices, prepend=0).max()) / _SLOWEST
        self._killed = False
        self._process = FFmpegProcess(_arguments(info, self._ranges, binary))

    def frames(self) -> Iterator[Frame]:
        """Yield the planned frames in order, each as soon as it is decoded.

        The pixels are those of `ffmpeg -fps_mode passthrough -pix_fmt rgb24`, autorotated, bit for bit
        (reference). Where the stream ends before the plan does, the rest is left out with a warning.

        Raises:
            VideoError: nothing could be decoded, or ffmpeg hung.
        """
        indices, position = self._plan.indices, 0
        for index in (index for first, last in self._ranges for index in range(first, last + 1)):
            pixels = _read_frame(self._process, self._patience)
            if pixels is None:
                break
            while position < len(indices) and indices[position] == index:
                yield Frame(position, pixels)
                position += 1
        if position < len(indices) and not self._killed:
            self._report_missing(position)

    def kill(self) -> None:
        """End ffmpeg at once; `frames` then stops without a word, in whatever thread it runs."""
        self._killed = True
        self._process.kill()

    def _report_missing(self, got: int) -> None:
        name, planned = self._info.path, len(self._plan.indices)
        if self._process.stalled:
            raise VideoError(
                f"'{name}' makes ffmpeg hang", "Convert it first: ffmpeg -i VIDEO -c:v libx264 fixed.mp4"
            )
        self._process.wait()
        complaints = self._process.complaints()
        reason = f": ffmpeg says '{_SOURCE.sub('', complaints[0])}'" if complaints else ""
        if got == 0:
            raise VideoError(
                f"no frame of '{name}' could be decoded{reason}",
                "The file is damaged, or ffmpeg lacks its codec.",
            )
        seconds = self._info.times[self._plan.indices[got]]
        self._warn(
            f"the video is damaged from {seconds:.1f} s on: "
            f"{planned - got} of {planned} sampled frames are left out{reason}"
        )

    def __enter__(self) -> "FrameDecoder":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.close()


def wanted_ranges(indices: IntArray, most: int) -> list[Range]:
    """The fewest index ranges (first, last) that hold `indices`; the closest are joined down to `most`."""
    unique = np.unique(indices)
    gaps = np.diff(unique)
    breaks = np.flatnonzero(gaps > 1)
    if len(breaks) >= most:
        widest = np.argsort(-gaps[breaks], kind="stable")[: most - 1]
        breaks = np.sort(breaks[widest])
    firsts = unique[np.concatenate([[0], breaks + 1])]
    lasts = unique[np.concatenate([breaks, [len(unique) - 1]])]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def selection(ranges: Sequence[Range]) -> str:
    """A filter expression that is true for frame numbers in `ranges`: a search tree, so cheap per frame."""
    if len(ranges) == 1:
        first, last = ranges[0]
        return f"eq(n,{first})" if first == last else f"between(n,{first},{last})"
    middle = len(ranges) // 2
    return f"if(lt(n,{ranges[middle][0]}),{selection(ranges[:middle])},{selection(ranges[middle:])})"


def _arguments(info: VideoInfo, ranges: Sequence[Range], binary: str) -> list[str]:
    """PPM pictures: rgb24 with the size in front of each, so rotation and changing sizes need no guess."""
    source = ffmpeg.input(f"file:{info.path}", **READER_OPTIONS)
    output = ffmpeg.output(
        source[str(info.stream)],
        "pipe:1",
        format="image2pipe",
        vcodec="ppm",
        pix_fmt="rgb24",
        fps_mode="passthrough",
        vf=f"select='{selection(ranges)}'",
        **{"frames:v": sum(last - first + 1 for first, last in ranges)},
    )
    arguments: list[str] = output.global_args("-nostdin", "-hide_banner", "-loglevel", "error").compile(
        binary
    )
    return arguments


def _read_frame(process: FFmpegProcess, patience: float) -> Pixels | None:
    header = b"".join(process.read_line(patience) for _ in range(3))
    match = _HEADER.fullmatch(header)
    if match is None:
        return None
    pixels = np.empty((int(match[2]), int(match[1]), 3), np.uint8)
    return pixels if process.read_into(memoryview(pixels).cast("B"), patience) else None
