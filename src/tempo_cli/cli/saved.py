"""Telling saved runs from videos."""

import json
from pathlib import Path

from ..files import read_bytes
from ..schema import SCHEMA

_BEGINNING = json.dumps({"schema": SCHEMA})[:-1].encode()


def is_saved_run(path: Path) -> bool:
    """Whether a file begins like a run in JSON."""
    try:
        return read_bytes(path, len(_BEGINNING)) == _BEGINNING
    except (OSError, ValueError):
        return False
