"""Questions, the answers they should get, and what each segment's memory should hold for them.

| family | what is asked | the answer |
|---|---|---|
| colour, object, direction | of a thing that is named | one word, or two where it comes twice and differs |
| presence | is it there? | yes or no |
| when | | the span of the first segment of each stretch; `span_of` says how |
| together, describe | what else is with it | the things of its group |
| count | how many of a kind or a color | none to three; things of one kind and color count once |
| hue, hues, turn, ways, moved | yes or no, or which of two | with the word that is right |
| times | how often a thing comes | in how many stretches: once, twice, three times |
| list | all things | each kind and color once, in order; those new in one segment joined by "and" |
| first, last | | the first group of the first segment that shows any, the last of the last |
| at | what is there at m:ss | all things of the segment whose span holds that second |
| after | what comes next | the next group, if it shares no segment with the one that is named |
| beyond | anything else | `DECLINE` |

Relevance is yes where a segment shows the thing; for list, first, last and after where it shows anything; for
at where its span holds the second. Beyond these questions, and on footage that is not of this world
(`Content.foreign`), it is no, and the memory holds `UNKNOWN`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tempo_cli.plan.prompts import compressor_query
from tempo_cli.types import Exchange

from .phrasings import (
    AFTER,
    BEFORE,
    BEYOND,
    COMBINED,
    HELD_OUT,
    MOMENTS,
    MORE,
    OF_SCENES,
    PHRASINGS,
    WHERE,
)
from .scene import COLOURS, KINDS, MOTIONS, Random

NOTHING, HERE, ALONE, UNKNOWN, END = "nothing", "yes", "alone", "else", "."
DECLINE = "I can't tell."
MOST_LISTED, MOST_COUNTED, MOST_HELD = 12, 3, 4  # things in a list, in a count, in a segment's memory
_EDGE = 0.3  # seconds by which tags may be off those of two frames per second
_SINGLE = {"colour": COLOURS, "hue": COLOURS, "hues": COLOURS, "object": KINDS,
           "direction": MOTIONS, "turn": MOTIONS, "ways": MOTIONS, "moved": MOTIONS}  # fmt: skip
_STILL = "still"


@dataclass(frozen=True)
class Seen:
    """A thing in a segment: `group` is one number per group and video; motion None where it can't be told."""

    kind: int
    colour: int
    motion: int | None
    group: int


@dataclass(frozen=True)
class Content:
    """What a segment shows: things that are clear, and things that are hardly in the frame.

    Attributes:
        span: from and to (seconds), where that is known.
        foreign: footage that is not of this world; it shows nothing that is known.
    """

    clear: tuple[Seen, ...] = ()
    unclear: tuple[Seen, ...] = ()
    span: tuple[float, float] | None = None
    foreign: bool = False

    @property
    def everything(self) -> tuple[Seen, ...]:
        """Clear or not."""
        return self.clear + self.unclear


@dataclass(frozen=True)
class Question:
    """A question about a thing: of a kind, of a colour, or of both; or about scenes; or beyond.

    Attributes:
        choice: the colour or motion that the question offers.
        second: the time that it asks about, and `moment`, as the answer repeats it.
        earlier: questions and answers of the conversation so far.
    """

    family: str
    text: str
    kind: int | None
    colour: int | None
    choice: int | None = None
    second: float | None = None
    moment: str = ""
    earlier: tuple[Exchange, ...] = ()

    @property
    def query(self) -> str:
        """What the compressor reads."""
        return compressor_query(self.text, self.earlier)

    def means(self, thing: Seen) -> bool:
        """Whether the question is about this thing."""
        return self.kind in (None, thing.kind) and self.colour in (None, thing.colour)

    @property
    def name(self) -> str:
        """How answers call what was asked for."""
        words = [COLOURS[self.colour]] if self.colour is not None else []
        return " ".join([*words, KINDS[self.kind] if self.kind is not None else "thing"])


def a(name: str) -> str:
    """With its article."""
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def plural(name: str) -> str:
    """More than one of them."""
    return name if name.endswith("fish") else name + "s"


