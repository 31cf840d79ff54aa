"""Each format, as a parser of others reads it; and hostile texts, which are inert in each."""

import csv
import html.parser
import io
import re
import subprocess
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
import srt
import webvtt
from markdown_it import MarkdownIt

from tempo_cli.errors import UsageError
from tempo_cli.plan.stretches import stretches
from tempo_cli.report.edl import timecode
from tempo_cli.report.formats import FORMATS
from tempo_cli.report.tables import cell, escaped
from tempo_cli.schema import Run

from ..video.clips import FFMPEG
from .runs import HOSTILE, ROWS, RUN, Row, made_up

HOSTILE_RUN = made_up(ROWS, HOSTILE, HOSTILE, path=f"{HOSTILE}.mp4")
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]")


def text(name: str, *runs: Run, top: int | None = 10) -> str:
    """Runs in a format, with the segments that the table shows."""
    return FORMATS[name]([(run, stretches(run.segments, top)) for run in runs or (RUN,)])


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_has_control_characters_bidi_or_surrogates(name: str) -> None:
    written = text(name, HOSTILE_RUN)
    assert not UNPRINTABLE.search(written.replace("\t", ""))
    assert written.encode()
    assert "\\x1b[31mred" in written.replace("\\\\", "\\").replace("\\[", "[")


@pytest.mark.parametrize(("name", "separator"), [("csv", ","), ("tsv", "\t")])
def test_tables(name: str, separator: str) -> None:
    first, second = csv.DictReader(io.StringIO(text(name)), delimiter=separator)
    assert first == {
        "video": "movie.mp4", "question": "what?", "answer": "A car.", "start": "20.0", "end": "60.5",
        "first_segment": "2", "last_segment": "3", "relevance": "0.9", "tokens": "160",
    }  # fmt: skip
    assert (second["start"], second["end"], second["last_segment"]) == ("100.0", "120.0", "6")
    assert len(list(csv.reader(io.StringIO(text(name, top=None)), delimiter=separator))) == 1 + len(ROWS)


@pytest.mark.parametrize(("name", "separator"), [("csv", ","), ("tsv", "\t")])
def test_a_spreadsheet_computes_nothing(name: str, separator: str) -> None:
    lines = list(csv.reader(io.StringIO(text(name, HOSTILE_RUN)), delimiter=separator))
    assert [len(line) for line in lines] == [9, 9, 9]
    assert all(value.startswith("'=1+1\\x1b[31mred") for value in lines[1][:3])
    for beginning in ("=", "+", "-", "@", "\t=", " ="):
        assert cell(f"{beginning}1").startswith("'")
    assert cell("a=1") == "a=1"


def test_markdown() -> None:
    assert text("md").splitlines() == [
        "## what?", "", "> A car\\.", "",
        "| time | relevance | tokens |", "| --- | --- | ---: |",
        "| 0:20 - 1:00 | 0.90 | 160 |", "| 1:40 - 2:00 | 0.50 | 40 |", "",
        "movie\\.mp4, nano, 6 segments, 216 of 8,192 tokens",
    ]  # fmt: skip
    assert "No segment stands out." in text("md", top=0)
    assert ", 1 segment, " in text("md", made_up(ROWS[:1]))


def test_markdown_shows_hostile_texts_as_they_are() -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(text("md", HOSTILE_RUN))
    inline = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inline} == {"text", "softbreak"}
    shown = "".join(child.content for child in tokens[1].children or ())
    assert "</script><script>alert(1)</script>" in shown
    assert "[l](javascript:x) http://e.com" in shown
    assert escaped("www.e.com a@b.c").count("\\") == 4  # or a reader makes links of them
    assert sum(token.type == "heading_open" for token in tokens) == 1


