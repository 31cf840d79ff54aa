"""`tempo ask` about several videos: each answer under its video's name, a failure in its place."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from ..batch.jobs import Defaults, make_job
from ..errors import TempoError
from ..events import AnswerText, Event
from ..plan.schedule import Job, schedule, unique
from ..schema import Request, Run
from .batch_model import SOME_FAILED, BatchModel
from .console import Screen, report_error
from .saved import refuse_saved_run


def ask_several(
    model: BatchModel,
    requests: Sequence[Request],
    defaults: Defaults,
    screen: Screen,
    present: Callable[[Run], None],
    note: Callable[[TempoError, Request], None],
) -> int:
    """Answer each request, in order; the exit code.

    Args:
        present: is called with each answer; note: with each failure, in its place.

    Returns:
        0; 7 if some failed; the errors' own code if all failed alike.
    """
    for video in dict.fromkeys(request.video or "" for request in requests):
        refuse_saved_run(Path(video))
    jobs = [make_job(request.video or "", request.question or "", defaults) for request in requests]
    groups = schedule(list(unique(jobs)))
    numbers = {job.id: number for number, job in reversed(list(enumerate(jobs)))}

    def listen(job: Job, event: Event) -> None:
        screen.on_event(AnswerText(numbers[job.id], event.text) if isinstance(event, AnswerText) else event)

    codes, told = set(), set()
    for place, outcome in enumerate(model.outcomes(groups, listen)):
        error = outcome.error
        codes.add(error.exit_code if error is not None else 0)
        if error is not None:
            screen.fail()
            note(error, requests[numbers[outcome.job.id]])
            about = (outcome.job.video, error.message)
            if screen.json or about not in told:  # people are told of a broken video once, not by question
                if place and screen.terminal:
                    screen.show("")
                _report(error, requests[numbers[outcome.job.id]], screen.json)
            told.add(about)
        elif outcome.run is not None:
            present(outcome.run)
    return codes.pop() if len(codes) == 1 else SOME_FAILED


def _report(error: TempoError, request: Request, json: bool) -> None:
    if os.environ.get("TEMPO_DEBUG"):
        traceback.print_exception(error.__cause__ or error, file=sys.stderr)
    report_error(error, ["--json"] if json else [], [request])
