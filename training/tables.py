"""`python -m training.tables`: the tables of docs/nano.md, from the reports in training/results.

Each stands between two comments that name it; `tests/training/test_tables.py` fails where one of them says
something else than the reports.
"""

import json
from collections.abc import Iterable
from math import sqrt
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "nano.md"
RESULTS = ROOT / "training" / "results"
BENCH = ROOT / "bench" / "results"
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

_CURVES = {
    "auc": "relevance: area under the curve",
    "first": "first memory token right",
    "words": "all memory tokens of a relevant segment right",
}
_COMMAND = "installed command answers rightly"
_NEEDLES = {"10 s": "2026-11-24-needle-10s.txt", "2 s": "2026-11-24-needle-2s.txt"}
_FILMED = "2026-11-24-needle-files.txt"  # the same through encoded files
_ENDINGS = {  # the last stage's start and end, and what ships: answers, needle
    "before it": ("seed-0-together.json", "2026-11-24-needle-together.txt"),
    "the mean": ("seed-0.json", _NEEDLES["10 s"]),
    "after it": ("seed-0-long.json", "2026-11-24-needle-long.txt"),
}
_RULES = {
    "ata": "ATA",
    "even": "even",
    "frames": "fewer frames",
    "tail": "tail",
    "even tail": "even, tail",
    "no anchors": "no anchors",
}
_NEED = {"describe": 6, "together": 4, "colour": 1}  # memory tokens that the answer fills
_AVERAGES = ("1", "1.05", "1.5", "4", "6")
_LONG = ("15", "60", "120")  # minutes that give 128 segments
_MINUTES = ("1", "5", *_LONG)

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


def mistakes(report: Report) -> str:
    """What wrong answers are like."""
    rows = ["| a wrong answer … | number |", "|---|---|"]
    return "\n".join([*rows, *(f"| {sort} | {number} |" for sort, number in report["mistakes"].items())])


def beside(runs: dict[str, Report]) -> str:
    """Runs in columns, in per cent, all phrasings together.

    Raises:
        ValueError: they were not asked the same.
    """
    rows = _head(runs)
    for name, told in _FAMILIES.items():
        rows.append(_row(told, [_pooled(run["answers"], (name, name + _NEW)) for run in runs.values()]))
    rows.append(_row("**all questions**", [_pooled(run["answers"]) for run in runs.values()]))
    for name, told in _ROUTER.items():
        own = [run["router"][name] for run in runs.values()]
        rows.append(_row(told, [(one["right"], one["n"]) for one in own]))
    areas = [f"{run['router'][_AUC]:.4f}" for run in runs.values()]
    rows.append(f"| area under the curve | {' | '.join(areas)} | |")
    return "\n".join(rows)


def endings(runs: dict[str, Report], needles: dict[str, Report]) -> str:
    """What the last stage and the mean bring: new phrasings, and lists in 128 segments.

    Raises:
        ValueError: they were not asked the same.
    """
    rows = _head(runs)
    for name, told in _FAMILIES.items():
        rows.append(_row(told + _NEW, [_pooled(run["answers"], [name + _NEW]) for run in runs.values()]))
    for family in ("describe", "together"):
        own = [needles[name]["10 s in 60 min"][f"{family} 1.5"] for name in runs]
        told = f"{_FAMILIES[family]}, one event in 128 segments"
        rows.append(_row(told, [_pooled(one, ["ata"]) for one in own]))
    return "\n".join(rows)


def ablations(report: Report) -> str:
    """Held-out scores of the compressor's stage, step by step, whole and with parts left out."""
    runs = report["runs"]
    rows = ["| steps | score |" + "".join(f" {name} |" for name in runs), "|---|---|" + "---|" * len(runs)]
    for step in next(iter(runs.values())):
        for score, told in _CURVES.items():
            values = " | ".join(f"{own[step][score]:.2f}" for own in runs.values())
            rows.append(f"| {step} | {told} | {values} |")
    return "\n".join(rows)


