"""Output: data on stdout, messages on stderr, in the form that suits a terminal, a pipe or `--json`."""

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from types import TracebackType

import typer
from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.progress import Progress

from .. import events
from ..errors import TempoError
from ..schema import Request, Run, error_to_json
from . import progress
from .early import wants_json
from .flags import in_flags, told_in_flags
from .options import Color
from .streams import PLAIN, OutputError
from .text import printable, shortened

_NARROWEST, _USUAL, _WIDEST = 20, 80, 1000  # cells
_STAGES = {"load": "loading the model", "decode": "decode", "compress": "compress"}


class Screen(AbstractContextManager["Screen"]):
    """The output of one command. Also the pipeline's listener: it shows events as they come."""

    def __init__(
        self,
        *,
        json: bool,
        quiet: bool,
        verbose: bool,
        color: Color,
        waiting: list[Request] | None = None,
        with_filename: bool = False,
        silent: bool = False,
    ) -> None:
        """
        Args:
            silent: standard output is for another format, which the command writes.
            waiting: what is to be answered, in order; `result` takes the first one away.
            with_filename: put the video's path before each answer, on a terminal on a line above it.
        """
        self.json = json
        self.verbose = verbose
        self.quiet = quiet
        self._with_filename = with_filename
        self._out = _rich(stderr=False, color=color)
        self._err = self.errors = _rich(stderr=True, color=color)
        self.terminal = sys.stdout.isatty() and not json and not silent
        self.silent = silent
        self._waiting = [] if waiting is None else waiting
        self._requests = tuple(self._waiting)
        self._opened = 0
        self._answered = 0
        self._progress: Progress | None = None
        self._in_line = False
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure:
                reconfigure(errors=PLAIN)

    @property
    def width(self) -> int:
        """Cells of the screen."""
        return self._out.width

    def on_event(self, event: events.Event) -> None:
        """Show an event of the pipeline."""
        if isinstance(event, events.Warned):
            self.warn(event.message)
        elif isinstance(event, events.AnswerText):
            self._write_answer(event)
        elif isinstance(event, events.Transfer):
            self._transfer(event)
        else:
            self._advance(event)

    def warn(self, message: str) -> None:
        """A line on stderr."""
        if not self.quiet:
            if self._in_line:  # an answer stands there
                sys.stdout.write("\n")
                sys.stdout.flush()
                self._in_line = False
            self._say(f"warning: {in_flags(message)}", "yellow")

    def print(self, message: str) -> None:
        """A line on stderr that belongs to the command's work."""
        if not self.quiet:
            self._say(message)

    def _say(self, message: str, style: str | None = None) -> None:
        self._err.print(printable(message), style=style, markup=False, highlight=False, soft_wrap=True)

    def introduce(self, scope: str | None) -> None:
        """A line on a terminal's stderr: what the model can answer, in its own words."""
        if scope and not self.quiet and not self.json and sys.stderr.isatty():
            self._err.print(f"note: {printable(scope)}", style="dim", markup=False, highlight=False)

    @property
    def is_interactive(self) -> bool:
        """Whether somebody is there who can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str) -> bool:
        """Ask on stderr; anything but yes is no."""
        self._err.print(
            f"{printable(question)} [y/N] ", end="", markup=False, highlight=False, soft_wrap=True
        )
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def log(self, message: str) -> None:
        """A line on stderr that only --verbose shows."""
        if self.verbose:
            self._say(message, "dim")

    def result(self, run: Run) -> None:
        """End the answer that was streamed to a terminal; elsewhere write it whole, or the run as JSON."""
        self.stop_progress()
        del self._waiting[:1]
        self._answered += 1
        ended, self._in_line = not self._in_line, False
        self._open(self._answered - 1)
        if self.json:
            warnings = tuple(in_flags(warning) for warning in run.warnings)
            sys.stdout.write(replace(run, warnings=warnings).to_json() + "\n")
        elif self.terminal:
            sys.stdout.write(("\n" if ended else "\n\n") if run.answer else "")
        elif run.answer and not self.silent:
            path = f"{printable(run.video.path)}: " if self._with_filename else ""
            sys.stdout.write(("\n" if self._opened else "") + path + run.answer.text + "\n")
            self._opened += 1
        sys.stdout.flush()

    def fail(self) -> None:
        """The next request has failed: it is not waited for any more."""
        self.stop_progress()
        del self._waiting[:1]
        self._answered += 1
        if self.terminal:
            self._opened = self._answered
        sys.stdout.write("\n" if self._in_line else "")
        self._in_line = False

    def show(self, *parts: RenderableType) -> None:
        """Tables and the like on stdout."""
        self.stop_progress()
        for part in parts:
            self._out.print(part, highlight=False)

    def line(self, text: RenderableType) -> None:
        """Text on stdout, not broken at the screen's width."""
        self._out.print(text, markup=False, highlight=False, soft_wrap=True)

    def text(self, text: str) -> None:
        """Whole lines of JSON or of another format on stdout, as they are."""
        self.stop_progress()
        sys.stdout.write(text)
        sys.stdout.flush()

    def stop_progress(self) -> None:
        """Take the progress bars off the screen."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_progress()
        if self._in_line:  # interrupted in the middle of an answer
            sys.stdout.write("\n")

    def _write_answer(self, event: events.AnswerText) -> None:
        if not self.terminal:
            return
        self._open(event.question)
        sys.stdout.write(printable(event.text, keep="\n\t"))
        sys.stdout.flush()
        self._in_line = True

    def _open(self, number: int) -> None:
        """Before an answer: no bars any more; the video where asked for, and one of several questions."""
        self.stop_progress()
        if not self.terminal or self._opened > number:
            return
        self._opened += 1
        lines = []
        if self._with_filename:
            lines.append(printable(self._requests[number].video or ""))
        if len(self._requests) > 1:
            lines.append(f"> {printable(self._requests[number].question or '')}")
        if lines:
            text = ("\n" if number else "") + "\n".join(lines)
            self._out.print(text, style="bold", markup=False, highlight=False, soft_wrap=True)

    def _transfer(self, event: events.Transfer) -> None:
        if self.quiet or not sys.stderr.isatty():
            return
        if event.done == event.total:
            self.stop_progress()
        elif self._progress is None:
            self._progress = progress.transfer(self._err)
            self._progress.start()
            self._progress.add_task(event.what, total=event.total, completed=event.done)
        else:
            self._progress.update(self._progress.task_ids[0], completed=event.done)

    def _advance(self, event: events.Progress) -> None:
        if self.quiet or not (self.terminal and sys.stderr.isatty()):
            return
        if self._progress is None:
            self._progress = progress.stages(self._err)
            self._progress.start()
        name = _STAGES[event.stage]
        task = next((task.id for task in self._progress.tasks if task.description == name), None)
        if task is None:
            # loading is one step: a bar would stand at 0 of 1 until it is over
            task = self._progress.add_task(name, total=None if event.stage == "load" else event.total)
        self._progress.update(task, completed=event.done)
        if event.stage == "load" and event.done == event.total:
            self._progress.remove_task(task)


def expect(command: typer.Context, *requests: Request) -> list[Request]:
    """Note what a command is asked for: from here on, its failure names the requests that still wait."""
    waiting: list[Request] = command.obj
    waiting[:] = requests
    return waiting


def report_error(error: TempoError, arguments: list[str], waiting: Sequence[Request]) -> None:
    """Two lines on stderr; with `--json` also the objects on stdout that a program waits for.

    Args:
        waiting: what is left without an answer, one object each.
    """
    error = told_in_flags(error)
    if wants_json(arguments):
        with suppress(OutputError):  # the words on stderr remain
            for request in waiting:
                sys.stdout.write(error_to_json(error, request) + "\n")
            sys.stdout.flush()
    console = _rich(stderr=True, color=Color.auto)
    for label, text, style in (("error", error.message, "red"), ("hint", error.hint, "dim")):
        console.print(
            f"{label}: {printable(shortened(text))}",
            style=style,
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def show_cursor() -> None:
    """Undo what a progress bar that was never ended did to the terminal."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h")


def _rich(*, stderr: bool, color: Color) -> RichConsole:
    if color is Color.never:
        console = RichConsole(stderr=stderr, highlight=False, color_system=None)
    else:
        always = True if color is Color.always else None
        console = RichConsole(stderr=stderr, highlight=False, force_terminal=always)
    if not _NARROWEST <= console.width <= _WIDEST:  # COLUMNS can be anything
        console.width = min(max(console.width or _USUAL, _NARROWEST), _WIDEST)
    return console
