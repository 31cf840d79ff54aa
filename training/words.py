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

One memory token stands for a thing, color and kind together ("red car"): so no color is given to another
thing, and a list takes half of the tokens.

What the compressor can compare, the decoder need not: where a thing has the color that the question offers,
the memory holds `HERE` instead of the color. For after, a segment that shows the thing that is named holds
`HERE`. A motion that can't be told is `HERE` too. For a count, it holds what differs: the colors of a kind,
the kinds of a color, `HERE` for both. For a list it holds all things, also those that an earlier segment has
named: a segment can't know that, so the decoder leaves them out.

Things of which only a part is in the frame decide no answer, but the memory names those of which much is
seen (`Seen.partly`), and no others: in a video they stand beside segments that show them clearly, and what a
memory was never taught to hold there could be anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tempo_cli.plan.prompts import compressor_query
from tempo_cli.types import Exchange

from .phrasings import BEYOND, OF_SCENES
from .scene import COLOURS, KINDS, MOTIONS

NOTHING, HERE, ALONE, UNKNOWN, END = "nothing", "yes", "alone", "else", "."
DECLINE = "I can't tell."
MOST_LISTED, MOST_COUNTED, MOST_HELD = 12, 3, 4  # things in a list, in a count, in a segment's memory
SINGLE = {"colour": COLOURS, "hue": COLOURS, "hues": COLOURS, "object": KINDS,
           "direction": MOTIONS, "turn": MOTIONS, "ways": MOTIONS, "moved": MOTIONS}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """A thing in a segment.

    Attributes:
        motion: None where it can't be told.
        group: one number per group and video; a later group has a higher one.
        partly: it is not clear, but much of it is to be seen.
    """

    kind: int
    colour: int
    motion: int | None
    group: int
    partly: bool = False


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
    def named(self) -> tuple[Seen, ...]:
        """What a memory names."""
        return self.clear + tuple(thing for thing in self.unclear if thing.partly)

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
        told: the thing is named by an earlier answer only; the compressor reads no answers.
    """

    family: str
    text: str
    kind: int | None
    colour: int | None
    choice: int | None = None
    second: float | None = None
    moment: str = ""
    earlier: tuple[Exchange, ...] = ()
    told: bool = False

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
    if relevant is False:
        return [NOTHING]
    if question.family in OF_SCENES:
        return _words_of_scene(question, content)
    found = in_order(thing for thing in content.named if question.means(thing))
    if not found:
        return [NOTHING]
    if question.family in ("presence", "when", "times"):
        return [HERE]
    if question.family == "count":
        told = dict.fromkeys(_other_name(question, thing) for thing in found)
        return None if len(told) > MOST_HELD else list(told)
    if question.family in SINGLE:
        values = [value_of(question.family, thing) for thing in found]
        told = [HERE if value is None else SINGLE[question.family][value] for value in values]
        if question.family == "hue":
            told = [HERE if thing.colour == question.choice else COLOURS[thing.colour] for thing in found]
        told = [word for before, word in zip([None, *told], told, strict=False) if word != before]
        return None if len(told) > MOST_HELD else told
    if not relevant or len(found) > 1:
        return None
    others = _companions(found[0], content)
    if others is None:
        return None
    return (names_of(found) if question.family == "describe" else []) + (names_of(others) or [ALONE])


def _other_name(question: Question, thing: Seen) -> str:
    """What tells a thing that is counted from others: its color, its kind, or nothing."""
    if question.kind is not None and question.colour is not None:
        return HERE
    return KINDS[thing.kind] if question.kind is None else COLOURS[thing.colour]


def _words_of_scene(question: Question, content: Content) -> list[str] | None:
    """What a segment's memory holds for this question about scenes."""
    things = content.named
    if question.family == "after" and not question.told and any(question.means(thing) for thing in things):
        return [HERE]
    return scene_words(question.family, things)


def scene_words(family: str, things: Sequence[Seen]) -> list[str] | None:
    """What the memory of a segment with these things holds for a question about scenes."""
    ordered = in_order(things)
    if family in ("first", "last") and ordered:
        group = ordered[0 if family == "first" else -1].group
        ordered = [thing for thing in ordered if thing.group == group]
    return None if len(ordered) > MOST_HELD else names_of(ordered) or [NOTHING]


def in_order(things: Sequence[Seen] | object) -> list[Seen]:
    """By group, which is by time; those of a group in the order of the alphabet."""
    return sorted(things, key=lambda thing: (thing.group, thing.kind, thing.colour))  # type: ignore[call-overload]


def value_of(family: str, thing: Seen) -> int | None:
    """What a family of `SINGLE` asks of a thing: its color, kind or motion."""
    if SINGLE[family] is MOTIONS:
        return thing.motion
    return thing.kind if SINGLE[family] is KINDS else thing.colour


def _companions(thing: Seen, content: Content) -> list[Seen] | None:
    """What is seen with it, in the order of the alphabet; None where that can't be told."""
    if any(other.group != thing.group for other in content.everything) or content.unclear:
        return None
    return sorted((other for other in content.clear if other != thing), key=lambda other: other.kind)


def names_of(things: Sequence[Seen]) -> list[str]:
    """Color and kind of each, as one word of a memory."""
    return [f"{COLOURS[thing.colour]} {KINDS[thing.kind]}" for thing in things]


def listed(words: Sequence[str]) -> str:
    """Names as "a red car and a white plane"."""
    return " and ".join(map(a, words))
