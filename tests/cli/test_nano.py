"""The model that comes along gives true answers about the example videos, through the command."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import tempo_cli
from tempo_cli import Tempo
from tempo_cli.cli.render import table

from .conftest import Outcome

EXAMPLES = Path(__file__).parents[2] / "examples"
NANO = Path(tempo_cli.__file__).parent / "nano"
SCOPE = json.loads((NANO / "Tempo-nano" / "config.json").read_text())["tempo"]["scope"]
LARGEST = 12e6  # bytes
DECLINE = "I can't tell."

# what happens in the films stands in training/films.py; a segment is 4 s, its tag its middle
ANSWERS = {
    ("chase.mp4", "what color was the car"): "The car was red.",
    ("chase.mp4", "Which way does the car move?"): "The car moved right.",
    ("chase.mp4", "What was seen together with the car?"): "With the car there was a white plane.",
    ("chase.mp4", "Is there a black car?"): "No, there was no black car.",
    ("harbour.webm", "What was black?"): "The black thing was a fish.",
    ("harbour.webm", "When does the blue tree appear?"): (
        "The blue tree appeared between 72 and 76 seconds."
    ),
    ("harbour.webm", "Describe the scene with the orange boat."): (
        "An orange boat with a green house and a purple star."
    ),
    ("sky.mkv", "Which way did the plane go?"): "The plane moved up.",
    ("sky.mkv", "What color is the house?"): "There was no house.",
    ("long-walk.mp4", "is there a purple boat"): "Yes, there was a purple boat.",
    ("long-walk.mp4", "When is the car seen?"): "The car appeared between 56 and 60 seconds.",
    ("long-walk.mp4", "What color was the plane?"): "The plane was orange.",
}
NEWCOMER = Path(__file__).parents[2] / "training" / "held_out" / "newcomer.txt"


def newcomers() -> list[tuple[str, str, list[str]]]:
    """Video, question and right answers of what was written down before training."""
    lines = [line.split("\t") for line in NEWCOMER.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    return [(video, question, right.split("|")) for video, question, right in lines]


@pytest.fixture(scope="module")
def nano() -> Tempo:
    return Tempo.load("nano")


@pytest.mark.parametrize(("video", "question"), ANSWERS)
def test_answers_are_right(nano: Tempo, video: str, question: str) -> None:
    run = nano.ask(EXAMPLES / video, question)
    assert run.answer is not None
    assert run.answer.text == ANSWERS[video, question]


@pytest.mark.parametrize(("video", "question", "right"), newcomers())
def test_a_newcomer_gets_right_or_declined_answers(
    nano: Tempo, video: str, question: str, right: list[str]
) -> None:
    run = nano.ask(EXAMPLES / video, question)
    assert run.answer is not None
    assert run.answer.text in [*right, DECLINE]


def test_what_it_can_t_answer_it_declines_without_evidence(nano: Tempo) -> None:
    for question in ("Is there a dog?", "Who is driving the car?", "What does the sign say?", "Hello"):
        run = nano.ask(EXAMPLES / "chase.mp4", question)
        assert run.answer is not None
        assert run.answer.text == DECLINE
        assert max(part.relevance or 0 for part in run.segments) < 0.5


def test_a_follow_up_means_what_was_asked_about(nano: Tempo) -> None:
    with nano.open(EXAMPLES / "chase.mp4") as clip:
        first = clip.ask("what color was the car")
        then = clip.ask("which way did it go?", history=[first.exchange])
    assert (first.answer.text, then.answer.text) == ("The car was red.", "The car moved right.")


def test_relevance_finds_the_chase(nano: Tempo) -> None:
    run = nano.inspect(EXAMPLES / "chase.mp4", "what color was the car")
    relevant = [(round(part.start), round(part.end)) for part in run.segments if (part.relevance or 0) > 0.5]
    assert relevant == [(20, 24), (24, 28)]  # the car is seen from 22 s to 28 s


def test_nothing_is_relevant_to_what_is_not_there(nano: Tempo) -> None:
    run = nano.inspect(EXAMPLES / "long-walk.mp4", "What color was the fish?")
    assert max(part.relevance or 0 for part in run.segments) > 0.5
    run = nano.inspect(EXAMPLES / "harbour.webm", "What color was the car?")
    assert max(part.relevance or 0 for part in run.segments) < 0.5


def test_the_budget_of_a_quarter_still_gives_the_whole_answer(nano: Tempo) -> None:
    question = "Describe the scene with the orange boat."
    budget = tempo_cli.BudgetOptions(budget=35)  # 23 segments; the answer needs 6 tokens in each of two
    run = nano.ask(EXAMPLES / "harbour.webm", question, budget=budget)
    assert run.answer is not None
    assert run.answer.text == ANSWERS["harbour.webm", question]
    assert run.budget.used <= 35


def test_the_command_knows_it_by_name(tempo: Callable[..., Outcome]) -> None:
    done = tempo("ask", EXAMPLES / "chase.mp4", "what color was the car", "--model", "nano", "--json")
    assert done.json["answer"]["text"] == "The car was red."
    assert done.json["model"] == {
        "id": "nano", "revision": None, "device": "cpu", "dtype": "float32", "quantization": None,
        "scope": SCOPE, "decoder_device": "cpu", "decoder_dtype": "float32",
    }  # fmt: skip
    assert done.json["warnings"] == []


def test_the_table_shows_what_was_relevant_and_counts_the_rest(nano: Tempo) -> None:
    screen = Console(width=80, file=StringIO())
    with screen.capture() as shown:
        screen.print(table(nano.inspect(EXAMPLES / "chase.mp4", "what color was the car"), 2, 80))
    _, first, second, rest = (line.split() for line in shown.get().splitlines())
    assert [first[0], second[0]] == ["6", "7"]
    assert first[4:6] == second[4:6] == ["██████████", "1.00"]
    assert rest == ["…", "10", "more", "at", "1", "token"]


def test_it_is_small_and_ours() -> None:
    files = [path for path in NANO.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= LARGEST
    assert "Apache-2.0" in (NANO / "README.md").read_text()


def test_it_is_listed_and_verified_but_not_removed(tempo: Callable[..., Outcome]) -> None:
    listed = tempo("models", "--json").json["models"][0]
    assert (listed["id"], listed["complete"], listed["base"]) == ("nano", True, "./Qwen3-VL-nano")
    checked = tempo("models", "verify", "nano", "--json").json["models"][0]
    assert (checked["ok"], len(checked["files"])) == (True, 7)
    done = tempo("models", "rm", "nano", "--yes")
    assert (done.code, done.err.splitlines()[0]) == (4, "error: nano comes with tempo")
    assert tempo("pull", "nano", "--offline").out == f"{NANO / 'Tempo-nano'}\n"