def test_srt() -> None:
    first, second = srt.parse(text("srt"))
    assert (first.start, first.end) == (timedelta(seconds=20), timedelta(seconds=60.5))
    assert first.content == "what?\nrelevance 0.90, 160 tokens"
    assert (second.index, second.start) == (2, timedelta(seconds=100))
    one, two = srt.parse(text("srt", HOSTILE_RUN))
    assert (one.start, two.start) == (first.start, second.start)
    assert not re.search("[<>{}]", one.content)
    assert len(one.content.splitlines()) == 2


def test_vtt() -> None:
    first, second = webvtt.from_string(text("vtt")).captions
    assert (first.start, first.end) == ("00:00:20.000", "00:01:00.500")
    assert (first.text, second.start) == ("what?\nrelevance 0.90, 160 tokens", "00:01:40.000")
    one, _ = webvtt.from_string(text("vtt", HOSTILE_RUN)).captions
    assert "<" not in one.raw_text
    assert ">" not in one.raw_text
    assert len(one.lines) == 2
    assert html.unescape(one.lines[0]).startswith("=1+1\\x1b[31mred")


def test_several_questions_are_in_time_order_and_several_videos_are_refused() -> None:
    other = made_up([(0.0, 50.0, 0.9, 90), (50.0, 120.0, 0.1, 4)], "where?")
    found = list(srt.parse(text("srt", RUN, other)))
    assert [cue.content.splitlines()[0] for cue in found] == ["where?", "what?", "what?"]
    with pytest.raises(UsageError, match="about several"):
        text("vtt", RUN, made_up(ROWS, path="b.mp4"))
    assert text("csv", RUN, made_up(ROWS, path="b.mp4")).count("b.mp4") == 2


def test_ffmetadata_as_ffmpeg_reads_it(tmp_path: Path) -> None:
    for run in (RUN, HOSTILE_RUN):
        path = tmp_path / "chapters.txt"
        path.write_text(text("ffmetadata", run))
        done = subprocess.run(
            [FFMPEG, "-nostdin", "-hide_banner", "-i", path, "-f", "ffmetadata", "-"], capture_output=True
        )
        assert done.stdout.count(b"[CHAPTER]") == 2
        assert re.findall(rb"START=(\d+)\nEND=(\d+)", done.stdout) == [
            (b"20000", b"60500"),
            (b"100000", b"120000"),
        ]
    titles = re.findall(r"title=(.*)", done.stdout.decode())
    assert titles[0].startswith("\\=1+1\\\\x1b[31mred")
    assert titles[0].endswith("(relevance 0.90, 160 tokens)")


def chapters(run: Run) -> list[tuple[int, str]]:
    """Seconds and titles, read as YouTube does."""
    found = []
    for line in text("youtube", run).splitlines():
        clock, title = line.split(" ", 1)
        numbers = [int(part) for part in clock.split(":")]
        found.append((sum(number * 60**power for power, number in enumerate(reversed(numbers))), title))
    return found


def test_youtube_chapters() -> None:
    what = "what? (relevance 0.90, 160 tokens)"
    assert chapters(RUN) == [(0, "…"), (20, what), (60, "…"), (100, "what? (relevance 0.50, 40 tokens)")]
    assert "<" not in text("youtube", HOSTILE_RUN)


@pytest.mark.parametrize(
    "rows",
    [
        [(0.0, 2.0, 0.9, 100), (2.0, 30.0, 0.1, 4)],
        [(0.0, 5.0, 0.1, 4), (5.0, 6.0, 0.9, 99), (6.0, 30.0, 0.1, 4)],
        [(0.0, 58.0, 0.1, 4), (58.0, 60.0, 0.9, 99)],
        [(0.0, 60.0, 0.9, 99)],
        [(0.0, 30.0, 0.1, 4), (30.0, 60.0, 0.1, 4)],
        [(float(at), at + 2.0, at % 4 / 2, at % 4 * 50 + 4) for at in range(0, 40, 2)],
    ],
)
def test_youtube_chapters_begin_at_zero_are_three_and_have_ten_seconds(rows: list[Row]) -> None:
    starts = [start for start, _ in chapters(made_up(rows))]
    assert starts[0] == 0
    assert len(starts) >= 3
    lengths = [after - before for before, after in zip(starts, [*starts[1:], int(rows[-1][1])], strict=True)]
    assert min(lengths) >= 10


