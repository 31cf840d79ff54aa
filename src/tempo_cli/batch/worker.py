"""A worker: a process with a model of its own that answers what the command sends. See `crew`.

It reads jobs from the descriptor that its argument names, and writes lines to its standard output.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..errors import TempoError
from ..events import Event, Progress, Warned
from ..hub.locations import read_shape
from ..plan.schedule import Group, Job
from ..video.child import hold_lifeline
from ..video.opened import Video, open_video
from .engine import Jobs, answer
from .outcome import as_ours
from .wire import Setup, Told, group_of, setup_of

if TYPE_CHECKING:
    from ..tempo import Tempo


def main() -> None:
    """Answer until no more jobs come."""
    hold_lifeline()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command decides when to stop
    told = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints is no line of ours
    with os.fdopen(int(sys.argv[1]), "rb") as source, suppress(BrokenPipeError):
        try:
            _work(setup_of(source.readline()), source, told)
        except TempoError as error:
            told.write(_fatal(error))
        except Exception as error:  # noqa: BLE001  the command reports it
            told.write(_fatal(as_ours(error)))


def _work(setup: Setup, source: BinaryIO, told: BinaryIO) -> None:
    shape = read_shape(setup.model, setup.revision)

    def groups() -> Iterator[Group]:
        for line in source:
            yield group_of(line)

    def opened(group: Jobs) -> Video:
        path = Path(group.video or "")
        return open_video(path, group.sampling, shape, ffmpeg=setup.ffmpeg, cache=setup.cache)

    def loaded() -> "Tempo":
        from ..tempo import Tempo  # heavy: torch

        tempo = Tempo.load(setup.model, revision=setup.revision, options=setup.load)
        told.write(Told().to_line())
        return tempo

    def listen(job: Job, event: Event) -> None:
        if isinstance(event, Progress):
            told.write(Told(job.id, stage=event.stage, done=event.done, total=event.total).to_line())
        elif isinstance(event, Warned):
            told.write(Told(job.id, warning=event.message).to_line())

    for outcome in answer(groups(), opened, loaded, listen):
        told.write(Told(outcome.job.id, line=outcome.to_json(setup.model)).to_line())


def _fatal(error: TempoError) -> bytes:
    return Told(code=error.code, message=error.message, hint=error.hint).to_line()


if __name__ == "__main__":
    main()
