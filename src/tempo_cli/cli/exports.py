"""What a command writes besides its words: a format on standard output or in a file, and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import TempoError, UsageError
from ..files import is_same
from ..plan.stretches import stretches
from ..schema import Request, Run, error_to_json
from ..written import check_writable, write_whole
from .console import Screen
from .early import JSON_FORMATS
from .flags import in_flags, told_in_flags
from .options import RUN_FORMATS, Sort

if TYPE_CHECKING:  # numpy
    from ..types import VideoInfo


def check_output(path: Path, inputs: Sequence[Path], force: bool, hint: str = "Give another name.") -> None:
    """Raise, before the work, where a file can't be written or is one of the inputs.

    Raises:
        UsageError: it is there, or an input; `hint` is for the latter.
        SetupError: it can't be written.
    """
    if any(is_same(path, source) for source in inputs):
        raise UsageError(f"'{path}' is read here, and is not replaced", hint)
    check_writable(path, force)


class Rows(NamedTuple):
    """Which rows the table has (`plan.stretches.chosen`), and their order."""

    top: int | None
    least: float | None
    sort: Sort


@dataclass
class Exports:
    """The files and formats that a command line asks for; `add` each run or failure, then `write` them.

    Attributes:
        format: one of `RUN_FORMATS`; None: the words for people.
        output: a file for `format`; None or `-`: standard output.
        html: a file for a report.
        png, svg: files for a picture.
        ffmpeg: the one to use; None finds one.
        top, least: which segments (`plan.stretches`).
        inputs: files that are read; none of them is ever replaced.
    """

    format: str | None
    output: Path | None
    html: Path | None
    png: Path | None
    svg: Path | None
    force: bool
    top: int | None
    least: float | None
    ffmpeg: str | None = None
    inputs: Sequence[Path] = ()
    _runs: list[Run] = field(default_factory=list)
    _lines: list[Run | str] = field(default_factory=list)
    _saved: list[Path | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        """
        Raises:
            UsageError: an unknown format; a file that is there; two outputs in one file; an input as output.
            SetupError: a file can't be written.
        """
        if self.output is not None and self.format is None:
            self.format = format_of(self.output)
        if self.format is not None:
            check_format(self.format, RUN_FORMATS)
        if self.output == Path("-"):
            self.output = None
        files = [path for path in (self.output, self.html, self.png, self.svg) if path is not None]
        if len({path.absolute() for path in files}) < len(files):
            raise UsageError(f"'{files[0]}' is named for two outputs", "Give each a file of its own.")
        for path in files:
            check_output(path, self.inputs, self.force)

    @property
    def json(self) -> bool:
        """Whether standard output is for JSON."""
        return self.output is None and self.format in JSON_FORMATS

    @property
    def silent(self) -> bool:
        """Whether standard output is for another format than JSON or words."""
        return self.output is None and self.format is not None and not self.json

    def check_video(self, info: "VideoInfo") -> None:
        """Raise UsageError, before the work, where the format can't be written for a video."""
        if self.format == "edl":
            from ..report.edl import timecode_rate

            timecode_rate(str(info.path), float(info.rate), info.constant_rate, info.duration)
        elif self.format == "youtube":
            from ..report.formats import check_chapters

            check_chapters(str(info.path), info.duration)

    def check_videos(self, paths: Sequence[Path]) -> None:
        """Raise UsageError, before the work, where the format is for one video and these are several."""
        if self.format is not None:
            from ..report.formats import check_one_video

            check_one_video(self.format, [str(path) for path in paths])

    def check_saved(self, runs: Sequence[Run]) -> None:
        """Raise UsageError, before anything is shown, where the format can't hold saved runs."""
        self.check_videos([Path(run.video.path) for run in runs])
        if self.format == "edl":
            from ..report.edl import common_rate

            common_rate(runs)
        elif self.format == "youtube":
            from ..report.formats import check_chapters

            for run in runs:
                check_chapters(run.video.path, run.video.duration)

    def add(self, run: Run, saved: Path | None = None) -> None:
        """A run that is complete; `saved`: the file that it was read from."""
        self._runs.append(run)
        self._lines.append(run)
        self._saved.append(saved)

    def add_failure(self, error: TempoError, request: Request) -> None:
        """A request that failed; JSON has an object for it, the other formats and pictures have nothing."""
        self._lines.append(error_to_json(told_in_flags(error), request))

    def write(self, screen: Screen) -> None:
        """Everything that was asked for; without a run, only a file of JSON with the failures.

        Raises:
            UsageError, SetupError: it can't be; no file is then half written.
        """
        if not self._runs and not (self._lines and self.format in JSON_FORMATS):
            return
        if self.output is not None or self.silent:
            text = self._text()
            if self.output is None:
                screen.text(text)
            else:
                self._file(self.output, text, screen)
        if not self._runs:
            return
        if self.html is not None:
            from .reports import report

            runs = [with_flags(run) for run in self._runs]
            text = report(runs, self.html, self.top, self.least, saved=self._saved, ffmpeg=self.ffmpeg)
            self._file(self.html, text, screen)
        for kind, path in (("png", self.png), ("svg", self.svg)):
            if path is not None:
                from ..report.plot import plot

                self._file(path, plot(self._runs, kind, self.top, self.least), screen)

    def _text(self) -> str:
        from ..report.formats import FORMATS

        assert self.format is not None
        if self.format in JSON_FORMATS:
            lines = (line if isinstance(line, str) else with_flags(line).to_json() for line in self._lines)
            return "".join(line + "\n" for line in lines)
        return FORMATS[self.format](
            [(run, stretches(run.segments, self.top, self.least)) for run in self._runs]
        )

    def _file(self, path: Path, text: str | bytes, screen: Screen) -> None:
        data = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
        write_whole(path, data, self.force)
        screen.print(f"wrote {path}")


def with_flags(run: Run) -> Run:
    """`run` with warnings that name flags."""
    return replace(run, warnings=tuple(in_flags(warning) for warning in run.warnings))


def chosen_format(json: bool, name: str | None) -> str | None:
    """The format of `--json` and `--format`.

    Raises:
        UsageError: they differ.
    """
    if json and name is not None and name not in JSON_FORMATS:
        raise UsageError(f"--json and --format {name} are two formats", "Give one of them.")
    return "json" if json else name


def format_of(path: Path, known: tuple[str, ...] = RUN_FORMATS) -> str:
    """The format, one of `known`, that a file's ending names.

    Raises:
        UsageError: none.
    """
    name = path.suffix.removeprefix(".").lower()
    if name in known:
        return name
    raise UsageError(f"the ending of '{path}' names no format", f"Give --format, one of {', '.join(known)}.")


def check_format(name: str, known: tuple[str, ...]) -> None:
    """Raise UsageError for an unknown format."""
    if name not in known:
        raise UsageError(f"there is no format '{name}'", f"Give one of {', '.join(known)}.")
