"""`python -m training.tables`: the tables of docs/nano.md, from the reports in training/results.

Each stands between two comments that name it; `tests/training/test_tables.py` fails where one of them says
something else than the reports.
"""

import json
from collections.abc import Iterable, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

from .trials import BEYOND_FOLLOWING, FILLED, INFORMAL, PLAIN, SLIPS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "nano.md"
RESULTS = ROOT / "training" / "results"
BENCH = ROOT / "bench" / "results"
_NEW = ", new phrasing"
_FAMILIES = {
    "colour": "color",
    "object": "object of a color",
    "presence": "is there a …",
    "when": "when (right segment)",
    "direction": "direction",
    "together": "seen together with",
    "describe": "describe",
    "absent": "not in this video",
}
_MORE = {
    "count": "how many (none to three)",
    "hue": "is it red?",
    "hues": "is it red or blue?",
    "turn": "did it go left?",
    "ways": "did it go left or right?",
    "moved": "did it move?",
    "times": "how often does it appear?",
    "twice": "about a thing that comes twice",
    "list": "list all things in order",
    "first": "what comes first?",
    "last": "what comes last?",
    "at": "what is there at 0:12?",
    "after": "what comes after it?",
    "follow-up": "follow-ups that name nothing",
}
_BEYOND = "beyond: "
_LOW, _LOW_THERE = "beyond: highest relevance under 0.5", "highest relevance under 0.5"
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
_DENIED = "declined or rightly denied"
_COMMAND = "installed command answers rightly"
_NEEDLE, _OTHER_NEEDLE = "2026-11-27-needle-10s.txt", "2026-11-27-needle-10s-other.txt"
_COMPARED = {  # of two seeds, with where the report has them
    "mistyped questions": ("answers", SLIPS),
    "beyond its world: declined or rightly denied": (_DENIED,),
    "beyond its world: highest relevance under 0.5": ("router", _LOW),
    "could be answered, but was declined": ("answerable but declined",),
}
_FOOTAGE = "footage.json"
_RULES = {
    "ata": "ATA",
    "even": "even",
    "frames": "fewer frames",
    "tail": "tail",
    "even tail": "even, tail",
    "no anchors": "no anchors",
}
_NEED = {"describe": 3, "together": 2, "colour": 1}  # memory tokens that the answer fills
_COSTLY = ("describe", "together")  # questions that need several tokens
_AVERAGES = ("1", "1.05", "1.5", "2", "3")
_LONG = ("15", "60", "120")  # minutes that give 128 segments
_MINUTES = ("1", "5", *_LONG)

Report = dict[str, Any]


def answers(report: Report) -> str:
    """Right answers by question, in phrasings that were trained on and in others."""
    return _by_phrasing(report, _FAMILIES)


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


def more(report: Report) -> str:
    """Right answers to the kinds of questions that came later, as `answers` has those of the first."""
    return _by_phrasing(report, _MORE)


def _by_phrasing(report: Report, kinds: dict[str, str]) -> str:
    rows = ["| question | known phrasing | n | new phrasing | n |", "|---|---|---|---|---|"]
    for name, told in kinds.items():
        cells = [_cells(report["answers"].get(key, {"n": 0})) for key in (name, name + _NEW)]
        rows.append(f"| {told} | {' | '.join(cells)} |")
    return "\n".join(rows)


def typing(report: Report) -> str:
    """The same questions as written, typed in a hurry, with a slip, and with a word that changes nothing."""
    rows = ["| the same questions | as written | changed | n |", "|---|---|---|---|"]
    for name in (name for name in (INFORMAL, SLIPS, FILLED) if name in report["answers"]):
        plain, rough = (report["answers"][key] for key in (f"{name}: {PLAIN}", name))
        told = [f"{one['right']:.1f} % ({one['from']:.0f}–{one['to']:.0f})" for one in (plain, rough)]
        rows.append(f"| {name} | {' | '.join(told)} | {plain['n']} |")
    return "\n".join(rows)


