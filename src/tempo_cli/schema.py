"""A run as JSON and back: schema `tempo.run/1`, a contract that only grows."""

import json
from dataclasses import asdict
from typing import Any

from .errors import TempoError, UsageError
from .types import (
    Answer,
    BudgetSummary,
    Memory,
    ModelInfo,
    Run,
    SamplingSummary,
    SegmentReport,
    Timing,
    VideoSummary,
)

SCHEMA = "tempo.run/1"

_PARTS = {
    "video": VideoSummary,
    "model": ModelInfo,
    "sampling": SamplingSummary,
    "budget": BudgetSummary,
    "timing": Timing,
    "memory": Memory,
}


def run_to_json(run: Run) -> str:
    """One line. Numbers keep their full precision; everything beyond ASCII is escaped."""
    return _line({"schema": SCHEMA, "status": "ok", "id": None, **asdict(run)})


def error_to_json(error: TempoError, question: str | None = None) -> str:
    """One line for a question that could not be answered."""
    facts = {"code": error.code, "message": error.message, "hint": error.hint}
    return _line({"schema": SCHEMA, "status": "error", "id": None, "question": question, "error": facts})


def run_from_json(line: str) -> Run:
    """Read what `run_to_json` wrote; fields of a later writer are passed over.

    Raises:
        UsageError: it is no run, or a failed one.
    """
    value = _object(line)
    if value.get("status") != "ok":
        message = (value.get("error") or {}).get("message", "unknown")
        raise UsageError(f"the saved run failed: {message}", "Run it again, then inspect it.")
    try:
        parts: dict[str, Any] = {name: _build(kind, value[name]) for name, kind in _PARTS.items()}
        return Run(
            question=value["question"],
            answer=value["answer"] and _build(Answer, value["answer"]),
            segments=tuple(_build(SegmentReport, segment) for segment in value["segments"]),
            warnings=tuple(value["warnings"]),
            **parts,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"the saved run is incomplete: {error}", "Save it with: tempo ask … --json"
        ) from error


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"the saved run is not JSON: {error}", "Save it with: tempo ask … --json") from error
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise UsageError(f"this is no saved run (schema {SCHEMA})", "Save one with: tempo ask … --json")
    return value


def _build(kind: Any, value: dict[str, Any]) -> Any:
    known = kind.__dataclass_fields__
    fields = {name: item for name, item in value.items() if name in known}
    return kind(**{name: tuple(item) if isinstance(item, list) else item for name, item in fields.items()})


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
