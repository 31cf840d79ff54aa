"""Parts of a video as files of their own: re-encoded and exact by picture, or copied from a keyframe on."""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path

import numpy as np

from ..errors import SetupError, VideoError
from ..files import reason
from ..plan.picture import to_sdr
from ..types import FramePlan, Pixels, VideoInfo
from ..written import discard, partial_path, publish
from .child import Child, PipeReader, output
from .decode import FrameDecoder
from .ffmpeg import LISTING_BYTES, LISTING_SECONDS, find_ffmpeg, has_filters
from .formats import READER_OPTIONS, WITHOUT_INDEX
from .isolated import probe

_ENCODERS = ("libx264", "aac")
_VIDEO = ("-c:v", "libx264", "-crf", "18", "-preset", "medium", "-pix_fmt", "yuv420p")
_SOUND = ("-c:a", "aac", "-b:a", "192k")
_TICKS = 90_000  # a second: the times of uneven pictures are kept to 11 microseconds
# nothing of the file's own metadata: it may reveal where it was filmed
_BARE = ("-map_metadata", "-1", "-map_metadata:s:v", "-1", "-map_metadata:s:a", "-1", "-map_chapters", "-1")
_COPIED_AS = {".mp4": ".mp4", ".m4v": ".mp4", ".mov": ".mov", ".webm": ".webm"}  # all others: Matroska
_WITH_TIMES = "+genpts"  # in MPEG program streams, only some packets have a time
# ffmpeg seeks so much further back, in microseconds, where pictures are stored in another order than they are
# shown and the container seeks by the stored order (Matroska, FLV)
_FURTHER_BACK = 3_000_000 // 23
_STALL = 120.0  # seconds without a word of progress
_MESSAGE = 400  # characters of what ffmpeg says
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no fault of the video


@dataclass(frozen=True)
class Clip:
    """A part of a video that was written.

    Attributes:
        begins, ends: seconds of the source: of its first picture, and the end of its last one.
        pictures: how many it has.
    """

    begins: float
    ends: float
    pictures: int