def test_a_video_that_is_too_short_for_chapters() -> None:
    with pytest.raises(UsageError, match="shorter than 30 s"):
        text("youtube", made_up([(0.0, 29.0, 0.9, 99)]))


def clips(run: Run, rate: float) -> list[otio.schema.Clip]:
    timeline = otio.adapters.read_from_string(text("edl", run), "cmx_3600", rate=rate)
    return list(timeline.find_clips())


def test_edl() -> None:
    first, second = clips(RUN, 25)
    assert first.source_range == otio.opentime.TimeRange(
        otio.opentime.RationalTime(500, 25), otio.opentime.RationalTime(1012, 25)
    )
    assert second.source_range.start_time == otio.opentime.RationalTime(2500, 25)
    assert (first.name, second.name) == ("movie.mp4", "movie.mp4")
    assert len(clips(HOSTILE_RUN, 25)) == 2
    assert len(text("edl", HOSTILE_RUN).splitlines()) == 3 + 2 * 3
    assert text("edl", top=0).splitlines() == ["TITLE: what?", "FCM: NON-DROP FRAME", ""]


def test_edl_of_29_97_frames_per_second_drops_numbers() -> None:
    clip, _ = clips(made_up(ROWS, fps=30000 / 1001), 30000 / 1001)
    written = text("edl", made_up(ROWS, fps=29.97002))
    assert "FCM: DROP FRAME" in written
    assert "00:00:19;29 00:01:00;15" in written  # 60.5 s are 1813 frames
    assert clip.source_range.start_time.to_frames() == round(20 * 30000 / 1001)


@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60000, 1001)]
)
def test_timecode_as_opentimelineio_has_it(rate: Fraction) -> None:
    for frame in (0, 1, 1799, 1800, 1801, 17981, 17982, 17983, 35964, 107892, 123456, 2_000_000):
        try:
            expected = otio.opentime.RationalTime(frame, float(rate)).to_timecode()
        except ValueError:
            pytest.skip("it has no such rate")
        assert timecode(frame, rate) == expected


@pytest.mark.parametrize("other", [29.97, 29.970029970, 29.972])
def test_a_rate_that_one_video_has_rounded_is_the_same(other: float) -> None:
    runs = made_up(ROWS, fps=30000 / 1001), made_up(ROWS, path="b.mp4", fps=other)
    written = text("edl", *runs).splitlines()
    assert written[1] == "FCM: DROP FRAME"
    assert sum("FROM CLIP NAME: b.mp4" in line for line in written) == 2


@pytest.mark.parametrize(("one", "other"), [(30.0, 30000 / 1001), (25.0, 50.0), (25.0, 17.3)])
def test_videos_of_different_rates_have_no_edit_list(one: float, other: float) -> None:
    with pytest.raises(UsageError, match="these videos have several") as raised:
        text("edl", made_up(ROWS, fps=one), made_up(ROWS, path="b.mp4", fps=other))
    assert raised.value.hint == "Give another `format`, such as csv."


def test_what_has_no_edit_list() -> None:
    for run, words in (
        (made_up(ROWS, constant_rate=False), "no constant frame rate"),
        (made_up(ROWS, constant_rate=None), "does not say"),
        (made_up(ROWS, fps=17.3), r"no rate of 17.3 frames per second, only 23.976, 24, 25, .*, 59.94, 60$"),
        (made_up([(0.0, 90000.0, 0.9, 9)]), "after 24 hours"),
    ):
        with pytest.raises(UsageError, match=words):
            text("edl", run)
