"""Memories that a compressor wrote: which one is drawn for which words, and what the decoder reads."""

import numpy as np
import pytest
import torch

from training import answers, stages, words
from training.memories import Memories
from training.shape import MEMORY, WIDTH
from training.stages import (
    Compressing,
    Filmed,
    Reading,
    memory_table,
    without_end,
    written_memories,
    written_videos,
)
from training.stories import FILMED, draw_filmed
from training.vocabulary import MEMORY_PAIRS, MEMORY_WORDS

RED, CAR, PLANE = (MEMORY_WORDS.index(word) for word in (" red", " car", " plane"))
END = [word.strip() for word in MEMORY_WORDS].index(words.END)


def memories(*held: tuple[int, ...]) -> Memories:
    """Memory n is filled with n everywhere."""
    vectors = torch.arange(len(held), dtype=torch.float32)[:, None, None].expand(-1, MEMORY, WIDTH)
    return Memories(vectors, held)


def drawn(own: Memories, held: list[int]) -> set[tuple[float, ...]]:
    """The numbers in each place of all memories that are drawn."""
    random = np.random.default_rng(0)
    return {tuple(own.draw(random, held)[:, 0].tolist()) for _ in range(400)}


def test_a_memory_of_the_same_words_is_drawn_whole():
    own = memories(*[(RED, CAR)] * 6, *[(RED,)] * 6, *[(PLANE, CAR)] * 6)
    assert drawn(own, [RED, CAR]) == {(float(row),) * MEMORY for row in range(6)}
    assert drawn(own, [RED]) == {(float(row),) * MEMORY for row in range(6, 12)}


def test_words_of_few_segments_come_from_several_memories():
    """At its place, each word comes from any memory that has it there; the rest from one of that length."""
    own = memories(*[(RED, CAR)] * 5, (RED,), (PLANE, CAR))
    found = drawn(own, [RED, CAR])
    assert {row[0] for row in found} == {0.0, 1, 2, 3, 4, 5}
    assert {row[1] for row in found} == {0.0, 1, 2, 3, 4, 6}
    assert {row[2:] for row in found} == {(float(last),) * (MEMORY - 2) for last in (0, 1, 2, 3, 4, 6)}


@pytest.mark.parametrize("held", [[CAR], [RED, RED], [RED, CAR, PLANE]])
def test_nothing_is_drawn_for_words_that_were_never_seen_there(held):
    assert memories((RED, CAR), (RED,)).draw(np.random.default_rng(0), held) is None


@pytest.mark.parametrize(
    ("held", "told"),
    [([RED, CAR, END, END], [RED, CAR]), ([RED] * MEMORY, [RED] * MEMORY), ([END] * MEMORY, [])],
)
def test_words_end_where_end_begins(held, told):
    assert without_end(held) == told


@torch.no_grad()
def test_written_memories_are_what_the_compressor_writes(nano, shelf):
    """One batch, by hand; segments in which the thing is hardly seen are left out."""
    stage = Compressing(0)
    examples, memory, _ = stage.compressed(nano, [shelf], np.random.default_rng(3))
    told = [words.memory_words(one.question, one.contents[0]) for one in examples]
    known = [row for row, own in enumerate(told) if own is not None]
    found = written_memories(nano, [shelf], np.random.default_rng(3), 1)
    assert len(found) == len(known)
    assert float((found.vectors - nano.decoder.projector(memory[known])).abs().max()) < 1e-5
    names = [word.strip() for word in (*MEMORY_WORDS, *MEMORY_PAIRS)]
    for row, own in enumerate(told[place] for place in known):
        same = [n for n, other in enumerate(told[place] for place in known) if other == own]
        if len(same) >= 6:
            one = found.draw(np.random.default_rng(0), [names.index(word) for word in own])
            assert min(float((one - found.vectors[n]).abs().max()) for n in same) == 0, row


