"""Drawing training examples from the corpus: segments with questions, and whole stories."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from . import words
from .contents import content_of
from .corpus import Segments
from .scene import COLOURS, KINDS, MOTIONS, Random
from .words import FAMILIES, Content, Question, Seen

_MIRRORED = {"left": "right", "right": "left"}
_REVERSED = {"left": "right", "right": "left", "up": "down", "down": "up"}
_MOST_TRIES = 2_000  # to draw a story; on a corpus of any size a few do
_TRIES_TO_ASK = 20
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Example:
    """A video of S segments and a question: `places` are rows of the shelf, with how to turn each of them."""

    places: npt.NDArray[np.int64]
    mirrored: Bool
    reversed: Bool
    contents: tuple[Content, ...]
    times: tuple[float, ...]
    patches: tuple[tuple[float, ...], ...]
    question: Question
    answer: str


class Shelf:
    """The segments of one frame size, with what they show."""

    def __init__(self, segments: Segments, part: tuple[int, int]) -> None:
        number = segments.place[:, 0]
        self.rows = np.flatnonzero((number >= part[0]) & (number < part[1]))
        self.frames = segments.frames
        self.sights = segments.sights
        self.place = segments.place
        self.contents = {
            int(row): content_of(segments.sights[row], float(segments.place[row, 2]), int(number[row]))
            for row in self.rows
        }
        shape = len(segments.place), len(KINDS), len(COLOURS)
        self.shows = np.zeros(shape, bool)
        for row, content in self.contents.items():
            for thing in content.everything:
                self.shows[row, thing.kind, thing.colour] = True
        follows = (np.diff(number) == 0) & (np.diff(segments.place[:, 1]) == 1)
        self.followed = np.append(follows, False)

    def __len__(self) -> int:
        return len(self.rows)

    def without(self, random: Random, question: Question, count: int) -> npt.NDArray[np.int64] | None:
        """Rows that show nothing of what the question asks for; None where all of them show it."""
        kinds = slice(None) if question.kind is None else question.kind
        colours = slice(None) if question.colour is None else question.colour
        shown = self.shows[:, kinds, colours].reshape(len(self.shows), -1).any(1)
        free = self.rows[~shown[self.rows]]
        return random.choice(free, count) if len(free) else None

    def run(self, random: Random, most: int) -> npt.NDArray[np.int64]:
        """A segment, or up to three that follow each other."""
        first = int(random.choice(self.rows))
        rows = [first]
        wanted = min(most, int(random.choice((1, 2, 3), p=(0.5, 0.3, 0.2))))
        while len(rows) < wanted and self.followed[rows[-1]]:
            rows.append(rows[-1] + 1)
        return np.array(rows)


def look(shelf: Shelf, example: Example) -> Pixels:
    """The example's frames, (S, T, H, W, 3)."""
    frames = shelf.frames[example.places]
    for row in range(len(frames)):
        if example.mirrored[row]:
            frames[row] = frames[row, :, :, ::-1]
        if example.reversed[row]:
            frames[row] = frames[row, ::-1]
    return frames


def draw_story(random: Random, shelf: Shelf, count: int, families: Sequence[str] = FAMILIES) -> Example:
    """A video of `count` segments with a question whose answer it settles; one in four is "not there".

    Raises:
        ValueError: the corpus has no such video.
    """
    for _ in range(_MOST_TRIES):
        family = str(random.choice(families))
        run = shelf.run(random, count)
        mirrored, backwards = bool(random.random() < 0.5), bool(random.random() < 0.5)
        turned = [_turned(shelf.contents[int(row)], mirrored, backwards) for row in run]
        if backwards:
            run, turned = run[::-1], turned[::-1]
        answerable = family == "direction" or random.random() < 0.75
        question = words.ask(random, turned, family, answerable)
        if question is None:
            continue
        found = _around(random, shelf, question, run, turned, count, (mirrored, backwards))
        if found is not None:
            return found
    raise ValueError(f"the corpus has no videos of {count} segments to ask about")


def ask_more(
    random: Random, example: Example, questions: int, families: Sequence[str] = FAMILIES
) -> list[Example]:
    """So many examples of one video: further questions, or the same again where there is little to ask."""
    found = [example]
    for _ in range(_TRIES_TO_ASK * (questions - 1)):
        if len(found) == questions:
            break
        family = str(random.choice(families))
        question = words.ask(random, example.contents, family, bool(random.random() < 0.6))
        answer = words.answer(question, example.contents, example.times) if question else None
        if question and answer:
            found.append(replace(example, question=question, answer=answer))
    return [found[number % len(found)] for number in range(questions)]


def _around(
    random: Random,
    shelf: Shelf,
    question: Question,
    run: npt.NDArray[np.int64],
    turned: list[Content],
    count: int,
    ways: tuple[bool, bool],
) -> Example | None:
    """The run somewhere in a video of other segments."""
    others = shelf.without(random, question, count - len(run))
    if others is None:
        return None
    at = int(random.integers(len(others) + 1))
    places = np.concatenate([others[:at], run, others[at:]])
    mine = np.arange(at, at + len(run))
    mirrored, backwards = random.random(count) < 0.5, random.random(count) < 0.5
    mirrored[mine], backwards[mine] = ways
    contents = [
        _turned(shelf.contents[int(row)], bool(m), bool(b))
        for row, m, b in zip(places, mirrored, backwards, strict=True)
    ]
    contents[at : at + len(run)] = turned
    times, patches = story_times(random, count)
    answer = words.answer(question, contents, times)
    if answer is None:
        return None
    return Example(places, mirrored, backwards, tuple(contents), times, patches, question, answer)


def story_times(random: Random, count: int) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """The seconds in the tags and in the compressor's prompts, of `count` segments in a row."""
    interval = 0.5 if random.random() < 0.5 else float(random.uniform(0.1, 8.0))
    start = float(random.uniform(0, 3600)) if random.random() < 0.3 else 0.0
    times = tuple(start + (index * 8 + 4) * interval for index in range(count))
    patches = tuple(
        tuple(start + (index * 8 + 2 * patch + 0.5) * interval for patch in range(4))
        for index in range(count)
    )
    return times, patches


def _turned(content: Content, mirrored: bool, backwards: bool) -> Content:
    def turn(thing: Seen) -> Seen:
        if thing.motion is None:
            return thing
        name = MOTIONS[thing.motion]
        name = _MIRRORED.get(name, name) if mirrored else name
        name = _REVERSED.get(name, name) if backwards else name
        return Seen(thing.kind, thing.colour, MOTIONS.index(name), thing.group)

    return Content(tuple(map(turn, content.clear)), tuple(map(turn, content.unclear)))
