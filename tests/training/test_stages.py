"""Labels, losses and budgets of the stages, by hand; and what each stage trains."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tempo_cli.plan.allocation import allocate
from training import answers, stages, words
from training.network import Nano, Story
from training.phrasings import BEYOND
from training.shape import MEMORY, WIDTH
from training.stages import (
    Compressing,
    Long,
    Reading,
    Stage,
    Together,
    Vision,
    _compressed,
    auc,
    cell_labels,
    draw_shelf,
    keep,
    memory_table,
    router_loss,
    slot_loss,
)
from training.stories import MIX, Example, Shelf, ask_more, at_usual_rate, draw_story
from training.vocabulary import MEMORY_PAIRS, MEMORY_WORDS
from training.words import Content, Question, Seen

from .conftest import LANDSCAPE
from .test_words import CAR, EMPTY, THERE, question, shows

SMALL: dict[str, Stage] = {
    "vision": Vision(2, batch=8),
    "decoder": Reading(2, segments=6, longest=3),
    "compressor": Compressing(2, batch=2, questions=2),
    "together": Together(2, segments=6, questions=2, longest=3),
    "long": Long(2, videos=3, own=2, questions=2, longest=5, segments=10),
}


def example(family: str, about: str, *story: Content) -> Example:
    """An example of segments that no shelf holds."""
    asked, count = question(family, about), len(story)
    times = tuple(2.0 + 4 * index for index in range(count))
    flags = np.zeros(count, bool)
    patches = ((0.0, 1.0, 2.0, 3.0),) * count
    answer = answers.answer(asked, story, times) or ""
    return Example(np.arange(count), flags, flags, story, times, patches, asked, answer)


# --- vision -------------------------------------------------------------------------------------------------

NAMED = (2, 5, 1, 0)  # a red car that moves right


def labelled(
    *boxes: tuple[float, float, float, float], frames: Sequence[int] = range(8), interval: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """kinds, colours, motions (t, cells) of red cars' boxes (x, y, width, height) in six cells."""
    sights = np.full((1, 8, 8, 9), -1, np.float32)
    for frame in frames:
        for row, box in enumerate(boxes):
            sights[0, frame, row] = [*NAMED, *box, 1]
    found = cell_labels(sights, np.array([interval], np.float32), LANDSCAPE)
    assert [part.shape for part in found] == [(1, 4, 6, 8)] * 3
    others = [kind for kind in range(8) if kind != NAMED[0]]
    assert (found[0][..., others] == 0).all()
    assert (found[1][..., others] == -100).all()
    return tuple(part[0, :, :, NAMED[0]] for part in found)  # type: ignore[return-value]


def test_a_thing_that_fills_a_cell_is_told_there_and_nowhere_else():
    kinds, colours, motions = labelled((0.5, 0.25, 1 / 3, 0.5))
    assert kinds.tolist() == [[0, 1, 0, 0, 0, 0]] * 4
    assert colours.tolist() == [[-100, 5, -100, -100, -100, -100]] * 4
    assert motions.tolist() == [[-100, 1, -100, -100, -100, -100]] * 4


@pytest.mark.parametrize(
    ("box", "row"),
    [
        ((1 / 3, 0.25, 1 / 3, 0.5), [1, 1, 0, 0, 0, 0]),  # half in each
        ((1 / 3 - 0.12, 0.25, 1 / 3, 0.5), [1, -1, 0, 0, 0, 0]),  # 0.86 and 0.14 of a cell
        ((1 / 3 - 0.16, 0.25, 1 / 3, 0.5), [1, 0, 0, 0, 0, 0]),  # 0.98 and 0.02
        ((0.5, 0.5, 1, 1), [1, 1, 1, 1, 1, 1]),
        ((2 / 3, 0.5, 0.1, 0.1), [0, 1, 1, 0, 1, 1]),  # a quarter of a small thing in each, rounded up
        ((1.0, 0.75, 1 / 3, 0.5), [0, 0, 0, 0, 0, 1]),
        ((1.3, 0.75, 1 / 3, 0.5), [0, 0, 0, 0, 0, 0]),
    ],
)
def test_the_share_of_a_thing_in_a_cell_decides(box, row):
    x, y, width, height = box
    inward = 1e-3 if width == 0.1 else 0.0
    boxes = [(x + dx, y + dy, width, height) for dx in (-inward, inward) for dy in (-inward, inward)]
    kinds, colours, _ = labelled(*boxes[: 4 if inward else 1])
    assert kinds[0].tolist() == row
    assert (colours[0] == 5).tolist() == [label == 1 for label in row]


