"""How far a batch is: a bar on a terminal, or JSON lines on stderr for a program."""

import json
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

from .. import events
from ..batch.outcome import Outcome
from ..plan.schedule import Group, Job
from .console import Screen
from .signals import patience
from .text import duration, printable

_NAME = 30  # characters of a video's name
_TELLING = 1.0  # seconds of a stage from which its rest can be estimated
_UNKNOWN = "how long that takes is not known yet"


class ProgressMode(StrEnum):
    """auto: a bar where stderr is a terminal; json: JSON lines on stderr."""

    auto = "auto"
    json = "json"


class Tracker:
    """Counts videos and questions, and estimates the rest.

    Args:
        groups: what is to be done; None where that is not known beforehand.

    Attributes:
        done, failed: jobs.
        stopping: set once the user has asked to stop behind the current job.
    """

    def __init__(self, groups: Sequence[Group] | None) -> None:
        self.total = None if groups is None else sum(len(group.jobs) for group in groups)
        self.done = self.failed = self.videos_done = 0
        self._left: dict[str | None, int] = {}
        for group in groups or ():
            self._left[group.video] = self._left.get(group.video, 0) + len(group.jobs)
        self.videos = None if groups is None else len(self._left.keys() - {None})
        self.stopping = threading.Event()
        self._began: float | None = None
        self._last = time.monotonic()
        self._stages: dict[str, tuple[float, int, int]] = {}  # when it began, done, total

    def begin(self, event: events.Event) -> None:
        """Something happens for the current job."""
        now = time.monotonic()
        self._began = self._began or now
        if isinstance(event, events.Progress):
            since = self._stages.get(event.stage, (now, 0, 0))[0]
            self._stages[event.stage] = (since, event.done, event.total)

    def count(self, outcome: Outcome) -> None:
        """A job has ended."""
        self.done += 1
        self.failed += outcome.error is not None
        self._last = time.monotonic()
        self._stages.clear()
        left = self._left[outcome.job.video] = self._left.get(outcome.job.video, 1) - 1
        self.videos_done += left == 0 and outcome.job.video is not None

    @property
    def seconds_left(self) -> float | None:
        """For all that is left; None where that is unknown."""
        if self.total is None or not self.done or self._began is None:
            return None
        return (self._last - self._began) / self.done * (self.total - self.done)

    @property
    def seconds_in_hand(self) -> float | None:
        """For the current job; None where that is unknown."""
        now, usual = time.monotonic(), None
        if self.done and self._began is not None:
            usual = (self._last - self._began) / self.done
        rest = [
            (now - since) / done * (total - done)
            for since, done, total in self._stages.values()
            if 0 < done <= total and now - since >= _TELLING
        ]
        if not rest:
            return usual
        return max([*rest, (usual or 0.0) - (now - self._last)])


class BatchScreen:
    """Shows a tracker's numbers, and takes the first Ctrl-C while a job runs.

    Args:
        bar: whether a bar may be drawn.
    """

    def __init__(self, tracker: Tracker, screen: Screen, mode: ProgressMode, *, bar: bool) -> None:
        self._tracker, self._screen, self._mode = tracker, screen, mode
        self._progress: Progress | None = None
        if bar and mode is ProgressMode.auto and not screen.quiet and sys.stderr.isatty():
            self._progress = _bar(screen.errors)
            self._task: TaskID = self._progress.add_task("loading the model", total=tracker.total, rest="")
            self._progress.start()
        self._tell("start", jobs=tracker.total, videos=tracker.videos)

    def on_event(self, job: Job, event: events.Event) -> None:
        """Something happens for a job."""
        self._tracker.begin(event)
        if patience.action is None:
            patience.action = self._stop
        if isinstance(event, events.Warned):
            self._screen.log(f"{job.video}: {event.message}")
        elif isinstance(event, events.Progress) and self._progress is not None:
            self._progress.update(self._task, description=_shortened(job.video or ""))

    def ended(self, outcome: Outcome) -> None:
        """A job has ended and is written down."""
        if self._tracker.total is None:  # the next one may be long in coming
            patience.action = None
        tracker, job = self._tracker, outcome.job
        tracker.count(outcome)
        left = tracker.seconds_left
        self._tell(
            "job",
            id=job.id,
            video=job.video,
            question=job.question,
            status="ok" if outcome.error is None else "error",
            done=tracker.done,
            failed=tracker.failed,
            videos_done=tracker.videos_done,
            seconds_left=left,
        )
        if self._progress is not None:
            videos = f"{tracker.videos_done}/{tracker.videos} videos" if tracker.videos is not None else ""
            rest = videos if left is None else f"{videos}  {duration(left)} left"
            self._progress.update(self._task, completed=tracker.done, rest=rest)

    def close(self, *, code: int) -> None:
        """Take the bar off the screen."""
        patience.action = None
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        tracker = self._tracker
        self._tell("end", done=tracker.done, failed=tracker.failed, exit_code=code)

    def _stop(self) -> None:
        """In the thread that watches signals."""
        self._tracker.stopping.set()
        seconds = self._tracker.seconds_in_hand
        self._tell("stopping", seconds=seconds)
        if self._mode is ProgressMode.auto:
            told = _UNKNOWN if seconds is None else f"about {duration(max(1.0, seconds))}"
            self._screen.print(f"finishing the current job ({told}); interrupt again to stop now")

    def _tell(self, event: str, **facts: Any) -> None:
        if self._mode is ProgressMode.json:
            sys.stderr.write(json.dumps({"event": event, **facts}) + "\n")
            sys.stderr.flush()


def failures(outcomes: Iterable[tuple[str, str, str]], total: int, most: int = 20) -> list[str]:
    """A table, line by line.

    Args:
        outcomes: id, code and message of each failed job.
        total: jobs in all.
        most: rows.
    """
    rows = list(outcomes)
    if not rows:
        return []
    ids = min(max(len(printable(row[0])) for row in rows[:most]), _NAME)
    lines = [f"{len(rows)} of {total} jobs failed:"]
    lines += [f"  {_shortened(name):<{ids}}  {code:<11}  {message}" for name, code, message in rows[:most]]
    return lines + ([f"  … and {len(rows) - most} more"] if len(rows) > most else [])


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rest]}", markup=False),
        console=console,
        transient=True,
    )


def _shortened(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= _NAME else f"…{shown[1 - _NAME :]}"
