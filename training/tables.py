"""`python -m training.tables`: the tables of docs/nano.md, from the reports in training/results.

Each stands between two comments that name it; `tests/training/test_tables.py` fails where one of them says
something else than the reports.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "nano.md"
RESULTS = ROOT / "training" / "results"
_NEW = ", new phrasing"
_FAMILIES = {
    "colour": "colour",
    "object": "object of a colour",
    "presence": "is there a …",
    "when": "when (right segment)",
    "direction": "direction",
    "together": "seen together with",
    "describe": "describe",
    "absent": "not in this video",
}
_AUC = "auc, all segments of all videos"
_ROUTER = {
    "asked-for segment first": "the asked-for segment ranks first",
    "absent: highest relevance under 0.5": "not in the video: highest relevance under 0.5",
}

_COMMAND = "installed command answers rightly"

Report = dict[str, Any]


def answers(report: Report) -> str:
    """Right answers by question, in phrasings that were trained on and in others."""
    rows = ["| question | known phrasing | n | new phrasing | n |", "|---|---|---|---|---|"]
    for name, told in _FAMILIES.items():
        cells = [_cells(report["answers"][key]) for key in (name, name + _NEW)]
        rows.append(f"| {told} | {' | '.join(cells)} |")
    return "\n".join(rows)


def router(report: Report) -> str:
    """How well relevance tells segments apart, and the command's answers."""
    found = report["router"]
    rows = ["| router | | n |", "|---|---|---|"]
    rows.append(f"| area under the curve, all segments of all videos | {found[_AUC]} | |")
    rows += [f"| {told} | {_cells(found[name])} |" for name, told in _ROUTER.items()]
    rows.append(f"| right answers of the installed command | {_cells(report[_COMMAND])} |")
    return "\n".join(rows)


def beside(runs: dict[str, Report]) -> str:
    """Runs in columns, in per cent, all phrasings together; n is the same for all of them."""
    rows = [f"| | {' | '.join(runs)} | n |", "|---|" + "---|" * (len(runs) + 1)]
    for name, told in _FAMILIES.items():
        rows.append(_row(told, [_pooled(run["answers"], (name, name + _NEW)) for run in runs.values()]))
    rows.append(_row("**all questions**", [_pooled(run["answers"], run["answers"]) for run in runs.values()]))
    for name, told in _ROUTER.items():
        own = [run["router"][name] for run in runs.values()]
        rows.append(_row(told, [(one["right"], one["n"]) for one in own]))
    areas = [f"{run['router'][_AUC]:.4f}" for run in runs.values()]
    rows.append(f"| area under the curve | {' | '.join(areas)} | |")
    return "\n".join(rows)


def _cells(share: dict[str, float]) -> str:
    return f"{share['right']:.1f} % ({share['from']:.0f}–{share['to']:.0f}) | {share['n']}"


def _pooled(answers: dict[str, dict[str, float]], names: Iterable[str]) -> tuple[float, int]:
    """Share and number of several rows."""
    own = [answers[name] for name in names]
    n = sum(int(one["n"]) for one in own)
    return 100 * sum(round(one["right"] * one["n"] / 100) for one in own) / n, n


def _row(told: str, shares: list[tuple[float, int]]) -> str:
    return f"| {told} | {' | '.join(f'{value:.1f}' for value, _ in shares)} | {shares[0][1]} |"


def written(text: str, made: dict[str, str]) -> str:
    """The document with these tables in their places."""
    for name, table in made.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        head, opened, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not (opened and closed):
            raise ValueError(f"no place for the table {name!r}")
        text = f"{head}{begin}{table}\n{end}{tail}"
    return text


def from_reports() -> dict[str, str]:
    """Every table, by its name in the document."""
    first = json.loads((RESULTS / "seed-0.json").read_text())
    return {"answers": answers(first), "router": router(first)}


def main() -> None:
    """Write the tables."""
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8"), from_reports()), encoding="utf-8")


if __name__ == "__main__":
    main()