def test_motion_is_told_where_both_frames_of_a_patch_show_the_thing():
    kinds, colours, motions = labelled((0.5, 0.25, 1 / 3, 0.5), frames=(0, 1, 3))
    assert kinds[:, 1].tolist() == [1, 1, 0, 0]
    assert colours[:, 1].tolist() == [5, 5, -100, -100]
    assert motions[:, 1].tolist() == [1, -100, -100, -100]


@pytest.mark.parametrize(("interval", "motion"), [(0.5, 1), (1.0, 1), (1.1, -100)])
def test_motion_is_not_told_of_frames_far_apart(interval, motion):
    kinds, _, motions = labelled((0.5, 0.25, 1 / 3, 0.5), interval=interval)
    assert kinds[0, 1] == 1
    assert motions[0, 1] == motion


# --- words and relevance ------------------------------------------------------------------------------------

TOO_MANY = Content(tuple(Seen(2, colour, None, group=colour) for colour in range(5)))
TOLD = [
    example("describe", "car", shows("orange ball up", "red car right"), EMPTY),
    example("colour", "car", CAR, TOO_MANY),
]
HELD = [["red car", "orange ball"], ["nothing"], ["red"], None]


def memory_of(model: Nano, held: Sequence[list[str] | None]) -> torch.Tensor:
    """Memory tokens that are the embeddings of their words, (S, M, D); noise where there are none."""
    index = {word.strip(): row for row, word in enumerate((*MEMORY_WORDS, *MEMORY_PAIRS))}
    table = memory_table(model)
    rows = [[index[word] for word in [*own, *["."] * MEMORY][:MEMORY]] for own in held if own]
    filled = iter(table[torch.tensor(rows)])
    noise = torch.randn(MEMORY, WIDTH, generator=torch.Generator().manual_seed(0))
    return torch.stack([next(filled) if own else noise for own in held])


@pytest.fixture
def plain(fresh) -> Nano:
    """With a projector that changes nothing."""
    with torch.no_grad():
        fresh.decoder.projector.weight.copy_(torch.eye(WIDTH))
        fresh.decoder.projector.bias.zero_()
    return fresh


@torch.no_grad()
def test_the_words_loss_is_small_where_the_memory_holds_its_words(plain):
    loss, scores = slot_loss(plain, memory_of(plain, HELD), TOLD)
    assert 0 < float(loss) < 0.2  # pairs with a word in common are close
    assert scores == {"words": 1.0, "first": 1.0, "ends": 1.0}


@torch.no_grad()
@pytest.mark.parametrize(
    ("held", "low", "scores"),
    [
        ([["red car", "orange star"], *HELD[1:]], 0.5, {"words": 0.5, "first": 1.0, "ends": 1.0}),
        ([HELD[0], ["yes"], *HELD[2:]], 0.5, {"words": 1.0, "first": 2 / 3, "ends": 1.0}),
        (
            [["black fish", "blue star"], ["yes", "red"], ["blue"], None],
            3.0,
            {"words": 0.0, "first": 0.0, "ends": 19 / 20},
        ),
    ],
)
def test_a_wrong_word_costs(plain, held, low, scores):
    loss, told = slot_loss(plain, memory_of(plain, held), TOLD)
    assert float(loss) > low
    assert told == pytest.approx(scores)


@torch.no_grad()
def test_what_ends_a_memory_counts_as_a_word_what_is_behind_it_little_and_open_segments_nothing(plain):
    right = memory_of(plain, HELD)
    filler, end, word, idle = (right.clone() for _ in range(4))
    filler[0, 3] = end[0, 2] = word[2, 0] = right[1, 0]
    idle[3] = 100.0
    changed = (filler, end, word, idle)
    for weight, less in ((stages._FILLER, 10), (0.5, 2)):
        base = float(slot_loss(plain, right, TOLD, weight)[0])
        cheap, last, dear, same = (float(slot_loss(plain, one, TOLD, weight)[0]) - base for one in changed)
        assert same == 0
        assert cheap * less == pytest.approx(last, rel=1e-3)
        assert last == pytest.approx(dear, rel=0.2)


