"""The right answer to a question about a story, where the story settles it; `words.py` says what is meant."""

from collections.abc import Callable, Sequence

from .phrasings import BEYOND, OF_SCENES
from .scene import COLOURS
from .words import (
    ALONE,
    DECLINE,
    MOST_COUNTED,
    MOST_HELD,
    MOST_LISTED,
    NOTHING,
    SINGLE,
    Content,
    Question,
    Seen,
    a,
    in_order,
    listed,
    memory_words,
    names_of,
    plural,
    relevance,
    scene_words,
    value_of,
)

_EDGE = 0.3  # seconds by which tags may be off those of two frames per second
_STILL = "still"


def answer(question: Question, story: Sequence[Content], times: Sequence[float]) -> str | None:
    """The right answer; None where the story leaves it open.

    Args:
        story: what the segments show.
        times: the second in each segment's tag.
    """
    if question.family == BEYOND or 2 * sum(content.foreign for content in story) >= len(story):
        return DECLINE
    if question.family in OF_SCENES:
        sure = _about_scenes(question, [content.clear for content in story], story)
        return sure if sure == _about_scenes(question, [c.everything for c in story], story) else None
    states = [relevance(question, content) for content in story]
    if True not in states:
        return None if None in states else negative(question)
    clear, everything = (
        {
            (thing.group, thing.kind, thing.colour)
            for own in story
            for thing in things(own)
            if question.means(thing)
        }
        for things in (lambda own: own.clear, lambda own: own.everything)
    )
    if clear != everything:
        return None
    if question.family == "presence":
        return f"Yes, there was {a(question.name)}."
    if question.family == "count":
        return _counted(question, len({key[1:] for key in clear}))
    if question.family in ("when", "times"):
        found = _stretches(question, story, states)
        return None if found is None else _dated(question, found, states, times)
    if question.family in SINGLE:
        return _told(question, story, states)
    if len(clear) != 1:
        return None
    held = [memory_words(question, content) for content, state in zip(story, states, strict=True) if state]
    if any(words is None or words != held[0] for words in held):
        return None
    return _company(question, held[0] or [])


def negative(question: Question) -> str:
    """What is said where nothing is meant by the question."""
    if question.family == "presence":
        return f"No, there was no {question.name}."
    if question.family == "object":
        return f"There was nothing {COLOURS[question.colour or 0]}."
    return f"There was no {question.name}."


def span_of(times: Sequence[float], index: int) -> str:
    """A segment's span in words: "between 20 and 24 seconds" at two frames per second.

    Elsewhere it is "around 1219.7 seconds", the segment's tag: a model of this size can copy but not reckon.
    """
    if all(abs(time - (4 * number + 2)) <= _EDGE for number, time in enumerate(times)):
        return f"between {4 * index} and {4 * index + 4} seconds"
    return f"around {times[index]:.1f} seconds"


def _counted(question: Question, count: int) -> str | None:
    if count > MOST_COUNTED:
        return None
    if count == 1:
        return f"There was one {question.name}."
    return f"There were {('two', 'three')[count - 2]} {plural(question.name)}."


def _stretches(
    question: Question, story: Sequence[Content], states: Sequence[bool | None]
) -> list[int] | None:
    """The first segment of each stretch in which it is seen; None where one group is not one stretch."""
    starts, groups, last = [], [], None
    for index, (content, state) in enumerate(zip(story, states, strict=True)):
        if state:
            own = {thing.group for thing in content.clear if question.means(thing)}
            if len(own) > 1 or (last == index - 1 and own != {groups[-1]}):
                return None
            if last != index - 1:
                starts.append(index)
                groups.append(own.pop())
            last = index
    return starts if len(set(groups)) == len(groups) else None


def _dated(
    question: Question, starts: list[int], states: Sequence[bool | None], times: Sequence[float]
) -> str | None:
    if question.family == "times":
        often = ("once", "twice", "three times")
        return f"The {question.name} appeared {often[len(starts) - 1]}." if len(starts) <= 3 else None
    if len(starts) > 2 or any(start and states[start - 1] is None for start in starts):
        return None
    return f"The {question.name} appeared {' and '.join(span_of(times, start) for start in starts)}."


