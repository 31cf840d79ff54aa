"""What counts as right, and how it is counted."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tempo_cli.schema import Run
from training import words
from training.evaluate import Asked, Tally, questions_about, share
from training.words import FAMILIES, Content

from .test_words import EMPTY, question, shows

CAR, FISH = shows("red car right"), shows("blue fish up", group=1)
STORY = (EMPTY, CAR, FISH, shows(unclear=["red car right"], group=2))
TIMES = (2.0, 6.0, 10.0, 14.0)


def run(text: str, *relevance: float) -> Run:
    """What of a run is counted."""
    segments = [SimpleNamespace(relevance=score) for score in relevance]
    return SimpleNamespace(answer=SimpleNamespace(text=text), segments=segments)  # type: ignore[return-value]


def asked(family: str, about: str, story: tuple[Content, ...], held_out: bool = False) -> Asked:
    one = question(family, about)
    there = any(words.relevance(one, content) for content in story)
    return Asked(one, words.answer(one, story, TIMES) or "", there, held_out)


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        ([True] * 10, {"right": 100.0, "from": 72.2, "to": 100.0, "n": 10}),
        ([True] * 81 + [False] * 19, {"right": 81.0, "from": 72.2, "to": 87.5, "n": 100}),
        ([False] * 5, {"right": 0.0, "from": 0.0, "to": 43.4, "n": 5}),
        ([], {"n": 0}),
    ],
)
def test_shares_have_wilson_s_interval(right, expected):
    assert share(right) == expected


def test_an_answer_is_right_letter_for_letter():
    tally, story = Tally(), (EMPTY, CAR, FISH)
    told = asked("colour", "car", story)
    assert told.answer == "The car was red."
    for text in ("The car was red.", "The car was red", "the car was red.", "The car was blue."):
        tally.add(told, run(text, 0.1, 0.9, 0.2), story, Path("a.mp4"))
    tally.add(
        asked("colour", "fish", story, held_out=True), run("The fish was blue.", 0, 0, 1), story, Path("a")
    )
    assert tally.right == {"colour": [True, False, False, False], "colour, new phrasing": [True]}
    assert [one["answer"] for one in tally.wrong] == [
        "The car was red",
        "the car was red.",
        "The car was blue.",
    ]
    assert tally.wrong[0]["video"] == "a.mp4"


@pytest.mark.parametrize(
    ("family", "about", "text", "expected"),
    [
        ("colour", "car", "There was no car.", "denies what is there"),
        ("presence", "red car", "No, there was no red car.", "denies what is there"),
        ("colour", "car", "The car was blue.", "errs in a single thing"),
        ("describe", "car", "A blue car, alone.", "errs in a list"),
        ("together", "plane", "The plane was alone.", "claims what is not there"),
        ("presence", "plane", "There was no plane.", "denies with another sentence"),
    ],
)
def test_mistakes_have_their_sorts(family, about, text, expected):
    tally, story = Tally(), (EMPTY, CAR, FISH)
    tally.add(asked(family, about, story), run(text, 0, 1, 0), story, Path("a"))
    assert tally.report()["mistakes"] == {expected: 1}


def test_hardly_seen_segments_count_neither_for_the_router_nor_against_it():
    tally, told = Tally(), asked("colour", "car", STORY)
    tally.add(told, run("", 0.1, 0.5, 0.2, 0.9), STORY, Path("a"))  # the last one hardly shows a car
    tally.add(told, run("", 0.1, 0.5, 0.7, 0.9), STORY, Path("a"))
    assert tally.auc == [1.0, 0.5]
    assert tally.first == [True, False]
    assert tally.highest_absent == []
    assert tally.report()["router"]["auc, all segments of all videos"] == 0.75  # type: ignore[index]


def test_the_highest_relevance_counts_where_nothing_is_there():
    tally, story = Tally(), (EMPTY, CAR, FISH)
    told = asked("when", "plane", story)
    for highest in (0.4, 0.6, 0.1):
        tally.add(told, run("There was no plane.", 0.05, highest, 0.01), story, Path("a"))
    assert tally.right == {"absent": [True, True, True]}
    found = tally.report()["router"]["absent: highest relevance under 0.5"]  # type: ignore[index]
    assert (found["right"], found["n"]) == (66.7, 3)
    assert not tally.first


def test_every_family_and_two_absences_are_asked():
    random = np.random.default_rng(0)
    story = (EMPTY, shows("red car right", "white star still"), FISH, EMPTY)
    for _ in range(10):
        told = questions_about(random, story, TIMES)
        assert [one.question.family for one in told if one.there] == list(FAMILIES)
        assert sum(not one.there for one in told) == 2
        assert all(one.answer == words.answer(one.question, story, TIMES) for one in told)
    assert {one.held_out for one in told} == {True, False}
