"""The tables in docs/nano.md say what the reports say."""

import pytest

from training import tables


def report(right: float) -> tables.Report:
    share = {"right": right, "from": 70.4, "to": 90.6, "n": 40}
    names = [name + new for name in tables._FAMILIES for new in ("", tables._NEW)]
    return {
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


def test_runs_stand_beside_each_other():
    told = tables.beside({"one": report(82.5), "two": report(85.0)}).splitlines()
    assert told[:3] == ["| | one | two | n |", "|---|---|---|---|", "| colour | 82.5 | 85.0 | 80 |"]
    assert told[10] == "| **all questions** | 82.5 | 85.0 | 640 |"
    assert told[-1] == "| area under the curve | 0.9987 | 0.9987 | |"


def test_a_table_without_its_place_is_an_error():
    with pytest.raises(ValueError, match="no place for the table 'answers'"):
        tables.written("nothing", {"answers": "|"})
