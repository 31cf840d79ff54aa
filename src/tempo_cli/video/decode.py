"""Frames by index, through ffmpeg: exact, in order, and never more than one in memory here."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence

import ffmpeg
import numpy as np

from ..config import SamplingOptions
from ..errors import VideoError
from ..types import Frame, FramePlan, IntArray, Look, Pixels, VideoInfo
from .conversion import Conversion
from .counted import CountedFrames
from .ffmpeg import FFmpegProcess
from .formats import READER_OPTIONS, WITHOUT_INDEX
from .limits import Options, check_size, decoder_memory, decoder_options

STALL_SECONDS = 60.0  # without output; more where many frames lie between two wanted ones
_SLOWEST = 2.0  # frames per second that any machine decodes
_MOST_RANGES = 1500  # in one filter expression: an argument of a process may be 128 KiB
_HEADER = re.compile(rb"P6\n(\d+) (\d+)\n255\n")

Range = tuple[int, int]
Picture = tuple[int, Pixels, Look | None]


class FrameDecoder:
    """Decodes the planned frames. A context manager: on exit no process is left.

    Frames are selected by their timestamps, so that one that can't be decoded takes no other's place;
    by counting where the file tells no timestamps. Decoding begins at a keyframe before the first of them.
    Where its timestamps restart, frames are counted and their timestamps checked: where fewer or more came
    than the file holds, those around the wanted ones are decoded too, and told apart by timestamp.

    Args:
        warn: called with what had to be left out.
        stall: seconds without output after which ffmpeg counts as hung.
        positions: which of the planned frames, ascending; None: all of them.
        missing: positions that an earlier decoder could not decode; this one adds its own.
        picture: auto converts HDR to SDR; raw leaves colors as they are stored.
        differs: called with why colors are other than a player shows them; None: `warn`.
        max_pixels: of a picture at most.
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
    ) -> None:
        self._info, self._plan, self._warn = info, plan, warn
        self._max_pixels = max_pixels
        self._pts = info.pts
        self._positions = list(range(len(plan.indices))) if positions is None else list(positions)
        self._indices = plan.indices[self._positions]
        self._missing = set() if missing is None else missing
        held = self._indices if info.pts is None else self._indices[self._indices < len(info.pts)]
        if not len(held) and positions is None:
            raise VideoError(f"'{info.path}' ends before the part that was asked for", "It was cut off.")
        self._parts = list(_parts(wanted_ranges(held))) if len(held) else []
        self._patience = stall + int(np.diff(self._indices, prepend=0).max(initial=0)) / _SLOWEST
        self._binary = binary
        self._conversion = Conversion(info.colors, binary, picture == "auto", differs or warn)
        self._courtesy = 1.0  # seconds that one waits for what can be done without
        self._lock = threading.RLock()  # it may be killed in the thread that holds it
        self._killed = False
        self._counted = CountedFrames(info.restarting)
        self._complaints: list[str] = []
        self._process: FFmpegProcess | None = None

    def frames(self) -> Iterator[Frame]:
        """Yield the planned frames in order, each as soon as it is decoded; ffmpeg starts with the first.

        Where a signal may interrupt, let another thread than the main one iterate: what a signal's handler
        raises while Python starts a process would make it forget the process.

        The pixels are those of `ffmpeg -fps_mode passthrough -pix_fmt rgb24`, autorotated, bit for bit
        (reference); HDR is converted to SDR first, unless `picture` is raw, and pictures of more than 9 Mpx
        are halved. Frames that can't be decoded
        are left out, with a warning at the end.

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
        if self._killed:
            return
        self._missing.update(self._positions[at:])
        if self._missing:
            self._report(sorted(self._missing))

    def kill(self) -> None:
        """End ffmpeg at once; `frames` then stops without a word, in whatever thread it runs."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def _start(self, ranges: Sequence[Range], seek: float | None) -> None:
        """Let ffmpeg decode `ranges` from `seek` on: seconds in the file's own time; None: its beginning."""
        filters = self._conversion.begin()
        limits = decoder_options(self._info.width, self._info.height, self._max_pixels)
        with self._lock:
            self._end()
            if not self._killed:
                arguments = _arguments(self._info, self._pts, ranges, self._binary, seek, filters, limits)
                self._process = FFmpegProcess(arguments, decoder_memory(self._max_pixels))
        self._numbers = iter([number for first, last in ranges for number in range(first, last + 1)])

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()
            self._complaints += self._process.complaints()
            self._process = None

    @property
    def _hung(self) -> bool:
        return self._process is not None and self._process.stalled

    def _decoded(self) -> Iterator[Picture]:
        """Frames with their indices, as ffmpeg writes them."""
        any_came = False
        waiting = list(self._parts)
        while waiting:
            ranges = waiting.pop(0)
            seek = seek_point(self._info, ranges[0][0]) if self._pts is not None else None
            apart, done = self._counted.apart, 0
            around = _widened(ranges, apart)
            self._start(around, seek)
            picture = self._next()
            missed = picture is None or picture[0] != ranges[0][0]
            if missed and seek is not None and not self._hung:
                # the seek went wrong, or this frame is damaged: from the beginning, nothing can be missed
                self._start(around, None)
                picture = self._next()
            if picture is None and self._conversion.filters and not (self._hung or self._killed):
                picture = self._unconverted(around)
            while picture is not None:
                if not self._conversion.suits(picture[2]):
                    waiting.insert(0, _from(ranges, picture[0]))
                    break
                if self._counted.apart > apart and (rest := _from(ranges, done)):
                    waiting.insert(0, rest)
                    break
                any_came, done = True, picture[0] + 1
                yield picture
                picture = self._next()
        if not (any_came or self._killed or self._hung) and self._pts is not None:
            # another release of ffmpeg may read other pts from this file: count instead
            self._pts = None
            yield from self._decoded()

    def _unconverted(self, ranges: Sequence[Range]) -> Picture | None:
        """The first picture without a conversion of colors, if that is what no picture came for."""
        resume = self._conversion.pause()
        self._start(ranges, None)
        picture = self._next()
        resume(picture is not None)
        return picture

    def _next(self) -> Picture | None:
        number, pts, process = next(self._numbers, None), self._pts, self._process
        if number is None or process is None:
            return None
        pixels = self._read(process)
        if pixels is None:
            return None
        if pts is None:
            stamp = process.read_stamp(self._courtesy, needed=False)
            self._courtesy = 0.0 if stamp is None else self._courtesy
            index = self._counted.index(number, stamp.pts) if stamp else number
            return index, pixels, stamp.look if stamp else None
        stamp = process.read_stamp(self._patience)
        if stamp is None or stamp.pts is None:
            return None
        return int(np.searchsorted(pts, stamp.pts)), pixels, stamp.look

    def _read(self, process: FFmpegProcess) -> Pixels | None:
        header = b"".join(process.read_line(self._patience) for _ in range(3))
        match = _HEADER.fullmatch(header)
        if match is None:
            return None
        width, height = int(match[1]), int(match[2])
        check_size(self._info.path, width, height, self._max_pixels)
        buffer = bytearray(height * width * 3)
        if not buffer or not process.read_into(memoryview(buffer), self._patience):
            return None
        return np.frombuffer(buffer, np.uint8).reshape(height, width, 3)

    def _report(self, missing: Sequence[int]) -> None:
        name, planned = self._info.path, len(self._plan.indices)
        if self._process is not None:
            self._process.wait(self._patience)
        if self._hung:
            raise VideoError(
                f"'{name}' makes ffmpeg hang", "Convert it first: ffmpeg -i VIDEO -c:v libx264 fixed.mp4"
            )
        self._end()
        reason = f": ffmpeg says '{self._complaints[0]}'" if self._complaints else ""
        if len(missing) == planned:
            raise VideoError(
                f"no frame of '{name}' could be decoded{reason}",
                "The file is damaged, or ffmpeg lacks its codec.",
            )
        first, last = (
            self._info.times[self._plan.indices[position]] for position in (missing[0], missing[-1])
        )
        self._warn(
            f"the video is damaged ({first:.1f} s to {last:.1f} s): "
            f"{len(missing)} of {planned} sampled frames are left out{reason}"
        )

    def __enter__(self) -> "FrameDecoder":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._killed = True  # whoever still iterates starts nothing more
            self._end()


