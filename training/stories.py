"""Drawing training examples from the corpus: segments with questions, and whole stories."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from . import answers, asking, talk
from .contents import content_of
from .corpus import Segments
from .phrasings import BEYOND, OF_SCENES
from .scene import COLOURS, KINDS, MOTIONS, Random
from .typing_errors import rough
from .variety import varied
from .words import Content, Question, Seen, memory_words

_MIRRORED_GROUP = 500  # groups of a video, at most; `contents.content_of` numbers them by thousands
_MIRRORED = {"left": "right", "right": "left"}
_REVERSED = {"left": "right", "right": "left", "up": "down", "down": "up"}
_MOST_TRIES = 2_000  # to draw a story; on a corpus of any size a few do
_TRIES_TO_ASK = 20
_FOREIGN, _TWICE, _TALK = 0.1, 0.25, 0.2  # chances: foreign footage, a thing that comes twice, a conversation
_CROWDED = 0.4  # chance that a run begins where several groups are seen, if everything matters
_AGAIN = 0.35  # chance that things come back in a part of a video
_STILL = 0.3  # chance that a question about motion is about something that stays still, which is rare
_MOST_RUNS = 7  # groups of segments that show something, where all of them count
_WEIGHTS = {
    "colour": 2, "object": 2, "presence": 4, "when": 2, "direction": 4, "together": 3, "describe": 3,
    "count": 3, "hue": 5, "hues": 1, "turn": 5, "ways": 1, "moved": 1, "times": 2,
    "list": 5, "first": 3, "last": 4, "at": 7, "after": 5, BEYOND: 18,
}  # fmt: skip
MIX = tuple(family for family, weight in _WEIGHTS.items() for _ in range(weight))
READING = (  # what is beyond is soon learned; what takes several segments takes long
    *(family for family in MIX if family != BEYOND), *(BEYOND,) * 6, *("list", "first", "last", "after") * 6,
    *("hue", "turn") * 10, *("when", "at") * 4,
)  # fmt: skip
POLISHING = (
    *MIX, *("colour", "object", "direction", "when", "last", "after", "hue", "turn") * 3,
    *("count", "list") * 6, *("presence", "hues", "ways", "moved", "together", "first") * 2,
)  # fmt: skip
# What earlier segments have shown matters for lists and counts: the decoder needs tens of thousands of them.
LISTING = (*POLISHING, *("list",) * 200, *("count",) * 40, *("last", "after") * 10)
FILMED = (  # a motion is often in several segments, and can be told in some of them only
    *POLISHING, *("list",) * 180, *("count",) * 40, *("last", "after") * 10,
    *("direction", "turn", "ways", "moved") * 12,
)  # fmt: skip
SEEING = (  # colors and pairs of things take long; what can't be answered is as frequent as in `MIX`
    *(family for family in MIX if family != BEYOND), *(BEYOND,) * 28,
    *("colour", "object", "together", "list", "first", "last", "count", "count") * 3,
    *("direction", "direction", "turn", "ways", "moved") * 2,
)  # fmt: skip
_MOVING = ("direction", "turn", "ways", "moved")
_COMPARED = ("list", "count")
_MAY_COME_TWICE = ("colour", "object", "presence", "when", "direction", "count", "times")
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
    """The segments of one frame size, with what they show; `foreign` ones show nothing that is known.

    Attributes:
        dictionary: English words, for questions that can't be answered.
        varied: whether its frames are shown a little otherwise each time.
    """

    def __init__(
        self,
        segments: Segments,
        part: tuple[int, int],
        foreign: Segments | None = None,
        dictionary: tuple[str, ...] = (),
        varied: bool = False,
    ) -> None:
        number = segments.place[:, 0]
        self.rows = np.flatnonzero((number >= part[0]) & (number < part[1]))
        self.frames: Frames | Pixels = segments.frames
        self.sights = segments.sights
        self.place = segments.place
        self.dictionary = dictionary
        self.varied = varied
        self.contents = {
            int(row): content_of(segments.sights[row], float(segments.place[row, 2]), int(number[row]))
            for row in self.rows
        }
        groups = {row: {one.group for one in own.named} for row, own in self.contents.items()}
        self.crowded = np.array([row for row in self.rows if len(groups[int(row)]) > 1], np.int64)
        self.empty = np.array([row for row in self.rows if not self.contents[int(row)].everything], np.int64)
        shape = len(segments.place), len(KINDS), len(COLOURS)
        self.shows = np.zeros(shape, bool)
        for row, content in self.contents.items():
            for thing in content.everything:
                self.shows[row, thing.kind, thing.colour] = True
        follows = (np.diff(number) == 0) & (np.diff(segments.place[:, 1]) == 1)
        self.followed = np.append(follows, False)
        self.foreign = np.zeros(0, np.int64)
        if foreign is not None and len(foreign.place):
            first = len(segments.place)
            self.frames = Frames(segments.frames, foreign.frames)
            self.foreign = np.arange(first, first + len(foreign.place))
            self.contents |= {int(row): Content(foreign=True) for row in self.foreign}

    def __len__(self) -> int:
        return len(self.rows)

    def without(self, random: Random, question: Question, count: int) -> npt.NDArray[np.int64] | None:
        """Rows that show nothing of what the question asks for; None where all of them show it."""
        if question.family in OF_SCENES:
            return random.choice(self.empty, count) if len(self.empty) else None
        kinds = slice(None) if question.kind is None else question.kind
        colours = slice(None) if question.colour is None else question.colour
        shown = self.shows[:, kinds, colours].reshape(len(self.shows), -1).any(1)
        free = self.rows[~shown[self.rows]]
        return random.choice(free, count) if len(free) else None

    def run(
        self, random: Random, most: int, rows: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.int64]:
        """A segment (of `rows`), or up to three that follow each other."""
        first = int(random.choice(self.rows if rows is None else rows))
        return self.row(first, min(most, int(random.choice((1, 2, 3), p=(0.5, 0.3, 0.2)))))

    def row(self, first: int, most: int) -> npt.NDArray[np.int64]:
        """A segment and those that follow it, up to `most`."""
        found = [first]
        while len(found) < most and self.followed[found[-1]]:
            found.append(found[-1] + 1)
        return np.array(found)

    def around(self, row: int, most: int) -> npt.NDArray[np.int64]:
        """A segment, those that follow it, and where these are too few those before it: up to `most`."""
        found = self.row(row, most).tolist()
        while len(found) < most and found[0] and self.followed[found[0] - 1]:
            found.insert(0, found[0] - 1)
        return np.array(found)


class Frames:
    """The frames of the corpus and those of foreign footage behind them, without a copy."""

    def __init__(self, own: Pixels, foreign: Pixels) -> None:
        self.own, self.foreign = own, foreign

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> Pixels:
        found = np.empty((len(rows), *self.own.shape[1:]), np.uint8)
        mine = rows < len(self.own)
        found[mine] = self.own[rows[mine]]
        found[~mine] = self.foreign[rows[~mine] - len(self.own)]
        return found


def look(shelf: Shelf, example: Example, random: Random) -> Pixels:
    """The example's frames, (S, T, H, W, 3)."""
    frames = shelf.frames[example.places]
    for row in range(len(frames)):
        if example.mirrored[row]:
            frames[row] = frames[row, :, :, ::-1]
        if example.reversed[row]:
            frames[row] = frames[row, ::-1]
    return varied(random, frames) if shelf.varied else frames