def phrase(
    random: Random,
    family: str,
    kind: int | None,
    colour: int | None,
    held_out: bool = False,
    hue: str = "",
    other: str = "",
    at: str = "",
) -> str:
    """A question of the family, in a random phrasing, case and punctuation."""
    it = Question(family, "", kind, colour).name
    tint = COLOURS[colour] if colour is not None else ""
    written = PHRASINGS.get(family) or MORE[family]
    if held_out:
        text = str(random.choice(written[-HELD_OUT:]))
    elif family in COMBINED and random.random() < 0.45:
        text = str(random.choice(COMBINED[family]))
    else:
        text = str(random.choice(written[:-HELD_OUT]))
    text = text.format(it=it, a=a(it), tint=tint, these=plural(it), hue=hue, other=other, at=at)
    text = text.replace("a orange", "an orange")
    text = text[0].upper() + text[1:] if family in ("at", "hues", "ways") else text
    if random.random() < 0.1 and text[-1] in "?." and " video" not in text and " here" not in text:
        text = text[:-1] + str(random.choice(WHERE)) + text[-1]
    if random.random() < 0.15:
        text = text.replace("color", "colour")
    if random.random() < 0.12:
        text = str(random.choice(BEFORE)) + text
    elif random.random() < 0.08:
        text = text + str(random.choice(AFTER))
    if random.random() < 0.25:
        text = text[0].lower() + text[1:]
    if random.random() < 0.25:
        text = text.rstrip("?.")
    return text


# --- what a segment's memory should hold -------------------------------------------------------------------


def relevance(question: Question, content: Content) -> bool | None:
    """Whether the segment shows what is asked for; None where it is hardly to be seen."""
    if question.family == BEYOND or content.foreign:
        return False
    if question.family == "at":
        return content.span is not None and content.span[0] <= (question.second or 0) < content.span[1]
    scenes = question.family in OF_SCENES
    if any(scenes or question.means(thing) for thing in content.clear):
        return True
    return None if any(scenes or question.means(thing) for thing in content.unclear) else False


def memory_words(question: Question, content: Content) -> list[str] | None:
    """The words that the memory tokens should stand for, the most important first; None: undecided."""
    if question.family == BEYOND or content.foreign:
        return [UNKNOWN]
    relevant = relevance(question, content)
    if not relevant:
        return None if relevant is None else [NOTHING]
    if question.family in OF_SCENES:
        return None if content.unclear else scene_words(question.family, content.clear)
    found = in_order(thing for thing in content.clear if question.means(thing))
    if question.family in ("presence", "when", "times"):
        return [HERE]
    if question.family == "count":
        return None if len(found) > MOST_HELD else _names(found)
    if question.family in _SINGLE:
        if any(_value(question.family, thing) is None for thing in found):
            return None
        told = [_SINGLE[question.family][_value(question.family, thing) or 0] for thing in found]
        return None if len(told) > MOST_HELD else told
    if len(found) > 1:
        return None
    others = _companions(found[0], content)
    if others is None:
        return None
    return (_names(found) if question.family == "describe" else []) + (_names(others) or [ALONE])


def scene_words(family: str, things: Sequence[Seen]) -> list[str] | None:
    """What the memory of a segment with these things holds for a question about scenes."""
    ordered = in_order(things)
    if family in ("first", "last") and ordered:
        group = ordered[0 if family == "first" else -1].group
        ordered = [thing for thing in ordered if thing.group == group]
    return None if len(ordered) > MOST_HELD else _names(ordered) or [NOTHING]


def in_order(things: Sequence[Seen] | object) -> list[Seen]:
    """By group, which is by time; those of a group in the order of the alphabet."""
    return sorted(things, key=lambda thing: (thing.group, thing.kind, thing.colour))  # type: ignore[call-overload]


def _value(family: str, thing: Seen) -> int | None:
    if _SINGLE[family] is MOTIONS:
        return thing.motion
    return thing.kind if _SINGLE[family] is KINDS else thing.colour


def _companions(thing: Seen, content: Content) -> list[Seen] | None:
    """What is seen with it, in the order of the alphabet; None where that can't be told."""
    if any(other.group != thing.group for other in content.everything) or content.unclear:
        return None
    return sorted((other for other in content.clear if other != thing), key=lambda other: other.kind)


def _names(things: Sequence[Seen]) -> list[str]:
    return [word for thing in things for word in (COLOURS[thing.colour], KINDS[thing.kind])]


# --- answering ---------------------------------------------------------------------------------------------


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
    if question.family in _SINGLE:
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
                told = _value(question.family, thing)
                by_group.setdefault(thing.group, set()).update(() if told is None else (told,))
    if any(len(told) != 1 for told in by_group.values()):
        return None
    values: list[int] = []
    for told in by_group.values():
        value = next(iter(told))
        if not values or value != values[-1]:
            values.append(value)
    words = [_SINGLE[question.family][value] for value in values]
    if len(words) > 2 or len(set(words)) < len(words):
        return None
    return _sentence(question, words)