def _told(question: Question, story: Sequence[Content], states: Sequence[bool | None]) -> str | None:
    """The answer that is a color, a kind or a motion; two of them in the order in which they come."""
    by_group: dict[int, set[int]] = {}
    for content, state in zip(story, states, strict=True):
        for thing in in_order(content.clear) if state else ():
            if question.means(thing):
                told = value_of(question.family, thing)
                by_group.setdefault(thing.group, set()).update(() if told is None else (told,))
    if any(len(told) != 1 for told in by_group.values()):
        return None
    values: list[int] = []
    for told in by_group.values():
        value = next(iter(told))
        if not values or value != values[-1]:
            values.append(value)
    words = [SINGLE[question.family][value] for value in values]
    if len(words) > 2 or len(set(words)) < len(words):
        return None
    return _sentence(question, words)


def _sentence(question: Question, words: Sequence[str]) -> str | None:
    family, name = question.family, question.name
    if family in ("hue", "turn", "moved"):
        if len(words) > 1:
            return None
        offered = None if question.choice is None else SINGLE[family][question.choice]
        yes = words[0] != _STILL if family == "moved" else words[0] == offered
        told = f"was {words[0]}" if family == "hue" else _went(words[0])
        return f"{'Yes' if yes else 'No'}, the {name} {told}."
    if family in ("direction", "ways"):
        return f"The {name} " + ", then ".join(map(_went, words)) + "."
    if family == "object":
        return f"The {COLOURS[question.colour or 0]} thing was {', then '.join(map(a, words))}."
    return f"The {name} was {', then '.join(words)}."


def _went(way: str) -> str:
    return "stayed still" if way == _STILL else f"moved {way}"


def _company(question: Question, words: list[str]) -> str:
    if question.family == "together":
        if words == [ALONE]:
            return f"The {question.name} was alone."
        return f"With the {question.name} there was {listed(words)}."
    thing = a(words[0])
    rest = ", alone" if words[1:] == [ALONE] else f" with {listed(words[1:])}"
    return f"{thing[0].upper()}{thing[1:]}{rest}."


# --- answers about scenes ----------------------------------------------------------------------------------

Shown = Sequence[Sequence[Seen]]


def _about_scenes(question: Question, shown: Shown, story: Sequence[Content]) -> str | None:
    return _SCENES[question.family](question, shown, story)


def _everything(_: Question, shown: Shown, __: Sequence[Content]) -> str | None:
    named: set[tuple[int, int]] = set()
    parts = []
    for things in shown:
        if len(things) > MOST_HELD:
            return None
        fresh = [thing for thing in in_order(things) if (thing.kind, thing.colour) not in named]
        named |= {(thing.kind, thing.colour) for thing in fresh}
        if len({(thing.kind, thing.colour) for thing in fresh}) < len(fresh):
            return None
        if fresh:
            parts.append(listed(names_of(fresh)))
    if len(named) > MOST_LISTED:
        return None
    return _capital(", then ".join(parts)) + "." if parts else "There was nothing."


def _first_or_last(question: Question, shown: Shown, _: Sequence[Content]) -> str | None:
    full = [things for things in shown if things]
    if not full:
        return "There was nothing."
    words = scene_words(question.family, full[0 if question.family == "first" else -1])
    return None if words is None else f"{_capital(question.family)} there was {listed(words)}."


def _at(question: Question, shown: Shown, story: Sequence[Content]) -> str | None:
    if any(content.span is None for content in story):
        return None
    words: list[str] | None = [NOTHING]
    for things, content in zip(shown, story, strict=True):
        if relevance(question, content):
            words = scene_words("at", things)
    if words is None:
        return None
    return f"At {question.moment} there was {NOTHING if words == [NOTHING] else listed(words)}."


def _after(question: Question, shown: Shown, _: Sequence[Content]) -> str | None:
    mine = {thing.group for things in shown for thing in things if question.means(thing)}
    if len(mine) > 1:
        return None
    if not mine:
        return negative(question)
    group = mine.pop()
    own = [index for index, things in enumerate(shown) if any(thing.group == group for thing in things)]
    if any(thing.group > group for index in own for thing in shown[index]) or own != list(
        range(own[0], own[-1] + 1)
    ):
        return None
    rest = next((things for things in shown[own[-1] + 1 :] if things), ())
    if not rest:
        return "After that there was nothing."
    if len({thing.group for thing in rest}) > 1:
        return None
    words = scene_words("after", rest)
    return None if words is None else f"After that there was {listed(words)}."


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


_SCENES: dict[str, Callable[[Question, Shown, Sequence[Content]], str | None]] = {
    "list": _everything, "first": _first_or_last, "last": _first_or_last, "at": _at, "after": _after,
}  # fmt: skip