def test_the_decoder_reads_memories_in_place_of_words(fresh, shelf, monkeypatch):
    """Only words that no memory holds are still imagined, with noise."""
    read = []
    write = fresh.write
    monkeypatch.setattr(fresh, "write", lambda stories: (read.extend(stories), write(stories))[1])
    names = [word.strip() for word in (*MEMORY_WORDS, *MEMORY_PAIRS)]
    nothing = (names.index(words.NOTHING),)
    own = Memories(torch.full((6, MEMORY, WIDTH), 7.0), [nothing] * 6)
    stage = Reading(2, segments=40, shortest=4, longest=4, memories=own, noise=(0.0, 0.0))
    for seed in range(5):
        stage.loss(fresh, [shelf], np.random.default_rng(seed))
    pieces = [piece for story in read for piece in story.memory]
    ours = [bool((piece == 7).all()) for piece in pieces]
    assert 0.2 < np.mean(ours) < 0.99
    table = memory_table(fresh).detach()
    first = [
        int(torch.cdist(piece[:1], table).argmin())
        for piece, mine in zip(pieces, ours, strict=True)
        if not mine
    ]
    assert names.index(words.NOTHING) not in first
    assert len(set(first)) > 3


@torch.no_grad()
def test_written_videos_are_what_the_compressor_writes(nano, shelf, monkeypatch):
    """Each question's segments in their order, with the relevance of each."""
    seen = []
    compressed = stages._compressed

    def once(model, own, videos, random):
        memory, logits = compressed(model, own, videos, random)
        seen.append((videos, memory, logits))
        return memory, logits

    monkeypatch.setattr(stages, "_compressed", once)
    drawn = []
    draw = stages.draw_filmed
    monkeypatch.setattr(stages, "draw_filmed", lambda *given: (drawn.append(given[2:]), draw(*given))[1])
    found = written_videos(nano, [shelf], np.random.default_rng(3), 2)
    assert set(drawn) == {(24, FILMED, 6)}  # lists and counts are asked of six segments or more
    examples = [example for videos, _, _ in seen for video in videos for example in video]
    assert [own.example for own in found] == examples
    assert len(examples) == 6 * sum(len(videos) for videos, _, _ in seen)
    memory, logits = (torch.cat([batch[part] for batch in seen]) for part in (1, 2))
    assert torch.equal(torch.cat([own.memory for own in found]), nano.decoder.projector(memory))
    assert np.concatenate([own.relevance for own in found]) == pytest.approx(torch.sigmoid(logits).numpy())
    for own in found:
        example = own.example
        assert len(own.memory) == len(own.relevance) == len(example.contents)
        assert answers.answer(example.question, example.contents, example.times) == example.answer


def test_half_of_what_the_decoder_reads_are_videos_as_they_were_filmed(fresh, shelf, monkeypatch):
    read = []
    write = fresh.write
    monkeypatch.setattr(fresh, "write", lambda stories: (read.extend(stories), write(stories))[1])
    random = np.random.default_rng(1)
    own = []
    for _ in range(20):
        example = draw_filmed(random, shelf, 6)
        count = len(example.contents)
        own.append(Filmed(example, torch.full((count, MEMORY, WIDTH), 7.0), np.ones(count, np.float32)))
    stage = Reading(2, segments=60, shortest=3, longest=3, filmed=own)
    for seed in range(6):
        stage.loss(fresh, [shelf], np.random.default_rng(seed))
    ours = [story for story in read if bool((story.memory[0] == 7).all())]
    held = sum(len(story.memory) for story in ours)
    assert 6 * 30 <= held < 6 * 36
    assert sum(len(story.memory) for story in read) - held == 6 * 30
    texts = {one.example.question.text: one.example for one in own}
    assert all(texts[story.question].answer == story.answer for story in ours)
    whole = [all(len(part) == MEMORY for part in story.memory) for story in ours]
    assert 0.4 < np.mean(whole) < 0.95