def wanted_ranges(indices: IntArray) -> list[Range]:
    """The fewest index ranges (first, last) that hold just `indices`."""
    unique = np.unique(indices)
    breaks = np.flatnonzero(np.diff(unique) > 1)
    firsts = unique[np.concatenate([[0], breaks + 1])]
    lasts = unique[np.concatenate([breaks, [len(unique) - 1]])]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


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


def seek_point(info: VideoInfo, index: int) -> float | None:
    """Where decoding may begin to reach frame `index`: the key frame before the last one before it.

    One group of pictures to spare, because the first frames after a key frame may refer to the group before.
    None: at the beginning of the file.
    """
    before = [seconds for place, seconds in info.keyframes if place <= index]
    return before[-2] if len(before) > 2 else None


def selection(ranges: Sequence[Range], variable: str) -> str:
    """A filter expression that is true where `variable` is in `ranges`: a search tree, so cheap per frame."""
    if len(ranges) == 1:
        first, last = ranges[0]
        return f"eq({variable},{first})" if first == last else f"between({variable},{first},{last})"
    middle = len(ranges) // 2
    low, high = selection(ranges[:middle], variable), selection(ranges[middle:], variable)
    return f"if(lt({variable},{ranges[middle][0]}),{low},{high})"


def _arguments(
    info: VideoInfo,
    pts: IntArray | None,
    ranges: Sequence[Range],
    binary: str,
    seek: float | None,
    filters: str,
    limits: tuple[Options, Options, str],
) -> list[str]:
    """PPM pictures: rgb24 with the size in front of each, so rotation and changing sizes need no guess.

    `showinfo` writes every picture's timestamp and look to stderr, and `-copyts` keeps the time the file's
    own.

    Args:
        filters: for the selected pictures; empty: none.
        limits: options of input and output, and a filter, as `decoder_options` gives them.
    """
    seeking = {} if seek is None else {"ss": f"{seek:.6f}", "seek_timestamp": 1}
    reading = READER_OPTIONS | (WITHOUT_INDEX if info.without_index else {})
    if info.format is not None:
        reading |= {"format": info.format}
    source = ffmpeg.input("VIDEO", **reading, **limits[0], **seeking)
    if pts is None:
        expression = selection(ranges, "n")
    else:
        expression = selection([(int(pts[first]), int(pts[last])) for first, last in ranges], "pts")
    output = ffmpeg.output(
        source[str(info.stream)],
        "pipe:1",
        format="image2pipe",
        vcodec="ppm",
        pix_fmt="rgb24",
        fps_mode="passthrough",
        **limits[1],
        vf=",".join(filter(None, (f"select='{expression}'", "showinfo=checksum=0", limits[2], filters))),
        **{"frames:v": sum(last - first + 1 for first, last in ranges)},
    )
    quiet = ["-nostdin", "-hide_banner", "-nostats", "-copyts", "-loglevel", "level+info"]
    arguments: list[str] = output.global_args(*quiet).compile(binary)
    place = arguments.index("-i")
    arguments[place + 1] = f"file:{info.path}"  # put in here: ffmpeg-python takes only names in UTF-8
    return arguments[:place] + (["-noaccurate_seek"] if seek is not None else []) + arguments[place:]
