"""What a command says that was interrupted while it was imported. Imports nothing slow."""

import json
import os
import signal
import sys
from contextlib import suppress

from .. import __version__


def report_early_interruption(number: int) -> None:
    """Write the object that a program waits for which asked for JSON; a person needs no message."""
    if not wants_json(sys.argv[1:]):
        return
    message, hint = f"interrupted by {signal.Signals(number).name}", "Run it again."
    result = {
        "schema": "tempo.run/1",
        "status": "error",
        "id": None,
        "video": {"path": None},
        "question": None,
        "model": {"id": None},
        "tempo": __version__,
        "error": {"code": "interrupted", "message": message, "hint": hint},
    }
    with suppress(OSError):  # nobody reads it
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
        sys.stderr.write(f"error: {message}\nhint: {hint}\n")


def wants_json(arguments: list[str]) -> bool:
    """Whether `--json` was asked for, also where the command line could not be read to its end."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options or os.environ.get("TEMPO_JSON", "").lower() in ("1", "true", "yes", "on")
