"""Sizes as the doctor shows them, and what counts as a problem."""

import json

import pytest

from tempo_cli.doctor import Finding, Level
from tempo_cli.doctor.findings import amount, findings_to_json


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0.0 MiB"),
        (2**30 // 10, "102.4 MiB"),
        (2**30 // 10 + 1, "0.1 GiB"),
        (2**29, "0.5 GiB"),
        (12 * 2**30, "12.0 GiB"),
    ],
)
def test_amounts(count: int, text: str) -> None:
    assert amount(count) == text


@pytest.mark.parametrize("level", [Level.note, Level.warning])
def test_what_is_no_problem_leaves_the_status_ok(level: Level) -> None:
    found = [("a", Finding("x", level, "slow", "Make it faster."))]
    assert json.loads(findings_to_json(found))["status"] == "ok"
