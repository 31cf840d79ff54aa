"""Questions, the answers they should get, and what each segment's memory should hold for them.

Seven families of questions, each in many phrasings: `PHRASINGS`, whose last six are never trained on, and
what openers and clauses make together (`COMBINED`), so that words are learned in many surroundings.
`{it}` is "car" or "red car", `{a}` the same with its article, `{tint}` a colour.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .scene import COLOURS, KINDS, MOTIONS, Random

HELD_OUT = 6  # phrasings of each family
NOTHING, HERE, ALONE, END = "nothing", "yes", "alone", "."

PHRASINGS: dict[str, tuple[str, ...]] = {
    "colour": (
        "What color was the {it}?", "What color is the {it}?", "Which color does the {it} have?",
        "Tell me the color of the {it}.", "What is the color of the {it}?", "The {it}: what color is it?",
        "Which color was the {it}?", "Do you know the color of the {it}?", "Name the color of the {it}.",
        "The {it} is of what color?", "Say which color the {it} has.",
        "I want to know the color of the {it}.", "{it} color?", "What color {it} was it?",
        "Of what color is the {it}?", "What color did the {it} have?", "The color of the {it}?",
        "In what color do we see the {it}?", "Is the {it} red, blue or which color?",
        "Which color has the {it} that is seen here?", "color of the {it}", "what was the {it}'s color",
        "There is {a}. What color is it?", "When the {it} is there, what color does it have?",
        # never trained on
        "What's the {it}'s color?", "Give the color of the {it}.",
        "Can you name the color that the {it} has?", "Which color is the {it} in this video?",
        "The {it} was what color?", "I see {a}; which color is it?",
    ),
    "object": (
        "What was {tint}?", "Which thing is {tint}?", "What is {tint} here?", "Which object is {tint}?",
        "Name the {tint} thing.", "What is the {tint} object?", "Tell me what is {tint}.",
        "Something is {tint}: what?", "The {tint} thing is what?", "What {tint} thing can be seen?",
        "Which object has the color {tint}?", "What has the color {tint}?", "What kind of thing is {tint}?",
        "Say what the {tint} object is.", "What was the {tint} thing?", "What do we see in {tint}?",
        "Which {tint} thing is it?", "{tint} object?", "what is the {tint} one",
        "Do you know which thing is {tint}?", "Which thing was seen in {tint}?",
        "There is a {tint} thing. What is it?", "I want to know what the {tint} thing is.",
        "the {tint} thing",
        # never trained on
        "Which object was {tint}?", "What object has {tint} color?", "Can you name the {tint} object?",
        "What is that {tint} thing?", "What thing is {tint} in this video?", "Say which thing was {tint}.",
    ),
    "presence": (
        "Is there {a}?", "Is there {a} in the video?", "Can you see {a}?", "Does {a} appear?",
        "Was there {a}?", "Do we see {a}?", "Did {a} appear in the video?", "Is {a} seen?", "Was {a} seen?",
        "Is {a} visible?", "Does the video show {a}?", "Is {a} in it?", "Tell me whether there is {a}.",
        "Was {a} there?", "Do you see {a} here?", "Say whether {a} is seen.", "Is {a} there at some time?",
        "any {it}?", "Is there any {it}?", "Did you see any {it}?", "is {a} to be seen",
        "Have you seen {a}?", "Does {a} show up?", "Was there any {it} in the video?",
        # never trained on
        "Can {a} be seen?", "Is {a} there?", "Does it show {a}?", "Did {a} show up in the video?",
        "Do you see any {it}?", "Is there {a} to be seen here?",
    ),
    "when": (
        "When does the {it} appear?", "When is the {it} seen?", "At what time does the {it} appear?",
        "When was the {it} there?", "When do we see the {it}?", "When can the {it} be seen?",
        "At which time is the {it} seen?", "Tell me when the {it} appears.", "When did the {it} appear?",
        "Say at what time the {it} is seen.", "What time does the {it} show up?",
        "When does the {it} show up?", "The {it} appears at what time?",
        "At what second does the {it} appear?", "When {it}?", "Do you know when the {it} appears?",
        "When is there {a}?", "When was the {it} first seen?", "I want to know when the {it} appears.",
        "when is the {it} there", "time of the {it}", "At which second do we see the {it}?",
        "When does {a} appear?", "When was {a} seen?",
        # never trained on
        "At what time is the {it} seen?", "When did we see the {it}?", "When is the {it} visible?",
        "At which time does {a} appear?", "Tell me at what time the {it} shows up.",
        "The {it} is seen when?",
    ),
    "direction": (
        "Which way does the {it} move?", "Which way did the {it} go?",
        "In which direction does the {it} move?", "Where does the {it} move?",
        "What direction does the {it} move in?", "How does the {it} move?",
        "Tell me the direction of the {it}.", "Which direction does the {it} go?", "Where did the {it} go?",
        "Does the {it} move left, right, up or down?", "Say which way the {it} moves.",
        "In what direction did the {it} move?", "What is the direction of the {it}?",
        "Which way is the {it} going?", "Where is the {it} going?", "The {it} moves in which direction?",
        "direction of the {it}?", "Is the {it} going left or right, up or down?",
        "Do you know where the {it} goes?", "which way {it} moves", "To which side does the {it} move?",
        "Where does the {it} go?", "How did the {it} move?",
        "The movement of the {it} is in which direction?",
        # never trained on
        "Which direction did the {it} move in?", "Tell me which way the {it} goes.",
        "In which direction is the {it} going?", "What way does the {it} go?", "Say where the {it} moves.",
        "The {it} goes which way?",
    ),
    "together": (
        "What was seen together with the {it}?", "What is seen with the {it}?",
        "What is together with the {it}?", "What else is there with the {it}?",
        "Which things are seen with the {it}?", "What was there with the {it}?",
        "Tell me what was seen together with the {it}.", "What appears together with the {it}?",
        "Beside the {it}, what else is seen?", "What else do we see together with the {it}?",
        "Name what is seen together with the {it}.", "What is beside the {it}?",
        "What was beside the {it}?", "Which other things appear with the {it}?",
        "Say what else was seen with the {it}.", "The {it} was seen together with what?",
        "What other things are there beside the {it}?", "With what was the {it} seen?",
        "together with the {it}?", "What can be seen beside the {it}?",
        "I want to know what else is seen with the {it}.", "what was with the {it}",
        "What else appears when the {it} is there?", "Other than the {it}, what is seen with it?",
        # never trained on
        "What else was seen together with the {it}?", "Which things were together with the {it}?",
        "What appears beside the {it}?", "Name the things seen with the {it}.",
        "What else is beside the {it}?", "The {it} is together with which other things?",
    ),
    "describe": (
        "Describe the scene with the {it}.", "Describe the {it} and all that is with it.",
        "Describe what is seen when the {it} appears.", "Give a description of the scene with the {it}.",
        "Describe the moment when the {it} is seen.", "Describe all things in the scene of the {it}.",
        "Describe in full the scene with the {it}.", "Please describe the {it} and the things around it.",
        "A description of the {it} and what is around it.", "Describe the {it} and everything around it.",
        "describe the {it} scene", "Describe the picture with the {it}.",
        "Describe the {it} and its surroundings.",
        "Give a full description of the scene where the {it} appears.",
        "Describe everything seen with the {it}.",
        "What does the scene with the {it} look like? Describe it.", "Describe the part with the {it}.",
        "Describe the part of the video where the {it} is seen.",
        "I want a description of the scene with the {it}.", "Describe the {it} and the other things.",
        "Can you describe the scene with the {it}?", "Describe the whole scene around the {it}.",
        "description of the {it} and the rest", "Describe how the scene with the {it} looks.",
        # never trained on
        "Describe the scene where the {it} appears.",
        "Give a description of the {it} and everything with it.", "Describe the moment with the {it}.",
        "Can you describe the {it} and what is around it?", "Describe all that is seen with the {it}.",
        "Describe the picture where the {it} is seen.",
    ),
}  # fmt: skip
FAMILIES = tuple(PHRASINGS)
_OPENERS = (
    "Tell me {}.", "Say {}.", "Can you say {}?", "Can you tell me {}?", "Do you know {}?",
    "I want to know {}.", "I would like to know {}.", "Could you tell me {}?", "I wonder {}.",
    "Do you remember {}?", "Find out {}.", "Tell us {}.",
)  # fmt: skip
_DESCRIBING = (
    "Describe {}.", "Please describe {}.", "Could you describe {}?", "Can you describe {}?",
    "Give a description of {}.", "Give me a full description of {}.", "I want a description of {}.",
    "Describe in words {}.", "A description of {}.", "How would you describe {}?", "Describe to me {}.",
    "I would like a description of {}.",
)  # fmt: skip
_CLAUSES: dict[str, tuple[str, ...]] = {
    "colour": (
        "what color the {it} has", "what color the {it} is", "what color the {it} was",
        "which color the {it} had", "of which color the {it} is", "the color of the {it}",
        "which color was seen on the {it}", "in which color {a} is seen", "what the color of the {it} is",
    ),
    "object": (
        "what is {tint}", "what was {tint}", "which thing is {tint}", "what the {tint} thing is",
        "which object has the color {tint}", "what {tint} thing is seen", "what we see in {tint}",
        "which object the {tint} one is", "what kind of object is {tint}",
    ),
    "presence": (
        "whether there is {a}", "whether there was {a}", "whether {a} is seen", "if there is {a}",
        "if you see {a}", "whether {a} appears", "if {a} can be seen", "whether the video shows {a}",
        "if there is any {it}",
    ),
    "when": (
        "when the {it} appears", "when the {it} is seen", "when the {it} was there", "when we see {a}",
        "at what time the {it} is seen", "at which time the {it} appeared", "when {a} appears",
        "at which second the {it} shows up", "the time at which the {it} appears",
    ),
    "direction": (
        "which way the {it} moves", "where the {it} goes", "in which direction the {it} goes",
        "in what direction the {it} moves", "to which side the {it} goes", "how the {it} moves",
        "where the {it} went", "which direction the {it} moved in", "the direction of the {it}",
    ),
    "together": (
        "what is seen with the {it}", "what was together with the {it}", "what else is with the {it}",
        "which other things are with the {it}", "which things are seen beside the {it}",
        "what appears together with the {it}", "what else was there beside the {it}",
        "the things that are together with the {it}", "what we see together with the {it}",
    ),
    "describe": (
        "the scene with the {it}", "the scene in which the {it} appears", "the moment when the {it} appears",
        "the {it} and all that is with it", "the {it} and what is seen with it",
        "everything that is there with the {it}", "the part where the {it} is seen",
        "the picture with the {it}", "the picture in which the {it} appears",
        "the {it} and all things around it", "the time when the {it} is there", "what is seen with the {it}",
        "the scene around the {it}",
    ),
}  # fmt: skip
COMBINED = {
    family: tuple(
        opener.format(clause)
        for opener in (_DESCRIBING if family == "describe" else _OPENERS)
        for clause in clauses
    )
    for family, clauses in _CLAUSES.items()
}
_BEFORE = (
    "In this video: ", "Please tell me: ", "Look at the video. ", "A question: ", "Tell me, ", "Hello! ",
)  # fmt: skip
_AFTER = (" Please.", " Thank you.", " Answer in one sentence.")
_WHERE = (" in this video", " in the video", " here", " in the film", " in this clip")


@dataclass(frozen=True)
class Seen:
    """A thing in a segment: `group` is one number per group and video; motion None where it can't be told."""

    kind: int
    colour: int
    motion: int | None
    group: int


