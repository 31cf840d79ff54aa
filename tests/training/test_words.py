"""Questions and answers: exact sentences of hand-written stories, and phrasings that leave nothing open."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from training import answers, asking, phrasings, words
from training.asking import phrase
from training.phrasings import ALL, COMBINED, FAMILIES, HELD_OUT, MORE, PHRASINGS
from training.scene import COLOURS, KINDS, MOTIONS
from training.shape import MEMORY
from training.words import Content, Question, Seen

WRITTEN = PHRASINGS | MORE
TIMES = (2.0, 6.0, 10.04, 14.0)
SLOW = (14.0, 42.0, 70.04, 3604.0)  # fewer than two frames per second
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
    return answers.answer(question(family, about), story, TIMES[: len(story)])


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
    ("when", "car", CAR, "The car appeared between 4 and 8 seconds."),
    ("when", "red car", CAR, "The red car appeared between 4 and 8 seconds."),
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


def test_the_time_is_the_span_of_the_first_segment_that_shows_it():
    assert answer("when", "car", EMPTY, EMPTY, CAR, CAR) == "The car appeared between 8 and 12 seconds."
    assert answer("when", "car", CAR) == "The car appeared between 0 and 4 seconds."


def test_at_other_rates_the_time_is_the_segment_s_tag():
    told = [answers.answer(question("when", "car"), [EMPTY] * n + [CAR], SLOW[: n + 1]) for n in (2, 3)]
    assert told == ["The car appeared around 70.0 seconds.", "The car appeared around 3604.0 seconds."]
    assert answers.span_of((2.1, 6.2, 10.29), 1) == "between 4 and 8 seconds"  # a length rounded to frames
    assert answers.span_of((2.1, 6.2, 10.4), 1) == "around 6.2 seconds"


def test_a_glimpse_before_leaves_the_time_open_and_one_after_does_not():
    glimpse = shows(unclear=["red car right"])
    assert answer("when", "car", EMPTY, glimpse, CAR) is None
    assert answer("when", "car", EMPTY, CAR, glimpse) == "The car appeared between 4 and 8 seconds."
    assert answer("colour", "car", glimpse, CAR) == "The car was red."


@pytest.mark.parametrize("family", ["together", "describe"])
def test_two_things_of_a_name_leave_their_company_open(family):
    for other in ("blue car right", "red car right"):
        assert answer(family, "car", CAR, EMPTY, shows(other, group=1)) is None
    assert answer(family, "car", CAR, shows(unclear=["blue car right"], group=1)) is None
    told = answer(family, "red car", CAR, shows("blue car right", group=1))
    assert told == (answer(family, "red car", CAR))


TWO = [
    ("colour", "car", "blue car left", "The car was red, then blue."),
    ("colour", "car", "red car left", "The car was red."),
    ("object", "red", "red fish left", "The red thing was a car, then a fish."),
    ("direction", "car", "red car left", "The car moved right, then moved left."),
    ("direction", "car", "blue car right", "The car moved right."),
    ("direction", "car", "red car still", "The car moved right, then stayed still."),
    ("presence", "car", "blue car left", "Yes, there was a car."),
    ("when", "car", "red car left", "The car appeared between 0 and 4 seconds and between 8 and 12 seconds."),
    ("times", "car", "red car left", "The car appeared twice."),
    ("times", "red car", "blue car left", "The red car appeared once."),
    ("count", "car", "blue car left", "There were two cars."),
    ("count", "car", "red car left", "There was one car."),
    ("count", "red", "red fish left", "There were two red things."),
    ("hue", "car", "blue car left", None),
    ("turn", "car", "red car left", None),
]


@pytest.mark.parametrize(("family", "about", "later", "right"), TWO)
def test_a_thing_that_comes_twice_is_told_of_twice(family, about, later, right):
    assert answer(family, about, CAR, EMPTY, shows(later, group=1)) == right


def test_a_glimpse_of_another_one_leaves_it_open():
    for family in ("colour", "presence", "when", "direction", "count", "times"):
        assert answer(family, "car", CAR, EMPTY, shows(unclear=["blue car right"], group=1)) is None


def test_more_than_two_times_are_left_open_and_three_are_counted():
    thrice = [CAR, EMPTY, shows("red car left", group=1), EMPTY, shows("blue car up", group=2)]
    times = (*TIMES, 18.0)
    told = {
        name: answers.answer(question(name, "car"), thrice, times) for name in ("when", "direction", "times")
    }
    assert told == {"when": None, "direction": None, "times": "The car appeared three times."}
    assert answers.answer(question("colour", "car"), thrice, times) == "The car was red, then blue."


def test_two_in_a_row_are_no_two_stretches():
    for family in ("when", "times"):
        assert answer(family, "car", CAR, shows("red car left", group=1)) is None
    assert (
        answer("direction", "car", CAR, shows("red car left", group=1))
        == "The car moved right, then moved left."
    )


def offering(family: str, about: str, choice: str) -> Question:
    names = COLOURS if family == "hue" else MOTIONS
    return replace(question(family, about), choice=names.index(choice))


def test_yes_and_no_come_with_what_is_right():
    told = {
        ("hue", "car", "red"): "Yes, the car was red.",
        ("hue", "car", "blue"): "No, the car was red.",
        ("hue", "fish", "blue"): "There was no fish.",
        ("turn", "car", "right"): "Yes, the car moved right.",
        ("turn", "red car", "up"): "No, the red car moved right.",
        ("turn", "house", "left"): "No, the house stayed still.",
    }
    for (family, about, choice), right in told.items():
        assert answers.answer(offering(family, about, choice), [EMPTY, TRIO], TIMES[:2]) == right
    assert answer("moved", "car", EMPTY, TRIO) == "Yes, the car moved right."
    assert answer("moved", "house", EMPTY, TRIO) == "No, the house stayed still."
    assert answer("hues", "car", EMPTY, TRIO) == "The car was red."
    assert answer("ways", "car", EMPTY, TRIO) == "The car moved right."


def test_counts_go_from_none_to_three():
    cars = [shows(f"{colour} car up", group=n) for n, colour in enumerate(("red", "blue", "green", "white"))]
    assert answer("count", "fish", *cars) == "There was no fish."
    assert answer("count", "fish", shows("red fish up"), shows("blue fish up")) == "There were two fish."
    assert answer("count", "car", *cars[:3]) == "There were three cars."
    assert answer("count", "car", *cars) is None


# --- whole videos -------------------------------------------------------------------------------------------


def spanned(*story: Content) -> list[Content]:
    return [replace(one, span=(4.0 * number, 4.0 * number + 4)) for number, one in enumerate(story)]


FISH, DUO = shows("blue fish left", group=1), shows("white plane up", "green tree still", group=2)


def test_lists_name_each_thing_once_and_in_order():
    assert answer("list", "", EMPTY, CAR, CAR, FISH) == "A red car, then a blue fish."
    assert answer("list", "", FISH, CAR, FISH) == "A blue fish, then a red car."
    assert answer("list", "", EMPTY, DUO) == "A white plane and a green tree."
    assert answer("list", "", EMPTY) == "There was nothing."
    assert answer("list", "", CAR, shows(unclear=["blue fish up"], group=1)) is None
    assert answer("list", "", shows(unclear=["red car up"]), CAR, EMPTY) == "A red car."


def test_a_segment_s_things_are_listed_by_group_and_then_by_name():
    both = Content(
        (seen("red car up", group=4), seen("white boat up", group=4), seen("blue tree up", group=3))
    )
    assert answer("list", "", both) == "A blue tree and a white boat and a red car."
    assert words.memory_words(question("list", ""), both) == ["blue tree", "white boat", "red car"]
    assert answer("first", "", both, FISH) == "First there was a blue tree."
    assert answer("last", "", FISH, both) == "Last there was a white boat and a red car."


def test_for_a_list_the_memory_also_holds_what_an_earlier_segment_has_named():
    both = Content((seen("red car up"), seen("blue tree up", group=1)), span=(4.0, 8.0))
    assert words.memory_words(question("list", ""), both) == ["red car", "blue tree"]
    assert words.memory_words(question("list", ""), replace(both, clear=())) == ["nothing"]
    assert answer("list", "", CAR, both) == "A red car, then a blue tree."


def test_first_and_last_are_groups():
    assert answer("first", "", EMPTY, CAR, DUO) == "First there was a red car."
    assert answer("last", "", EMPTY, CAR, DUO) == "Last there was a white plane and a green tree."
    assert answer("first", "", EMPTY) == answer("last", "", EMPTY) == "There was nothing."


def test_what_is_there_at_a_time_is_what_its_segment_shows():
    story = spanned(EMPTY, DUO, CAR)
    told = {}
    for second, moment in ((3, "0:03"), (4, "0:04"), (7, "7 seconds"), (8, "0:08"), (99, "1:39")):
        asked = Question("at", "?", None, None, None, second, moment)
        told[second] = answers.answer(asked, story, TIMES[:3])
        states = [words.relevance(asked, content) for content in story]
        assert states == [second < 4, 4 <= second < 8, 8 <= second < 12]
    assert told == {
        3: "At 0:03 there was nothing.",
        4: "At 0:04 there was a white plane and a green tree.",
        7: "At 7 seconds there was a white plane and a green tree.",
        8: "At 0:08 there was a red car.",
        99: "At 1:39 there was nothing.",
    }


def test_what_comes_after_is_the_next_group():
    assert answer("after", "car", CAR, EMPTY, FISH, DUO) == "After that there was a blue fish."
    assert answer("after", "car", CAR, CAR, DUO) == "After that there was a white plane and a green tree."
    assert answer("after", "fish", CAR, FISH) == "After that there was nothing."
    assert answer("after", "boat", CAR, FISH) == "There was no boat."
    shared = Content((seen("red car up"), seen("blue fish up", group=1)))
    assert answer("after", "car", shared, DUO) is None  # it has begun already


def test_the_memory_tells_nothing_twice():
    cars = [seen("red car left"), seen("blue car up", group=1), seen("red car left", group=2)]
    three = Content(tuple(cars))
    assert words.memory_words(question("count", "car"), three) == ["red", "blue"]
    assert words.memory_words(question("count", "red"), three) == ["car"]
    assert words.memory_words(question("count", "red car"), three) == ["yes"]
    assert words.memory_words(question("colour", "car"), three) == ["red", "blue", "red"]
    assert words.memory_words(question("direction", "red car"), three) == ["left"]
    five = Content(tuple(seen("red car left", group=group) for group in range(5)))
    assert words.memory_words(question("count", "car"), five) == ["red"]
    assert words.memory_words(question("colour", "car"), five) == ["red"]


def test_the_memory_marks_what_was_asked_for_where_the_decoder_would_have_to_compare():
    shared = Content((seen("red car up"), seen("blue fish up", group=1)))
    after = question("after", "car")
    assert words.memory_words(after, CAR) == ["yes"]
    assert words.memory_words(after, shared) == ["yes"]
    assert words.memory_words(after, FISH) == ["blue fish"]
    assert words.memory_words(after, EMPTY) == ["nothing"]
    unnamed = replace(after, told=True)  # the compressor can't know which thing was told of
    assert words.memory_words(unnamed, shared) == ["red car", "blue fish"]
    two = shows("red car left", "blue car right")
    assert words.memory_words(offering("hue", "car", "red"), two) == ["blue", "yes"]
    assert words.memory_words(offering("hue", "car", "white"), two) == ["blue", "red"]
    assert words.memory_words(offering("hue", "fish", "red"), two) == ["nothing"]


# --- beyond -------------------------------------------------------------------------------------------------


def test_what_is_beyond_is_declined_and_relevant_nowhere():
    asked = Question("beyond", "Is there a dog?", None, None)
    assert answers.answer(asked, [CAR, TRIO], TIMES[:2]) == words.DECLINE == "I can't tell."
    assert words.relevance(asked, CAR) is False
    assert words.memory_words(asked, CAR) == ["else"]


@pytest.mark.parametrize("family", ALL)
def test_foreign_footage_is_declined_whatever_is_asked(family):
    foreign = Content(span=(0.0, 4.0), foreign=True)
    asked = replace(question(family, "red" if family == "object" else "car"), second=1.0, moment="0:01")
    assert words.relevance(asked, foreign) is False
    assert words.memory_words(asked, foreign) == ["else"]
    assert answers.answer(asked, [foreign, foreign], TIMES[:2]) == words.DECLINE


def test_little_foreign_footage_is_passed_over():
    foreign = Content(foreign=True)
    assert answer("colour", "car", foreign, CAR, EMPTY) == "The car was red."
    assert answer("colour", "car", foreign, EMPTY, EMPTY) == "There was no car."
    assert answer("colour", "car", foreign, EMPTY) == words.DECLINE


# --- one stretch --------------------------------------------------------------------------------------------


def test_a_thing_may_reach_over_segments():
    first, last = shows("red car ?"), shows("red car right")
    told = {
        "colour": "The car was red.",
        "direction": "The car moved right.",
        "when": "The car appeared between 0 and 4 seconds.",
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
        ("together", "car", ["orange ball", "white house"]),
        ("describe", "car", ["red car", "orange ball", "white house"]),
    ],
)
def test_the_memory_holds_what_the_answer_needs(family, about, held):
    assert words.memory_words(question(family, about), TRIO) == held
    assert words.memory_words(question(family, about), shows("blue fish left")) == ["nothing"]
    assert words.memory_words(question(family, about), EMPTY) == ["nothing"]
    assert words.memory_words(question(family, about), shows(unclear=["red car right"])) == ["nothing"]


def test_the_memory_of_one_that_is_alone_says_so():
    assert words.memory_words(question("together", "car"), CAR) == ["alone"]
    assert words.memory_words(question("describe", "car"), CAR) == ["red car", "alone"]


def test_the_memory_is_open_where_the_segment_leaves_it_open():
    two = Content((seen("red car up"), seen("blue car up", group=1)))
    assert words.memory_words(question("colour", "car"), two) == ["red", "blue"]
    assert words.memory_words(question("together", "car"), two) is None
    assert (
        words.memory_words(question("together", "car"), shows("red car up", unclear=["blue fish up"])) is None
    )


def partly(text: str, group: int = 0) -> Content:
    return Content(unclear=(replace(seen(text, group), partly=True),))


@pytest.mark.parametrize(
    ("family", "about", "held"),
    [
        ("colour", "car", ["red"]),
        ("object", "red", ["car"]),
        ("direction", "car", ["right"]),
        ("count", "car", ["red"]),
        ("list", "", ["red car"]),
        ("last", "", ["red car"]),
        ("after", "car", ["yes"]),
        ("after", "fish", ["red car"]),
        ("presence", "car", ["yes"]),
        ("when", "car", ["yes"]),
        ("hue", "car", ["red"]),
        ("together", "car", None),
        ("colour", "fish", ["nothing"]),
    ],
)
def test_the_memory_names_what_is_partly_in_the_frame(family, about, held):
    assert words.memory_words(question(family, about), partly("red car right")) == held


def test_what_is_hardly_in_the_frame_is_not_named_in_scenes():
    hardly = shows(unclear=["red car right"])
    for family in ("list", "first", "last", "after"):
        assert words.memory_words(question(family, "fish"), hardly) == ["nothing"]
    beside = replace(hardly, clear=(seen("blue fish up"),))
    assert words.memory_words(question("list", ""), beside) == ["blue fish"]


def test_a_motion_that_can_not_be_told_is_marked():
    assert words.memory_words(question("direction", "car"), shows("red car ?")) == ["yes"]
    two = Content((seen("red car ?"), seen("blue car up", group=1)))
    assert words.memory_words(question("turn", "car"), two) == ["yes", "up"]


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


OFFERED = {"hue": "red", "hues": "red", "turn": "left", "ways": "left"}


def askable(family: str) -> list[tuple[int | None, int | None]]:
    """Every kind, colour or pair of them that the family asks about."""
    kinds, colours = range(len(KINDS)), range(len(COLOURS))
    if family in ("list", "first", "last", "at"):
        return [(None, None)]
    if family == "object":
        return [(None, colour) for colour in colours]
    alone = [(kind, None) for kind in kinds]
    return (
        alone
        if family in ("colour", "hue", "hues")
        else alone + [(kind, colour) for kind in kinds for colour in colours]
    )


@pytest.mark.parametrize("family", ALL)
@pytest.mark.parametrize("side", ["written", "combined", "held out"])
def test_every_phrasing_is_a_sentence_for_everything(family, side):
    written = len(WRITTEN[family])
    combined = len(COMBINED.get(family, ()))
    count = {"written": written - HELD_OUT, "combined": combined, "held out": HELD_OUT}[side]
    told = set()
    for number in range(count):
        for kind, colour in askable(family):
            chosen = Chosen(number, side == "combined") if family in COMBINED else Chosen(number)
            hue = OFFERED.get(family, "")
            text = phrase(chosen, family, kind, colour, side == "held out", hue, "blue", "at 0:12")
            name = Question(family, "", kind, colour).name
            named = COLOURS[colour] if family == "object" else name
            assert named in text or (kind, colour) == (None, None)
            assert hue in text.lower()
            assert not re.search(r"[{}]|  |None|\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", text), text
            told.add(text)
    twins = 9 if (family, side) == ("presence", "written") else 0  # "any fish?" is one and many
    assert len(told) == count * len(askable(family)) - twins


def plain(text: str) -> str:
    """Without case, decoration or punctuation at the end."""
    text = text.replace("colour", "color").lower().rstrip("?.")
    for extra in phrasings.BEFORE:
        text = text.removeprefix(extra.lower())
    for extra in phrasings.AFTER:
        text = text.removesuffix(extra.lower().rstrip("."))
    return text.rstrip("?.")


def bare(text: str) -> str:
    """Without words on where, as well."""
    text = plain(text)
    for extra in phrasings.WHERE:
        text = text.removesuffix(extra)
    return text


def test_no_phrasing_is_both_trained_on_and_held_out_nor_of_two_families():
    sides = [
        {plain(text) for text in texts}
        for family in ALL
        for texts in (
            (*WRITTEN[family][:-HELD_OUT], *COMBINED.get(family, ())),
            WRITTEN[family][-HELD_OUT:],
        )
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
        [bare(text.format(it="car", a="a car", tint="red", these="cars")) for text in texts]
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
        asked = asking.ask(random, story, family, answerable=True)
        assert words.relevance(asked, Content(tuple(one for own in story for one in own.clear))) is True
        answered += answers.answer(asked, story, TIMES) is not None
        absent = asking.ask(random, story, family, answerable=False)
        if absent is not None:
            assert not any(absent.means(one) for own in story for one in own.everything)
            assert answers.answer(absent, story, TIMES) == answers.negative(absent)
    assert answered > 30


def test_nothing_can_be_asked_about_an_empty_story():
    assert asking.ask(np.random.default_rng(0), [EMPTY], "colour", answerable=True) is None
    assert asking.ask(np.random.default_rng(0), [EMPTY], "colour", answerable=False) is not None


def test_a_kind_that_is_there_in_two_colours_is_asked_for_with_its_colour():
    random = np.random.default_rng(3)
    story = [shows("red car up"), shows("blue car down", group=1)]
    for family in ("presence", "when", "direction", "together", "describe"):
        for _ in range(20):
            asked = asking.ask(random, story, family, answerable=True)
            assert asked.colour is not None
            assert answers.answer(asked, story, TIMES) is not None


def test_new_phrasings_are_dressed_as_known_ones():
    random = np.random.default_rng(0)
    for held_out in (False, True):
        told = [phrase(random, "colour", 2, None, held_out) for _ in range(600)]
        assert any(text.startswith(phrasings.BEFORE) for text in told)
        assert any("colour" in text for text in told)
        small = sum(text[0].islower() for text in told)
        bare = sum(text[-1] not in ".?" for text in told)
        assert (small / 600, bare / 600) == (pytest.approx(0.25, abs=0.08), pytest.approx(0.25, abs=0.08))
