"""The command line of the ffmpeg that decodes."""

from collections.abc import Sequence
from typing import NamedTuple

import ffmpeg
import numpy as np

from ..types import IntArray, VideoInfo
from .formats import READER_OPTIONS, WITHOUT_INDEX
from .limits import DecoderOptions

Range = tuple[int, int]
_FILTER_THREADS = 4  # that convert colors or shrink


class Files(NamedTuple):
    """Names of the files with the filters of packets and of pictures, too long for a command line."""

    packets: str
    pictures: str


def wanted_ranges(indices: IntArray) -> list[Range]:
    """The fewest index ranges (first, last) that hold just `indices`."""
    unique = np.unique(indices)
    breaks = np.flatnonzero(np.diff(unique) > 1)
    firsts = unique[np.concatenate([[0], breaks + 1])]
    lasts = unique[np.concatenate([breaks, [len(unique) - 1]])]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def selection(ranges: Sequence[Range], variable: str) -> str:
    """An expression that is true where `variable` is in `ranges`: a search tree, so cheap for each value."""
    if len(ranges) == 1:
        first, last = ranges[0]
        return f"eq({variable},{first})" if first == last else f"between({variable},{first},{last})"
    middle = len(ranges) // 2
    low, high = selection(ranges[:middle], variable), selection(ranges[middle:], variable)
    return f"if(lt({variable},{ranges[middle][0]}),{low},{high})"


def packet_filter(kept: Sequence[Range]) -> str:
    """A bitstream filter that drops all packets but those with presentation times in `kept`, or with none.

    PyAV gives times to packets for which ffmpeg has none: there, not even what a time belongs to is known.
    """
    return f"noise=drop='gt(pts,-1e18)*not({selection(kept, 'pts')})'"


def picture_filters(pts: IntArray | None, ranges: Sequence[Range], filters: str) -> str:
    """Filters that select pictures, and write every one's timestamp and look to stderr.

    Args:
        ranges: of frame indices (first, last).
        filters: for the selected pictures; empty: none.
    """
    if pts is None:
        expression = selection(ranges, "n")
    else:
        expression = selection([(int(pts[first]), int(pts[last])) for first, last in ranges], "pts")
    return f"select='{expression}',showinfo=checksum=0" + (f",{filters}" if filters else "")


def decoding_arguments(
    info: VideoInfo,
    pts: IntArray | None,
    ranges: Sequence[Range],
    binary: str,
    seek: float | None,
    filters: str,
    limits: DecoderOptions,
    files: Files | None = None,
    threads: int = 0,
) -> list[str]:
    """PPM pictures: rgb24 with the size in front of each, so rotation and changing sizes need no guess.

    `-copyts` keeps the time the file's own.

    Args:
        pts: None: the frames are counted.
        ranges, filters: as of `picture_filters`.
        seek: where decoding begins, seconds in the file's own time; None: its beginning.
        limits: what decoding may take.
        files: with the filters of the packets and of the pictures; None: there are none of the packets.
        threads: of the decoder, at most; 0: as many as `limits` allow.
    """
    seeking = {} if seek is None else {"ss": f"{seek:.6f}", "seek_timestamp": 1}
    reading = READER_OPTIONS | (WITHOUT_INDEX if info.without_index else {})
    if info.format is not None:
        reading |= {"format": info.format}
    most = limits.reading.get("threads", threads)
    allowed = limits.reading | ({"threads": min(threads, most)} if threads else {})
    source = ffmpeg.input("VIDEO", **reading, **allowed, **seeking)
    output = ffmpeg.output(
        source[str(info.stream)],
        "pipe:1",
        format="image2pipe",
        vcodec="ppm",
        pix_fmt="rgb24",
        fps_mode="passthrough",
        **limits.writing,
        **({"vf": picture_filters(pts, ranges, filters)} if files is None else {"/vf": files.pictures}),
        **{"frames:v": sum(last - first + 1 for first, last in ranges)},
    )
    quiet = ["-nostdin", "-hide_banner", "-nostats", "-copyts", "-loglevel", "level+info"]
    arguments: list[str] = output.global_args(*quiet).compile(binary)
    place = arguments.index("-i")
    arguments[place + 1] = f"file:{info.path}"  # put in here: ffmpeg-python takes only names in UTF-8
    # each part of ffmpeg would take a thread for every core, and 8 MB for each
    added = ["-filter_threads", str(_FILTER_THREADS if filters else 1)]
    added += ["-noaccurate_seek"] if seek is not None else []
    # where frames are counted: filters that are set up anew, for a new size or color, count from 0 again
    added += ["-reinit_filter", "0"] if pts is None else []
    added += [f"-/bsf:{info.stream}", files.packets] if files is not None else []
    return arguments[:place] + added + arguments[place:]