@dataclass(frozen=True)
class Content:
    """What a segment shows: things that are clear, and things that are hardly in the frame."""

    clear: tuple[Seen, ...] = ()
    unclear: tuple[Seen, ...] = ()

    @property
    def everything(self) -> tuple[Seen, ...]:
        """Clear or not."""
        return self.clear + self.unclear


@dataclass(frozen=True)
class Question:
    """A question about a thing: of a kind, of a colour, or of both."""

    family: str
    text: str
    kind: int | None
    colour: int | None

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


def phrase(random: Random, family: str, kind: int | None, colour: int | None, held_out: bool = False) -> str:
    """A question of the family, in a random phrasing, case and punctuation."""
    it = Question(family, "", kind, colour).name
    tint = COLOURS[colour] if colour is not None else ""
    if held_out:
        text = str(random.choice(PHRASINGS[family][-HELD_OUT:]))
    elif random.random() < 0.45:
        text = str(random.choice(COMBINED[family]))
    else:
        text = str(random.choice(PHRASINGS[family][:-HELD_OUT]))
    text = text.format(it=it, a=a(it), tint=tint).replace("a orange", "an orange")
    if random.random() < 0.1 and text[-1] in "?." and " video" not in text and " here" not in text:
        text = text[:-1] + str(random.choice(_WHERE)) + text[-1]
    if random.random() < 0.15:
        text = text.replace("color", "colour")
    if random.random() < 0.12:
        text = str(random.choice(_BEFORE)) + text
    elif random.random() < 0.08:
        text = text + str(random.choice(_AFTER))
    if random.random() < 0.25:
        text = text[0].lower() + text[1:]
    if random.random() < 0.25:
        text = text.rstrip("?.")
    return text