class Cutter:
    """Writes parts of one video.

    Args:
        copy: copy packets from the keyframe before on, instead of encoding them.

    Raises:
        SetupError: there is no ffmpeg, or one without the encoders.
        VideoError: the video's timestamps restart; or it has none, and `copy` needs them.
    """

    def __init__(self, info: VideoInfo, copy: bool, ffmpeg: str | None = None) -> None:
        self._info, self._copy = info, copy
        self._binary = find_ffmpeg(ffmpeg)
        if info.restarts:
            message = f"the timestamps of '{info.path}' restart, so its parts can't be cut out"
            raise VideoError(message, "Rewrite it first: ffmpeg -i VIDEO -fflags +genpts fixed.mp4")
        if copy and (info.pts is None or not info.keyframes):
            raise VideoError(f"'{info.path}' does not say where it can be cut", "Leave `copy` out.")
        if not copy and (lacking := [name for name in _ENCODERS if name not in _encoders(self._binary)]):
            message = f"'{self._binary}' has no encoder {' and no '.join(lacking)}"
            raise SetupError(message, "Give `copy=True` to cut without encoding.")

    @property
    def ending(self) -> str:
        """Of the files' names."""
        return _COPIED_AS.get(self._info.path.suffix.lower(), ".mkv") if self._copy else ".mp4"

    def planned(self, start: float, end: float) -> tuple[float, float]:
        """Where a part would begin and end: at pictures, and at a keyframe where it is copied."""
        first, after = self._pictures(start, end)
        times = self._info.times
        return float(times[first]), self._info.duration if after >= len(times) else float(times[after])

    def cut(
        self,
        start: float,
        end: float,
        path: Path,
        force: bool,
        renamed: Callable[[float], Path] | None = None,
    ) -> Clip:
        """Write the pictures shown from `start` to `end`, with all sound tracks.

        Args:
            renamed: the file's path where it does not begin as `planned`, from the second at which it does.

        Raises:
            VideoError: ffmpeg fails.
            UsageError: there is such a file, and no `force`.
            SetupError: the file can't be written.
        """
        first, after = self._pictures(start, end)
        try:
            with _unfinished(path, force) as part:
                if self._copy:
                    made, begun = self._copied(first, after, part.name)
                    if begun != first and renamed is not None:
                        part.path = renamed(float(self._info.times[begun]))
                    first = begun
                else:
                    made = self._encoded(first, after, part.name)
        except OSError as error:
            raise SetupError(f"'{path}' can't be written: {reason(error)}", "Write it elsewhere.") from None
        begins = float(self._info.times[first])
        return Clip(begins, begins + made.duration - float(made.times[0]), made.frames)

    def _copied(self, first: int, after: int, name: Path) -> tuple[VideoInfo, int]:
        """Copy a part, and the picture that it begins with; where that comes too early, seek further."""
        for further in (0, _FURTHER_BACK):
            self._run(self._copying(first, after, further), name)
            made = probe(name)
            begun = self._begun(made, first, after)
            if begun == first:
                break
        return made, begun

    def _encoded(self, first: int, after: int, name: Path) -> VideoInfo:
        """Encode a part; where seeking leads to another place than it should, read from further back."""
        for seek in self._seek_points(first):
            self._run(self._encoding(first, after, seek), name)
            made = probe(name)
            if made.frames == after - first:
                break
        return made

    def _seek_points(self, first: int) -> Iterator[float | None]:
        """Keyframes before a picture, ever further back, in the file's own seconds; None: its beginning."""
        before = [second for place, second in self._info.keyframes if place <= first]
        if self._info.pts is not None:
            yield from before[-1:]
            yield from before[-4:-3]
        yield None

    def _begun(self, made: VideoInfo, expected: int, after: int) -> int:
        """Index of the keyframe that a copied clip really begins with: by its length, then by its picture."""
        begun = _picture(made, 0, self._binary)
        places = [place for place, _ in self._info.keyframes]
        at = places.index(expected)
        near = places[max(0, at - 3) : at + 2]
        for place in sorted(near, key=lambda place: abs(after - place - made.frames)):
            source = _picture(self._info, place, self._binary)
            if begun is not None and source is not None and np.array_equal(begun, source):
                return place
        message = f"a part of '{self._info.path}' does not begin at a keyframe when it is copied"
        raise VideoError(message, "Leave `copy` out.")

    def _pictures(self, start: float, end: float) -> tuple[int, int]:
        """Index of the first picture, and that of the first one after the last."""
        times, half = self._info.times, 0.5e-3
        first = min(int(np.searchsorted(times, start - half)), len(times) - 1)
        after = max(first + 1, int(np.searchsorted(times, end - half)))
        if self._copy:
            first = max((place for place, _ in self._info.keyframes if place <= first), default=0)
        return first, after

    def _between(self, index: int) -> float:
        """A time between a picture and the one before: no rounding takes either for the other."""
        times = self._info.times
        if index >= len(times):
            return self._info.duration + 1.0
        before = times[index - 1] if index else max(0.0, times[0] - 1.0 / float(self._info.rate))
        return float(before + times[index]) / 2

    def _encoding(self, first: int, after: int, seek: float | None) -> list[str]:
        """Pictures are chosen by their own timestamps, as nothing else is exact; sound by the second."""
        info, offset = self._info, self._offset
        begins = offset + float(info.times[first])
        ends = offset + (info.duration if after >= len(info.times) else float(info.times[after]))
        seeking = [] if seek is None else ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{seek:.6f}"]
        if info.pts is None or after > len(info.pts):
            choice, shift = f"trim=start_frame={first}:end_frame={after}", "PTS-STARTPTS"
        else:
            choice = f"select='between(pts,{info.pts[first]},{info.pts[after - 1]})'"
            shift = f"PTS-({info.pts[first]})"
        shape = ["pad=ceil(iw/2)*2:ceil(ih/2)*2"] if info.width % 2 or info.height % 2 else []
        colors = [to_sdr(info.colors)] if has_filters(self._binary, "zscale", "tonemap") else []
        pictures = ",".join(filter(None, [choice, f"setpts={shift}", *colors, *shape]))
        sound = f"atrim=start={begins:.6f}:end={ends:.6f},asetpts=PTS-({begins:.6f})/TB"
        return [
            *("-copyts", *self._reading(seeking), "-frames:v", str(after - first)),
            *("-vf", pictures, "-af", sound, "-fps_mode", "passthrough"),
            *("-enc_time_base:v", f"1/{_TICKS}", "-video_track_timescale", str(_TICKS)),
            *(*_VIDEO, *_SOUND, *_BARE, "-movflags", "+faststart", "-f", "mp4"),
        ]

    @property
    def _offset(self) -> float:
        """The file's own time less a player's, seconds."""
        if not self._info.keyframes:
            return 0.0
        place, second = self._info.keyframes[0]
        return second - float(self._info.times[place])

    def _copying(self, first: int, after: int, further: int) -> list[str]:
        begins = float(self._info.times[first]) + self._offset
        start = (ceil(begins * 1e6) + further) / 1e6  # never before the keyframe
        length = self._between(after) + self._offset - start
        seeking = ["-seek_timestamp", "1", "-ss", f"{start:.6f}", "-t", f"{length:.6f}"]
        kind = {".mp4": "mp4", ".mov": "mov", ".webm": "webm", ".mkv": "matroska"}[self.ending]
        return [*self._reading(seeking, _WITH_TIMES), "-c", "copy", *_BARE, "-f", kind]

    def _reading(self, seeking: Sequence[str], flags: str = "") -> list[str]:
        info = self._info
        options = READER_OPTIONS | (WITHOUT_INDEX if info.without_index else {})
        if flags:
            options = options | {"fflags": options.get("fflags", "") + flags}
        if info.format is not None:
            options = options | {"f": info.format}
        words = [word for name, value in options.items() for word in (f"-{name}", value)]
        quiet = ["-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", "-progress", "pipe:1", "-y"]
        tracks = ["-map", f"0:{info.stream}", "-map", "0:a?", "-dn", "-sn"]
        return [*quiet, *words, *seeking, "-i", f"file:{info.path}", *tracks]

    def _run(self, arguments: Sequence[str], name: Path) -> None:
        try:
            child = Child([self._binary, *arguments, f"file:{name}"])
        except OSError as error:
            raise SetupError(f"ffmpeg can't be started: {error}", "Check `ffmpeg` and your PATH.") from error
        try:
            progress = PipeReader(child.stdout, child.has_ended, child.kill)
            while progress.read(1 << 16, _STALL):
                pass
            told = PipeReader(child.stderr, child.has_ended, child.kill).read(1 << 16, 5.0)
            if child.wait(_STALL) != 0:
                text = told.decode("utf-8", "replace")
                for number in _FULL:
                    if os.strerror(number) in text:
                        raise OSError(number, os.strerror(number))
                lines = text.strip().splitlines() or ["it was ended"]
                told_first = lines[0][:_MESSAGE]
                message = f"a part of '{self._info.path}' can't be cut out: ffmpeg says '{told_first}'"
                raise VideoError(message, "Leave `copy` out." if self._copy else "Give `copy=True`.")
        finally:
            child.close()


