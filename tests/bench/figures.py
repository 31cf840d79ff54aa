"""Figures in the docs that a card gave: found by the comment behind them, compared with the result files.

The notation stands in bench/README.md.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

UNMEASURED = "not measured on a GPU yet"
_UNITS = {"GB": 1e9, "MB": 1e6, "ms": 1e-3, "s": 1.0, "%": 0.01, "tokens/s": 1.0, "frames/s": 1.0, "": 1.0}
_MARK = re.compile(r"<!--\s*gpu:(.*?)-->", re.DOTALL)
_FIGURE = re.compile(r"([\d,]+(?:\.\d+)?)\s*([A-Za-z/%]*)[*_`]*\s*$")
_FENCE = re.compile(r"^```.*?^```$|^ {4}.*?$", re.DOTALL | re.MULTILINE)


def faults(text: str, results: Path) -> Iterator[str]:
    """What is wrong with the marked figures of a document."""
    text = _FENCE.sub("", text)  # examples of the notation
    for section in re.split(r"^(?=#)", text, flags=re.MULTILINE):
        for mark in _MARK.finditer(section):
            if fault := _fault(section, mark, results):
                yield f"{' '.join(mark[1].split())}: {fault}"


def _fault(section: str, mark: re.Match[str], results: Path) -> str | None:
    words = " ".join(mark[1].split()).split(" / ")
    figure = _FIGURE.search(section[: mark.start()])
    if len(words) != 4 or figure is None:
        return "not FIGURE UNIT <!-- gpu: FILE / PART / ROW / KEY -->"
    if figure[2] not in _UNITS:
        return f"unit {figure[2]} is not known"
    path = results / words[0]
    if not path.exists():
        return "there is no such file"
    file = json.loads(path.read_text(encoding="utf-8"))
    if file["small"]:
        return "that was a rehearsal"
    value = _value(file, *words[1:])
    if not isinstance(value, int | float):
        return "there is no such number"
    decimals = len(figure[1].partition(".")[2])
    due = f"{value / _UNITS[figure[2]]:,.{decimals}f}"
    if figure[1].replace(",", "") != due.replace(",", ""):
        return f"the docs say {figure[1]}, the file {due}"
    if missing := [fact for fact in (file["date"], file["accelerator"]) if fact not in section]:
        return f"the section does not say {missing[0]}"
    return None


def _value(file: dict[str, Any], part: str, name: str, key: str) -> object:
    rows = file["parts"].get(part, {}).get("rows", [])
    found: object = next((row for row in rows if row["name"] == name), None)
    for step in key.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def marks(text: str) -> int:
    """How many marked figures a document has."""
    return len(_MARK.findall(_FENCE.sub("", text)))


def measured(results: Path) -> list[Path]:
    """Result files of whole runs on a card."""
    return [path for path in sorted(results.glob("*-gpu.json")) if not json.loads(path.read_text())["small"]]
