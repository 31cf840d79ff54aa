"""Which words are the video and which the question: mix-ups are refused, never answered."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_cli.cli.options import parse_seconds

from .conftest import CUT, FRACTAL, MODEL, SHORT, Outcome

Tempo = Callable[..., Outcome]
ONE = [*SHORT[:4], "--max-new-tokens", "1", "--json"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with two videos and a text."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "b.MP4"):
        (tmp_path / name).symlink_to(FRACTAL)
    (tmp_path / "question.txt").write_text("\ufeffWhat color\nwas it?\n", encoding="utf-8")
    return tmp_path


def piped(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))


@pytest.mark.parametrize("command", ["ask", "inspect"])
@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["a.mp4", "b.MP4", "what color"], "'b.MP4' is a video, not a word", "tempo ask a.mp4 b.MP4 -q"),
        (["a.mp4", "what", "b.MP4"], "'b.MP4' is a video, not a word", "tempo ask a.mp4 b.MP4 -q"),
        (["what color", "a.mp4"], "the video comes first", 'tempo ask a.mp4 "what color"'),
        (["lost.mp4", "a.mp4", "what"], "'a.mp4' is a video, not a word", "tempo ask lost.mp4 a.mp4 -q"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_a_video_among_the_words_is_a_mix_up(
    command: str, words: list[str], error: str, hint: str, tempo: Tempo
) -> None:
    done = tempo(command, *words, "--json")
    told = done.json["error"]
    assert (done.code, told["code"]) == (2, "usage")
    assert error in told["message"]
    assert hint in told["hint"]


@pytest.mark.usefixtures("folder")
def test_with_q_every_other_argument_is_a_video(tempo: Tempo) -> None:
    done = tempo("ask", "a.mp4", "what", "-q", "who?", *ONE[:-1])
    assert (done.code, done.out.startswith("a.mp4: ")) == (7, True)
    assert "error: 'what' does not exist" in done.err


@pytest.mark.usefixtures("folder")
def test_a_word_that_only_looks_like_a_video_is_a_word(tempo: Tempo) -> None:
    done = tempo("ask", "a.mp4", "is", "this", "c.mp4", "or", "question.txt", *ONE)
    assert (done.code, done.json["question"]) == (0, "is this c.mp4 or question.txt")


@pytest.mark.usefixtures("folder")
def test_questions_from_a_file_and_from_standard_input(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    piped("What's that, später?\n".encode(), monkeypatch)
    words = ["-q", "@question.txt", "-q", "@@home: where?", "-q", "-"]
    done = tempo("ask", "a.mp4", *words, *ONE)
    questions = [line.partition('"question": "')[2].partition('"')[0] for line in done.out.splitlines()]
    assert questions == ["What color\\nwas it?", "@home: where?", "What's that, sp\\u00e4ter?"]


@pytest.mark.parametrize("command", ["ask", "inspect"])
def test_a_dash_is_standard_input(command: str, tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    piped(b"what happens?\n", monkeypatch)
    words = [word for word in ONE if command == "ask" or word not in ("--max-new-tokens", "1")]
    assert tempo(command, FRACTAL, "-", *words).json["question"] == "what happens?"


@pytest.mark.parametrize(
    ("words", "text", "error"),
    [
        (["-"], b"", "there is no question"),
        (["-"], b"\xff\xfe", "the question on standard input is not text in UTF-8"),
        (["-"], b"x" * (2**18 + 1), "the question on standard input has more than 262,144 bytes"),
        (["-q", "-", "-q", "-"], b"x", "standard input (-) can be only one question"),
        (["-q", "@missing.txt"], b"", "the question's file 'missing.txt' can't be read: No such file"),
        (["-q", "@"], b"", "there is no file name after @"),
        (["-q", "@."], b"", "the question's file '.' can't be read: it is a folder"),
        (["-q", "@/dev/zero"], b"", "the question's file '/dev/zero' can't be read: it is not a"),
        (["?!"], b"", "'?!' is not a question: it has no letter or digit"),
        (["-q", "what", "-q", "..."], b"", "'...' is not a question: it has no letter or digit"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_what_is_no_question(
    words: list[str], text: bytes, error: str, tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped(text, monkeypatch)
    done = tempo("ask", "a.mp4", *words, "--model", MODEL)
    assert (done.code, done.err.count("\n")) == (2, 2)
    assert done.err.startswith(f"error: {error}")


def test_the_hint_for_what_is_no_question(tempo: Tempo, tmp_path: Path) -> None:
    assert tempo("ask", FRACTAL, "?!", "--json").json["error"]["hint"].startswith("Ask something")
    assert "after the video: tempo ask" in tempo("ask", FRACTAL, "--json").json["error"]["hint"]
    saved = tmp_path / "run.json"
    saved.write_text('{"schema": "tempo.run/1", "status": "ok"}')
    for words in ([saved], [saved, "what"]):
        told = tempo("ask", *words, "--json").json["error"]
        assert (told["code"], told["message"]) == ("usage", f"'{saved}' is a saved run, not a video")
        assert told["hint"] == f"Show it with: tempo inspect {saved}"


def test_standard_input_that_is_closed(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    done = tempo("ask", FRACTAL, "-", "--model", MODEL)
    assert (done.code, done.err.splitlines()[0]) == (2, "error: the question on standard input can't be read")


def test_a_question_in_any_script_is_one(tempo: Tempo) -> None:
    for question in ("車は?", "Ж", "7"):
        assert tempo("ask", FRACTAL, question, *ONE).json["question"] == question


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("90.5", 90.5), ("20s", 20), ("1:30", 90), ("90:00", 5400),
        ("0:01:30.5", 90.5), ("1m30s", 90),
        ("1h", 3600), ("1h2m3.5s", 3723.5), ("2min", 120), (" 5 ", 5),
    ],
)  # fmt: skip
def test_a_time(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("9:99", "a minute or second above 59"), ("1:60:00", "a minute or second above 59"),
        *[(text, "is not a time") for text in ("", "s", "1:x", "nan", "inf", "-1", "1e3", "1:2:3:4")],
        ("9" * 5000, "is not a time"),
    ],
)  # fmt: skip
def test_what_is_no_time(text: str, words: str, tempo: Tempo) -> None:
    done = tempo("inspect", FRACTAL, "what", f"--start={text}", "--model", "nano")
    assert (done.code, done.err.count("\n")) == (2, 2)
    assert words in done.err


def test_an_end_beyond_the_video_and_a_cut_answer_are_told(tempo: Tempo) -> None:
    done = tempo("ask", FRACTAL, "what", *SHORT, "--end", "20s", "--json")
    assert done.json["warnings"] == ["--end is 20 s, but the video lasts 10.0 s", CUT]
    assert done.json["video"]["end"] == 10.0
