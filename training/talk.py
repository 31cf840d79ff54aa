"""Conversations: what may be asked after a question has been answered."""

from collections.abc import Sequence
from dataclasses import replace

from tempo_cli.types import Exchange

from . import asking, words
from .beyond import follow_up
from .phrasings import BEYOND, FOLLOWING, HELD_OUT_FOLLOWING
from .scene import COLOURS, MOTIONS, Random
from .words import Content, Question

_ABOUT_ONE = (
    "colour",
    "presence",
    "when",
    "direction",
    "together",
    "hue",
    "hues",
    "turn",
    "ways",
    "moved",
    "times",
    "after",
)
_NO_ANSWER = ("first", "last")  # they name no thing, but their answer does


def following(
    random: Random, story: Sequence[Content], before: Question, answer: str, held_out: bool = False
) -> Question | None:
    """A question that names nothing and means what the one before it was about; None where that is nothing.

    After a question that could not be answered, it can't be answered either. Nor can "and after that?" after
    "what comes after the car?": the compressor reads no answers, so it can't know what that was.
    """
    family = str(random.choice(list(FOLLOWING)))
    texts = FOLLOWING[family]
    text = str(random.choice(texts[-HELD_OUT_FOLLOWING:] if held_out else texts[:-HELD_OUT_FOLLOWING]))
    earlier = (*before.earlier, Exchange(before.text, answer))
    if before.family == BEYOND or before.family == family == "after":
        if before.earlier:
            return None  # after several questions, "it" could be what the first one named
        hue = str(random.choice(COLOURS if family == "hue" else MOTIONS[:-1]))
        return Question(BEYOND, text.format(hue=hue), None, None, earlier=earlier)
    if before.family in _NO_ANSWER:
        return _after_first(
            story, earlier, str(random.choice(FOLLOWING["after"][:-HELD_OUT_FOLLOWING])), answer
        )
    if before.family not in _ABOUT_ONE or before.family == family or before.told:
        return None  # where only an answer has named it, the compressor can't know it
    kind, colour = before.kind, before.colour
    if before.family == "presence" and kind is None:
        return None
    if family in ("colour", "hue") and colour is not None:
        return None
    meant = {
        (thing.group, thing.kind, thing.colour)
        for own in story
        for thing in own.everything
        if before.means(thing)
    }
    if len(meant) > 1:
        return None  # "it" would be two
    right = None
    if family in ("hue", "turn"):
        things = [thing for own in story for thing in own.clear if before.means(thing)]
        right = (things[0].colour if family == "hue" else things[0].motion) if things else None
    choice, hue, _ = asking.offered(random, family, right)
    return Question(family, text.format(hue=hue), kind, colour, choice, earlier=earlier)


def _after_first(
    story: Sequence[Content], earlier: tuple[Exchange, ...], text: str, answer: str
) -> Question | None:
    """And then? It means what came after the things of the last answer."""
    for own in story:
        for thing in own.clear:
            if words.listed(words.names_of([thing])) in answer:
                return Question("after", text, thing.kind, thing.colour, earlier=earlier, told=True)
    return None


def beyond(random: Random, before: Question, answer: str, dictionary: tuple[str, ...] = ()) -> Question:
    """A question that can't be answered, after one that could."""
    earlier = (*before.earlier, Exchange(before.text, answer))
    return Question(BEYOND, follow_up(random, dictionary), None, None, earlier=earlier)


def going_on(question: Question, before: Question, answer: str) -> Question:
    """A question that names what it is about, after another one."""
    return replace(question, earlier=(*before.earlier, Exchange(before.text, answer)))
