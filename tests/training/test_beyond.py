"""Questions that can't be answered: broad, and nothing of what is held out."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tempo_cli.plan.questions import checked_questions
from training import asking, beyond, talk
from training.beyond import held_out_questions, question, unknown, words_of
from training.phrasings import ALL, BEYOND, COMBINED, FOLLOWING, HELD_OUT, MOMENTS, MORE, PHRASINGS
from training.scene import COLOURS, KINDS, MOTIONS
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


TIMED = [replace(CAR, span=(32.0, 36.0)), EMPTY]
TIMES = re.compile(r"(?<![\d.,])(0:)?3[2-5](?![.,:]?\d)")


def beyond_a_story(count: int) -> list[str]:
    """Questions that can't be answered, about a story that shows something from 32 to 36 seconds."""
    random = np.random.default_rng(3)
    return [asking.ask_beyond(random, TIMED, ("sextant",)).text for _ in range(count)]


def test_three_in_ten_have_a_time_of_the_story():
    told = [text for text in beyond_a_story(2000) if re.search(r"\d", text)]
    assert len(told) / 2000 == pytest.approx(0.3, abs=0.05)  # a few have digits of their own
    assert len([text for text in told if TIMES.search(text)]) / 2000 == pytest.approx(0.25, abs=0.05)
    random = np.random.default_rng(3)
    assert not any(TIMES.search(asking.ask_beyond(random, [EMPTY]).text) for _ in range(1000))


def test_the_time_of_a_single_segment_is_often_another_ones():
    random = np.random.default_rng(3)
    alone = [TIMED[0]]
    seconds = [asking._second(random, alone) for _ in range(400)]
    assert 0.35 < np.mean([32 <= second < 36 for second in seconds]) < 0.65
    assert asking._second(random, [EMPTY]) is None


def test_with_a_time_none_of_them_can_be_answered_or_is_held_out(monkeypatch):
    monkeypatch.setattr(asking, "_TIMED", 1.0)
    told = {text.lower().strip("?. ") for text in beyond_a_story(4000)}
    assert not told & {
        text.format(at=moment.format(m=f"0:{second}", s=second)).lower().strip("?. ")
        for second in range(32, 36)
        for text in (*MORE["at"], *COMBINED["at"])
        for moment in MOMENTS
    }
    assert not any(beyond.is_held_out(text) for text in told)


def test_a_held_out_question_is_held_out_at_any_time():
    for moment in MOMENTS:
        assert beyond.is_held_out(f"What was said {moment.format(m='1:35', s=95)}?")
    assert beyond.is_held_out("at 1:35 what was SAID in this video. Answer in one sentence")
    assert beyond.is_held_out("Please tell me: what colour is the car at 0:14")
    assert not beyond.is_held_out("What was told at second 18?")


@pytest.mark.parametrize(
    ("text", "last", "first"),
    [
        ("Who speaks?", "Who speaks at 0:35?", "At 0:35, who speaks?"),
        ("why", "why at 0:35", "At 0:35, why"),
        ("Is it? Please.", "Is it at 0:35? Please.", "At 0:35, is it? Please."),
        ("is it? Thank you", "is it at 0:35? Thank you", "At 0:35, is it? Thank you"),
    ],
)
def test_a_time_stands_at_the_start_or_the_end(text, last, first):
    assert beyond.with_time(text, "at 0:35", first=False) == last
    assert beyond.with_time(text, "at 0:35", first=True) == first


@pytest.mark.parametrize(
    ("text", "some"),
    [
        (
            "What is seen at 0:35?",
            ["What sextant is seen at 0:35?", "What is sextant at 0:35?",
             "What is seen by the sextant at 0:35?"],
        ),
        (
            "At 0:35, which things are there? Please.",
            ["At 0:35, which sextant are there? Please.", "At 0:35, which things are sextant? Please.",
             "At 0:35, which things are there by the sextant? Please."],
        ),
    ],
)  # fmt: skip
def test_a_time_with_an_unknown_word(text, some):
    random = np.random.default_rng(0)
    told = {beyond.with_unknown_word(random, text, "at 0:35", ("sextant", "occurring")) for _ in range(3000)}
    assert set(some) <= told
    assert {one.replace("sextant", word) for one in some for word in beyond._own("properties")} & told
    known = words_of(text) | words_of(" ".join(beyond._BESIDE))
    assert all(words_of(one) - known for one in told)
    assert not any("occurring" in one for one in told)  # the same question, with another word


def test_an_unknown_word_never_stands_before_a_time_in_front():
    random = np.random.default_rng(0)
    told = {beyond.with_unknown_word(random, "Tell me, at 0:35, what is it?", "at 0:35") for _ in range(300)}
    assert all(one.startswith("Tell me, at 0:35, what") for one in told)


def test_known_things_at_a_time():
    random = np.random.default_rng(0)
    told = {asking._of_the_whole_video(random).lower().strip("?.") for _ in range(6000)}
    for family in asking._WHOLE_VIDEO:
        it = {"object": "red", "presence": "red car"}.get(family, "car")
        slots = {"it": it, "a": f"a {it}", "tint": it, "these": f"{it}s"}
        about = {
            text.format(**slots, hue=hue, other=other).lower().strip("?.")
            for text in (*(PHRASINGS.get(family) or MORE[family]), *COMBINED[family])
            for hue in (*COLOURS, *MOTIONS)
            for other in (*COLOURS, *MOTIONS)
        }
        assert about & told, family
    assert not any(mark in text for text in told for mark in ("{", "}", "none", "  "))


def test_times_that_no_phrasing_has():
    random = np.random.default_rng(0)
    told = {re.sub(r"\d+", "5", asking._unreadable_time(random)) for _ in range(600)}
    assert told == {
        "at 5.5 seconds", "at 5.5 s", "at 5,5 seconds", "5.5 seconds in", "at 5:5.5", "at 5:5:5",
        "between 5:5 and 5:5", "from 5:5 to 5:5", "between second 5 and second 5",
    }  # fmt: skip
    assert not told & {moment.format(m="5:5", s="5") for moment in MOMENTS}


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
    assert len(sorts) == 12
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
    again = talk.following(np.random.default_rng(0), [CAR], asked(family), "?")
    assert again is None if family != "after" else again.family == BEYOND


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


def test_what_follows_what_follows_is_beyond_too(monkeypatch):
    monkeypatch.setattr(talk, "FOLLOWING", {"after": FOLLOWING["after"]})
    told = "After that there was a fish."
    one = talk.following(np.random.default_rng(0), [CAR, FISH], asked("after"), told)
    assert one is not None
    assert (one.family, one.kind, one.query.count("\n")) == (BEYOND, None, 1)
    before = Question("after", "And then?", 2, None, earlier=one.earlier)
    assert talk.following(np.random.default_rng(0), [CAR, FISH], before, told) is None


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
    for tints in (beyond._own("properties"), beyond._own("colors")):
        alone = [word for word in tints if any(one.format(tint=word) in told for one in beyond._OF_COLORS)]
        assert len(alone) > 20
    beside = {
        tint
        for tint in beyond._own("colors")
        for kind in KINDS
        if any(f"{tint} {kind}" in text for text in told)
    }
    assert len(beside) > 30
