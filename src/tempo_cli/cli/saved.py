"""Telling saved runs from videos."""

import json
from pathlib import Path

from ..errors import UsageError
from ..files import read_bytes
from ..schema import SCHEMA

_BEGINNING = json.dumps({"schema": SCHEMA})[:-1].encode()


def is_saved_run(path: Path) -> bool:
    """Whether a file begins like a run in JSON."""
    try:
        return read_bytes(path, len(_BEGINNING)) == _BEGINNING
    except (OSError, ValueError):
        return False


def refuse_saved_run(path: Path) -> None:
    """Raise UsageError if a file that should be a video begins like a run in JSON."""
    if is_saved_run(path):
        raise UsageError(f"'{path}' is a saved run, not a video", f"Show it with: tempo inspect {path}")