def needle(results: Report) -> str:
    """Right answers under every rule and budget, 10 s in 128 segments, all lengths together."""
    columns = ("question (tokens it needs)", "tokens per segment", *_RULES.values(), "ATA - even", "n")
    rows = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for family, need in _NEED.items():
        for average in _AVERAGES:
            own = [results[f"10 s in {length} min"][f"{family} {average}"] for length in _LONG]
            shares = [_pooled({str(i): one[rule] for i, one in enumerate(own)}) for rule in _RULES]
            values, n = " | ".join(f"{value:.0f}" for value, _ in shares), shares[0][1]
            gain = _difference(*(sum(one[f"only {rule}"] for one in own) for rule in ("ata", "even")), n)
            rows.append(f"| {family} ({need}) | {average} | {values} | {gain} | {n} |")
    return "\n".join(rows)


def _difference(better: int, worse: int, n: int) -> str:
    """Points by which one is better on the same n videos, with a 95 % interval (normal approximation)."""
    mean = (better - worse) / n
    half = 1.96 * sqrt(((better + worse) / n - mean**2) / n)
    return f"{100 * mean:+.0f} ({100 * (mean - half):+.0f} to {100 * (mean + half):+.0f})"


def lengths(runs: dict[str, Report]) -> str:
    """Descriptions at a quarter of the tokens they need, by the length of the video and of the event."""
    shown = ("ata", "even", "frames", "tail", "no anchors")
    rows = [
        "| event | minutes | a frame of it is sampled | its segment ranks first | "
        f"{' | '.join(_RULES[rule] for rule in shown)} | n |",
        "|---|---|---|---|" + "---|" * (len(shown) + 1),
    ]
    for seconds, results in runs.items():
        for length in _MINUTES:
            own = results.get(f"{seconds} in {length} min")
            if own is None:
                continue
            shares = [own["describe 1.5"][rule] for rule in shown]
            values = " | ".join(f"{one['right']:.0f} ({one['from']:.0f}–{one['to']:.0f})" for one in shares)
            ranks = [f"{own[name]['right']:.0f}" for name in ("needle sampled", "needle first")]
            rows.append(f"| {seconds} | {length} | {' | '.join(ranks)} | {values} | {shares[0]['n']} |")
    return "\n".join(rows)


def _cells(share: dict[str, float]) -> str:
    return f"{share['right']:.1f} % ({share['from']:.0f}–{share['to']:.0f}) | {share['n']}"


def _pooled(answers: Report, names: Iterable[str] | None = None) -> tuple[float, int]:
    """Share and number of several rows, or of all of them."""
    own = [answers[name] for name in (names or answers)]
    n = sum(int(one["n"]) for one in own)
    return 100 * sum(round(one["right"] * one["n"] / 100) for one in own) / n, n


def _head(runs: dict[str, Report]) -> list[str]:
    """The first two lines of a table with runs in columns, which must have been asked the same."""
    if len({(run["videos"], run["seed"], run["budget"]) for run in runs.values()}) > 1:
        raise ValueError("runs with other videos can't stand beside each other")
    names = [*runs, "n"]
    return [f"| | {' | '.join(names)} |", "|---|" + "---|" * len(names)]


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


def _reported(name: str) -> Report:
    report: Report = json.loads((RESULTS / name).read_text())
    return report


def _measured(name: str) -> Report:
    """What a benchmark's last line holds."""
    results: Report = json.loads((BENCH / name).read_text().splitlines()[-1])["results"]
    return results


def from_reports() -> dict[str, str]:
    """Every table, by its name in the document."""
    first, second, parts = map(_reported, ("seed-0.json", "seed-1.json", "ablations.json"))
    runs = {"seed 0": first, "seed 1": second}
    needles = {seconds: _measured(name) for seconds, name in _NEEDLES.items()}
    return {
        "answers": answers(first),
        "router": router(first),
        "mistakes": mistakes(first),
        "seeds": beside(runs),
        "endings": endings(
            {told: _reported(answers) for told, (answers, _) in _ENDINGS.items()},
            {told: _measured(needle) for told, (_, needle) in _ENDINGS.items()},
        ),
        "ablations": ablations(parts),
        "needle": needle(needles["10 s"]),
        "lengths": lengths(needles),
        "files": lengths({"10 s": _measured(_FILMED)}),
    }


def main() -> None:
    """Write the tables."""
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8"), from_reports()), encoding="utf-8")


if __name__ == "__main__":
    main()