def test_relevance_is_a_yes_or_no_question_where_it_is_known(nano):
    examples = [example("colour", "car", CAR, EMPTY, shows(unclear=["red car ?"]))]
    loss, scores = router_loss(nano, torch.tensor([2.0, -1.0, 9.0]), examples)
    assert float(loss) == pytest.approx((math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 2)
    assert scores == {"router": pytest.approx(float(loss)), "auc": 1.0}


def test_what_can_not_be_answered_counts_twice_for_the_router(fresh):
    beyond = replace(example("colour", "car", CAR), question=Question(BEYOND, "Why?", None, None))
    shown, logits = example("colour", "car", CAR), torch.tensor([0.5, -1.0])
    each = [float(-torch.log(torch.sigmoid(part))) for part in (-logits[0], logits[1])]
    loss, _ = router_loss(fresh, logits, [beyond, shown])
    assert float(loss) == pytest.approx((2 * each[0] + each[1]) / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("scores", "labels", "right"),
    [
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),
        ([3, 2, 1], [1, 0, 0], 1.0),
        ([1, 2, 3], [1, 0, 0], 0.0),
        ([1, 1, 0], [1, 0, 0], 0.75),
        ([1, 2], [1, 1], 0.5),
        ([1, 2], [0, 0], 0.5),
    ],
)
def test_auc_is_the_chance_that_the_relevant_one_scores_higher(scores, labels, right):
    assert auc(torch.tensor(scores, dtype=torch.float32), torch.tensor(labels)) == right


# --- how many tokens are kept -------------------------------------------------------------------------------


class Scripted:
    """Randomness that gives `chances` in turn and always the least whole number."""

    def __init__(self, *chances: float) -> None:
        self.chances = iter(chances)

    def random(self) -> float:
        return next(self.chances)

    def integers(self, low: int, high: int) -> int:
        assert low < high
        return low

    def normal(self, _mean: float, _spread: float, count: int) -> np.ndarray:
        return np.zeros(count)


TOGETHER = example(
    "together", "car", EMPTY, shows("orange ball up", "red car right", "white house still"), EMPTY
)


def test_all_equal_or_by_relevance():
    assert keep(Scripted(0.1), TOGETHER, None) == [MEMORY] * 3
    assert keep(Scripted(0.3, 0.5), TOGETHER, None) == [2] * 3  # as many as the answer takes
    assert keep(Scripted(0.3, 0.9), TOGETHER, None) == [1] * 3  # now and then it is cut off
    assert keep(Scripted(0.9), TOGETHER, None) == [1, 3, 1]  # a budget of one each and two
    scores = np.array([0.2, 0.9, 0.6], np.float32)
    assert keep(Scripted(0.9), TOGETHER, scores) == allocate(scores, 5, 1, MEMORY).tokens.tolist()


def test_lists_mostly_keep_what_the_fullest_segment_needs():
    listing = example("list", "", EMPTY, shows("orange ball up", "red car right", "white house still"), CAR)
    assert keep(Scripted(0.1), listing, None) == [MEMORY] * 3
    assert keep(Scripted(0.3), listing, None) == keep(Scripted(0.74), listing, None) == [3] * 3
    assert keep(Scripted(0.76), listing, None) == [1, 3, 2]  # by relevance: one each, and three


@pytest.mark.parametrize("ways", [(0.3, 0.5), (0.9,)])
@pytest.mark.parametrize(("family", "about", "content"), [case[:3] for case in THERE if case[2] is not EMPTY])
def test_the_asked_for_segment_has_room_for_its_words(family, about, content, ways):
    one = example(family, about, EMPTY, content, EMPTY)
    assert keep(Scripted(*ways), one, None)[1] >= len(words.memory_words(one.question, content))


def test_no_segment_keeps_less_than_one_or_more_than_all(shelf):
    random = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        drawn = draw_story(random, shelf, int(random.integers(1, 9)))
        relevance = random.random(len(drawn.contents)).astype(np.float32) if random.random() < 0.5 else None
        kept = keep(random, drawn, relevance)
        assert len(kept) == len(drawn.contents)
        assert 1 <= min(kept) <= max(kept) <= MEMORY
        seen |= set(kept)
    assert seen == set(range(1, MEMORY + 1))


