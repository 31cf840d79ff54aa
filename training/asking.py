"""Asking: what a question is about, drawn from what a story shows, and how it is put."""

from collections.abc import Sequence

from . import beyond
from .phrasings import AFTER, BEFORE, BEYOND, COMBINED, HELD_OUT, MOMENTS, MORE, PHRASINGS, WHERE
from .scene import COLOURS, KINDS, MOTIONS, Random
from .words import Content, Question, Seen, a, plural, value_of

_FAR = ((12, 1), (400, 1), (13, 10))  # seconds to other segments; the same last digit is the hardest to tell
_TIMED = 0.3  # chance that a question that can't be answered has a time
_IN_FRONT = 0.3  # chance that the time comes first
_WHOLE_VIDEO = (
    *("colour", "object", "presence", "direction", "count", "hue", "hues", "turn", "ways", "moved", "times"),
    *("together", "when", "after"),
)


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
    elif random.random() < 0.45:
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


def ask(
    random: Random,
    story: Sequence[Content],
    family: str,
    answerable: bool,
    held_out: bool = False,
    things: Sequence[Seen] | None = None,
) -> Question | None:
    """A question of the family, or None if there is nothing to ask; `answer` says if the story settles it.

    Args:
        things: what it may be about; by default everything that is clear.
    """
    if family in ("list", "first", "last"):
        return Question(family, phrase(random, family, None, None, held_out), None, None)
    if family == "at":
        return _ask_at(random, story, held_out)
    shown = [thing for content in story for thing in content.clear] if things is None else things
    everything = {(thing.kind, thing.colour) for content in story for thing in content.everything}
    if answerable:
        if not shown:
            return None
        thing = shown[int(random.integers(len(shown)))]
        kind, colour = _asked_for(random, family, thing.kind, thing.colour, everything)
        right = value_of(family, thing) if family in ("hue", "hues", "turn", "ways") else None
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
    second = _second(random, story)
    if second is None:
        return None
    at = str(random.choice(MOMENTS))
    clock = _clock(second)
    moment = clock if "{m}" in at else f"{second} seconds"
    at = at.format(m=clock, s=second)
    return Question("at", phrase(random, "at", None, None, held_out, at=at), None, None, None, second, moment)


def _second(random: Random, story: Sequence[Content]) -> int | None:
    """A second to ask about, mostly one that shows something; None if the story has none."""
    spans = [content.span for content in story if content.span and (content.clear or random.random() < 0.35)]
    if not spans:
        return None
    start, end = spans[int(random.integers(len(spans)))]
    seconds = [second for second in range(int(start), int(end) + 1) if start <= second < end]
    if not seconds:
        return None
    second = int(random.choice(seconds))
    if len(story) == 1 and random.random() < 0.5:  # one of many segments: mostly the time is another one's
        far, step = _FAR[int(random.choice(len(_FAR), p=(0.45, 0.25, 0.3)))]
        second = abs(second + step * int(random.integers(-far, far + 1)))
    if random.random() < 0.04:
        second = int(max(content.span[1] for content in story if content.span)) + int(random.integers(1, 200))
    return second


def _clock(second: int) -> str:
    """`2:03` or `62:03`: nano knows no hours, unlike `tempo_cli.texts.clock_time`."""
    return f"{second // 60}:{second % 60:02}"


def ask_beyond(random: Random, story: Sequence[Content], dictionary: tuple[str, ...] = ()) -> Question:
    """A question that can't be answered; up to three in ten have a time.

    nano can tell what is visible at a time. So another word has to make the question unanswerable: one that
    is unknown ("who speaks at 0:12?") or one that asks about the whole video ("what color is the car at
    0:12?"). Some have a time that can't be read: tenths, hours and spans.
    """
    second = _second(random, story) if random.random() < _TIMED else None
    if second is None:
        text = beyond.question(random, dictionary)
    else:
        text = beyond.not_held_out(lambda: _with_a_time(random, second, dictionary))
    return Question(BEYOND, text, None, None)


def _with_a_time(random: Random, second: int, dictionary: tuple[str, ...]) -> str:
    """10 % have a time that can't be read, 25 % are about known things, 25 % have one unknown word."""
    way = random.random()
    if way < 0.1:
        return phrase(random, "at", None, None, at=_unreadable_time(random))
    moment = str(random.choice(MOMENTS)).format(m=_clock(second), s=second)
    if 0.35 <= way < 0.6:
        text = phrase(random, "at", None, None, at=moment)
        return beyond.with_unknown_word(random, text, moment, dictionary)
    text = _of_the_whole_video(random) if way < 0.35 else beyond.question(random, dictionary)
    if len(beyond.words_of(text)) < 2:  # nothing would be left but the time
        return text
    return beyond.with_time(text, moment, bool(random.random() < _IN_FRONT))


def _of_the_whole_video(random: Random) -> str:
    """A question about known things that has an answer only without a time."""
    family = str(random.choice(_WHOLE_VIDEO))
    kind, colour = int(random.integers(len(KINDS))), int(random.integers(len(COLOURS)))
    hue, other = random.choice(MOTIONS[:-1] if family in ("turn", "ways") else COLOURS, 2, replace=False)
    tint = colour if family in ("presence", "object") else None
    return phrase(random, family, None if family == "object" else kind, tint, hue=str(hue), other=str(other))


def _unreadable_time(random: Random) -> str:
    """A time with tenths or hours, or a span."""
    first = int(random.integers(1, 90))
    last = first + int(random.integers(2, 40))
    start, end, tenth = _clock(first), _clock(last), int(random.integers(1, 10))
    ways = (
        f"at {first}.{tenth} seconds", f"at {first}.{tenth} s", f"at {first},{tenth} seconds",
        f"{first}.{tenth} seconds in", f"at {start}.{tenth}", f"at 0:0{start}", f"between {start} and {end}",
        f"from {start} to {end}", f"between second {first} and second {last}",
    )  # fmt: skip
    return str(random.choice(ways))


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
