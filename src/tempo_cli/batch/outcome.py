"""What became of a job, and its line."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import (
    ModelError,
    OutOfMemoryError,
    SetupError,
    TempoError,
    UsageError,
    VideoError,
)
from ..plan.schedule import Job
from ..schema import Request, Run, error_to_json, run_from_json

_KINDS = {kind.code: kind for kind in (UsageError, VideoError, ModelError, SetupError, OutOfMemoryError)}


@dataclass(frozen=True)
class Outcome:
    """A job's run, or the error that it ended with."""

    job: Job
    run: Run | None = None
    error: TempoError | None = None

    def to_json(self, model: str) -> str:
        """Its line: a run or an error (`docs/json.md`), with the job's id and what identifies its content.

        Args:
            model: as the command names it.
        """
        if self.run is not None:
            line = self.run.to_json()
        else:
            assert self.error is not None
            line = error_to_json(self.error, Request(self.job.question, self.job.video, model))
        value = json.loads(line) | {"id": self.job.id, "job": self.job.digest}
        value["video"]["path"] = self.job.video  # as the job has it
        return json.dumps(value, ensure_ascii=True, allow_nan=False)


def outcome_of(job: Job, line: str) -> Outcome:
    """What `to_json` wrote of a job.

    Raises:
        UsageError: it is no such line.
    """
    value: dict[str, Any] = json.loads(line)
    if value.get("status") == "error":
        return Outcome(job, error=error_of(value["error"]))
    return Outcome(job, run_from_json(line))


def error_of(value: Mapping[str, Any]) -> TempoError:
    """The error of `error_to_json`'s object."""
    kind = _KINDS.get(value["code"], TempoError)
    return kind(str(value["message"]), str(value["hint"]))


def in_words(outcome: Outcome, words: Callable[[str], str]) -> Outcome:
    """The outcome with every message and warning put through `words`."""
    run, error = outcome.run, outcome.error
    if run is not None:
        run = replace(run, warnings=tuple(words(warning) for warning in run.warnings))
    if error is not None and error.code != TempoError.code:
        error = type(error)(words(error.message), words(error.hint))
    return Outcome(outcome.job, run, error)


def as_ours(error: Exception) -> TempoError:
    """The error, or one that says that it is a bug."""
    if isinstance(error, TempoError):
        return error
    hint = "This is a bug. Run again with TEMPO_DEBUG=1 and report what it prints."
    found = TempoError(f"{type(error).__name__}: {error}", hint)
    found.__cause__ = error
    return found
