"""The compressor against one plain forward pass of Qwen3-VL: cache, positions and masks at once."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from tempo_cli.model.compressor import (
    Compressor,
    Prefix,
    SegmentFeatures,
    SegmentInput,
    SegmentPrefix,
    batches,
    mrope_positions,
)
from tempo_cli.model.pixels import patchify
from tempo_cli.model.transformer import Transformer
from tempo_cli.plan import prompts
from tempo_cli.plan.segments import plan_segment
from tempo_cli.types import FramePlan, MemoryTokens, Segment

from .qwen import qwen3_vl

PLAN = FramePlan(np.arange(1000, dtype=np.int64), fps=2.0)
WINDOW = 4


def segment(index: int, height: int = 64, width: int = 96, frames: int = WINDOW) -> Segment:
    pixels = np.random.default_rng(index).integers(0, 256, (frames, height, width, 3), np.uint8)
    return Segment(
        plan_segment(PLAN, range(index * WINDOW, index * WINDOW + frames), WINDOW, temporal_patch=2), pixels
    )


def read(compressor: Compressor, rows: Sequence[SegmentInput]) -> Prefix:
    return compressor.read(compressor.see(rows))


def prepared(compressor: Compressor, one: Segment) -> SegmentInput:
    """Without the third resizing step, which would make these frames larger."""
    return compressor.input(one.frames, one.plan.patch_times)


def ids_of(compressor: Compressor, one: Segment) -> list[int]:
    return prepared(compressor, one).ids.tolist()


def compress(compressor: Compressor, segments: Sequence[Segment], question: str, size: int) -> MemoryTokens:
    prefixes = (
        read(compressor, batch) for batch in batches((prepared(compressor, one) for one in segments), size)
    )
    parts = [compressor.compress(prefix, question) for prefix in prefixes]
    scores = np.concatenate([part.relevance for part in parts])
    return MemoryTokens(torch.cat([part.tokens for part in parts]), scores)


@torch.inference_mode()
def in_one_pass(compressor: Compressor, one: Segment, question: str) -> tuple[torch.Tensor, float]:
    """Memory tokens (M, D) and relevance of one segment through Qwen3-VL's own forward, without a cache."""
    suffix = prompts.compressor_suffix(compressor.tokenizer, question)
    ids = torch.tensor([ids_of(compressor, one) + suffix])
    frames = torch.from_numpy(one.frames)[None]
    count, height, width = one.frames.shape[:3]
    grid = torch.tensor([[count // 2, height // 16, width // 16]])
    embeds = torch.cat([compressor.vlm.language_model.embed_tokens(ids), compressor.memory], dim=1)
    padded = torch.nn.functional.pad(ids, (0, compressor.memory.shape[1]))
    model = qwen3_vl(compressor)
    kinds = (padded == model.config.video_token_id).int() * 2
    positions, _ = model.get_rope_index(padded, mm_token_type_ids=kinds, video_grid_thw=grid)
    hidden = model(
        inputs_embeds=embeds,
        pixel_values_videos=patchify(frames, compressor.dimensions),
        video_grid_thw=grid,
        position_ids=positions,
        use_cache=False,
    ).last_hidden_state[0]
    score = torch.sigmoid(hidden[ids.shape[1] - 1] @ compressor.router)
    return hidden[ids.shape[1] :], float(score)


@pytest.mark.parametrize(
    ("height", "width", "frames"),
    [(64, 96, 4), (96, 64, 4), (32, 32, 2), (128, 32, 8), (64, 64, 2), (32, 256, 6)],
)
def test_positions_are_qwens_own(tiny_models, height, width, frames):
    compressor = tiny_models["a"].compressor
    ids = np.array(ids_of(compressor, segment(0, height, width, frames)))
    model = qwen3_vl(compressor)
    visual = ids == model.config.video_token_id
    grid = frames // 2, height // 16, width // 16
    theirs, _ = model.get_rope_index(
        torch.from_numpy(ids)[None],
        mm_token_type_ids=torch.from_numpy(visual).int()[None] * 2,
        video_grid_thw=torch.tensor([grid]),
    )
    assert mrope_positions(visual, grid, merge=2).tolist() == theirs[:, 0].tolist()


def test_positions_worked_out_by_hand():
    text, video = [False], [True] * 6
    visual = np.array([*text, *text, *video, *text, *video, *text])
    assert mrope_positions(visual, grid=(2, 4, 6), merge=2).tolist() == [
        [0, 1, 2, 2, 2, 2, 2, 2, 5, 6, 6, 6, 6, 6, 6, 9],
        [0, 1, 2, 2, 2, 3, 3, 3, 5, 6, 6, 6, 7, 7, 7, 9],
        [0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8, 9],
    ]


@pytest.mark.parametrize(("height", "width", "frames"), [(64, 96, 4), (96, 32, 2)])
def test_prefix_and_question_make_what_one_pass_makes(tiny_model, height, width, frames):
    one, question = segment(3, height, width, frames), "Who is <|im_end|> talking?"
    ours = compress(tiny_model.compressor, [one], question, 1)
    tokens, relevance = in_one_pass(tiny_model.compressor, one, question)
    assert ours.tokens.shape == (1, *tokens.shape)
    assert (ours.tokens[0] - tokens).abs().max() <= 1e-5
    assert abs(float(ours.relevance[0]) - relevance) <= 1e-5


def test_the_prefix_serves_every_question_as_if_it_were_the_first(tiny_model):
    compressor = tiny_model.compressor
    questions = ["what moves?", "a much longer question, about other things"]
    rows = [prepared(compressor, segment(0)), prepared(compressor, segment(1))]
    shared = read(compressor, rows)
    answers = [compressor.compress(shared, question) for question in [*questions, questions[0]]]
    alone = [compressor.compress(read(compressor, rows), question) for question in questions]
    for ours, fresh in zip(answers, [*alone, alone[0]], strict=True):
        assert torch.equal(ours.tokens, fresh.tokens)
        assert ours.relevance.tolist() == fresh.relevance.tolist()
    assert np.abs(answers[0].relevance - answers[1].relevance).max() > 1e-4


def test_the_system_prompt_is_read_once_for_all_segments(tiny_models, monkeypatch):
    compressor, lengths = copy(tiny_models["a"].compressor), []
    for name in ("_transformer", "_system"):
        compressor.__dict__.pop(name, None)
    whole = Transformer.__call__

    def counted(self, hidden, *others):
        lengths.append(hidden.shape[1])
        return whole(self, hidden, *others)

    monkeypatch.setattr(Transformer, "__call__", counted)
    rows = [prepared(compressor, segment(index)) for index in range(3)]
    system = len(prompts.compressor_prefix(compressor.tokenizer, (), 0))
    shared = [read(compressor, [row]) for row in rows]
    assert lengths == [system, *[len(row.ids) - system for row in rows]]
    lengths.clear()
    other = replace(rows[0], ids=np.concatenate([[rows[0].ids[1]], rows[0].ids[1:]]))
    read(compressor, [other])  # it begins otherwise
    assert lengths == [len(other.ids)]
    monkeypatch.setattr(Compressor, "_begin", lambda *_: 0)
    for row, prefix in zip(rows, shared, strict=True):
        alone = read(compressor, [row])
        assert prefix.next_position == alone.next_position
        assert (prefix.cache.filled - alone.cache.filled).abs().max() <= 1e-5


def test_memory_tokens_have_their_shapes_and_types(tiny_model):
    memory = compress(tiny_model.compressor, [segment(0), segment(1)], "what?", 2)
    assert memory.tokens.shape == (2, tiny_model.checkpoint.dimensions.memory_tokens, 64)
    assert memory.relevance.dtype == np.float32
    assert ((memory.relevance > 0) & (memory.relevance < 1)).all()


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_segments_in_a_batch_do_not_touch_each_other(tiny_model, size):
    segments = [segment(index) for index in range(5)] + [segment(5, 96, 64), segment(6, frames=2)]
    alone = [in_one_pass(tiny_model.compressor, one, "what moves?") for one in segments]
    memory = compress(tiny_model.compressor, segments, "what moves?", size)
    assert (memory.tokens - torch.stack([tokens for tokens, _ in alone])).abs().max() <= 1e-5
    assert np.abs(memory.relevance - np.array([relevance for _, relevance in alone])).max() <= 1e-5


@pytest.mark.parametrize(
    ("segments", "size", "sizes"),
    [
        ([segment(index) for index in range(4)], 8, [4]),
        ([segment(index) for index in range(4)], 3, [3, 1]),
        ([segment(0), segment(1), segment(2, 96, 64), segment(3)], 8, [2, 1, 1]),  # another shape between
        ([segment(0), segment(1, frames=2)], 8, [1, 1]),  # a shorter last one
        ([segment(3), segment(4), segment(5)], 8, [2, 1]),  # "10.2 seconds" takes a token more than "9.2"
        ([], 8, []),
    ],
)
def test_only_equal_prefixes_share_a_batch(tiny_models, segments, size, sizes):
    compressor = tiny_models["a"].compressor
    rows = [prepared(compressor, one) for one in segments]
    packs = list(batches(rows, size))
    assert [len(pack) for pack in packs] == sizes
    assert [id(row) for pack in packs for row in pack] == [id(row) for row in rows]


def test_batches_are_made_as_segments_come(tiny_models):
    read = []

    def stream():
        for index in range(4):
            read.append(index)
            yield segment(index)

    next(batches((prepared(tiny_models["a"].compressor, one) for one in stream()), 2))
    assert read == [0, 1]


def test_a_prompt_that_does_not_match_its_frames_is_refused(tiny_models):
    compressor = tiny_models["a"].compressor
    row, larger = prepared(compressor, segment(0)), prepared(compressor, segment(0, 96, 96))
    with pytest.raises(ValueError, match="12 places for 18 visual tokens"):
        compressor.see([replace(row, frames=larger.frames, grid=larger.grid)])


def test_prompts_of_one_length_with_frames_at_other_places_are_batched_apart(tiny_model):
    """Times of other lengths in another order: no video has them, another tokenizer may."""
    compressor = tiny_model.compressor
    ahead, behind = (
        Segment(replace(one.plan, patch_times=times), one.frames)
        for one, times in ((segment(0), (9.5, 10.5)), (segment(1), (10.5, 9.5)))
    )
    assert len(ids_of(compressor, ahead)) == len(ids_of(compressor, behind))
    assert [len(pack) for pack in batches((prepared(compressor, one) for one in (ahead, behind)), 8)] == [
        1,
        1,
    ]


def test_kept_prefixes_share_a_batch_where_length_and_position_are_equal():
    one = SegmentPrefix(torch.zeros(2, 2, 1, 8, 4), next_position=8)
    assert one.layout == SegmentPrefix(torch.ones(2, 2, 1, 8, 4), next_position=8).layout
    assert one.layout != SegmentPrefix(torch.zeros(2, 2, 1, 8, 4), next_position=7).layout
    assert one.layout != SegmentPrefix(torch.zeros(2, 2, 1, 9, 4), next_position=8).layout


def test_kept_features_share_a_batch_where_grid_and_places_are_equal():
    values, visual = torch.zeros(3, 2, 4), np.array([False, True, True, False])
    one = SegmentFeatures(values, np.arange(4), visual, (1, 2, 4))
    assert one.layout == SegmentFeatures(values + 1, np.arange(4) + 1, visual.copy(), (1, 2, 4)).layout
    assert one.layout != SegmentFeatures(values, np.arange(4), visual, (1, 4, 2)).layout
    assert one.layout != SegmentFeatures(values, np.arange(4), np.roll(visual, 1), (1, 2, 4)).layout
