"""What a held-out video is asked: every family, as people put it, in conversations, and beyond all."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from . import answers, asking, talk, words
from .beyond import held_out_fillers, held_out_questions, words_of
from .phrasings import ALL, BEYOND, FAMILIES, MORE
from .scene import COLOURS, KINDS, Random, Scene, plan_group, plan_scene
from .typing_errors import filled, informal, mistyped
from .words import Content, Question

_BEYOND_EACH, _RETYPED, _TALKS, _TWICE_EACH = 5, 6, 3, 2  # questions about each video
_TRIES = 20
_TWICE = ("colour", "object", "direction", "when", "times")
NEW, INFORMAL, SLIPS, PLAIN = ", new phrasing", "typed in a hurry", "mistyped", "the same, as written"
FILLED, BEYOND_FOLLOWING = "with a filler", "follow-ups that can't be answered"


@dataclass(frozen=True)
class Asked:
    """A question about a file, its right answer, and whether the video shows what it asks for.

    Attributes:
        row: of the report.
    """

    question: Question
    answer: str
    there: bool
    held_out: bool
    row: str = ""


def is_right(asked: Asked, text: str) -> bool:
    """The expected sentence, letter for letter."""
    return text == asked.answer


_DENIAL = re.compile(r"(?:No, there|There) was (?:no|nothing) (.+)\.")


def is_declined(asked: Asked, text: str, contents: Sequence[Content]) -> bool:
    """Declined, or rightly denied: the answer says that a thing which the question names is not there."""
    denial = _DENIAL.fullmatch(text)
    if text == words.DECLINE or denial is None:
        return text == words.DECLINE
    named = set(denial[1].split())
    if not named <= words_of(asked.question.text) | {"thing"}:
        return False
    colour, kind = (
        next((i for i, word in enumerate(own) if word in named), None) for own in (COLOURS, KINDS)
    )
    meant = Question("presence", "", kind, colour)
    return not any(meant.means(thing) for content in contents for thing in content.everything)


def plan(random: Random, seconds: float, aspect: float) -> Scene:
    """A scene in which half the time something comes a second time, after long pauses."""
    if random.random() < 0.5:
        return plan_scene(random, seconds, (1.5, 8.0), (0.0, 6.0), aspect)
    scene = plan_scene(random, seconds, (1.5, 6.0), (4.0, 9.0), aspect)
    if len(scene.groups) < 3:
        return scene
    first = int(random.integers(len(scene.groups) - 2))
    again = int(random.integers(first + 2, len(scene.groups)))
    old, late = scene.groups[first], scene.groups[again]
    kinds, colours = tuple(one.kind for one in old), tuple(one.colour for one in old)
    fresh = plan_group(random, late[0].start, late[0].end, aspect, kinds, colours)
    return replace(scene, groups=(*scene.groups[:again], fresh, *scene.groups[again + 1 :]))


def questions_about(
    random: Random, contents: Sequence[Content], times: Sequence[float], number: int
) -> list[Asked]:
    """One question of every family, two about what is not there, and more; half of them in new phrasings.

    Args:
        number: of the video, so that all held-out questions beyond the world get their turn.
    """
    asked = []
    for family in (*ALL, "absent", "absent", *["twice"] * _TWICE_EACH):
        held_out = bool(random.random() < 0.5)
        one = _one(random, contents, times, family, held_out)
        if one is not None:
            asked.append(one)
    for row, change in ((INFORMAL, informal), (SLIPS, mistyped)):
        asked += _changed(random, asked, row, change)
    every = held_out_questions()
    for place in range(number * _BEYOND_EACH, (number + 1) * _BEYOND_EACH):
        sort, text = every[place % len(every)]
        question = Question(BEYOND, text, None, None)
        asked.append(Asked(question, words.DECLINE, False, True, f"{BEYOND}: {sort}"))
    return asked


def with_fillers(random: Random, asked: Sequence[Asked]) -> list[Asked]:
    """Some of these questions again, with a word that changes nothing about them and is not trained on."""

    def change(random: Random, text: str) -> str:
        return filled(random, text, str(random.choice(held_out_fillers())))

    plain = [one for one in asked if not one.row.startswith((INFORMAL, SLIPS, BEYOND))]
    return _changed(random, [one for one in plain if " " in one.question.text], FILLED, change)


def _changed(
    random: Random, asked: Sequence[Asked], row: str, change: Callable[[Random, str], str]
) -> list[Asked]:
    """Some of the questions twice: changed, and as they are."""
    found = []
    for index in random.permutation(len(asked))[:_RETYPED].tolist():
        question = replace(asked[index].question, text=change(random, asked[index].question.text))
        found.append(replace(asked[index], question=question, row=row))
        found.append(replace(asked[index], row=f"{row}: {PLAIN}"))
    return found


def _one(
    random: Random, contents: Sequence[Content], times: Sequence[float], family: str, held_out: bool
) -> Asked | None:
    for _ in range(_TRIES):
        there, own = family != "absent", family
        if family == "absent":
            own = str(random.choice(FAMILIES))
        elif family == "twice":
            own = str(random.choice(_TWICE))
        elif family in MORE:
            there = family in ("list", "first", "last", "at") or bool(random.random() < 0.8)
        question = asking.ask(random, contents, own, there, held_out)
        answer = answers.answer(question, contents, times) if question else None
        if question is None or answer is None:
            continue
        if family == "twice" and not is_twice(answer):
            continue
        if family not in ("twice", "absent", "list") and is_twice(answer):
            continue  # these have a row of their own
        shown = any(words.relevance(question, content) for content in contents)
        return Asked(question, answer, shown, held_out, family + (NEW if held_out else ""))
    return None


def is_twice(answer: str) -> bool:
    """Whether the answer tells of two times."""
    return (
        " twice." in answer
        or " three times." in answer
        or "seconds and between" in answer
        or ", then " in answer
    )


def conversations(
    random: Random, asked: Sequence[Asked], contents: Sequence[Content], times: Sequence[float]
) -> Iterator[tuple[Asked, int]]:
    """Questions that go on with one of those asked, and its number."""
    for _ in range(_TALKS):
        for _ in range(_TRIES):
            first = int(random.integers(len(asked)))
            before, held_out = asked[first], bool(random.random() < 0.5)
            if before.row.startswith((INFORMAL, SLIPS)):
                continue
            question = talk.following(random, contents, before.question, before.answer, held_out)
            answer = answers.answer(question, contents, times) if question else None
            if question and answer and not is_twice(answer):
                shown = any(words.relevance(question, content) for content in contents)
                name = BEYOND_FOLLOWING if question.family == BEYOND else "follow-up"
                yield Asked(question, answer, shown, held_out, name + (NEW if held_out else "")), first
                break
