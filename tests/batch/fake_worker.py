"""A worker without a model: it fails every job with the job's question, and does what the names say."""

import os
import signal
import sys
import time
from pathlib import Path

from tempo_cli.batch.outcome import Outcome
from tempo_cli.batch.wire import Told, group_of, setup_of
from tempo_cli.errors import VideoError


def main() -> None:
    """Work until no more jobs come."""
    with os.fdopen(int(sys.argv[1]), "rb") as source:
        setup = setup_of(source.readline())
        model = setup.model
        if model == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if model == "missing":
            say(Told(code="model", message="there is no model", hint="Get one."))
            return
        say(Told())
        for line in source:
            for job in group_of(line).jobs:
                say(Told(job.id, stage="decode", done=1, total=2))
                if job.question == "die?":
                    os.kill(os.getpid(), signal.SIGKILL)
                while job.question == "wait?" and not Path(setup.ffmpeg or "").exists():
                    time.sleep(0.01)
                error = VideoError(job.question or "", "none")
                say(Told(job.id, line=Outcome(job, error=error).to_json(model)))


def say(told: Told) -> None:
    sys.stdout.buffer.write(told.to_line())
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