# --- what the stages train ----------------------------------------------------------------------------------


def weights(parts: Sequence[nn.Module | nn.Parameter]) -> set[nn.Parameter]:
    return {
        one for part in parts for one in ([part] if isinstance(part, nn.Parameter) else part.parameters())
    }


@pytest.mark.parametrize("name", SMALL)
def test_a_stage_s_loss_reaches_what_it_trains_and_nothing_else(name, fresh, shelf):
    stage = SMALL[name]
    assert stage.name == name
    loss, scores = stage.loss(fresh, [shelf], np.random.default_rng(3))
    loss.backward()
    assert math.isfinite(loss.item())
    shares = [
        value for score, value in scores.items() if score not in ("router", "moments")
    ]  # these are losses
    assert all(0 <= value <= 1 for value in shares if not math.isnan(value))
    mine = weights(list(stage.learns(fresh)))
    moved = {one for one in {*fresh.parameters(), *mine} if one.grad is not None and bool(one.grad.any())}
    names = {one: name for name, one in fresh.named_parameters()}
    assert {names.get(one, "heads") for one in moved} == {names.get(one, "heads") for one in mine}


@pytest.mark.parametrize("name", SMALL)
def test_the_same_randomness_gives_the_same_batch(name, nano, shelf):
    with torch.no_grad():
        losses = [
            float(SMALL[name].loss(nano, [shelf], np.random.default_rng(seed))[0]) for seed in (3, 3, 4)
        ]
    assert losses[0] == losses[1] != losses[2]


def test_moments_are_asked_of_single_segments_besides(nano, shelf):
    stage = Compressing(1, batch=20, questions=2, moments=2, families=("presence",))
    with torch.no_grad():
        examples, memory, logits = stage.compressed(nano, [shelf], np.random.default_rng(5))
    assert len(examples) == len(memory) == len(logits) == 80
    usual = 0
    for row in range(0, 80, 4):
        at = [one.question.family == "at" for one in examples[row : row + 4]]
        usual += at_usual_rate(examples[row])
        assert at[2:] == [at_usual_rate(examples[row])] * 2
        assert len({one.patches for one in examples[row : row + 4]}) == 1
    assert 8 < usual < 20


def told_stories(stage: Stage, fresh: Nano, shelf: Shelf, monkeypatch, seeds: int) -> list[list[Story]]:
    """What the decoder reads in some batches of a stage."""
    told: list[list[Story]] = []
    write = fresh.write
    monkeypatch.setattr(fresh, "write", lambda stories: (told.append(stories), write(stories))[1])
    for seed in range(seeds):
        stage.loss(fresh, [shelf], np.random.default_rng(seed))
    return told


def test_long_stories_are_filled_with_irrelevant_segments(fresh, shelf, monkeypatch):
    lengths = Counter()
    for stories in told_stories(SMALL["long"], fresh, shelf, monkeypatch, 20):
        counts = [len(story.times) for story in stories]
        assert sum(counts[:-1]) < 10 <= sum(counts) or len(stories) == 6  # all that there are
        lengths.update(counts)
        for story in stories:
            assert len(story.memory) == len(story.times)
            assert all(1 <= len(piece) <= MEMORY for piece in story.memory)
            if "around" in story.answer:
                assert story.answer.split()[-2] in [f"{seconds:.1f}" for seconds in story.times]
    assert set(lengths) == {1, 2, 3, 4, 5}
    assert lengths[5] > max(lengths[3], lengths[4])  # a quarter have the most there is


def test_long_stories_ask_for_lists_more_than_others(fresh, shelf, monkeypatch):
    def lists(**options: Sequence[str]) -> float:
        stage = Long(2, videos=4, own=2, longest=4, segments=60, **options)
        told = [story for batch in told_stories(stage, fresh, shelf, monkeypatch, 20) for story in batch]
        return np.mean([" with a" in story.answer or "alone" in story.answer for story in told])

    assert lists() > 1.5 * lists(families=[family for family in MIX if family != "at"])


