"""`tempo` without a model: `tempo batch` and `tempo ask` answer every question with a saved run's answer."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tempo_cli.batch.outcome import Outcome
from tempo_cli.cli.batch_model import BatchModel
from tempo_cli.errors import VideoError
from tempo_cli.schema import run_from_json

RUN = run_from_json((Path(__file__).parent / "run.json").read_text())


def outcomes(_: BatchModel, groups: Iterable[Any], *__: object) -> Iterator[Outcome]:
    """Each job's answer, or its error where there is no such file."""
    for job in (job for group in groups for jobs in group.rounds() for job in jobs):
        error = job.fault
        if error is None and not Path(job.video).exists():
            error = VideoError(f"'{job.video}' does not exist", "Check the path.")
        model = replace(RUN.model, id=_.name)
        run = replace(RUN, question=job.question, video=replace(RUN.video, path=job.video), model=model)
        yield Outcome(job, error=error) if error else Outcome(job, run)


if __name__ == "__main__":
    BatchModel.outcomes = outcomes  # type: ignore[method-assign]
    from tempo_cli.__main__ import main

    sys.argv[0] = "tempo"
    main()
