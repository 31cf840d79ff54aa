"""Questions and answers: exact sentences of hand-written stories, and phrasings that leave nothing open."""

import re
from collections.abc import Sequence

import numpy as np
import pytest

from training import words
from training.scene import COLOURS, KINDS, MOTIONS
from training.shape import MEMORY
from training.words import COMBINED, FAMILIES, HELD_OUT, PHRASINGS, Content, Question, Seen, phrase

TIMES = (2.0, 6.0, 10.04, 3604.0)
EMPTY = Content()


def seen(text: str, group: int = 0) -> Seen:
    """`red car right`; `red car ?` where its motion can't be told."""
    colour, kind, motion = text.split()
    way = None if motion == "?" else MOTIONS.index(motion)
    return Seen(KINDS.index(kind), COLOURS.index(colour), way, group)


def shows(*texts: str, unclear: Sequence[str] = (), group: int = 0) -> Content:
    return Content(tuple(seen(text, group) for text in texts), tuple(seen(text, group) for text in unclear))


def question(family: str, about: str) -> Question:
    """About `car`, `red` or `red car`."""
    kinds = [KINDS.index(word) for word in about.split() if word in KINDS]
    colours = [COLOURS.index(word) for word in about.split() if word in COLOURS]
    return Question(family, "?", kinds[0] if kinds else None, colours[0] if colours else None)


def answer(family: str, about: str, *story: Content) -> str | None:
    return words.answer(question(family, about), story, TIMES[: len(story)])


# --- answers ------------------------------------------------------------------------------------------------

CAR = shows("red car right")
TRIO = shows("orange ball up", "red car right", "white house still")
THERE = [
    ("colour", "car", CAR, "The car was red."),
    ("colour", "house", TRIO, "The house was white."),
    ("object", "red", CAR, "The red thing was a car."),
    ("object", "orange", shows("orange ball up"), "The orange thing was a ball."),
    ("presence", "car", CAR, "Yes, there was a car."),
    ("presence", "orange ball", TRIO, "Yes, there was an orange ball."),
    ("when", "car", CAR, "The car appeared at 6.0 seconds."),
    ("when", "red car", CAR, "The red car appeared at 6.0 seconds."),
    ("direction", "car", CAR, "The car moved right."),
    ("direction", "ball", TRIO, "The ball moved up."),
    ("direction", "white house", TRIO, "The white house stayed still."),
    ("together", "car", CAR, "The car was alone."),
    ("together", "car", TRIO, "With the car there was an orange ball and a white house."),
    (
        "together",
        "car",
        shows("red car up", "blue house up", "white ball up"),
        "With the car there was a white ball and a blue house.",
    ),
    (
        "together",
        "red car",
        shows("red car right", "blue fish left"),
        "With the red car there was a blue fish.",
    ),
    ("describe", "car", CAR, "A red car, alone."),
    ("describe", "ball", TRIO, "An orange ball with a red car and a white house."),
    ("describe", "house", TRIO, "A white house with an orange ball and a red car."),
]


@pytest.mark.parametrize(("family", "about", "content", "right"), THERE)
def test_what_is_there_gets_its_sentence(family, about, content, right):
    assert answer(family, about, EMPTY, content, EMPTY) == right


@pytest.mark.parametrize(
    ("family", "about", "right"),
    [
        ("colour", "car", "There was no car."),
        ("object", "orange", "There was nothing orange."),
        ("presence", "car", "No, there was no car."),
        ("presence", "orange ball", "No, there was no orange ball."),
        ("when", "car", "There was no car."),
        ("direction", "black car", "There was no black car."),
        ("together", "car", "There was no car."),
        ("describe", "orange ball", "There was no orange ball."),
    ],
)
def test_what_is_not_there_is_said_not_to_be(family, about, right):
    assert answer(family, about, EMPTY, shows("blue fish left")) == right
    assert answer(family, about, EMPTY) == right


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_only_hardly_seen_has_no_answer(family):
    about = "red" if family == "object" else "car"
    assert answer(family, about, EMPTY, shows(unclear=["red car right"])) is None


def test_the_time_is_that_of_the_first_segment_that_shows_it():
    assert answer("when", "car", EMPTY, EMPTY, CAR, CAR) == "The car appeared at 10.0 seconds."
    assert answer("when", "car", EMPTY, EMPTY, EMPTY, CAR) == "The car appeared at 3604.0 seconds."