# --- what a segment's memory should hold -------------------------------------------------------------------


def relevance(question: Question, content: Content) -> bool | None:
    """Whether the segment shows what is asked for; None where it is hardly to be seen."""
    if any(question.means(thing) for thing in content.clear):
        return True
    return None if any(question.means(thing) for thing in content.unclear) else False


def memory_words(question: Question, content: Content) -> list[str] | None:
    """The words that the memory tokens should stand for, the most important first; None: undecided."""
    relevant = relevance(question, content)
    if not relevant:
        return None if relevant is None else [NOTHING]
    found = [thing for thing in content.clear if question.means(thing)]
    if len(found) > 1:
        return None
    return _WORDS[question.family](found[0], _companions(found[0], content))


def _companions(thing: Seen, content: Content) -> list[Seen] | None:
    """What is seen with it, in the order of the alphabet; None where that can't be told."""
    if any(other.group != thing.group for other in content.everything) or content.unclear:
        return None
    return sorted((other for other in content.clear if other != thing), key=lambda other: other.kind)


def _names(things: Sequence[Seen]) -> list[str]:
    return [word for thing in things for word in (COLOURS[thing.colour], KINDS[thing.kind])] or [ALONE]


_WORDS = {
    "colour": lambda thing, _: [COLOURS[thing.colour]],
    "object": lambda thing, _: [KINDS[thing.kind]],
    "presence": lambda _, __: [HERE],
    "when": lambda _, __: [HERE],
    "direction": lambda thing, _: None if thing.motion is None else [MOTIONS[thing.motion]],
    "together": lambda _, others: None if others is None else _names(others),
    "describe": lambda thing, others: (
        None if others is None else [COLOURS[thing.colour], KINDS[thing.kind], *_names(others)]
    ),
}


