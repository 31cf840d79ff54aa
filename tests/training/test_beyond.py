"""Questions that can't be answered: broad, and nothing of what is held out."""

import re
from collections import Counter

import numpy as np
import pytest

from tempo_cli.plan.questions import checked_questions
from training import beyond, talk
from training.beyond import held_out_questions, question, unknown, words_of
from training.phrasings import ALL, BEYOND, COMBINED, FOLLOWING, HELD_OUT, MORE, PHRASINGS
from training.scene import KINDS
from training.typing_errors import filled, informal, mistyped, rough
from training.words import Question, plural

from .test_words import CAR, EMPTY, FISH


def drawn(count: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    return [question(random, ("marmalade", "sextant")) for _ in range(count)]


def test_there_are_thousands_of_them():
    told = drawn(4000)
    assert len(set(told)) > 3000
    assert all(text.strip() for text in told)
    assert not any(mark in text for text in told for mark in ("{", "}", "  the"))


def test_none_of_them_can_be_answered():
    answerable = {
        text.format(
            it="car", a="a car", tint="red", these="cars", hue="red", other="blue", at="at 0:12"
        ).lower()
        for family in ALL
        for text in (*(PHRASINGS.get(family) or MORE[family]), *COMBINED.get(family, ()))
    }
    assert not answerable & {text.lower() for text in drawn(4000)}


def test_words_that_are_held_out_stay_held_out():
    reserved = beyond._reserved()
    assert {"kitten", "pelican", "hovercraft", "broccoli"} <= reserved
    assert not reserved & beyond.KNOWN
    lists = {word for name in beyond._WORDS for entry in beyond._own(name) for word in words_of(entry)}
    assert not reserved & lists
    assert not {text.lower() for _, text in held_out_questions()} & {text.lower() for text in drawn(4000)}
    random = np.random.default_rng(0)
    assert not {unknown(random, ("kitten", "sextant")) for _ in range(300)} & reserved


def test_frames_name_directions():
    random = np.random.default_rng(1)
    told = {beyond._filled(random, "Why is the car moving {d}?", ()).split()[-1] for _ in range(40)}
    assert told == {"left?", "right?", "up?", "down?"}


def test_a_held_out_question_is_drawn_again(monkeypatch):
    told = iter(["why  PURPLE", "Why is it purple?"])
    monkeypatch.setattr(beyond, "_any", lambda *_: next(told))
    assert beyond.question(np.random.default_rng(0)) == "Why is it purple?"


def test_the_held_out_questions_are_of_many_sorts():
    sorts = Counter(sort for sort, _ in held_out_questions())
    assert len(held_out_questions()) >= 300
    assert len(sorts) == 11
    assert min(sorts.values()) >= 15
    assert len({text for _, text in held_out_questions()}) == len(held_out_questions())
    assert checked_questions([text for _, text in held_out_questions()])  # `tempo` takes them all


def test_typing_in_a_hurry_changes_no_word_that_matters():
    random = np.random.default_rng(0)
    told = {informal(random, "What color was the red car?") for _ in range(300)}
    assert len(told) > 15
    assert all("red car" in text.lower() for text in told)
    assert {"what color was red car", "what color was the red car"} <= told


def test_a_slip_makes_no_other_word():
    random = np.random.default_rng(0)
    told = {mistyped(random, "Is there a red car or a boat?") for _ in range(600)}
    assert len(told) > 60
    known = {"cat", "bar", "goat", "coat", "rad", "bat"}  # words of the lists
    assert not any(words_of(text) & known for text in told)
    for text in told:
        assert len(words_of("Is there a red car or a boat?") - words_of(text)) <= 1
    assert mistyped(random, "1 2 3 ?") == "1 2 3 ?"


def test_one_question_in_three_stays_as_it_is():
    random = np.random.default_rng(0)
    same = sum(rough(random, "Where does the car go?") == "Where does the car go?" for _ in range(400))
    assert 100 < same < 165


def test_a_filler_says_nothing_of_the_words_beside_it():
    random = np.random.default_rng(0)
    told = {filled(random, "Is the red car blue or green?", "really") for _ in range(200)}
    assert told == {
        "Is really the red car blue or green?", "Is, really, the red car blue or green?",
        "Is the red car really blue or green?", "Is the red car, really, blue or green?",
        "Is the red car blue or really green?", "Is the red car blue or, really, green?",
        "Is the red car blue or green really?", "Is the red car blue or green, really?",
    }  # fmt: skip
    assert {filled(random, "At 12 seconds, what is seen", "maybe") for _ in range(100)} == {
        "At 12 seconds, maybe what is seen", "At 12 seconds, maybe, what is seen",
        "At 12 seconds, what is maybe seen", "At 12 seconds, what is, maybe, seen",
        "At 12 seconds, what is seen maybe", "At 12 seconds, what is seen, maybe",
    }  # fmt: skip
    assert filled(random, "car?", "really") == "car?"
    assert filled(random, "", "really") == ""


@pytest.mark.parametrize("family", ALL)
def test_no_filler_stands_before_a_noun_or_a_unit(family):
    random = np.random.default_rng(0)
    for text in (*(PHRASINGS.get(family) or MORE[family]), *COMBINED[family]):
        text = text.format(
            it="red car", a="a red car", these="red cars", tint="red", hue="blue", other="green", at="at 12 s"
        )
        for _ in range(4):
            told = filled(random, text, "really")
            assert len(told.split()) == len(text.split()) + (told != text)
            assert not re.search(r"really,? (cars?|things?|objects?|seconds?|s)\b", told), told
            before = r"(\b(the|an?|how many|what|which|red|first|12),? |'s )"
            assert not re.search(before + r"really,? \w", told.lower()), told


def test_no_filler_of_training_is_held_out():
    trained, held_out = (words_of(" ".join(own)) for own in (beyond.fillers(), beyond.held_out_fillers()))
    assert trained & held_out <= {"for"}
    assert not trained & beyond._reserved()
    families = {family: PHRASINGS.get(family) or MORE[family] for family in ALL}
    asked = words_of(" ".join(text for own in families.values() for text in own[:-HELD_OUT]))
    new = words_of(" ".join(text for own in families.values() for text in own[-HELD_OUT:])) - asked
    assert "shows" in new
    assert not trained & new
    assert not asked & set(beyond.held_out_fillers())


def test_no_filler_is_a_reason_to_decline():
    random = np.random.default_rng(0)
    words = ("really", "rather", "frankly", "walrus")
    told = {unknown(random, words) for _ in range(400)}
    assert "walrus" in told
    assert not told & set(words[:3])


def asked(family: str, kind: int | None = 2, text: str = "What color was the car?") -> Question:
    return Question(family, text, kind, None)


@pytest.mark.parametrize("family", list(FOLLOWING))
def test_what_follows_means_what_was_asked_about(family, monkeypatch):
    monkeypatch.setattr(talk, "FOLLOWING", {family: FOLLOWING[family]})
    before = asked("presence")
    one = talk.following(np.random.default_rng(0), [EMPTY, CAR], before, "Yes, there was a car.")
    assert one is not None
    assert (one.family, one.kind, one.colour) == (family, 2, None)
    assert one.query == f"{before.text}\n{one.text}"
    assert talk.following(np.random.default_rng(0), [CAR], asked(family), "?") is None


def test_it_never_means_two_things():
    random = np.random.default_rng(0)
    for _ in range(30):
        assert talk.following(random, [CAR, FISH], asked("presence", None), "?") is None
        assert talk.following(random, [CAR, FISH], asked("list", None), "?") is None


def test_what_follows_a_declined_question_is_beyond_too():
    random = np.random.default_rng(0)
    before = Question(BEYOND, "Is there a dog?", None, None)
    families = {talk.following(random, [CAR], before, "I can't tell.").family for _ in range(30)}
    assert families == {BEYOND}


def test_and_then_goes_on_from_the_first_thing():
    random = np.random.default_rng(0)
    first = Question("first", "What comes first?", None, None)
    one = talk.following(random, [CAR, FISH], first, "First there was a red car.")
    assert one is not None
    assert (one.family, one.kind, one.colour, one.told) == ("after", 2, 5, True)
    told = "After that there was a blue fish."
    assert all(talk.following(random, [CAR, FISH], one, told) is None for _ in range(30))
    assert not talk.following(random, [CAR, FISH], asked("presence"), "Yes, there was a car.").told


def test_words_that_look_like_a_known_thing_are_no_slips_of_it():
    words = {beyond._altered(np.random.default_rng(seed)) for seed in range(400)}
    assert len(words) > 200
    assert not words & (beyond.KNOWN | beyond._reserved())
    random = np.random.default_rng(0)
    slips = {word for kind in KINDS for name in (kind, plural(kind)) for _ in range(400)
             for word in words_of(mistyped(random, name))}  # fmt: skip
    assert not words & slips


def test_words_of_the_dictionary_that_look_like_a_known_thing():
    known = ("planet", "stars", "bear", "stark", "moat", "kitten", "trees", "treason", "can", "start")
    assert beyond._near(known) == ("bear", "stark")  # "planet" and "moat" are held out


def test_colors_are_unknown_too():
    random = np.random.default_rng(0)
    told = {beyond._in_a_known_phrasing(random, ()) for _ in range(2000)}
    tints = {
        word
        for word in beyond._own("properties")
        if any(template.format(tint=word) in told for template in beyond._OF_COLORS)
    }
    assert len(tints) > 30
