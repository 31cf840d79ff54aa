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
    assert told[2] == "| color | 82.5 % (70–91) | 40 | 82.5 % (70–91) | 40 |"
    assert len(told) == 10


def test_the_router_s_numbers_stand_with_those_of_the_command():
    told = tables.router(report(97.5)).splitlines()
    assert told[2] == "| area under the curve, all segments of all videos | 0.99871 | |"
    assert told[-1] == "| right answers of the installed command | 97.5 % (70–91) | 40 |"


def test_mistakes_stand_by_their_sorts():
    told = tables.mistakes({"mistakes": {"errs in a list": 12, "denies what is there": 7}}).splitlines()
    assert told[2:] == ["| errs in a list | 12 |", "| denies what is there | 7 |"]


def test_new_kinds_stand_as_the_old_ones():
    share = {"right": 82.5, "from": 70.4, "to": 90.6, "n": 40}
    told = tables.more(
        {"answers": {"count": share, "count" + tables._NEW: share, "list": share}}
    ).splitlines()
    assert told[2] == "| how many (none to three) | 82.5 % (70–91) | 40 | 82.5 % (70–91) | 40 |"
    assert "| list all things in order | 82.5 % (70–91) | 40 | not measured | 0 |" in told
    assert len(told) == 2 + len(tables._MORE)


def test_typing_stands_beside_the_same_as_written():
    plain, rough = ({"right": right, "from": 70.4, "to": 90.6, "n": 40} for right in (82.5, 80.0))
    found = dict.fromkeys((tables.INFORMAL, tables.SLIPS, tables.FILLED), rough)
    found |= {f"{name}: {tables.PLAIN}": plain for name in found}
    told = tables.typing({"answers": found}).splitlines()
    assert told[2] == "| typed in a hurry | 82.5 % (70–91) | 80.0 % (70–91) | 40 |"
    assert told[4] == "| with a filler | 82.5 % (70–91) | 80.0 % (70–91) | 40 |"
    assert len(told) == 5
    older = {name: own for name, own in found.items() if not name.startswith(tables.FILLED)}
    assert tables.typing({"answers": older}).splitlines() == told[:4]
    assert tables._asked_as_written({**found, "list": plain}) == ["list"]


def test_declining_counts_all_sorts_together():
    one, other = ({"right": right, "from": 70.4, "to": 90.6, "n": 40} for right in (100.0, 90.0))
    found = {"beyond: things": one, "beyond: text": other, "colour": one}
    asked = {"answers": found, "router": {tables._LOW: other}, "answerable but declined": other}
    asked[tables._DENIED] = one
    told = tables.declining(asked, None).splitlines()
    assert told[2:5] == [
        "| text | 90.0 % (70–91) | 40 |",
        "| things | 100.0 % (70–91) | 40 |",
        "| **all of these** | 95.0 % | 80 |",
    ]
    footage = {"declined or rightly denied": one | {"in its words": one, "beyond them": other}}
    footage |= {tables._LOW_THERE: other}
    told = tables.declining(asked, footage).splitlines()
    assert told[5] == "| declined or rightly denied | 100.0 % (70–91) | 40 |"
    assert told[-4:] == [
        "| real footage: declined or rightly denied | 100.0 % (70–91) | 40 |",
        "| real footage, in its words | 100.0 % (70–91) | 40 |",
        "| real footage, beyond them | 90.0 % (70–91) | 40 |",
        "| real footage: highest relevance under 0.5 | 90.0 % (70–91) | 40 |",
    ]


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
    assert told[4] == "| describe (3) | 1.5 | 43 | 43 | 43 | 43 | 43 | 43 | +50 (+35 to +65) | 120 |"


def test_every_length_of_a_run_has_a_row():
    told = tables.lengths({"10 s": needle_report(), "2 s": {}}).splitlines()
    assert len(told) == 2 + 5
    assert told[3] == "| 10 s | 5 | 98 | 98 |" + 5 * " 41 (30–61) |" + " 40 |"


def test_a_table_without_its_place_is_an_error():
    with pytest.raises(ValueError, match="no place for the table 'answers'"):
        tables.written("nothing", {"answers": "|"})


def test_two_seeds_stand_side_by_side():
    def seed(right: float) -> tables.Report:
        share = {"right": right, "from": 70.4, "to": 90.6, "n": 40}
        slips = {tables.SLIPS: {"right": right - 10, "n": 30}, f"{tables.SLIPS}: {tables.PLAIN}": share}
        return {
            "answers": {"count": share, "list": share} | slips,
            "router": {tables._LOW: share}, tables._DENIED: share, "answerable but declined": share,
        }  # fmt: skip

    def needle(gained: int) -> tables.Report:
        own = {"ata": {"n": 12}, "only ata": gained, "only even": 1}
        families = {f"{family} 1.5": own for family in ("describe", "together")}
        return {f"10 s in {length} min": families for length in tables._LONG}

    told = tables.seeds([seed(90.0), seed(95.0)], [needle(7), needle(4)]).splitlines()
    assert told == [
        "| | shipped | other | n |",
        "|---|---|---|---|",
        "| right answers, all kinds of questions | 90.0 % | 95.0 % | 80 |",
        "| mistyped questions | 80.0 % | 85.0 % | 30 |",
        *(f"| {name} | 90.0 % | 95.0 % | 40 |" for name in list(tables._COMPARED)[1:]),
        "| ATA - even, describe, 1.5 tokens per segment | +50 points | +25 points | 36 |",
        "| ATA - even, together, 1.5 tokens per segment | +50 points | +25 points | 36 |",
        "| ATA - even, both, 1.5 tokens per segment | +50 points | +25 points | 72 |",
    ]
