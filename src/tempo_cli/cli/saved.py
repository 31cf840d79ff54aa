"""Telling saved runs from videos."""

import json
from pathlib import Path

from ..errors import UsageError
from ..files import read_bytes
from ..schema import SCHEMA

_BEGINNING = json.dumps({"schema": SCHEMA})[:-1].encode()


def refuse_saved_run(path: Path) -> None:
    """Raise UsageError if a file that should be a video begins like a run in JSON."""
    try:
        found = read_bytes(path, len(_BEGINNING)) == _BEGINNING
    except (OSError, ValueError):
        return
    if found:
        raise UsageError(f"'{path}' is a saved run, not a video", f"Show it with: tempo inspect {path}")
