"""The six recorded cases, stage by stage and as a whole."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tempo_cli.config import GenerationOptions, LoadOptions
from tempo_cli.model.compressor import batches
from tempo_cli.model.llm import Token
from tempo_cli.model.pixels import patchify
from tempo_cli.plan import prompts
from tempo_cli.plan.budget import Fitted, context_room, fit_budget
from tempo_cli.schema import Run
from tempo_cli.tempo import Tempo
from tempo_cli.types import FramePlan, MemoryTokens, Pixels, VideoInfo
from tempo_cli.video.opened import open_video

from ..conftest import GoldenCase, TinyModel

VIDEO = -200  # stands for the video in the recorded decoder prompt
LENGTH = GenerationOptions(max_new_tokens=24)


@dataclass(frozen=True)
class Trace:
    """What every stage made of one case."""

    info: VideoInfo
    plan: FramePlan
    frames: list[Pixels]
    compressor_ids: list[list[int]]
    memory: MemoryTokens
    decoder_ids: tuple[list[int], list[int]]
    tags: list[str]
    fitted: Fitted
    embeds: torch.Tensor
    logits: torch.Tensor
    generated: list[Token]


def follow(case: GoldenCase, model: TinyModel) -> Trace:
    checkpoint, compressor, decoder = model.checkpoint, model.compressor, model.decoder
    dimensions, tokenizer = checkpoint.dimensions, checkpoint.decoder_tokenizer
    with open_video(case.video, case.sampling, dimensions.shape) as video:
        segments = list(video.read(range(video.total)))
    rows = [compressor.prepare(segment) for segment in segments]
    suffix = prompts.compressor_suffix(compressor.tokenizer, case.question)
    prefixes = (compressor.read(compressor.see(batch)) for batch in batches(rows, 4))
    parts = [compressor.compress(prefix, case.question) for prefix in prefixes]
    relevance = np.concatenate([part.relevance for part in parts])
    memory = MemoryTokens(torch.cat([part.tokens for part in parts]), relevance)
    before, after = prompts.decoder_prompt(tokenizer, case.question)
    tags = [prompts.time_tag(segment.plan.time) for segment in segments]
    tag_ids = [tokenizer.encode(tag) for tag in tags]
    room = context_room(len(before) + len(after), case.budget, dimensions)
    fitted = fit_budget(memory.relevance, [len(ids) for ids in tag_ids], room, case.budget, dimensions)
    embeds = decoder.splice(before, tag_ids, memory, fitted.allocation, after)
    return Trace(
        info=video.info,
        plan=video.plan,
        frames=[row.frames for row in rows],
        compressor_ids=[row.ids.tolist() + suffix for row in rows],
        memory=memory,
        decoder_ids=(before, after),
        tags=tags,
        fitted=fitted,
        embeds=embeds,
        logits=decoder.prefill(embeds)[0],
        generated=list(decoder.generate(embeds, checkpoint.rule, LENGTH)),
    )


@pytest.fixture(scope="module")
def trace(case, tiny_models) -> Trace:
    return follow(case, tiny_models[case.facts["checkpoint"]])


@pytest.fixture
def slack(exact_pixels) -> float:
    """Other processors may resize pixels one level apart; relevance then moves by up to 5e-5, not 3e-7."""
    return 1.0 if exact_pixels else 100.0


def distance(ours: torch.Tensor | npt.NDArray[np.floating], recorded: npt.NDArray[np.floating]) -> float:
    assert tuple(ours.shape) == recorded.shape
    return float(np.abs(np.asarray(ours, np.float64) - recorded).max(initial=0.0))


def test_the_stream_is_read_as_recorded(case, trace):
    assert trace.info.frames == case.facts["total_frames"]
    assert float(trace.info.rate) == case.facts["avg_fps"]
    assert [trace.info.height, trace.info.width] == case.facts["source_shape"][1:3]


def test_the_same_frames_are_sampled(case, trace):
    assert trace.plan.indices.tolist() == case.arrays["frame_indices"].tolist()
    assert trace.plan.fps == case.facts["real_fps"]


def test_resized_frames_are_identical(case, trace, exact_pixels):
    frames = np.concatenate(trace.frames)
    head = case.arrays["resized_frames_head"]
    if exact_pixels:
        assert hashlib.sha256(frames.tobytes()).hexdigest() == case.facts["resized_frames_sha256"]
    assert np.abs(frames[:2].astype(int) - head).max() <= (0 if exact_pixels else 1)


def test_patches_are_identical(case, trace, tiny_models, exact_pixels):
    dimensions = tiny_models[case.facts["checkpoint"]].checkpoint.dimensions
    patches = [patchify(torch.from_numpy(frames)[None], dimensions) for frames in trace.frames]
    ends = torch.cat([rows[[0, -1]] for rows in patches])
    level = 0 if exact_pixels else 1 / 127.5
    assert distance(ends, case.arrays["patch_rows_first_last"]) <= level + 1e-6


def test_compressor_prompts_are_identical(case, trace):
    rows, masks = case.arrays["input_ids"], case.arrays["attention_mask"]
    assert len(trace.compressor_ids) == len(rows)
    for ours, row, mask in zip(trace.compressor_ids, rows, masks, strict=True):
        assert mask.tolist() == [1] * len(ours) + [0] * (len(row) - len(ours))
        assert ours == row[: len(ours)].tolist()


def test_grids_are_identical(case, trace):
    grids = [(len(f) // 2, f.shape[1] // 16, f.shape[2] // 16) for f in trace.frames]
    assert grids == [tuple(grid) for grid in case.arrays["video_grid_thw"].tolist()]


def test_time_tags_are_identical(case, trace):
    assert trace.tags == case.facts["timestamps"]


def test_memory_tokens_agree(case, trace, slack):
    assert distance(trace.memory.tokens, case.arrays["memory_tokens"]) <= 5e-5 * slack


def test_relevance_agrees(case, trace, slack):
    scores = trace.memory.relevance
    if not case.facts["ata"]:
        scores = scores[:0]  # none were recorded
    assert distance(scores, case.arrays["relevance"]) <= 1e-6 * slack


def test_allocations_are_identical(case, trace):
    recorded = case.arrays["allocations"].tolist()
    every = [trace.memory.tokens.shape[1]] * len(trace.frames)
    assert trace.fitted.allocation.tokens.tolist() == (recorded if case.facts["ata"] else every)
    assert trace.fitted.warnings == ()


def test_decoder_prompts_are_identical(case, trace):
    before, after = trace.decoder_ids
    assert [*before, VIDEO, *after] == case.arrays["prompt_ids"].tolist()


def test_the_decoders_input_agrees(case, trace, slack):
    assert distance(trace.embeds, case.arrays["inputs_embeds"]) <= 1e-4 * slack


def test_first_logits_agree(case, trace, slack):
    assert distance(trace.logits, case.arrays["first_logits"]) <= 1e-4 * slack


def test_the_answer_is_identical(case, trace, tiny_models):
    ids = [token.id for token in trace.generated]
    assert ids == case.arrays["generated_ids"].tolist()
    tokenizer = tiny_models[case.facts["checkpoint"]].checkpoint.decoder_tokenizer
    assert tokenizer.decode(ids).strip() == case.facts["answer"]


@pytest.fixture(scope="module")
def runs(case) -> dict[int, Run]:
    """The whole pipeline, by micro-batch."""
    found = {}
    for size in (1, 3, 8):
        tempo = Tempo.load(case.folder, options=LoadOptions(device="cpu", micro_batch=size))
        found[size] = tempo.ask(
            case.video, case.question, sampling=case.sampling, budget=case.budget, generation=LENGTH
        )
    return found


@pytest.mark.parametrize("size", [1, 3, 8])
def test_the_pipeline_gives_the_recorded_answer(case, runs, size, slack):
    run = runs[size]
    assert run.answer is not None
    assert run.answer.text == case.facts["answer"]
    assert (run.answer.tokens, run.answer.finish_reason) == (24, "length")
    assert run.sampling.frames == len(case.arrays["frame_indices"])
    assert run.warnings == ("the answer was cut off after 24 tokens (`max_new_tokens`)",)
    if case.facts["ata"]:
        assert [segment.tokens for segment in run.segments] == case.arrays["allocations"].tolist()
        relevance = np.array([segment.relevance for segment in run.segments])
        assert distance(relevance, case.arrays["relevance"]) <= 1e-6 * slack
    else:
        assert [(segment.relevance, segment.tokens) for segment in run.segments] == [(None, 64)]


@pytest.mark.parametrize("size", [1, 3])
def test_the_micro_batch_changes_nothing_beyond_rounding(case, runs, size):
    ours, other = runs[size], runs[8]
    if case.facts["ata"]:
        pairs = zip(ours.segments, other.segments, strict=True)
        assert max(abs(a.relevance - b.relevance) for a, b in pairs) <= 1e-5
    assert [segment.tokens for segment in ours.segments] == [segment.tokens for segment in other.segments]
    assert ours.answer == other.answer


def settled(run: Run) -> Run:
    """A run without its seconds and bytes, and how it was generated."""
    return replace(run, timing=None, memory=None, generation=None)


def test_questions_asked_together_are_answered_as_alone(golden):
    tempo = Tempo.load(golden / "checkpoints/a/Tempo-tiny", options=LoadOptions(device="cpu"))
    video, questions = golden / "videos/pattern.mp4", ["what moves?", "Who is talking, and to whom?", "why"]
    together = list(tempo.ask_many(video, questions, generation=LENGTH))
    alone = [tempo.ask(video, question, generation=LENGTH) for question in questions]
    assert [settled(run) for run in together] == [settled(run) for run in alone]
    assert len({run.answer for run in together}) == 3


def test_inspecting_gives_the_run_without_its_answer(golden):
    folder, video = golden / "checkpoints/b/Tempo-tiny", golden / "videos/pattern.mp4"
    options = LoadOptions(device="cpu")
    asked = Tempo.load(folder, options=options).ask(video, "what moves?", generation=LENGTH)
    inspected = Tempo.load(folder, options=options, decoder=False).inspect(video, "what moves?")
    assert asked.warnings == ("the answer was cut off after 24 tokens (`max_new_tokens`)",)
    alone = replace(asked.model, decoder_device=None, decoder_dtype=None)
    without = {**vars(asked), "model": alone, "answer": None, "generation": None, "warnings": ()}
    assert settled(inspected) == settled(Run(**without))