def draw_story(
    random: Random,
    shelf: Shelf,
    count: int,
    families: Sequence[str] = MIX,
    most: int = 1,
    settled: bool = True,
) -> Example:
    """A video of `count` segments with a question whose answer it settles.

    One question in four about a thing is about one that is not there; some videos are foreign; some questions
    go on with a conversation.

    Args:
        most: the video's first segment is one of so many of a longer one.
        settled: whether its answer has to be known. Otherwise, for a single segment, it is enough to know
            what its memory should hold; the answer is then empty.

    Raises:
        ValueError: the corpus has no such video.
    """
    for _ in range(_MOST_TRIES):
        family = str(random.choice(families))
        found = _drawn(random, shelf, count, family, most, settled)
        if found is not None:
            return _talked(random, shelf, found)
    raise ValueError(f"the corpus has no videos of {count} segments to ask about")


def draw_filmed(
    random: Random, shelf: Shelf, longest: int, families: Sequence[str] = MIX, compared: int = 1
) -> Example:
    """A part of a video as it was filmed, with a question whose answer it settles.

    `draw_story` weaves segments that show the thing clearly among others that don't show it at all. In a
    video, segments that hardly show it stand beside the clear ones. In many, things come back.

    Args:
        longest: segments, before up to three come again; most parts have fewer.
        compared: the fewest of them, for lists and counts.

    Raises:
        ValueError: the corpus has no such video.
    """
    for _ in range(_MOST_TRIES):
        family, answerable = str(random.choice(families)), bool(random.random() < 0.75)
        least = compared if family in _COMPARED else 1
        count = int(np.exp(random.uniform(np.log(least), np.log(longest + 1))))
        places = _filmed(random, shelf, count)
        if random.random() < _AGAIN:
            places = _come_again(random, places)
        found = _settled(random, shelf, family, 1, places, answerable)
        if found is not None:
            return _talked(random, shelf, found)
    raise ValueError("the corpus has no videos to ask about")


