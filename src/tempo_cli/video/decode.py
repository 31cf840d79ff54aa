"""Frames by index, through ffmpeg: exact, in order, and few of them in memory at a time."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..config import SamplingOptions
from ..errors import VideoError
from ..types import Frame, FramePlan, VideoInfo
from .arguments import Range, decoding_arguments, wanted_ranges
from .conversion import Conversion
from .counted import CountedFrames
from .ffmpeg import FFmpegProcess
from .lanes import Source
from .limits import decoder_memory, decoder_options
from .pictures import Picture, PictureReader
from .running import Running
from .seeking import Seeker
from .thinned import ThinnedFrames
from .thinning import DecodingRecord, span_of

STALL_SECONDS = 60.0  # without output; more where many frames lie between two wanted ones
_SLOWEST = 2.0  # frames per second that any machine decodes
_CONVERT = "Convert it first: ffmpeg -i VIDEO -c:v libx264 fixed.mp4"
_TAIL = 1 << 20  # bytes
# what ffmpeg says of trouble that is not the video's own
_PASSING = re.compile("Cannot allocate memory|Input/output error")
_MOST_RANGES = 1500  # in one filter expression: an argument of a process may be 128 KiB


class FrameDecoder:
    """Decodes the planned frames. A context manager: on exit no process is left.

    Frames are selected by their timestamps, so that one that can't be decoded takes no other's place;
    by counting where the file tells no timestamps. Decoding begins at a keyframe before the first of them.
    Where its timestamps restart, frames are counted and their timestamps checked: where fewer or more came
    than the file holds, those around the wanted ones are decoded too, and told apart by timestamp.
    Packets that none of them needs are not decoded, where that is known to change no picture.

    Args:
        warn: called with what had to be left out.
        stall: seconds without output after which ffmpeg counts as hung.
        positions: which of the planned frames, ascending; None: all of them.
        missing: positions that an earlier decoder could not decode; this one adds its own.
        picture: auto converts HDR to SDR; raw leaves colors as they are stored.
        differs: called with why colors are other than a player shows them; None: `warn`.
        max_pixels: of a picture at most.
        record: what earlier decoders of this video found out; this one adds its own.

    Attributes:
        running: its processes, and whether they were killed.
        steady: whether what is missing is the video's own fault, and no lack of memory, for example.
    """

    def __init__(
        self,
        info: VideoInfo,
        plan: FramePlan,
        binary: str,
        warn: Callable[[str], None],
        stall: float = STALL_SECONDS,
        positions: Sequence[int] | None = None,
        missing: set[int] | None = None,
        picture: str = "auto",
        differs: Callable[[str], None] | None = None,
        max_pixels: int = SamplingOptions.max_pixels,
        record: DecodingRecord | None = None,
    ) -> None:
        self._info, self._plan, self._warn = info, plan, warn
        self._max_pixels, self._pts = max_pixels, info.pts
        self._positions = list(range(len(plan.indices))) if positions is None else list(positions)
        self._indices = plan.indices[self._positions]
        self._missing = set() if missing is None else missing
        held = self._indices if info.pts is None else self._indices[self._indices < len(info.pts)]
        if not len(held) and positions is None:
            raise VideoError(f"'{info.path}' ends before the requested part", "Copy or download it again.")
        self._held = np.unique(held)
        self._patience = stall + int(np.diff(self._indices, prepend=0).max(initial=0)) / _SLOWEST
        self._binary = binary
        self._conversion = Conversion(info.colors, binary, picture == "auto", differs or warn)
        self._counted = CountedFrames(info.restarting)
        self._reader = PictureReader(info, self._counted, self._patience, max_pixels)
        self._options = decoder_options(info.width, info.height, max_pixels)
        self._complaints: list[str] = []
        self._process: FFmpegProcess | None = None
        self.running, self.steady = Running(), True
        self._record = DecodingRecord() if record is None else record
        self._seeker = Seeker(info, self._record, self.running, self._source)

    def frames(self) -> Iterator[Frame]:
        """Yield the planned frames in order, each as soon as it is decoded; ffmpeg starts with the first.

        Where a signal may interrupt, let another thread than the main one iterate: what a signal's handler
        raises while Python starts a process would make it forget the process.

        The pixels are those of `ffmpeg -fps_mode passthrough -pix_fmt rgb24`, autorotated, bit for bit
        (reference); HDR is converted to SDR first, unless `picture` is raw, and pictures of more than 9 Mpx
        are halved. Frames that can't be decoded are left out, with a warning at the end.

        Raises:
            VideoError: nothing could be decoded, a picture is too large, or ffmpeg hung.
        """
        indices, at = self._indices, 0
        for index, pixels, look in self._decoded():
            while at < len(indices) and indices[at] <= index:
                if indices[at] == index:
                    yield Frame(self._positions[at], pixels, look)
                else:
                    self._missing.add(self._positions[at])
                at += 1
        if self.running.killed:
            return
        self._missing.update(self._positions[at:])
        if self._missing:
            self._report(sorted(self._missing))

    def kill(self) -> None:
        """End ffmpeg at once; `frames` then stops without an error, in whatever thread it runs."""
        self.running.kill()

    def _first(self, ranges: Sequence[Range], seek: float | None) -> Picture | None:
        """Let ffmpeg decode `ranges` from `seek` on: seconds in the file's own time; None: its beginning.

        Gives the first picture; None where none comes.
        """
        filters, options = _chain(self._options.shrinking, self._conversion.begin()), self._options
        self._end()
        arguments = decoding_arguments(self._info, self._pts, ranges, self._binary, seek, filters, options)
        memory = decoder_memory(self._max_pixels)
        self._process = self.running.start(lambda: FFmpegProcess(arguments, memory))
        span = span_of(self._info, np.array([ranges[0][0], ranges[-1][1]]), seek)
        self._record.count(1, span, span)
        self._reader.expect(self._pts, ranges)
        return self._next()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self.running.close(process)
            self._complaints += process.complaints()

    def _source(self, threads: int) -> Source:
        filters = _chain(self._options.shrinking, self._conversion.filters)
        return Source(
            self._info, self._binary, filters, threads, self._patience, self._options, self._max_pixels
        )

    @property
    def _hung(self) -> bool:
        return self._process is not None and self._process.stalled

    @property
    def _troubled(self) -> bool:
        return self._process is not None and self._process.troubled

    def _decoded(self) -> Iterator[Picture]:
        """Frames with their indices, as ffmpeg writes them."""
        came, done, thinned = 0, -1, None  # frames; the last one that came from fewer packets
        if self._pts is not None:
            thinned = ThinnedFrames(self._source, self._conversion, self._record, self.running, self._seeker)
            for found in thinned.pictures(self._held):
                came, done = came + 1, found.place
                yield found
        rest = self._held[self._held > done]
        waiting = list(_parts(wanted_ranges(rest))) if len(rest) else []
        clean = True
        while waiting:
            ranges = waiting.pop(0)
            seek = self._seeker.point(ranges[0][0]) if self._pts is not None else None
            apart, reached = self._counted.apart, 0
            around = _widened(ranges, apart)
            picture = self._first(around, seek)
            missed = picture is None or picture.place != ranges[0][0] or self._troubled
            if missed and seek is not None and not self._hung:
                # the seek went wrong, or this frame is damaged: from the beginning, nothing can be missed
                picture = self._first(around, None)
            if picture is None and self._conversion.filters and not (self._hung or self.running.killed):
                picture = self._unconverted(around)
            while picture is not None:
                if not self._conversion.suits(picture.look):
                    waiting.insert(0, _from(ranges, picture.place))
                    break
                if self._counted.apart > apart and (left := _from(ranges, reached)):
                    waiting.insert(0, left)
                    break
                came, reached = came + 1, picture.place + 1
                yield picture
                picture = self._next()
            clean = clean and not _complains(self._process, picture is None, self._patience)
        if thinned is not None and not self.running.killed:
            thinned.judge(clean and came == len(self._held))
        if not (came or self.running.killed or self._hung) and self._pts is not None:
            # another release of ffmpeg may read other pts from this file: count instead
            self._pts = None
            yield from self._decoded()

    def _unconverted(self, ranges: Sequence[Range]) -> Picture | None:
        """The first picture without a conversion of colors, if that is what no picture came for."""
        resume = self._conversion.pause()
        picture = self._first(ranges, None)
        resume(picture is not None)
        return picture

    def _next(self) -> Picture | None:
        return None if self._process is None else self._reader.next(self._process)

    def _report(self, missing: Sequence[int]) -> None:
        name, planned = self._info.path, len(self._plan.indices)
        if self._process is not None:
            self._process.wait(self._patience)
            self.steady = not self._process.crashed
        if self._hung:
            raise VideoError(*_why_nothing_comes(name, self._patience))
        self._end()
        self.steady &= not any(_PASSING.search(complaint) for complaint in self._complaints)
        reason = f": ffmpeg says '{self._complaints[0]}'" if self._complaints else ""
        if len(missing) == planned:
            raise VideoError(
                f"no frame of '{name}' could be decoded{reason}",
                "The file is damaged, or ffmpeg lacks its codec.",
            )
        first, last = self._info.times[self._plan.indices[[missing[0], missing[-1]]]]
        left_out = f"{len(missing)} of {planned} sampled frames are left out{reason}"
        self._warn(f"the video is damaged ({first:.1f} s to {last:.1f} s): {left_out}")

    def __enter__(self) -> "FrameDecoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.running.stop()  # whoever still iterates starts nothing more


def _complains(process: FFmpegProcess | None, ended: bool, seconds: float) -> bool:
    """Whether ffmpeg had trouble; where its output has ended, what it says last counts too."""
    if process is not None and ended:
        process.wait(seconds)
    return process is not None and process.troubled


def _why_nothing_comes(path: Path, seconds: float) -> tuple[str, str]:
    """What to say of a video whose decoder was ended after `seconds` without a picture, and what to do."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(-min(_TAIL, file.seek(0, 2)), 2)
        if not any(file.read(_TAIL)):
            empty = f"'{path}' ends in zeros, in which ffmpeg finds no picture within {math.ceil(seconds)} s"
            return empty, "It was not written to its end: cut the zeros off, or copy it again."
    return f"'{path}' makes ffmpeg hang", _CONVERT


def _from(ranges: Sequence[Range], index: int) -> Sequence[Range]:
    """What of `ranges` is not before `index`."""
    return [(max(first, index), last) for first, last in ranges if last >= index]


def _widened(ranges: Sequence[Range], by: int) -> Sequence[Range]:
    """`ranges` with `by` more frames on both sides."""
    if not by or not ranges:
        return ranges
    numbers = np.concatenate([np.arange(max(0, first - by), last + by + 1) for first, last in ranges])
    return wanted_ranges(numbers)


def _parts(ranges: Sequence[Range]) -> Iterator[Sequence[Range]]:
    """What one ffmpeg can be told to select; the next one begins at a key frame near its part."""
    for start in range(0, len(ranges), _MOST_RANGES):
        yield ranges[start : start + _MOST_RANGES]


def _chain(*filters: str) -> str:
    """Filters one after the other; empty ones are none."""
    return ",".join(filter(None, filters))