def _sentence(question: Question, words: Sequence[str]) -> str | None:
    family, name = question.family, question.name
    if family in ("hue", "turn", "moved"):
        if len(words) > 1:
            return None
        offered = None if question.choice is None else _SINGLE[family][question.choice]
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
    thing = a(" ".join(words[:2]))
    rest = ", alone" if words[2:] == [ALONE] else f" with {listed(words[2:])}"
    return f"{thing[0].upper()}{thing[1:]}{rest}."


def listed(words: Sequence[str]) -> str:
    """Pairs of color and kind as "a red car and a white plane"."""
    return " and ".join(a(" ".join(pair)) for pair in zip(words[::2], words[1::2], strict=True))


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
            parts.append(listed(_names(fresh)))
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


# --- asking ------------------------------------------------------------------------------------------------


def ask(
    random: Random, story: Sequence[Content], family: str, answerable: bool, held_out: bool = False
) -> Question | None:
    """A question of the family, or None if there is nothing to ask; `answer` says if the story settles it."""
    if family in ("list", "first", "last"):
        return Question(family, phrase(random, family, None, None, held_out), None, None)
    if family == "at":
        return _ask_at(random, story, held_out)
    shown = [thing for content in story for thing in content.clear]
    everything = {(thing.kind, thing.colour) for content in story for thing in content.everything}
    if answerable:
        if not shown:
            return None
        thing = shown[int(random.integers(len(shown)))]
        kind, colour = _asked_for(random, family, thing.kind, thing.colour, everything)
        right = _value(family, thing) if family in ("hue", "hues", "turn", "ways") else None
    else:
        kind, colour = _absent(random, family, everything)
        right = None
        if kind is None and colour is None:
            return None
    choice, hue, other = offered(random, family, right)
    text = phrase(random, family, kind, colour, held_out, hue, other)
    return Question(family, text, kind, colour, choice)


def offered(random: Random, family: str, right: int | None) -> tuple[int | None, str, str]:
    """What a question of yes or no, or of two, offers: often what is right (if that is known)."""
    if family not in ("hue", "hues", "turn", "ways"):
        return None, "", ""
    names = COLOURS if family in ("hue", "hues") else MOTIONS[:-1]
    known = (
        right is not None
        and right < len(names)
        and random.random() < (0.5 if family in ("hue", "turn") else 0.75)
    )
    first = int(right if known and right is not None else random.integers(len(names)))
    second = (first + 1 + int(random.integers(len(names) - 1))) % len(names)
    pair = (first, second) if random.random() < 0.5 else (second, first)
    if family in ("hue", "turn"):
        return first, names[first], ""
    return None, names[pair[0]], names[pair[1]]


def _ask_at(random: Random, story: Sequence[Content], held_out: bool) -> Question | None:
    spans = [content.span for content in story if content.span and (content.clear or random.random() < 0.35)]
    if not spans:
        return None
    start, end = spans[int(random.integers(len(spans)))]
    seconds = [second for second in range(int(start), int(end) + 1) if start <= second < end]
    if not seconds:
        return None
    second = int(random.choice(seconds))
    if random.random() < 0.04:
        second = int(max(content.span[1] for content in story if content.span)) + int(random.integers(1, 200))
    clock = f"{second // 60}:{second % 60:02}"
    at = str(random.choice(MOMENTS))
    moment = clock if "{m}" in at else f"{second} seconds"
    at = at.format(m=clock, s=second)
    return Question("at", phrase(random, "at", None, None, held_out, at=at), None, None, None, second, moment)


def _asked_for(
    random: Random, family: str, kind: int, colour: int, shown: set[tuple[int, int]]
) -> tuple[int | None, int | None]:
    if family in ("colour", "hue", "hues"):
        return kind, None
    if family == "object":
        return None, colour
    if family == "count":
        way = random.random()
        return (kind, None) if way < 0.5 else (None, colour) if way < 0.85 else (kind, colour)
    ambiguous = len({other for other in shown if other[0] == kind}) > 1
    return kind, colour if ambiguous or random.random() < 0.25 else None


def _absent(random: Random, family: str, shown: set[tuple[int, int]]) -> tuple[int | None, int | None]:
    kinds = [kind for kind in range(len(KINDS)) if kind not in {k for k, _ in shown}]
    colours = [colour for colour in range(len(COLOURS)) if colour not in {c for _, c in shown}]
    if family == "object" or (family == "count" and random.random() < 0.4):
        return None, int(random.choice(colours)) if colours else None
    if family not in ("colour", "hue", "hues") and shown and random.random() < 0.4:
        present = sorted(shown)[int(random.integers(len(shown)))]
        pair = present[0], int(random.integers(len(COLOURS)))
        if random.random() < 0.5:
            pair = int(random.integers(len(KINDS))), present[1]
        return (None, None) if pair in shown else pair
    return (int(random.choice(kinds)) if kinds else None), None
