"""What counts as right, and how it is counted."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tempo_cli.schema import Run
from training import answers, words
from training.beyond import held_out_fillers, held_out_questions
from training.evaluate import Tally, share, weak_relevance
from training.phrasings import BEYOND, FAMILIES
from training.trials import NEW, Asked, conversations, is_twice, plan, questions_about, with_fillers
from training.words import Content, Question

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
    row = (family if there else "absent") + (NEW if held_out else "")
    return Asked(one, answers.answer(one, story, TIMES) or "", there, held_out, row)


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


def test_questions_that_are_repeated_with_a_filler_count_in_their_rows_only():
    tally, story = Tally(), (EMPTY, CAR, FISH)
    told = replace(asked("colour", "car", story), row="with a filler")
    tally.add(told, run("I can't tell.", 0.1, 0.2, 0.2), story, Path("a.mp4"))
    assert tally.right == {"with a filler": [False]}
    assert [one["mistake"] for one in tally.wrong] == ["declines what it could answer"]
    assert (tally.declined, tally.relevance, tally.auc, tally.first, tally.highest_there) == (
        [],
        [],
        [],
        [],
        [],
    )


@pytest.mark.parametrize(
    ("text", "answer", "fine"),
    [
        ("Who drove the car?", "I can't tell.", True),
        ("Why did the plane land?", "There was no plane.", True),
        ("Is the red tree an oak?", "No, there was no red tree.", True),
        ("Why is it white?", "There was nothing white.", True),
        ("Who drove the car?", "There was no car.", False),  # there is one
        ("Was there a plant?", "There was no plane.", False),  # not what was asked
        ("Why is it red?", "There was nothing red.", False),
        ("Who drove the plane?", "The plane moved left.", False),
    ],
)
def test_what_can_not_be_answered_may_be_rightly_denied(text, answer, fine):
    tally, story = Tally(), (EMPTY, CAR, FISH)
    asked = Asked(words.Question(BEYOND, text, None, None), words.DECLINE, False, True, "beyond: mixed")
    tally.add(asked, run(answer, 0, 0, 0), story, Path("a"))
    assert tally.denied == [fine]
    assert tally.right["beyond: mixed"] == [answer == words.DECLINE]


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


STORY_OF_TWO = tuple(
    replace(content, span=(4.0 * number, 4.0 * number + 4))
    for number, content in enumerate(
        (
            EMPTY,
            shows("red car right", "white star still"),
            EMPTY,
            FISH,
            EMPTY,
            shows("red car left", group=4),
        )
    )
)
LATER = (2.0, 6.0, 10.0, 14.0, 18.0, 22.0)


def test_every_family_is_asked_and_more():
    random = np.random.default_rng(0)
    for number in range(6):
        told = questions_about(random, STORY_OF_TWO, LATER, number)
        rows = [one.row.removesuffix(NEW) for one in told]
        assert set(FAMILIES) - {"colour"} <= set(rows)
        assert {"count", "list", "first", "last", "at", "after", "moved", "absent", "twice"} <= set(rows)
        assert rows.count("absent") == 2
        assert sum(row.startswith("beyond: ") for row in rows) == 5
        for one in told:
            if not one.row.startswith(("beyond", "typed", "mistyped")):
                assert one.answer == answers.answer(one.question, STORY_OF_TWO, LATER)
                assert is_twice(one.answer) == one.row.startswith("twice") or one.row.startswith("list")
    assert {one.held_out for one in told} == {True, False}


def test_what_is_typed_in_a_hurry_is_asked_as_written_too():
    told = questions_about(np.random.default_rng(1), STORY_OF_TWO, LATER, 0)
    for row in ("typed in a hurry", "mistyped"):
        rough, plain = (
            [one for one in told if one.row == name] for name in (row, f"{row}: the same, as written")
        )
        assert [one.answer for one in rough] == [one.answer for one in plain]
        assert len(rough) == 6
        assert [one.question.text for one in rough] != [one.question.text for one in plain]


def test_some_questions_are_asked_with_a_filler_that_is_held_out():
    asked = questions_about(np.random.default_rng(1), STORY_OF_TWO, LATER, 0)
    told = with_fillers(np.random.default_rng(2), asked)
    assert [one.row for one in told] == ["with a filler", "with a filler: the same, as written"] * 6
    said = set(held_out_fillers())
    for filled, plain in zip(told[::2], told[1::2], strict=True):
        assert filled.answer == plain.answer
        assert plain.question in [one.question for one in asked]
        more = filled.question.text.replace(",", "")
        assert any(f" {word}" in more for word in said)
        for word in said:
            more = more.replace(f" {word}", "")
        assert more == plain.question.text.replace(",", "")


def test_all_held_out_questions_get_their_turn():
    random, told = np.random.default_rng(0), set()
    every = held_out_questions()
    for number in range(-(-len(every) // 5)):
        asked_of = questions_about(random, STORY_OF_TWO, LATER, number)
        told |= {one.question.text for one in asked_of if one.row.startswith("beyond")}
        assert {one.answer for one in asked_of if one.row.startswith("beyond")} == {words.DECLINE}
    assert told == {text for _, text in every}
    assert len(every) >= 300


def test_a_conversation_goes_on_with_a_question_that_was_asked():
    random = np.random.default_rng(2)
    asked_of = questions_about(random, STORY_OF_TWO, LATER, 0)
    for one, first in conversations(random, asked_of, STORY_OF_TWO, LATER):
        assert one.question.earlier[-1].question == asked_of[first].question.text
        assert one.question.earlier[-1].answer == asked_of[first].answer
        assert one.answer == answers.answer(one.question, STORY_OF_TWO, LATER)


def test_declining_is_counted_by_itself():
    tally, story = Tally(), (EMPTY, CAR, FISH)
    beyond = Asked(
        Question("beyond", "Is there a dog?", None, None), words.DECLINE, False, True, "beyond: things"
    )
    tally.add(beyond, run(words.DECLINE, 0.1, 0.2, 0.4), story, Path("a"))
    tally.add(beyond, run("There was no car.", 0.1, 0.7, 0.4), story, Path("a"))
    tally.add(asked("colour", "car", story), run(words.DECLINE, 0, 1, 0), story, Path("a"))
    tally.add(asked("colour", "car", story), run("The car was red.", 0, 1, 0), story, Path("a"))
    found = tally.report()
    assert tally.right["beyond: things"] == [True, False]
    assert found["answerable but declined"]["right"] == 50.0  # type: ignore[index]
    assert found["router"]["beyond: highest relevance under 0.5"]["right"] == 50.0  # type: ignore[index]
    assert found["mistakes"] == {"claims to know what it can't": 1, "declines what it could answer": 1}


def test_weak_relevance_lies_between_both_sorts_of_questions():
    assert weak_relevance([0.9, 0.95, 1.0], [0.1, 0.3]) == 0.61
    assert weak_relevance([], [0.1]) is None


def test_some_scenes_bring_a_thing_back():
    random = np.random.default_rng(0)
    back = 0
    for _ in range(40):
        scene = plan(random, 60.0, 16 / 9)
        named = [tuple((thing.kind, thing.colour) for thing in group) for group in scene.groups]
        back += len(set(named)) < len(named)
        assert all(group[0].end <= after[0].start for group, after in pairwise(scene.groups))
    assert 8 <= back <= 30
