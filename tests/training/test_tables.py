"""The tables in docs/nano.md say what the reports say."""

import pytest

from training import tables


def report(right: float) -> tables.Report:
    share = {"right": right, "from": 70.4, "to": 90.6, "n": 40}
    names = [name + new for name in tables._FAMILIES for new in ("", tables._NEW)]
    return {
        **{"videos": 40, "seed": 7, "budget": 8192},
        "answers": dict.fromkeys(names, share),
        "router": {tables._AUC: 0.99871} | dict.fromkeys(tables._ROUTER, share),
        tables._COMMAND: share,
    }


def test_the_document_has_the_reports_numbers():
    text = tables.DOCUMENT.read_text(encoding="utf-8")
    assert tables.written(text, tables.from_reports()) == text


def test_shares_stand_with_their_interval_and_number():
    told = tables.answers(report(82.5)).splitlines()
    assert told[2] == "| colour | 82.5 % (70–91) | 40 | 82.5 % (70–91) | 40 |"
    assert len(told) == 10


def test_the_router_s_numbers_stand_with_those_of_the_command():
    told = tables.router(report(97.5)).splitlines()
    assert told[2] == "| area under the curve, all segments of all videos | 0.99871 | |"
    assert told[-1] == "| right answers of the installed command | 97.5 % (70–91) | 40 |"


def test_mistakes_stand_by_their_sorts():
    told = tables.mistakes({"mistakes": {"errs in a list": 12, "denies what is there": 7}}).splitlines()
    assert told[2:] == ["| errs in a list | 12 |", "| denies what is there | 7 |"]


def test_runs_stand_beside_each_other():
    told = tables.beside({"one": report(82.5), "two": report(85.0)}).splitlines()
    assert told[:3] == ["| | one | two | n |", "|---|---|---|---|", "| colour | 82.5 | 85.0 | 80 |"]
    assert told[10] == "| **all questions** | 82.5 | 85.0 | 640 |"
    assert told[-1] == "| area under the curve | 0.9987 | 0.9987 | |"


def test_runs_with_other_videos_do_not_stand_beside_each_other():
    with pytest.raises(ValueError, match="other videos"):
        tables.beside({"one": report(82.5), "two": report(85.0) | {"videos": 41}})
    with pytest.raises(ValueError, match="other videos"):
        tables.endings({"one": report(82.5), "two": report(85.0) | {"videos": 41}}, {})


def test_ablations_stand_step_by_step():
    curve = {step: {"auc": 0.5, "first": 0.625, "words": 0.75} for step in ("200", "400")}
    told = tables.ablations({"runs": {"whole": curve, "blind": curve}}).splitlines()
    assert told[0] == "| steps | score | whole | blind |"
    assert told[2] == "| 200 | relevance: area under the curve | 0.50 | 0.50 |"
    assert len(told) == 2 + 2 * 3


def needle_report() -> tables.Report:
    """Forty videos of each length; the longer, the more answers are right."""
    found = {}
    for number, length in enumerate(tables._MINUTES):
        own = {rule: {"right": 40.0 + number, "from": 30.4, "to": 60.6, "n": 40} for rule in tables._RULES}
        own |= {"only ata": 30, "only even": 10}
        cells = {f"{family} {average}": own for family in tables._NEED for average in tables._AVERAGES}
        first = {"right": 97.5, "from": 90.0, "to": 99.0, "n": 40}
        found[f"10 s in {length} min"] = {"needle first": first, "needle sampled": first} | cells
    return found


def test_the_needle_in_long_videos_counts_all_lengths_of_128_segments():
    told = tables.needle(needle_report()).splitlines()
    assert len(told) == 2 + 3 * 5
    # 42, 43 and 44 % of 40, rounded to answers; of 120, 90 are only ATA's and 30 only those of even spreading
    assert told[4] == "| describe (6) | 1.5 | 43 | 43 | 43 | 43 | 43 | 43 | +50 (+35 to +65) | 120 |"


def test_the_mean_stands_between_the_last_stage_s_start_and_end():
    runs = {"before": report(82.5), "after": report(85.0)}
    told = tables.endings(runs, dict.fromkeys(runs, needle_report())).splitlines()
    assert told[:3] == [
        "| | before | after | n |",
        "|---|---|---|---|",
        "| colour, new phrasing | 82.5 | 85.0 | 40 |",
    ]
    # 43 % of 40, rounded to answers
    assert told[-1] == "| seen together with, one event in 128 segments | 42.5 | 42.5 | 40 |"
    assert len(told) == 2 + 8 + 2


def test_every_length_of_a_run_has_a_row():
    told = tables.lengths({"10 s": needle_report(), "2 s": {}}).splitlines()
    assert len(told) == 2 + 5
    assert told[3] == "| 10 s | 5 | 98 | 98 |" + 5 * " 41 (30–61) |" + " 40 |"


def test_a_table_without_its_place_is_an_error():
    with pytest.raises(ValueError, match="no place for the table 'answers'"):
        tables.written("nothing", {"answers": "|"})
