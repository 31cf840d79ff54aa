"""The report as a parser reads it: nothing in it runs or loads but its own script and style."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tempo_cli.report import Entry, Source, index, page
from tempo_cli.schema import Run, Timing, run_from_json
from tempo_cli.types import Evidence, Unseen

from .runs import HOSTILE, ROWS, RUN, made_up


class Reader(HTMLParser):
    """Tags with their attributes, and the texts of some of them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_names_the_only_script_and_style() -> None:
    read = Reader(page([RUN]))
    data, script = read.texts["script"][0], "".join(read.texts["script"][1:])
    (policy,) = [meta["content"] for meta in read.named("meta") if meta.get("http-equiv")]
    assert policy == (
        "default-src 'none'; img-src data:; media-src 'self' file:; "
        f"script-src {digest(script)}; style-src {digest(''.join(read.texts['style']))}; "
        "base-uri 'none'; form-action 'none'"
    )
    assert json.loads(data)["runs"] == [RUN.to_dict()]
    assert run_from_json(json.dumps(json.loads(data)["runs"][0])) == RUN


def test_decoding_that_took_longer_than_the_question_is_told_apart() -> None:
    run = replace(RUN, timing=Timing(load=0.1, decode=1.7, compress=0.2, answer=0.04, total=0.34))
    told = Reader(page([run])).texts["dd"]
    assert "0.3 for the question, with loading: load 0.1, compress 0.2, answer 0.0" in told
    assert "1.7 s, beside the other steps; it begins before the question" in told
    told = Reader(page([replace(run, answer=None)])).texts["dd"]
    assert "0.3 for the question, with loading: load 0.1, compress 0.2" in told


def hostile() -> Run:
    run = made_up(ROWS, HOSTILE, HOSTILE, path=HOSTILE)
    return replace(run, warnings=(HOSTILE,), model=replace(run.model, id=HOSTILE, scope=HOSTILE))


def test_hostile_texts_are_inert() -> None:
    for text in (page([hostile()], [Source(None, (), HOSTILE)]), page([hostile()] * 2)):
        read = Reader(text)
        assert len(read.named("script")) == 2
        assert "<" not in read.texts["script"][0]
        assert {tag for tag, _ in read.tags}.isdisjoint(
            {"a", "iframe", "object", "embed", "form", "base", "video"}
        )
        names = {name for _, attributes in read.tags for name in attributes}
        assert not [name for name in names if name.startswith("on") or name == "style"]
        assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\ud800-\udfff]", text)
    assert any("</script><script>alert(1)</script>" in text for text in Reader(page([hostile()])).texts["h1"])


def test_everything_is_told() -> None:
    run = replace(
        RUN,
        evidence=Evidence(0.9, (1, 2, 5), 0.95, True),
        warnings=("cut off",),
        video=replace(RUN.video, unseen=Unseen(2, 1, True, True, True, True)),
    )
    texts = [part for parts in Reader(page([run])).texts.values() for part in parts]
    for words in (
        "what?", "A car.", "Weak evidence: no segment above 0.95.", "0:20 – 0:40",
        "0.90 · 100 tokens", "cut off",
        "2 sound tracks, 1 text track, fields one after the other (interlaced), transparency, HDR, "
        "the shape of pixels that are not square",
        "highest relevance 0.900; one above 0.95 is needed", "216 of 8,192, linear", "All 6 segments",
        "Made without access to the video: no pictures.",
    ):  # fmt: skip
        assert words in texts
    assert page([RUN]).count('class="mark"') == 3


def test_each_segment_can_be_chosen_in_chart_and_table_and_those_that_stand_out_once_more() -> None:
    read = Reader(page([RUN, made_up(ROWS[:2], "where?")]))
    in_chart = [
        (one["data-run"], one["data-segment"], one["tabindex"])
        for one in read.named("g")
        if "data-run" in one
    ]
    assert in_chart == [("0", str(at), "-1" if at else "0") for at in range(6)] + [
        ("1", "0", "0"),
        ("1", "1", "-1"),
    ]
    assert len(read.named("button")) == 6 + 3 + 2 + 1
    wide = [one["width"] for one in read.named("rect") if one["class"] == "hit"]
    assert wide[0] == wide[6] == "16.667%"  # both runs on one axis


def test_without_relevance_there_is_no_curve() -> None:
    run = made_up([(0.0, 1.0, None, 4), (1.0, 2.0, None, 8)])
    classes = [attributes.get("class") for _, attributes in Reader(page([run])).tags]
    assert {"area", "heat"}.isdisjoint(classes)
    assert classes.count("tokens") == 2


def test_saved_runs_with_strange_numbers_make_a_page() -> None:
    value = RUN.to_dict()
    value["segments"] = [
        {"index": 10**9, "start": -5.0, "end": 1e9, "time": 0, "relevance": 1, "tokens": 0, "frames": 1},
        {"index": 10**9, "start": -5.0, "end": -5.0, "time": 0, "relevance": None, "tokens": 0, "frames": 1},
    ]
    value["budget"]["used"], value["video"]["duration"] = 0, 0.0
    assert "nan" not in page([run_from_json(json.dumps(value))]).lower().replace("nano", "")
    value["segments"] = []
    assert "All 0 segments" in page([run_from_json(json.dumps(value))])


@pytest.mark.parametrize(("count", "words"), [(1, "The only segment"), (2, "All 2 segments")])
def test_the_table_of_all_segments_says_how_many(count: int, words: str) -> None:
    assert f"<summary>{words}</summary>" in page([made_up(ROWS[:count])])


def test_equal_pictures_stand_in_a_page_once() -> None:
    pictures = (b"A" * 3000,) * 5 + (None,)
    text = page([RUN, RUN], [Source("./a.mp4", pictures, None)] * 2)
    data = json.loads(Reader(text).texts["script"][0])
    assert len(data["pictures"]) == 1
    assert data["picture_of"] == [[0, 0, 0, 0, 0, None]] * 2
    assert Reader(text).named("video")[0]["src"] == "./a.mp4"


def test_128_segments_stay_under_3_megabytes() -> None:
    rows = [(at * 32.0, at * 32.0 + 32, at / 128, 4 + at) for at in range(128)]
    # as large as `video.thumbnails` makes them, and all of them different
    pictures = tuple(bytes([at]) * (1_900_000 // 128) for at in range(128))
    text = page([made_up(rows)], [Source("./a.mp4", pictures, None)])
    assert len(text.encode()) < 3_000_000


def test_an_index_leads_to_its_pages_and_nowhere_else() -> None:
    entries = [
        Entry("a.mp4", "what?", "pages/a b#.html", "A car.", 0.9),
        Entry(HOSTILE, HOSTILE, "javascript:alert(1)", HOSTILE),
        Entry("b.mp4", "where?", None, error="no video"),
    ]
    read = Reader(index(entries))
    assert [link["href"] for link in read.named("a")] == [
        "./pages/a%20b%23.html",
        "./javascript%3Aalert%281%29",
    ]
    assert read.named("script") == []
    assert "no video" in read.texts["span"]