def declining(report: Report, footage: Report | None) -> str:
    """What is declined, and where relevance stays low."""
    found = report["answers"]
    sorts = sorted(name for name in found if name.startswith(_BEYOND))
    rows = ["| asked | declined | n |", "|---|---|---|"]
    rows += [f"| {name.removeprefix(_BEYOND)} | {_cells(found[name])} |" for name in sorts]
    everything, n = _pooled(found, sorts)
    rows.append(f"| **all of these** | {everything:.1f} % | {n} |")
    follow = [name for name in found if name.startswith(BEYOND_FOLLOWING)]
    if follow:
        share, n = _pooled(found, follow)
        rows.append(f"| {BEYOND_FOLLOWING} | {share:.1f} % | {n} |")
    rows.append(f"| {_DENIED} | {_cells(report[_DENIED])} |")
    rows.append(f"| highest relevance under 0.5 | {_cells(report['router'][_LOW])} |")
    rows.append(f"| could be answered, but was declined | {_cells(report['answerable but declined'])} |")
    if footage:
        own = footage[_DENIED]
        rows.append(f"| real footage: {_DENIED} | {_cells(own)} |")
        rows += [
            f"| real footage, {name} | {_cells(own[name])} |" for name in ("in its words", "beyond them")
        ]
        rows.append(f"| real footage: {_LOW_THERE} | {_cells(footage[_LOW_THERE])} |")
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


def seeds(reports: Sequence[Report], needles: Sequence[Report]) -> str:
    """The shipped seed and another one side by side: shares, and what allocation gains."""
    rows = ["| | shipped | other | n |", "|---|---|---|---|"]
    pooled = [_pooled(one["answers"], _asked_as_written(one["answers"])) for one in reports]
    shares: dict[str, list[tuple[float, int]]] = {"right answers, all kinds of questions": pooled}
    for told, path in _COMPARED.items():
        found = [_at(one, path) for one in reports]
        shares[told] = [(one["right"], one["n"]) for one in found]
    for told, own in shares.items():
        rows.append(f"| {told} | {' | '.join(f'{value:.1f} %' for value, _ in own)} | {own[0][1]} |")
    for told, families in (("describe", ("describe",)), ("together", ("together",)), ("both", _COSTLY)):
        gains, n = [], 0
        for results in needles:
            own_rows = [
                results[f"10 s in {length} min"][f"{name} 1.5"] for length in _LONG for name in families
            ]
            n = sum(int(one["ata"]["n"]) for one in own_rows)
            gained = sum(one["only ata"] - one["only even"] for one in own_rows)
            gains.append(f"{100 * gained / n:+.0f} points")
        rows.append(f"| ATA - even, {told}, 1.5 tokens per segment | {' | '.join(gains)} | {n} |")
    return "\n".join(rows)


def _asked_as_written(answers: Report) -> list[str]:
    """The rows of questions that are neither typed in another way nor repeated."""
    return [name for name in answers if not name.startswith((INFORMAL, SLIPS, FILLED))]


def _at(report: Report, path: Sequence[str]) -> Report:
    for key in path:
        report = report[key]
    return report


def lengths(runs: dict[str, Report]) -> str:
    """Descriptions at half of the tokens they need, by the length of the video and of the event."""
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
    if not share["n"]:
        return "not measured | 0"
    return f"{share['right']:.1f} % ({share['from']:.0f}–{share['to']:.0f}) | {share['n']}"


def _pooled(answers: Report, names: Iterable[str] | None = None) -> tuple[float, int]:
    """Share and number of several rows, or of all of them."""
    own = [answers[name] for name in (names or answers)]
    n = sum(int(one["n"]) for one in own)
    return 100 * sum(round(one["right"] * one["n"] / 100) for one in own) / n, n


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
    shipped, other, parts = map(_reported, ("shipped.json", "other.json", "ablations.json"))
    footage = _reported(_FOOTAGE) if (RESULTS / _FOOTAGE).exists() else None
    needles = _measured(_NEEDLE)
    return {
        "answers": answers(shipped),
        "more": more(shipped),
        "declining": declining(shipped, footage),
        "typing": typing(shipped),
        "router": router(shipped),
        "mistakes": mistakes(shipped),
        "ablations": ablations(parts),
        "needle": needle(needles),
        "lengths": lengths({"10 s": needles}),
        "seeds": seeds([shipped, other], [needles, _measured(_OTHER_NEEDLE)]),
    }


def main() -> None:
    """Write the tables."""
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8"), from_reports()), encoding="utf-8")


if __name__ == "__main__":
    main()