def _unsaid(_: str) -> None:
    """What is unusual about the video, the run has said."""


def _picture(info: VideoInfo, place: int, binary: str) -> Pixels | None:
    """One picture as it is stored; None where it can't be decoded."""
    plan = FramePlan(np.array([place], np.int64), float(info.rate))
    with (
        FrameDecoder(info, plan, binary, _unsaid, picture="raw", differs=_unsaid) as decoder,
        ThreadPoolExecutor(1, "picture") as pool,
    ):
        found = pool.submit(lambda: [frame.pixels for frame in decoder.frames()])
        try:
            return next(iter(found.result()), None)
        except BaseException:
            decoder.kill()
            raise


@cache
def _encoders(binary: str) -> frozenset[str]:
    printed = output([binary, "-hide_banner", "-encoders"], LISTING_SECONDS, LISTING_BYTES)
    rows = (line.split() for line in (printed or b"").decode("utf-8", "replace").splitlines())
    return frozenset(row[1] for row in rows if len(row) > 1)


@dataclass
class _Unfinished:
    """A file that is written under `name`, and gets the name `path`."""

    name: Path
    path: Path


@contextmanager
def _unfinished(path: Path, force: bool) -> Iterator[_Unfinished]:
    """A file to write; it gets its own name at the end, if nothing was raised.

    Where the system has such files it has no name before, so that it is gone however this process ends.
    """
    flags = getattr(os, "O_TMPFILE", None)
    descriptor = -1
    if flags is not None and Path("/proc/self/fd").is_dir():
        try:
            descriptor = os.open(path.parent, flags | os.O_RDWR, 0o666)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
                raise
            path.parent.stat()  # its folder is there: the file system has no such files
    part = partial_path(path)
    try:
        if descriptor < 0:
            yield (made := _Unfinished(part, path))
        else:
            # also in child processes
            yield (made := _Unfinished(Path(f"/proc/{os.getpid()}/fd/{descriptor}"), path))
            root = os.open("/", os.O_RDONLY)
            try:
                os.link(f"proc/self/fd/{descriptor}", part, src_dir_fd=root, follow_symlinks=True)
            finally:
                os.close(root)
        publish(part, made.path, force)
    finally:
        discard(part)
        if descriptor >= 0:
            os.close(descriptor)
