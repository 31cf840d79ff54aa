"""The curriculum: what is learned in each stage, from what, and how it is scored.

| stage | what learns | from what |
|---|---|---|
| vision | the vision tower | dense labels on the merged tokens of single temporal patches |
| decoder | the decoder | stories and parts of films: its own word embeddings stand for memory tokens |
| stories | the decoder | the same; the stories have up to 128 segments |
| compressor | compressor and projector | single segments: relevance, the word of each memory token |
| together | everything | short videos: answers, relevance, words |
| long | the decoder | videos of up to 128 segments, the compressor being fixed |
| polish | the decoder | words again, with little noise: mostly lists and counts of films |
| tighten | compressor and projector | single segments again; what stands behind the end counts more |
| settle | the decoder | what the compressor wrote, in stories of up to 128 segments and in filmed videos |

Wherever frames are seen, several questions are asked about them: what is read before the question is
computed once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tempo_cli.plan.allocation import allocate

from . import answers, words
from .memories import Memories
from .memories import write as write_memories
from .network import Nano, Story
from .phrasings import BEYOND
from .scene import COLOURS, KINDS, MOTIONS, Random
from .shape import DIMENSIONS, MEMORY, WIDTH
from .stories import (
    FILMED,
    MIX,
    READING,
    Example,
    Shelf,
    ask_more,
    ask_when,
    at_usual_rate,
    draw_filmed,
    draw_story,
    look,
    story_times,
)
from .vocabulary import MEMORY_PAIRS, MEMORY_WORDS

Scores = dict[str, float]
_SLOT, _SQUARED, _FILLER = 0.5, 0.3, 0.1  # weights of losses
_SHARP = 12  # of the logits over what a memory token may be
_LONGEST = 128  # segments of a video
_ASIDE = 0.5  # weight of what is asked of the compressor alone
_BEYOND = 2.0  # weight, in the router's loss, of questions that can't be answered
_STRAY = 0.03  # of imagined memories that are wrong
_SEEN_PARTLY = 0.8  # of imagined memories that name a thing of which much, but not enough, is in the frame
_FILMED, _LONGEST_FILMED, _QUESTIONS = 32, 24, 6  # segments of a batch and of a video, questions about each
_COMPARED_FILMED = 6  # segments at least of a video that is asked for lists and counts


class Stage(Protocol):
    """One stage. `loss` draws a batch; the same randomness gives the same batch."""

    name: str
    steps: int
    rate: float

    def learns(self, model: Nano) -> Iterable[nn.Module | nn.Parameter]:
        """What is trained."""

    def loss(self, model: Nano, shelves: list[Shelf], random: Random) -> tuple[Tensor, Scores]:
        """Loss of a fresh batch, with scores for the log."""


# --- vision ------------------------------------------------------------------------------------------------

_KINDS, _COLOURS, _MOTIONS = len(KINDS), len(COLOURS), len(MOTIONS)


@dataclass
class Vision:
    """Each merged token tells which things lie in its cell, their colours and motions."""

    steps: int
    name: str = "vision"
    rate: float = 2e-3
    batch: int = 40  # segments; four temporal patches each
    heads: nn.Linear = field(default_factory=lambda: nn.Linear(WIDTH, _KINDS * (1 + _COLOURS + _MOTIONS)))

    def learns(self, model: Nano) -> Iterable[nn.Module | nn.Parameter]:
        return [model.compressor.vlm.visual, self.heads]

    def loss(self, model: Nano, shelves: list[Shelf], random: Random) -> tuple[Tensor, Scores]:
        shelf = draw_shelf(random, shelves)
        rows = random.choice(shelf.rows, self.batch)
        frames = shelf.frames[rows]
        sights = shelf.sights[rows].copy()
        if random.random() < 0.5:
            frames, sights = frames[:, :, :, ::-1], _turned(sights, (1, 0, 2, 3, 4))
            sights[..., 4] = np.where(sights[..., 0] >= 0, 1 - sights[..., 4], sights[..., 4])
        if random.random() < 0.5:
            frames, sights = frames[:, ::-1], _turned(sights[:, ::-1], (1, 0, 3, 2, 4))
        frames = np.ascontiguousarray(frames)
        merged, deep = model.see(model.put(frames))
        labels = cell_labels(sights, shelf.place[rows, 2], frames.shape[2:4])
        kinds, colours, motions = (model.put(part).flatten(0, 2) for part in labels)
        loss, scores = merged.new_zeros(()), {}
        for features, weight in ((merged, 1.0), (deep, 0.2)):
            told = self.heads(features).view(-1, _KINDS, 1 + _COLOURS + _MOTIONS)
            known = kinds >= 0
            there = kinds == 1
            moving = motions >= 0
            loss = loss + weight * (
                4 * F.binary_cross_entropy_with_logits(told[..., 0][known], kinds[known])
                + F.cross_entropy(told[..., 1 : 1 + _COLOURS][there], colours[there])
                + 0.7 * F.cross_entropy(told[..., 1 + _COLOURS :][moving], motions[moving])
            )
            if weight == 1:
                scores = {
                    "kind": _share((told[..., 0] > 0)[there]),
                    "false": _share((told[..., 0] > 0)[kinds == 0]),
                    "colour": _share((told[..., 1 : 1 + _COLOURS].argmax(-1) == colours)[there]),
                    "motion": _share((told[..., 1 + _COLOURS :].argmax(-1) == motions)[moving]),
                }
        return loss, scores


def _turned(sights: np.ndarray, motions: tuple[int, ...]) -> np.ndarray:
    """A copy in which motion m is `motions[m]`."""
    turned = sights.copy()
    there = sights[..., 0] >= 0
    turned[there, 2] = np.array(motions)[sights[there, 2].astype(int)]
    return turned


def cell_labels(
    sights: np.ndarray, intervals: np.ndarray, size: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What lies in the cell of each merged token.

    Returns:
        kinds: (B, t, cells, 8) float32, 1 there, 0 not, -1 a little; colours and motions: the same shape,
        int64, -100 where nothing is to be told.
    """
    rows, columns = size[0] // 32, size[1] // 32
    y, x = np.divmod(np.arange(rows * columns), columns)
    table = sights[:, :, :, None, :]  # (B, T, things, 1, 9)
    centre_x, centre_y, width, height = (table[..., column] for column in (4, 5, 6, 7))
    inside = 1.0
    for centre, edge, cell, count in ((centre_x, width, x, columns), (centre_y, height, y, rows)):
        low, high = (
            np.maximum(centre - edge / 2, cell / count),
            np.minimum(centre + edge / 2, (cell + 1) / count),
        )
        inside = inside * np.maximum(high - low, 0)
    smaller = np.minimum(np.maximum(width * height, 1e-6), 1 / (rows * columns))
    overlap = np.where(table[..., 0] >= 0, inside / smaller, 0)  # (B, T, things, cells)
    batch, frames, things, cells = overlap.shape
    pairs = overlap.reshape(batch, frames // 2, 2, things, cells)
    ids = sights.reshape(batch, frames // 2, 2, things, 9)
    kinds = np.zeros((batch, frames // 2, cells, _KINDS), np.float32)
    colours = np.full(kinds.shape, -100, np.int64)
    motions = np.full(kinds.shape, -100, np.int64)
    share = np.zeros_like(kinds)
    in_both = np.zeros(kinds.shape, np.int64)
    for b, t, f, thing in np.argwhere(ids[..., 0] >= 0):
        kind, colour, motion = (int(v) for v in ids[b, t, f, thing, :3])
        mine = pairs[b, t, f, thing]
        share[b, t, :, kind] = np.maximum(share[b, t, :, kind], mine)
        colours[b, t, mine > 0.25, kind] = colour
        motions[b, t, mine > 0.25, kind] = motion
        in_both[b, t, :, kind] += 1
    kinds[share > 0.25] = 1
    kinds[(share > 0.03) & (share <= 0.25)] = -1
    unknown = (in_both < 2) | (intervals > 1.0)[:, None, None, None]
    motions[unknown] = -100
    return kinds, colours, motions


# --- decoder -----------------------------------------------------------------------------------------------


@dataclass
class Reading:
    """The decoder learns to answer from words at the places of memory tokens."""

    steps: int
    name: str = "decoder"
    rate: float = 2e-3
    segments: int = 256  # per batch
    shortest: int = 1
    longest: int = 24
    families: Sequence[str] = READING
    filmed_families: Sequence[str] = READING
    stories: float = 0.5  # part of the segments; the others are parts of videos as they were filmed
    noise: tuple[float, float] = (0.1, 0.8)  # from and to, in parts of the words' own spread
    memories: Memories | None = None  # that the compressor wrote; they are read instead of words
    filmed: Sequence["Filmed"] = ()  # by the compressor too; instead of imagined ones

    def learns(self, model: Nano) -> Iterable[nn.Module | nn.Parameter]:
        return [model.decoder.llm]

    def loss(self, model: Nano, shelves: list[Shelf], random: Random) -> tuple[Tensor, Scores]:
        shelf = draw_shelf(random, shelves)
        table = memory_table(model)
        stories, families = [], []
        spread = float(random.uniform(*self.noise)) * table.std().detach()
        woven = round(self.segments * self.stories)
        left = self.segments - woven
        examples = _draw(random, shelf, woven, self.shortest, self.longest, self.families)
        while left > 0 and not self.filmed:
            examples.append(draw_filmed(random, shelf, _LONGEST_FILMED, self.filmed_families))
            left -= len(examples[-1].contents)
        for example in examples:
            held = imagined(random, example)
            kept = keep(random, example, None)
            memory = []
            for own, k in zip(held, kept, strict=True):
                written = self.memories.draw(random, without_end(own)) if self.memories else None
                if written is not None:
                    memory.append(written[:k])
                    continue
                vectors = table[model.put(np.array(own[:k]))]
                noise = model.put(random.standard_normal(vectors.shape, np.float32))
                memory.append(vectors + noise * spread)
            stories.append(_story(example, memory))
            families.append(example.question.family)
        while left > 0:
            own = self.filmed[int(random.integers(len(self.filmed)))]
            kept = [MEMORY] * len(own.memory)  # as in all videos of some minutes
            if random.random() < 0.5:
                kept = keep(random, own.example, own.relevance)
            stories.append(_story(own.example, [part[:k] for part, k in zip(own.memory, kept, strict=True)]))
            families.append(own.example.question.family)
            left -= len(kept)
        loss, right = model.write(stories)
        return loss, _by_family(families, right)


class Filmed(NamedTuple):
    """A part of a video with its question, as a trained compressor wrote it.

    Attributes:
        memory: projected memory tokens of each segment, (S, M, D).
        relevance: of each segment, (S,).
    """

    example: Example
    memory: Tensor
    relevance: np.ndarray


@torch.no_grad()
def written_videos(model: Nano, shelves: list[Shelf], random: Random, batches: int) -> list[Filmed]:
    """What the compressor writes about videos as they were filmed, several questions about each."""
    found = []
    for _ in range(batches):
        shelf, videos, segments = draw_shelf(random, shelves), list[list[Example]](), 0
        while segments < _FILMED:
            example = draw_filmed(random, shelf, _LONGEST_FILMED, FILMED, _COMPARED_FILMED)
            videos.append(ask_more(random, shelf, example, _QUESTIONS, FILMED))
            segments += len(example.contents)
        memory, logits = _compressed(model, shelf, videos, random)
        projected, relevance = model.decoder.projector(memory), torch.sigmoid(logits).cpu().numpy()
        at = 0
        for example in (example for video in videos for example in video):
            rows = slice(at, at + len(example.contents))
            found.append(Filmed(example, projected[rows], relevance[rows]))
            at = rows.stop
    return found


def _story(example: Example, memory: Sequence[Tensor]) -> Story:
    return Story(example.times, memory, example.question.text, example.answer, example.question.earlier)


def memory_ids(model: Nano) -> Tensor:
    """Ids of the words that memory tokens may stand for."""
    return model.put(np.array([model.tokenizer.word_id(word) for word in MEMORY_WORDS]))


def memory_table(model: Nano) -> Tensor:
    """What memory tokens may be, (N, D): words, then the pairs of a color and a kind.

    A pair is the sum of both embeddings, as long as one of them.
    """
    words_ = model.embed(memory_ids(model))
    colours, kinds = words_[: len(COLOURS)], words_[len(COLOURS) : len(COLOURS) + len(KINDS)]
    pairs = (colours[:, None] + kinds[None]).flatten(0, 1) / 2**0.5
    return torch.cat([words_, pairs])


_INDEX = {word.strip(): number for number, word in enumerate((*MEMORY_WORDS, *MEMORY_PAIRS))}


def imagined(random: Random, example: Example) -> list[list[int]]:
    """What each segment's memory holds, as a compressor might err: rows of `memory_table`, with END behind.

    Things that are hardly seen are there or not. Where a question can't be answered, the memory may hold
    anything: the decoder has to see that for itself.
    """
    question, held = example.question, []
    way = random.random() if question.family == BEYOND else 0.0
    for content in example.contents:
        told = words.memory_words(question, _doubted(random, content))
        if told is None and words.relevance(question, content) is None:
            told = [words.NOTHING]
        if way > 0.5:
            told = [words.NOTHING] if way < 0.75 else words.scene_words("list", content.clear)
        elif told == [words.NOTHING] and random.random() < _STRAY:
            told = [words.UNKNOWN]
        elif content.foreign and random.random() < 3 * _STRAY:
            told = [words.NOTHING]
        held.append([_INDEX[word] for word in [*(told or ()), *[words.END] * MEMORY][:MEMORY]])
    return held


def _doubted(random: Random, content: words.Content) -> words.Content:
    """The same, where each thing that is hardly seen is seen well or not at all."""
    seen = (
        replace(thing, partly=False)
        for thing in content.unclear
        if random.random() < (_SEEN_PARTLY if thing.partly else 1 - _SEEN_PARTLY)
    )
    return replace(content, clear=(*content.clear, *seen), unclear=()) if content.unclear else content


def without_end(held: Sequence[int]) -> list[int]:
    """A memory's words, up to END."""
    end = _INDEX[words.END]
    return list(held[: held.index(end)]) if end in held else list(held)


def keep(random: Random, example: Example, relevance: np.ndarray | None) -> list[int]:
    """How many tokens each segment keeps: sometimes equally many, else by relevance.

    Where the answer would be cut off, it is mostly given room, so that guessing is not what is learned. For
    a list, segments mostly keep as many as the fullest one needs.
    """
    count, way = len(example.contents), random.random()
    if way < 0.2:
        return [MEMORY] * count
    held = [words.memory_words(example.question, content) for content in example.contents]
    need = max(len(own or ()) for own in held) or 1
    if example.question.family == "list" and way < 0.75:  # short stories train faster, and it needs no more
        return [need] * count
    if way < 0.45:
        least = need if random.random() < 0.85 else 1
        return [int(random.integers(min(least, MEMORY), MEMORY + 1))] * count
    if relevance is None:
        scores = np.array([words.relevance(example.question, c) is not False for c in example.contents])
        relevance = np.clip(scores + random.normal(0, 0.05, count), 0, 1).astype(np.float32)
    least = count + max(need, sum(len(own) - 1 for own in held if own))
    budget = int(random.integers(least, count * MEMORY + 1)) if count * MEMORY > least else count * MEMORY
    return allocate(relevance, budget, 1, MEMORY).tokens.tolist()


# --- compressor --------------------------------------------------------------------------------------------


@dataclass
class Compressing:
    """The compressor learns relevance and what each memory token should hold, on single segments."""

    steps: int
    name: str = "compressor"
    rate: float = 2e-3
    batch: int = 24  # segments
    questions: int = 4  # about each
    router_weight: float = 1.0
    filler: float = _FILLER  # weight of what stands behind the token that ends a memory
    families: Sequence[str] = MIX
    moments: int = 0  # times that are asked about, besides

    def learns(self, model: Nano) -> Iterable[nn.Module | nn.Parameter]:
        return [model.compressor, model.decoder.projector]

    def loss(self, model: Nano, shelves: list[Shelf], random: Random) -> tuple[Tensor, Scores]:
        examples, memory, logits = self.compressed(model, shelves, random)
        slots, scores = slot_loss(model, memory, examples, self.filler)
        router, more = router_loss(model, logits, examples)
        return self.router_weight * router + slots, scores | more

    def compressed(
        self, model: Nano, shelves: list[Shelf], random: Random
    ) -> tuple[list[Example], Tensor, Tensor]:
        """A batch of single segments with questions, their memory tokens and the router's logits."""
        shelf = draw_shelf(random, shelves)
        videos = [self._asked(random, shelf) for _ in range(self.batch)]
        memory, logits = _compressed(model, shelf, videos, random)
        return [example for video in videos for example in video], memory, logits

    def _asked(self, random: Random, shelf: Shelf) -> list[Example]:
        story = draw_story(random, shelf, 1, self.families, _LONGEST, settled=False)
        moments = self.moments if at_usual_rate(story) else 0
        count = self.questions + self.moments - moments
        asked = ask_more(random, shelf, story, count, self.families, settled=False)
        return [*asked, *ask_when(random, story, moments)] if moments else asked


def written_memories(model: Nano, shelves: list[Shelf], random: Random, batches: int) -> Memories:
    """What the compressor writes for so many batches of `Compressing`."""
    stage = Compressing(0)
    found = []
    with torch.no_grad():
        for _ in range(batches):
            examples, memory, _ = stage.compressed(model, shelves, random)
            told = [words.memory_words(one.question, one.contents[0]) for one in examples]
            found.append((memory, [own and [_INDEX[word] for word in own] for own in told]))
    return write_memories(model, found)


def slot_loss(
    model: Nano, memory: Tensor, examples: list[Example], filler: float = _FILLER
) -> tuple[Tensor, Scores]:
    """Each projected memory token should be the embedding of its word: cross-entropy and distance.

    Args:
        filler: weight of the tokens behind the first END, which counts as much as a word, because it says
            that nothing else is there.
    """
    table = memory_table(model).detach()
    size = table.pow(2).sum(-1).mean()
    told = [
        words.memory_words(example.question, content) for example in examples for content in example.contents
    ]
    rows = model.put(np.flatnonzero([own is not None for own in told]))
    full = [
        [_INDEX[word] for word in [*own, *[words.END] * MEMORY][:MEMORY]] for own in told if own is not None
    ]
    labels = model.put(np.array(full))
    lengths = np.array([len(own) for own in told if own is not None])
    counts, ends = (model.put(np.arange(MEMORY) < lengths[:, None] + more) for more in (0, 1))
    weight = torch.where(ends, 1.0, filler)
    projected = model.decoder.projector(memory[rows])
    logits = projected @ table.T * (_SHARP / size)
    each = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(weight)
    far = (projected - table[labels]).pow(2).sum(-1) / size
    loss = ((each + _SQUARED * far) * weight).sum() / weight.sum()
    exact = logits.argmax(-1) == labels
    right = exact | ~counts
    relevant = (labels[:, 0] != _INDEX[words.NOTHING]) & (labels[:, 0] != _INDEX[words.UNKNOWN])
    return loss, {
        "words": _share(right.all(1)[relevant]),
        "first": _share(right[:, 0]),
        "ends": _share(exact[~counts]),
    }


def router_loss(model: Nano, logits: Tensor, examples: list[Example]) -> tuple[Tensor, Scores]:
    """Relevance as a yes-or-no question; segments that hardly show the thing are passed over.

    What can't be answered counts more: a video has many segments, and none of them may look relevant.
    """
    pairs = [(example.question, content) for example in examples for content in example.contents]
    states = [words.relevance(question, content) for question, content in pairs]
    counts = [_BEYOND if question.family == BEYOND else 1.0 for question, _ in pairs]
    known = model.put(np.flatnonzero([state is not None for state in states]))
    label = model.put(np.array([float(state or 0) for state in states], np.float32))[known]
    weight = model.put(np.array(counts, np.float32))[known]
    loss = F.binary_cross_entropy_with_logits(logits[known], label, weight)
    return loss, {"router": float(loss.detach()), "auc": auc(logits[known].detach(), label)}


def auc(scores: Tensor, labels: Tensor) -> float:
    """Chance that a relevant segment scores higher than another; 0.5 where there is only one sort."""
    high, low = scores[labels == 1], scores[labels == 0]
    if not len(high) or not len(low):
        return 0.5
    wins = (high[:, None] > low[None]).float() + 0.5 * (high[:, None] == low[None]).float()
    return float(wins.mean())


# --- together ----------------------------------------------------------------------------------------------


@dataclass
class Together:
    """Videos of 1 to `longest` segments, end to end.

    Which segment holds a moment is hard to learn and cheap to ask: `moments` questions about each video are
    for the compressor alone.
    """

    steps: int
    name: str = "together"
    rate: float = 5e-4
    segments: int = 32  # per batch
    questions: int = 3  # about each video
    moments: int = 2
    longest: int = 16
    router_weight: float = 1.0

    def learns(self, model: Nano) -> Iterable[nn.Module | nn.Parameter]:
        return [model.compressor, model.decoder]

    def loss(self, model: Nano, shelves: list[Shelf], random: Random) -> tuple[Tensor, Scores]:
        shelf = draw_shelf(random, shelves)
        drawn = _draw(random, shelf, self.segments, 1, self.longest)
        videos = [
            [*ask_more(random, shelf, example, self.questions), *ask_when(random, example, self.moments)]
            for example in drawn
        ]
        memory, logits = _compressed(model, shelf, videos, random)
        every = [example for video in videos for example in video]
        told = np.array([number % len(videos[0]) < self.questions for number in range(len(every))])
        rows = np.repeat(told, [len(example.contents) for example in every])
        moments = [example for example, one in zip(every, told, strict=True) if not one]
        other, _ = router_loss(model, logits[model.put(np.flatnonzero(~rows))], moments)
        held, _ = slot_loss(model, memory[model.put(np.flatnonzero(~rows))], moments)
        aside = self.router_weight * other + _SLOT * held
        memory, logits = (part[model.put(np.flatnonzero(rows))] for part in (memory, logits))
        examples = [example for example, one in zip(every, told, strict=True) if one]
        projected = model.decoder.projector(memory)
        relevance = torch.sigmoid(logits.detach()).cpu().numpy()
        stories, at = [], 0
        for example in examples:
            count = len(example.contents)
            kept = keep(random, example, relevance[at : at + count])
            pieces = [projected[at + row, :k] for row, k in enumerate(kept)]
            stories.append(_story(example, pieces))
            at += count
        answers, right = model.write(stories)
        router, scores = router_loss(model, logits, examples)
        scores |= _by_family([example.question.family for example in examples], right)
        slots, more = slot_loss(model, memory, examples)
        loss = answers + self.router_weight * router + _SLOT * slots + _ASIDE * aside
        return loss, scores | more | {"moments": float(other.detach())}


@dataclass
class Long:
    """The decoder learns to read many segments; the compressor is fixed.

    A story has the few segments of a video and, between them, memories of irrelevant segments of the whole
    batch. Many have `longest` segments, as every video has from which the most frames are sampled. Lists
    suffer most from many segments, and times have most digits there: they are asked for most. What is there
    at a time is not asked: the compressor would have read other times than the decoder.
    """

    steps: int
    name: str = "long"
    rate: float = 1e-3
    videos: int = 8  # per batch
    own: int = 6  # segments of each, at most
    questions: int = 6  # about each, from which stories are chosen
    longest: int = 128
    segments: int = 1536  # of the stories of a batch, about
    families: Sequence[str] = (
        *(family for family in MIX if family != "at"), *("together", "describe") * 10, *("when", "list") * 4,
    )  # fmt: skip

    def learns(self, model: Nano) -> Iterable[nn.Module | nn.Parameter]:
        return [model.decoder]

    def loss(self, model: Nano, shelves: list[Shelf], random: Random) -> tuple[Tensor, Scores]:
        shelf = draw_shelf(random, shelves)
        own = int(random.integers(1, self.own + 1))
        videos = [
            ask_more(
                random, shelf, draw_story(random, shelf, own, self.families), self.questions, self.families
            )
            for _ in range(self.videos)
        ]
        with torch.no_grad():
            memory, logits = _compressed(model, shelf, videos, random)
        relevance = torch.sigmoid(logits).cpu().numpy()
        examples = [example for video in videos for example in video]
        declined = np.array([example.answer == words.DECLINE for example in examples])
        states = [words.relevance(one.question, content) for one in examples for content in one.contents]
        idle = np.flatnonzero(np.array([state is False for state in states]) & ~np.repeat(declined, own))
        most = self.longest if len(idle) else own  # is there anything to put between its own?
        absent = np.array([True not in states[row : row + own] for row in range(0, len(states), own)])
        stories, families, room = [], [], self.segments
        for number in np.argsort(random.random(len(examples)) + 0.5 * absent):
            if room <= 0:
                break
            example = examples[number]
            count = most if random.random() < 0.25 else _log_uniform(random, own, most)
            order = np.sort(random.permutation(count)[:own])
            if random.random() < 0.5:  # in a row, as they were filmed
                order = np.arange(own) + int(random.integers(count - own + 1))
            rows = np.zeros(count, np.int64)
            rows[order] = np.arange(number * own, (number + 1) * own)
            others = np.setdiff1d(np.arange(count), order)
            pool = rows[order] if declined[number] else idle
            if len(others):
                rows[others] = pool[random.integers(len(pool), size=len(others))]
            times, _, _ = story_times(random, count)
            contents = [replace(example.contents[0], clear=(), unclear=())] * count
            for place, content in zip(order, example.contents, strict=True):
                contents[place] = content
            answer = answers.answer(example.question, contents, times)
            if answer is None:  # what was one stretch is torn apart
                continue
            room -= count
            longer = replace(example, contents=tuple(contents), times=times, answer=answer)
            kept = keep(random, longer, relevance[rows])
            projected = model.decoder.projector(memory[model.put(rows)])
            pieces = [projected[row, :k] for row, k in enumerate(kept)]
            stories.append(_story(longer, pieces))
            families.append(example.question.family)
        loss, right = model.write(stories)
        return loss, _by_family(families, right)


def _compressed(
    model: Nano, shelf: Shelf, videos: list[list[Example]], random: Random
) -> tuple[Tensor, Tensor]:
    """Memory tokens and the router's logits of every segment of every example, in a row.

    The examples of a video differ in their questions only: its frames are seen once.
    """
    frames = model.put(np.concatenate([look(shelf, video[0], random) for video in videos]))
    patches = [part for video in videos for part in video[0].patches]
    questions = [example.question.query for video in videos for _ in video[0].contents for example in video]
    memory, logits = model.compress(frames, patches, questions)
    counts = [(len(video[0].contents), len(video)) for video in videos]
    starts = np.cumsum([0, *(segments * asked for segments, asked in counts)])
    order = model.put(
        np.concatenate(
            [
                start + np.arange(segments * asked).reshape(segments, asked).T.flatten()
                for start, (segments, asked) in zip(starts, counts, strict=False)
            ]
        )
    )
    return memory[order], logits[order]


def _draw(
    random: Random,
    shelf: Shelf,
    segments: int,
    shortest: int,
    longest: int,
    families: Sequence[str] = MIX,
) -> list[Example]:
    """Videos of equal length, about `segments` segments in all; at most 48 videos."""
    count = _log_uniform(random, shortest, longest)
    return [draw_story(random, shelf, count, families) for _ in range(max(1, min(48, segments // count)))]


def _log_uniform(random: Random, shortest: int, longest: int) -> int:
    return int(np.exp(random.uniform(np.log(shortest), np.log(longest + 1))))


def draw_shelf(random: Random, shelves: list[Shelf]) -> Shelf:
    """A frame size, the more likely the more segments it has."""
    sizes = np.array([len(shelf) for shelf in shelves], float)
    return shelves[int(random.choice(len(shelves), p=sizes / sizes.sum()))]


def _share(right: Tensor) -> float:
    return float(right.float().mean()) if len(right) else float("nan")


def _by_family(families: list[str], right: Tensor) -> Scores:
    found = right.cpu().numpy()
    scores = {"answers": float(found.mean())}
    for family in sorted(set(families)):
        scores[family] = float(found[[name == family for name in families]].mean())
    return scores


assert DIMENSIONS.memory_tokens == MEMORY