def _drawn(random: Random, shelf: Shelf, count: int, family: str, most: int, settled: bool) -> Example | None:
    if len(shelf.foreign) and random.random() < _FOREIGN:
        return _settled(random, shelf, family, most, _foreign(random, shelf, count), False)
    if family == BEYOND:
        return _settled(random, shelf, family, most, _row_of_runs(random, shelf, count), True)
    if family in OF_SCENES:
        places = _row_of_runs(random, shelf, count, sparse=family != "at")
        return _settled(random, shelf, family, most, places, True, settled=settled)
    run = _run(random, shelf, count)
    answerable = family in ("direction", "ways", "turn") or random.random() < 0.75
    shown = [shelf_content(shelf, place) for place in run]
    question = asked(random, shelf, shown, family, answerable, settled)
    if question is None:
        return None
    runs = [run]
    if family in _MAY_COME_TWICE and count > len(run) + 1 and random.random() < _TWICE:
        kind, colour = question.kind, question.colour
        if random.random() < 0.5:  # of the same color: that is no second answer
            things = (thing for place in run for thing in shelf_content(shelf, place).clear)
            kind, colour = next(((o.kind, o.colour) for o in things if question.means(o)), (kind, colour))
        shown = shelf.shows[:, _some(kind), _some(colour)].reshape(len(shelf.shows), -1).any(1)
        again = np.intersect1d(np.flatnonzero(shown), shelf.rows)
        if len(again):
            runs.append(_run(random, shelf, count - len(run) - 1, again))
    others = shelf.without(random, question, count - sum(map(len, runs)))
    if others is None:
        return None
    places = _woven(random, runs, [(int(row), *_ways(random)) for row in others])
    return _settled(random, shelf, family, most, places, True, question, settled)


Place = tuple[int, bool, bool]  # row, mirrored, reversed


def shelf_content(shelf: Shelf, place: Place) -> Content:
    """What a segment shows, turned."""
    return _turned(shelf.contents[place[0]], place[1], place[2])


def _some(number: int | None) -> slice | int:
    return slice(None) if number is None else number


def _ways(random: Random) -> tuple[bool, bool]:
    return bool(random.random() < 0.5), bool(random.random() < 0.5)


def _run(random: Random, shelf: Shelf, most: int, rows: npt.NDArray[np.int64] | None = None) -> list[Place]:
    """Segments that follow each other, turned alike."""
    ways = _ways(random)
    return _alike(shelf.run(random, most, rows), *ways)


def _alike(rows: npt.NDArray[np.int64], mirrored: bool, backwards: bool) -> list[Place]:
    """Segments in a row, all turned in the same ways."""
    return [(int(row), mirrored, backwards) for row in (rows[::-1] if backwards else rows)]


def _filmed(random: Random, shelf: Shelf, most: int) -> list[Place]:
    """Up to `most` segments that follow each other, turned alike."""
    ways = _ways(random)
    return _alike(shelf.around(int(random.choice(shelf.rows)), most), *ways)


def _come_again(random: Random, places: list[Place]) -> list[Place]:
    """The same, and some of them once more, later: mirrored, played the other way, or both.

    So their groups differ, and what comes again moves in the same direction or in another one.
    """
    if len(places) < 2:
        return places
    first = int(random.integers(len(places) - 1))
    end = min(len(places) - 1, first + int(random.integers(1, 4)))
    mirror, turn = ((True, False), (False, True), (True, True))[int(random.integers(3))]
    part = places[first:end][:: -1 if turn else 1]
    again = [(row, mirrored != mirror, backwards != turn) for row, mirrored, backwards in part]
    at = len(places) if random.random() < 0.5 else int(random.integers(end + 1, len(places) + 1))
    return [*places[:at], *again, *places[at:]]