def test_a_glimpse_before_leaves_the_time_open_and_one_after_does_not():
    glimpse = shows(unclear=["red car right"])
    assert answer("when", "car", EMPTY, glimpse, CAR) is None
    assert answer("when", "car", EMPTY, CAR, glimpse) == "The car appeared at 6.0 seconds."
    assert answer("colour", "car", glimpse, CAR) == "The car was red."


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "object"])
def test_two_things_of_a_name_leave_everything_open(family):
    for other in ("blue car right", "red car right"):
        story = CAR, EMPTY, shows(other, group=1)
        assert answer(family, "car", *story) is None
    assert answer(family, "car", CAR, shows(unclear=["blue car right"], group=1)) is None
    told = answer(family, "red car", CAR, shows("blue car right", group=1))
    assert told == (answer(family, "red car", CAR))


def test_two_things_of_a_colour_leave_open_which_it_was():
    assert answer("object", "red", shows("red car right"), shows("red fish left", group=1)) is None


def test_a_thing_may_reach_over_segments():
    first, last = shows("red car ?"), shows("red car right")
    told = {
        "colour": "The car was red.",
        "direction": "The car moved right.",
        "when": "The car appeared at 2.0 seconds.",
        "describe": "A red car, alone.",
    }
    for family, right in told.items():
        assert answer(family, "car", first, last) == right
    assert answer("direction", "car", first, first) is None


def test_company_that_differs_between_segments_is_left_open():
    with_fish = shows("red car right", "blue fish left")
    for family in ("together", "describe"):
        assert answer(family, "car", with_fish, with_fish) == answer(family, "car", with_fish) is not None
        assert answer(family, "car", with_fish, CAR) is None
        assert answer(family, "car", with_fish, shows("red car right", unclear=["blue fish left"])) is None
    assert answer("colour", "car", with_fish, CAR) == "The car was red."


def test_company_of_another_group_is_no_company():
    both = Content((seen("red car right"), seen("blue fish left", group=1)))
    assert answer("together", "car", both) is None
    assert answer("direction", "car", both) == "The car moved right."


# --- memory -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "about", "held"),
    [
        ("colour", "car", ["red"]),
        ("object", "red", ["car"]),
        ("presence", "car", ["yes"]),
        ("when", "car", ["yes"]),
        ("direction", "car", ["right"]),
        ("together", "car", ["orange", "ball", "white", "house"]),
        ("describe", "car", ["red", "car", "orange", "ball", "white", "house"]),
    ],
)
def test_the_memory_holds_what_the_answer_needs(family, about, held):
    assert words.memory_words(question(family, about), TRIO) == held
    assert words.memory_words(question(family, about), shows("blue fish left")) == ["nothing"]
    assert words.memory_words(question(family, about), EMPTY) == ["nothing"]
    assert words.memory_words(question(family, about), shows(unclear=["red car right"])) is None


def test_the_memory_of_one_that_is_alone_says_so():
    assert words.memory_words(question("together", "car"), CAR) == ["alone"]
    assert words.memory_words(question("describe", "car"), CAR) == ["red", "car", "alone"]


def test_the_memory_is_open_where_the_segment_leaves_it_open():
    assert words.memory_words(question("colour", "car"), shows("red car up", "blue car up")) is None
    assert words.memory_words(question("direction", "car"), shows("red car ?")) is None
    assert (
        words.memory_words(question("together", "car"), shows("red car up", unclear=["blue fish up"])) is None
    )


def test_a_thing_that_is_clear_counts_before_one_that_is_not():
    content = shows("red car up", unclear=["blue car up"])
    assert words.relevance(question("colour", "car"), content) is True
    assert words.relevance(question("colour", "blue car"), content) is None
    assert words.relevance(question("colour", "fish"), content) is False


def test_no_memory_is_longer_than_its_tokens():
    assert len(words.memory_words(question("describe", "car"), TRIO)) <= MEMORY


# --- phrasings ----------------------------------------------------------------------------------------------


class Chosen:
    """Randomness that takes phrasing `number`: one of `COMBINED` or not; with `chance` 0 every decoration."""

    def __init__(self, number: int, combined: bool = False, chance: float = 0.999) -> None:
        self.number, self.chance = number, chance
        self.first: float | None = 0.0 if combined else 0.999

    def choice(self, options: Sequence[str]) -> str:
        return options[self.number % len(options)]

    def random(self) -> float:
        first, self.first = self.first, None
        return self.chance if first is None else first


def askable(family: str) -> list[tuple[int | None, int | None]]:
    """Every kind, colour or pair of them that the family asks about."""
    kinds, colours = range(len(KINDS)), range(len(COLOURS))
    if family == "object":
        return [(None, colour) for colour in colours]
    alone = [(kind, None) for kind in kinds]
    return alone if family == "colour" else alone + [(kind, colour) for kind in kinds for colour in colours]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("side", ["written", "combined", "held out"])