# --- asking and answering ----------------------------------------------------------------------------------


def answer(question: Question, story: Sequence[Content], times: Sequence[float]) -> str | None:
    """The right answer; None where the story leaves it open.

    Args:
        story: what the segments show.
        times: the second in each segment's tag.
    """
    states = [relevance(question, content) for content in story]
    if True not in states:
        return None if None in states else _negative(question)
    groups = {thing for content in story for thing in content.everything if question.means(thing)}
    if len({(thing.group, thing.kind, thing.colour) for thing in groups}) != 1:
        return None
    if question.family == "presence":
        return f"Yes, there was {a(question.name)}."
    first = states.index(True)
    if question.family == "when":
        return (
            None if None in states[:first] else f"The {question.name} appeared at {times[first]:.1f} seconds."
        )
    held = [memory_words(question, content) for content, state in zip(story, states, strict=True) if state]
    told = [words for words in held if words is not None]
    if not told or any(words != told[0] for words in told):
        return None
    if len(told) < len(held) and question.family in ("together", "describe"):
        return None
    return _sentence(question, told[0])


def _negative(question: Question) -> str:
    if question.family == "presence":
        return f"No, there was no {question.name}."
    if question.family == "object":
        return f"There was nothing {COLOURS[question.colour or 0]}."
    return f"There was no {question.name}."


def _sentence(question: Question, words: list[str]) -> str:
    match question.family:
        case "colour":
            return f"The {question.name} was {words[0]}."
        case "object":
            return f"The {COLOURS[question.colour or 0]} thing was {a(words[0])}."
        case "direction":
            return f"The {question.name} " + (
                "stayed still." if words[0] == "still" else f"moved {words[0]}."
            )
        case "together":
            if words == [ALONE]:
                return f"The {question.name} was alone."
            return f"With the {question.name} there was {_list(words)}."
        case _:
            thing = a(" ".join(words[:2]))
            rest = ", alone" if words[2:] == [ALONE] else f" with {_list(words[2:])}"
            return f"{thing[0].upper()}{thing[1:]}{rest}."


def _list(words: Sequence[str]) -> str:
    return " and ".join(a(" ".join(pair)) for pair in zip(words[::2], words[1::2], strict=True))


def ask(
    random: Random, story: Sequence[Content], family: str, answerable: bool, held_out: bool = False
) -> Question | None:
    """A question of the family, or None if there is nothing to ask; `answer` says if the story settles it."""
    shown = [thing for content in story for thing in content.clear]
    everything = {(thing.kind, thing.colour) for content in story for thing in content.everything}
    if answerable:
        if not shown:
            return None
        thing = shown[int(random.integers(len(shown)))]
        kind, colour = _asked_for(random, family, thing.kind, thing.colour, everything)
    else:
        kind, colour = _absent(random, family, everything)
        if kind is None and colour is None:
            return None
    return Question(family, phrase(random, family, kind, colour, held_out), kind, colour)


def _asked_for(
    random: Random, family: str, kind: int, colour: int, shown: set[tuple[int, int]]
) -> tuple[int | None, int | None]:
    if family == "colour":
        return kind, None
    if family == "object":
        return None, colour
    ambiguous = len({other for other in shown if other[0] == kind}) > 1
    return kind, colour if ambiguous or random.random() < 0.25 else None


def _absent(random: Random, family: str, shown: set[tuple[int, int]]) -> tuple[int | None, int | None]:
    kinds = [kind for kind in range(len(KINDS)) if kind not in {k for k, _ in shown}]
    colours = [colour for colour in range(len(COLOURS)) if colour not in {c for _, c in shown}]
    if family == "object":
        return None, int(random.choice(colours)) if colours else None
    if family != "colour" and shown and random.random() < 0.4:
        present = sorted(shown)[int(random.integers(len(shown)))]
        pair = present[0], int(random.integers(len(COLOURS)))
        if random.random() < 0.5:
            pair = int(random.integers(len(KINDS))), present[1]
        return (None, None) if pair in shown else pair
    return (int(random.choice(kinds)) if kinds else None), None