def test_stories_are_as_long_as_their_stage_says(fresh, shelf, monkeypatch):
    stage = Reading(2, "stories", segments=8, shortest=2, longest=4)
    counts = [len(told[0].times) for told in told_stories(stage, fresh, shelf, monkeypatch, 30)]
    assert set(counts) == {2, 3, 4}


@pytest.mark.parametrize("part", [0.25, 0.75])
def test_a_batch_is_part_stories_and_part_films_with_their_own_questions(fresh, shelf, monkeypatch, part):
    asked: dict[str, list[str]] = {"story": [], "film": []}
    for name, place in (("draw_story", "story"), ("draw_filmed", "film")):
        draw = getattr(stages, name)

        def kept(*given, draw=draw, place=place):
            found = draw(*given)
            asked[place] += [found.question.family] * len(found.contents)
            return found

        monkeypatch.setattr(stages, name, kept)
    monkeypatch.setattr("training.stories._TALK", 0.0)
    stage = Reading(2, segments=40, longest=2, families=("first",), filmed_families=("list",), stories=part)
    stage.loss(fresh, [shelf], np.random.default_rng(2))
    assert set(asked["story"]) == {"first"}
    assert set(asked["film"]) == {"list"}
    assert len(asked["story"]) == pytest.approx(40 * part, abs=2)
    assert 40 * (1 - part) <= len(asked["film"]) < 40 * (1 - part) + 30


@torch.no_grad()
def test_several_questions_about_a_video_are_compressed_as_if_each_were_asked_alone(nano, shelf):
    random = np.random.default_rng(2)
    videos = [
        ask_more(random, shelf, draw_story(random, shelf, count), asked) for count, asked in ((2, 3), (3, 3))
    ]
    memory, logits = _compressed(nano, shelf, videos, random)
    examples = [example for video in videos for example in video]
    alone = [_compressed(nano, shelf, [[example]], random) for example in examples]
    assert len(memory) == sum(len(example.contents) for example in examples) == 15
    assert float((memory - torch.cat([own for own, _ in alone])).abs().max()) < 2e-5
    assert float((logits - torch.cat([own for _, own in alone])).abs().max()) < 2e-5


@pytest.mark.parametrize("turned", [(0.4, 0.9, 1), (0.9, 0.4, 2)])
@torch.no_grad()
def test_what_is_seen_turns_with_its_labels(fresh, shelf, turned, monkeypatch):
    """A batch in which a thing moves to the right is, mirrored or backwards, one of a thing to the left."""
    mirrored, backwards, _ = turned
    seen: list[np.ndarray] = []
    monkeypatch.setattr(
        fresh, "see", lambda frames: (seen.append(frames.numpy()), (torch.zeros(1, 24, WIDTH),) * 2)[1]
    )
    labels: list[np.ndarray] = []
    whole = stages.cell_labels
    monkeypatch.setattr(
        stages, "cell_labels", lambda sights, *rest: (labels.append(sights), whole(sights, *rest))[1]
    )
    row = next(int(row) for row in shelf.rows if shelf.sights[row, 0, 0, 2] in (0, 1))

    class Given(Scripted):
        def choice(self, _options, count=None, **_):
            return 0 if count is None else np.array([row])

    Vision(1, batch=1).loss(fresh, [shelf], Given(mirrored, backwards))
    frames, sights = shelf.frames[[row]], shelf.sights[[row]]
    frames = frames[:, :, :, ::-1] if mirrored < 0.5 else frames[:, ::-1]
    assert np.array_equal(seen[0], frames)
    before, after = sights[0, 0, 0], labels[0][0, 0 if mirrored < 0.5 else -1, 0]
    assert {before[2], after[2]} == {0, 1}
    assert after[4] == pytest.approx(1 - before[4] if mirrored < 0.5 else before[4])
    assert after[[0, 1, 3, 5, 6, 7]] == pytest.approx(before[[0, 1, 3, 5, 6, 7]])


def test_shelves_are_drawn_by_their_size(shelf, segments):
    small = Shelf(segments, (0, 2))
    random = np.random.default_rng(0)
    share = np.mean([draw_shelf(random, [shelf, small]) is small for _ in range(500)])
    assert share == pytest.approx(len(small) / (len(small) + len(shelf)), abs=0.03)
