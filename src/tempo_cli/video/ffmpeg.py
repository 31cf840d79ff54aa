"""The ffmpeg binary and its processes: never through a shell, never without an end."""

import os
import queue
import re
import shutil
import signal
import subprocess
import threading
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import IO, NamedTuple

import imageio_ffmpeg

from ..errors import SetupError
from ..types import Colors, Look

OLDEST = (5, 1)  # the first release with -fps_mode passthrough
PREFERRED = (7, 0)  # the first that reads filters of packets from a file, so that it need not decode all
_KEPT_LINES = 50
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
                f"'{explicit}' is no ffmpeg that runs here", "Leave `ffmpeg` out to use the bundled one."
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


def bundled_ffmpeg() -> str | None:
    """The ffmpeg that came with tempo; None if it is not there."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


@cache
def ffmpeg_version(binary: str) -> tuple[int, int] | None:
    """Major and minor version; a build from the source tree counts as new; None if it does not run."""
    try:
        done = subprocess.run(
            [binary, "-version"],
            capture_output=True,
            text=True,
            timeout=20,
            stdin=subprocess.DEVNULL,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    match = re.match(r"ffmpeg version (?:n?(\d+)\.(\d+)|(\S+))", done.stdout)
    if match is None:
        return None
    return (int(match[1]), int(match[2])) if match[1] else (999, 0)


@cache
def has_filters(binary: str, *names: str) -> bool:
    """Whether `binary` has all filters of these names."""
    try:
        done = subprocess.run(
            [binary, "-hide_banner", "-filters"],
            capture_output=True,
            timeout=20,
            stdin=subprocess.DEVNULL,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    # ` .S zscale            V->V       Apply resizing, colorspace and bit depth conversion.`
    rows = (line.split() for line in done.stdout.decode("utf-8", "replace").splitlines())
    return {row[1] for row in rows if len(row) > 2}.issuperset(names)


class Stamp(NamedTuple):
    """What `showinfo` says of a picture: its timestamp in ticks, where it has one, and its look."""

    pts: int | None
    look: Look | None


class FFmpegProcess:
    """A running ffmpeg whose standard output is read here; whoever starts it must `close` it.

    It runs in a session of its own, so that Ctrl-C reaches only us, and we end it.
    """

    def __init__(self, arguments: list[str]) -> None:
        try:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env={**os.environ, "AV_LOG_FORCE_NOCOLOR": "1"},
            )
        except OSError as error:
            raise SetupError(f"ffmpeg can't be started: {error}", "Check `ffmpeg` and your PATH.") from error
        self.stalled = False
        self.troubled = False  # the decoder reported an error, or a picture that it lacks
        self._probed = False
        self._owner = os.getpid()
        self._complaints: list[str] = []
        self._stamps: queue.Queue[Stamp | None] = queue.Queue()
        self._drain = threading.Thread(target=self._keep_stderr, daemon=True)
        self._drain.start()

    def read_line(self, seconds: float) -> bytes:
        """One line of output, empty at the end. After `seconds` without it the process is killed."""
        with _Watchdog(self, seconds):
            return self._stdout.readline(64)

    def read_into(self, buffer: memoryview, seconds: float) -> bool:
        """Fill `buffer`; False if the output ends before. After `seconds` the process is killed."""
        done = 0
        with _Watchdog(self, seconds):
            while done < len(buffer):
                count = self._stdout.readinto(buffer[done:])  # type: ignore[attr-defined]
                if not count:
                    return False
                done += count
        return True

    def read_stamp(self, seconds: float, *, needed: bool = True) -> Stamp | None:
        """What `showinfo` says of the next picture; None at the end.

        After `seconds` without it the process is killed if it is `needed`, else the answer is None.
        """
        try:
            return self._stamps.get(timeout=seconds)
        except queue.Empty:
            if needed:
                self.stalled = True
                self.kill()
            return None

    def kill(self) -> None:
        """End it at once, and what it started. A forked process leaves its parent's alone."""
        if os.getpid() != self._owner:
            return
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.poll() is None:
            self._process.kill()

    def complaints(self) -> list[str]:
        """The first errors that it wrote to stderr, after its end."""
        self._drain.join(timeout=5)
        return self._complaints

    def wait(self, seconds: float) -> None:
        """Let it end by itself after its output has; one that does not is killed and counts as stalled."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stalled = True
            self.kill()

    def close(self) -> None:
        """End and reap it, and let go of its pipes."""
        if os.getpid() != self._owner:
            return
        self.kill()
        self._process.wait()
        self._drain.join(timeout=5)
        self._stdout.close()
        self._stderr.close()

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def _stderr(self) -> IO[bytes]:
        assert self._process.stderr is not None
        return self._process.stderr

    def _keep_stderr(self) -> None:
        begun: Stamp | None = None  # a picture's colors stand in a line after its timestamp
        dolby = False
        for raw in self._stderr:
            line = raw.decode("utf-8", "replace")
            if stamp := _STAMP.match(line):
                if begun is not None:
                    self._stamps.put(begun)
                begun, dolby = _stamp(*stamp.groups()), False
            elif begun is not None and begun.look is not None and (colors := _COLORS.match(line)):
                look = replace(begun.look, colors=_colors(*colors.groups(), dolby=dolby))
                self._stamps.put(Stamp(begun.pts, look))
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
            self._stamps.put(begun)
        self._stamps.put(None)


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


class _Watchdog:
    """Kills a process that keeps us waiting too long."""

    def __init__(self, process: FFmpegProcess, seconds: float) -> None:
        self._process = process
        self._timer = threading.Timer(seconds, self._bite)
        self._timer.daemon = True

    def _bite(self) -> None:
        self._process.stalled = True
        self._process.kill()

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