def _foreign(random: Random, shelf: Shelf, count: int) -> list[Place]:
    first = int(random.choice(shelf.foreign))
    rows = [first + number for number in range(count) if first + number <= shelf.foreign[-1]]
    rows += random.choice(shelf.foreign, count - len(rows)).tolist()
    return [(row, *_ways(random)) for row in rows]


def _row_of_runs(random: Random, shelf: Shelf, count: int, sparse: bool = False) -> list[Place]:
    """Runs of segments, and empty ones between them: few runs where all that they show is asked for."""
    places: list[Place] = []
    most = _MOST_RUNS if sparse else count
    full = min(1.0, random.uniform(1, most) / count)
    while len(places) < count:
        if most > 0 and (random.random() < full or not len(shelf.empty)):
            crowded = len(shelf.crowded) and random.random() < _CROWDED
            places += _run(random, shelf, count - len(places), shelf.crowded if crowded else None)
            most -= 1
        elif len(shelf.empty):
            places.append((int(random.choice(shelf.empty)), *_ways(random)))
        else:
            break
    return places


def _woven(random: Random, runs: list[list[Place]], others: list[Place]) -> list[Place]:
    """The runs somewhere among the others, in any order, with at least one of those between two runs."""
    cuts = (
        np.sort(random.choice(len(others) + 1, len(runs), replace=False))
        if len(others) + 1 >= len(runs)
        else [0]
    )
    places, at = [], 0
    for cut, run in zip(cuts, runs, strict=False):
        places += [*others[at:cut], *run]
        at = int(cut)
    return [*places, *others[at:]]


def _settled(
    random: Random,
    shelf: Shelf,
    family: str,
    most: int,
    places: list[Place],
    answerable: bool,
    question: Question | None = None,
    settled: bool = True,
) -> Example | None:
    """The video and its question, if the video settles it; see `draw_story` for `settled`."""
    times, patches, spans = story_times(random, len(places), most)
    contents = [
        replace(shelf_content(shelf, place), span=span) for place, span in zip(places, spans, strict=True)
    ]
    if question is None:
        question = asked(random, shelf, contents, family, answerable, settled)
    answer = _answer(question, contents, times, settled) if question else None
    if question is None or answer is None:
        return None
    question = _typed(random, question)
    rows, mirrored, backwards = (np.array(part) for part in zip(*places, strict=True))
    return Example(rows, mirrored, backwards, tuple(contents), times, patches, question, answer)


def _answer(
    question: Question, contents: Sequence[Content], times: Sequence[float], settled: bool
) -> str | None:
    """The right answer; empty if it is open and doesn't have to be `settled`, see `draw_story`."""
    answer = answers.answer(question, contents, times)
    if answer is None and not settled and len(contents) == 1:
        return None if memory_words(question, contents[0]) is None else ""
    return answer


def _typed(random: Random, question: Question) -> Question:
    """The question as somebody types it."""
    return replace(question, text=rough(random, question.text))


def asked(
    random: Random,
    shelf: Shelf,
    contents: Sequence[Content],
    family: str,
    answerable: bool,
    settled: bool = True,
) -> Question | None:
    """A question of any family, or beyond all of them.

    Args:
        settled: as for `draw_story`; if not, it may be about a thing that is hardly in the frame.
    """
    if family == BEYOND:
        return asking.ask_beyond(random, contents, shelf.dictionary)
    things = [
        thing
        for content in contents
        for thing in (content.clear if settled or len(contents) > 1 else content.everything)
    ]
    if family in _MOVING and random.random() < _STILL:
        things = [thing for thing in things if thing.motion == MOTIONS.index("still")] or things
    return asking.ask(random, contents, family, answerable, things=things)


def _talked(random: Random, shelf: Shelf, example: Example) -> Example:
    """The same video, sometimes with a question that goes on with a conversation."""
    if random.random() >= _TALK or not example.answer:
        return example
    return _next(random, shelf, example, MIX) or example


def _next(random: Random, shelf: Shelf, example: Example, families: Sequence[str]) -> Example | None:
    """A question after the example's: one that names nothing, a new one, or one beyond all."""
    before, answer, way = example.question, example.answer, random.random()
    question: Question | None
    if way < 0.2:
        question = talk.beyond(random, before, answer, shelf.dictionary)
    elif way < 0.4:
        question = asked(
            random, shelf, example.contents, str(random.choice(families)), bool(random.random() < 0.7)
        )
        question = talk.going_on(question, before, answer) if question else None
    else:
        question = talk.following(random, example.contents, before, answer)
    told = answers.answer(question, example.contents, example.times) if question else None
    if question is None or told is None:
        return None
    return replace(example, question=_typed(random, question), answer=told)


