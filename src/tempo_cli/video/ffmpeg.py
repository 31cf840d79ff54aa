"""The ffmpeg binary and its processes: never through a shell, never without an end."""

import os
import queue
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import cache
from math import inf
from pathlib import Path
from typing import NamedTuple

import imageio_ffmpeg

from ..errors import SetupError
from ..types import Colors, Look
from .child import Child, PipeReader, output

OLDEST = (5, 1)  # the first release with -fps_mode passthrough
LISTING_SECONDS = 20.0  # that it may take to name its version, filters or decoders
LISTING_BYTES = 1 << 20
PREFERRED = (7, 0)  # the first that reads filters of packets from a file, so that it need not decode all
_KEPT_LINES = 50
_LONGEST_LINE = 4096  # bytes; what comes after them is left out
_MOST_STAMPS = 20_000  # that wait for their pictures
_SHOWINFO = r"\[Parsed_showinfo\S* @ \S+\](?: \[info\])? "
_STAMP = re.compile(_SHOWINFO + r"n: *\d+ pts: *(-?\d+|NOPTS) (?:.* sar:(\d+)/(\d+) s:(\d+)x(\d+) )?")
_COLORS = re.compile(_SHOWINFO + r"color_range:(\S+) color_space:(\S+) color_primaries:(\S+) color_trc:(\S+)")
_DOLBY = re.compile(_SHOWINFO + r" *side data - Dolby Vision")
_NOT_TOLD = {"unknown", "unspecified", "reserved", "nil"}
_COMPLAINT = re.compile(r"\[(?:error|fatal|panic)\] (.*)")
_PROBED = "[info] Input #"  # what is said before is said of the first packets only
_MUXER = "to muxer in stream"  # pictures closer together than the output's clock can tell
# a decoder that lacks a picture or a part of one, and does not call that an error
_LACKS = r"(?:reference|POC|mmco|[Mm]issing|keyframe)"
_TROUBLE = re.compile(rf"@ \S+\] (?:\[\w+\] )?concealing|\[warning\] .*{_LACKS}")


@cache
def find_ffmpeg(explicit: str | None = None) -> str:
    """The ffmpeg to use: the one asked for, else the one on PATH if it is 7.0 or newer, else the bundled one.

    Without a bundled one, the one on PATH if it is 5.1 or newer: it decodes every packet.

    Raises:
        SetupError: the one asked for does not run or is too old, or there is none at all.
    """
    if explicit:
        found = shutil.which(explicit)
        version = ffmpeg_version(found) if found else None
        if found is None or version is None:
            raise SetupError(
                f"'{explicit}' is not an ffmpeg that runs on this machine",
                "Leave `ffmpeg` out to use the bundled one.",
            )
        if version < OLDEST:
            raise SetupError(
                f"'{explicit}' is older than ffmpeg 5.1", "Leave `ffmpeg` out to use the bundled one."
            )
        return found
    on_path = shutil.which("ffmpeg")
    version = (ffmpeg_version(on_path) if on_path else None) or (0, 0)
    if on_path and version >= PREFERRED:
        return on_path
    if bundled := bundled_ffmpeg():
        return bundled
    if on_path and version >= OLDEST:
        return on_path
    raise SetupError("no ffmpeg was found", "Install ffmpeg 7.0 or newer, or reinstall imageio-ffmpeg.")


def ffmpeg_identity(explicit: str | None = None) -> str | None:
    """Which binaries `find_ffmpeg` would choose from, without starting any; None: there is none."""
    candidates = [explicit] if explicit else ["ffmpeg", bundled_ffmpeg()]
    found = [shutil.which(one) for one in candidates if one]
    try:
        facts = [(os.path.realpath(one), Path(one).stat()) for one in found if one]
    except OSError:
        return None
    return ";".join(f"{path}:{one.st_size}:{one.st_mtime_ns}" for path, one in facts) or None