def test_every_phrasing_is_a_sentence_for_everything(family, side):
    written = len(PHRASINGS[family])
    count = {"written": written - HELD_OUT, "combined": len(COMBINED[family]), "held out": HELD_OUT}[side]
    told = set()
    for number in range(count):
        for kind, colour in askable(family):
            text = phrase(Chosen(number, side == "combined"), family, kind, colour, side == "held out")
            name = Question(family, "", kind, colour).name
            named = COLOURS[colour] if family == "object" else name
            assert named in text
            assert not re.search(r"[{}]|  |None|\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", text), text
            told.add(text)
    assert len(told) == count * len(askable(family))


def plain(text: str) -> str:
    """Without case, decoration or punctuation at the end."""
    text = text.replace("colour", "color").lower().rstrip("?.")
    for extra in words._BEFORE:
        text = text.removeprefix(extra.lower())
    for extra in words._AFTER:
        text = text.removesuffix(extra.lower().rstrip("."))
    return text.rstrip("?.")


def bare(text: str) -> str:
    """Without words on where, as well."""
    text = plain(text)
    for extra in words._WHERE:
        text = text.removesuffix(extra)
    return text


def test_no_phrasing_is_both_trained_on_and_held_out_nor_of_two_families():
    sides = [
        {plain(text) for text in texts}
        for family in FAMILIES
        for texts in ((*PHRASINGS[family][:-HELD_OUT], *COMBINED[family]), PHRASINGS[family][-HELD_OUT:])
    ]
    assert sum(map(len, sides)) == len(set().union(*sides))


@pytest.mark.parametrize("family", FAMILIES)
def test_drawn_phrasings_stay_on_their_side(family):
    kind, colour = (None, 5) if family == "object" else (2, None)
    random = np.random.default_rng(0)
    sides = {
        held_out: {bare(phrase(random, family, kind, colour, held_out)) for _ in range(3000)}
        for held_out in (False, True)
    }
    written, combined = (
        [bare(text.format(it="car", a="a car", tint="red")) for text in texts]
        for texts in (PHRASINGS[family], COMBINED[family])
    )
    assert sides[False] == {*written[:-HELD_OUT], *combined}
    assert sides[True] == set(written[-HELD_OUT:])
    assert not sides[True] & sides[False]


def test_decoration_changes_no_word():
    text = phrase(Chosen(0, chance=0.0), "colour", 2, None)
    assert text == "in this video: What colour was the car in this video"
    assert phrase(Chosen(0), "colour", 2, None) == "What color was the car?"
    assert phrase(Chosen(0, combined=True), "colour", 2, None) == "Tell me what color the car has."


# --- asking -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_question_is_about_what_is_there_or_about_what_is_not(family):
    random = np.random.default_rng(3)
    story = [TRIO, EMPTY, shows("blue fish left", unclear=["black star up"], group=1)]
    answered = 0
    for _ in range(60):
        asked = words.ask(random, story, family, answerable=True)
        assert words.relevance(asked, Content(tuple(one for own in story for one in own.clear))) is True
        answered += words.answer(asked, story, TIMES) is not None
        absent = words.ask(random, story, family, answerable=False)
        if absent is not None:
            assert not any(absent.means(one) for own in story for one in own.everything)
            assert words.answer(absent, story, TIMES) == words._negative(absent)
    assert answered > 30


def test_nothing_can_be_asked_about_an_empty_story():
    assert words.ask(np.random.default_rng(0), [EMPTY], "colour", answerable=True) is None
    assert words.ask(np.random.default_rng(0), [EMPTY], "colour", answerable=False) is not None


def test_a_kind_that_is_there_in_two_colours_is_asked_for_with_its_colour():
    random = np.random.default_rng(3)
    story = [shows("red car up"), shows("blue car down", group=1)]
    for family in ("presence", "when", "direction", "together", "describe"):
        for _ in range(20):
            asked = words.ask(random, story, family, answerable=True)
            assert asked.colour is not None
            assert words.answer(asked, story, TIMES) is not None


def test_new_phrasings_are_dressed_as_known_ones():
    random = np.random.default_rng(0)
    for held_out in (False, True):
        told = [phrase(random, "colour", 2, None, held_out) for _ in range(600)]
        assert any(text.startswith(words._BEFORE) for text in told)
        assert any("colour" in text for text in told)
        small = sum(text[0].islower() for text in told)
        bare = sum(text[-1] not in ".?" for text in told)
        assert (small / 600, bare / 600) == (pytest.approx(0.25, abs=0.08), pytest.approx(0.25, abs=0.08))