def ask_more(
    random: Random,
    shelf: Shelf,
    example: Example,
    questions: int,
    families: Sequence[str] = MIX,
    settled: bool = True,
) -> list[Example]:
    """So many examples of one video: further questions, or the same again where there is little to ask.

    Args:
        settled: as for `draw_story`.
    """
    found = [example]
    for _ in range(_TRIES_TO_ASK * (questions - 1)):
        if len(found) == questions:
            break
        before = found[int(random.integers(len(found)))]
        if before.answer and random.random() < _TALK:
            fresh = _next(random, shelf, before, families)
        else:
            fresh = None
            family = str(random.choice(families))
            answerable = bool(random.random() < 0.6)
            question = asked(random, shelf, example.contents, family, answerable, settled)
            answer = _answer(question, example.contents, example.times, settled) if question else None
            if question and answer is not None:
                question = _typed(random, question)
                fresh = replace(example, question=question, answer=answer)
        if fresh is not None and len(fresh.question.earlier) < 4:
            found.append(fresh)
    return [found[number % len(found)] for number in range(questions)]


def ask_when(random: Random, example: Example, questions: int) -> list[Example]:
    """What is there at so many times of the same video; for the compressor, see `draw_story`.

    Of a video that is not sampled at the usual rate, it is the example's own question again.
    """
    found: list[Example] = []
    if at_usual_rate(example):
        for _ in range(_TRIES_TO_ASK):
            question = asking.ask(random, example.contents, "at", True)
            answer = _answer(question, example.contents, example.times, False) if question else None
            if question and answer is not None:
                question = _typed(random, question)
                found.append(replace(example, question=question, answer=answer))
            if len(found) == questions:
                break
    found = found or [example]
    return [found[number % len(found)] for number in range(questions)]


def at_usual_rate(example: Example) -> bool:
    """Whether two frames a second are sampled, about."""
    first, second, *_ = example.patches[0]
    return abs(second - first - 1.0) < 0.1


Times = tuple[float, ...]


def story_times(
    random: Random, count: int, most: int = 1
) -> tuple[Times, tuple[Times, ...], tuple[tuple[float, float], ...]]:
    """The seconds in the tags and in the compressor's prompts, and the spans, of `count` segments in a row.

    Two frames per second are most common, up to a quarter of a second more or less in all, as rounding a
    video's length to whole frames gives; else there may be anything from a tenth of a second to eight between
    two frames.

    Args:
        most: the first of them is one of so many segments of the video.
    """
    first = int(np.exp(random.uniform(0, np.log(most + 1)))) - 1 if most > 1 else 0
    if random.random() < 0.7:
        interval = 0.5 + float(random.uniform(-0.25, 0.25)) / (8 * (first + count))
    elif random.random() < 0.8:
        interval = float(np.exp(random.uniform(np.log(0.55), np.log(8.0))))
    else:
        interval = float(random.uniform(0.1, 0.45))
    indices = range(first, first + count)
    times = tuple((index * 8 + 4) * interval for index in indices)
    patches = tuple(
        tuple((index * 8 + 2 * patch + 0.5) * interval for patch in range(4)) for index in indices
    )
    spans = tuple((index * 8 * interval, (index + 1) * 8 * interval) for index in indices)
    return times, patches, spans


def _turned(content: Content, mirrored: bool, backwards: bool) -> Content:
    """Mirrored, left is right. Played backwards, motions turn and the last group comes first.

    A mirrored group counts as another group.
    """

    def turn(thing: Seen) -> Seen:
        if mirrored:
            thing = replace(thing, group=thing.group + _MIRRORED_GROUP)
        if backwards:
            thing = replace(thing, group=-1 - thing.group)
        if thing.motion is None:
            return thing
        name = MOTIONS[thing.motion]
        name = _MIRRORED.get(name, name) if mirrored else name
        name = _REVERSED.get(name, name) if backwards else name
        return replace(thing, motion=MOTIONS.index(name))

    return replace(content, clear=tuple(map(turn, content.clear)), unclear=tuple(map(turn, content.unclear)))