def bundled_ffmpeg() -> str | None:
    """The ffmpeg that came with tempo; None if it is not there."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


@cache
def ffmpeg_version(binary: str) -> tuple[int, int] | None:
    """Major and minor version; a build from the source tree counts as new; None if it does not run."""
    printed = output([binary, "-version"], LISTING_SECONDS, LISTING_BYTES)
    match = re.match(rb"ffmpeg version (?:n?(\d+)\.(\d+)|([!-~]+))", printed or b"")
    if match is None:
        return None
    return (int(match[1]), int(match[2])) if match[1] else (999, 0)


@cache
def has_filters(binary: str, *names: str) -> bool:
    """Whether `binary` has all filters of these names."""
    printed = output([binary, "-hide_banner", "-filters"], LISTING_SECONDS, LISTING_BYTES)
    # ` .S zscale            V->V       Apply resizing, colorspace and bit depth conversion.`
    rows = (line.split() for line in (printed or b"").decode("utf-8", "replace").splitlines())
    return {row[1] for row in rows if len(row) > 2}.issuperset(names)


class Stamp(NamedTuple):
    """What `showinfo` says of a picture: its timestamp in ticks, where it has one, and its look."""

    pts: int | None
    look: Look | None


class FFmpegProcess:
    """A running ffmpeg whose standard output is read here; its creator must `close` it.

    Args:
        memory: bytes that it may allocate, where the system can limit that; None: any.
        inherited: descriptors of ours that it gets.

    Attributes:
        stalled: whether it was ended because it kept us waiting.

    Raises:
        SetupError: it does not start.
    """

    def __init__(
        self, arguments: list[str], memory: int | None = None, inherited: Sequence[int] = ()
    ) -> None:
        try:
            self._child = Child(arguments, memory=memory, inherited=inherited, AV_LOG_FORCE_NOCOLOR="1")
        except OSError as error:
            raise SetupError(f"ffmpeg can't be started: {error}", "Check `ffmpeg` and your PATH.") from error
        self.stalled = False
        self._output = PipeReader(self._child.stdout, self._child.has_ended, self._stall)
        self.troubled = False  # the decoder reported an error, or a picture that it lacks
        self._probed = False
        self._complaints: list[str] = []
        self._stamps: queue.Queue[Stamp | None] = queue.Queue(_MOST_STAMPS)
        self._drain = threading.Thread(target=self._keep_stderr, name="keep_stderr", daemon=True)
        try:
            self._drain.start()
        except BaseException:  # no more threads
            self._child.close()
            raise

    def read_line(self, seconds: float) -> bytes:
        """One line of output, empty at the end. After `seconds` without it the process is killed."""
        return self._output.read_line(64, seconds)

    def read_into(self, buffer: memoryview, seconds: float) -> bool:
        """Fill `buffer`; False if the output ends before. After `seconds` the process is killed."""
        return self._output.read_into(buffer, seconds)

    def read_stamp(self, seconds: float, *, needed: bool = True) -> Stamp | None:
        """What `showinfo` says of the next picture; None at the end.

        After `seconds` without it the process is killed if it is `needed`, else the answer is None.
        """
        try:
            return self._stamps.get(timeout=seconds)
        except queue.Empty:
            if needed:
                self._stall()
            return None

    def kill(self) -> None:
        """End it at once, and what it started. A forked process leaves its parent's alone."""
        self._child.kill()

    def complaints(self) -> list[str]:
        """The first errors that it wrote to stderr, after its end."""
        self._drain.join(timeout=5)
        return self._complaints

    @property
    def crashed(self) -> bool:
        """Whether it was ended by a signal."""
        return (self._child.status or 0) < 0

    def wait(self, seconds: float) -> None:
        """Let it end by itself after its output has; one that does not is killed and counts as stalled."""
        if self._child.wait(seconds) is None:
            self._stall()
        self._drain.join(timeout=5)  # what it said last

    def close(self) -> None:
        """End and reap it, and close its pipes."""
        self._child.kill()
        self._child.wait()
        self._drain.join(timeout=5)
        self._child.close()

    def _stall(self) -> None:
        self.stalled = True
        self.kill()

    def _keep_stderr(self) -> None:
        begun: Stamp | None = None  # a picture's colors stand in a line after its timestamp
        dolby = False
        for line in self._lines():
            if stamp := _STAMP.match(line):
                if begun is not None:
                    self._keep(begun)
                begun, dolby = _stamp(*stamp.groups()), False
            elif begun is not None and begun.look is not None and (colors := _COLORS.match(line)):
                look = replace(begun.look, colors=_colors(*colors.groups(), dolby=dolby))
                self._keep(Stamp(begun.pts, look))
                begun = None
            elif _DOLBY.match(line):
                dolby = True
            elif line.startswith(_PROBED):
                self._probed = True
            elif complaint := _COMPLAINT.search(line):
                self.troubled = self.troubled or (self._probed and _MUXER not in line)
                if len(self._complaints) < _KEPT_LINES:
                    self._complaints.append(complaint[1].strip())
            elif self._probed and _TROUBLE.search(line):
                self.troubled = True
        if begun is not None:
            self._keep(begun)
        self._keep(None)

    def _lines(self) -> Iterator[str]:
        """Lines of stderr, long ones cut off, to its end or ffmpeg's."""
        reader = PipeReader(self._child.stderr, self._child.has_ended, self._child.kill)
        begun = b""
        while data := reader.read(1 << 16, inf):
            *whole, begun = (begun + data).split(b"\n")
            for line in whole:
                yield line[:_LONGEST_LINE].decode("utf-8", "replace")
            begun = begun[:_LONGEST_LINE]
        if begun:
            yield begun.decode("utf-8", "replace")

    def _keep(self, stamp: Stamp | None) -> None:
        """Let it wait for its picture; while too many wait, so does ffmpeg."""
        while True:
            ended = self._child.has_ended()
            with suppress(queue.Full):
                self._stamps.put(stamp, timeout=0 if ended else 0.2)
                return
            if ended:
                return  # so many pictures are not wanted any more


def _stamp(pts: str, *numbers: str | None) -> Stamp:
    look = None
    if all(numbers):
        wide, high, width, height = (int(number) for number in numbers if number)
        aspect = Fraction(wide, high) if wide and high else Fraction(1)
        look = Look(height, width, aspect, Colors())
    return Stamp(None if pts == "NOPTS" else int(pts), look)


def _colors(spread: str, matrix: str, primaries: str, transfer: str, *, dolby: bool) -> Colors:
    told = {"matrix": matrix, "primaries": primaries, "range": spread}
    untold = frozenset(name for name, value in told.items() if value in _NOT_TOLD)
    known = None if transfer in _NOT_TOLD else transfer
    return Colors(known, untold, matrix == "ipt-c2" or (dolby and known is None))
