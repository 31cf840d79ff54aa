"""Training computes what the tool computes: padded batches here, one shape at a time there."""

import copy
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from tempo_cli.config import GenerationOptions
from tempo_cli.model.compressor import Compressor
from tempo_cli.model.llm import Decoder, SamplingRule
from tempo_cli.plan import prompts
from tempo_cli.types import Allocation, Exchange, MemoryTokens, Segment, SegmentPlan
from training import network
from training.network import Nano, Story
from training.shape import MEMORY, WIDTH

from ..unit.test_imports import importers
from .conftest import LANDSCAPE, PORTRAIT, SQUARE

QUESTIONS = ("Car?", "What color was the orange boat that is seen here?", "When does the fish appear?")
PATCHES = ((0.3, 1.3, 2.2, 3.3), (3600.2, 3601.2, 3602.3, 3603.2), (40.0, 56.0, 72.0, 88.0))


def frames_of(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Three segments of noise, (3, 8, H, W, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (3, 8, *size, 3), np.uint8)


@torch.no_grad()
def tool_s_compressor(nano: Nano) -> Compressor:
    """The package's own, with the same weights and the router that the embedding gives."""
    compressor = copy.deepcopy(nano.compressor)
    yes, no = compressor.vlm.language_model.embed_tokens(nano.put(nano.words))
    compressor.router = torch.nn.Parameter(yes - no)
    return compressor


def tool_s_memory(compressor: Compressor, frames: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
    """Memory tokens (3, M, D) and relevance (3,), each segment read and asked on its own."""
    parts = []
    for number, (own, question) in enumerate(zip(frames, QUESTIONS, strict=True)):
        one = Segment(SegmentPlan(number, tuple(range(8)), PATCHES[number], 0.0), own)
        prefix = compressor.read(compressor.see([compressor.prepare(one)]))
        parts.append(compressor.compress(prefix, question))
    return torch.cat([part.tokens for part in parts]), np.concatenate([part.relevance for part in parts])


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT, SQUARE])
def test_a_padded_batch_gives_the_tool_s_numbers(nano, size):
    frames = frames_of(size)
    with torch.no_grad():
        memory, logits = nano.compress(torch.from_numpy(frames), PATCHES, QUESTIONS)
    tokens, relevance = tool_s_memory(tool_s_compressor(nano), frames)
    assert memory.shape == tokens.shape == (3, MEMORY, WIDTH)
    assert float((memory - tokens).abs().max()) < 2e-5
    assert torch.sigmoid(logits).numpy() == pytest.approx(relevance, abs=2e-5)


@torch.no_grad()
def test_several_questions_share_a_segment(nano):
    frames = torch.from_numpy(frames_of(LANDSCAPE))
    pairs = [(number, text) for number in range(3) for text in (QUESTIONS[number], *QUESTIONS[::-1])]
    memory, logits = nano.compress(frames, PATCHES, [text for _, text in pairs])
    assert memory.shape == (12, MEMORY, WIDTH)
    for row, (number, text) in enumerate(pairs):
        alone, logit = nano.compress(frames[[number]], PATCHES[number : number + 1], [text])
        assert float((memory[row] - alone[0]).abs().max()) < 2e-5
        assert float((logits[row] - logit[0]).abs()) < 2e-5


def test_those_numbers_depend_on_everything_that_is_read(nano):
    """So that the test above could not pass by leaving something out."""
    frames = frames_of(LANDSCAPE)
    later = tuple(tuple(seconds + 0.1 for seconds in own) for own in PATCHES)
    with torch.no_grad():
        memory, logits = nano.compress(torch.from_numpy(frames), PATCHES, QUESTIONS)
        for changed in (
            (torch.from_numpy(frames_of(LANDSCAPE, 1)), PATCHES, QUESTIONS),
            (torch.from_numpy(np.ascontiguousarray(frames[:, ::-1])), PATCHES, QUESTIONS),
            (torch.from_numpy(frames), later, QUESTIONS),
            (
                torch.from_numpy(frames),
                PATCHES,
                ("Boat?", *[text.replace("a", "e") for text in QUESTIONS[1:]]),
            ),
        ):
            other, logit = nano.compress(*changed)
            assert bool(((memory - other).abs().amax((1, 2)) > 1e-3).all())
            assert bool(((logits - logit).abs() > 1e-4).all())


# --- decoder ------------------------------------------------------------------------------------------------

ASKED = (
    ("When?", "The car appeared at 3.5 seconds.", (2.0, 6.0), (2, MEMORY)),
    ("What color was the purple fish in this video?", "Red.", (4.0, 12.0, 3605.5), (1, 0, 5)),
    ("Is there a car?", "Yes", (4.04,), (8,)),
)


def raw_memory(counts: Sequence[int], seed: int) -> torch.Tensor:
    """Memory tokens before the projector, (S, M, D)."""
    return torch.randn(len(counts), MEMORY, WIDTH, generator=torch.Generator().manual_seed(seed))


def stories_of(nano: Nano) -> list[Story]:
    made = []
    for seed, (question, answer, times, counts) in enumerate(ASKED):
        whole = raw_memory(counts, seed)
        pieces = [nano.decoder.projector(own[:count]) for own, count in zip(whole, counts, strict=True)]
        made.append(Story(times, pieces, question, answer))
    return made


def tool_s_input(nano: Nano, number: int) -> torch.Tensor:
    """What the package's decoder reads of ASKED[number], (L, D)."""
    question, _, times, counts = ASKED[number]
    before, after = prompts.decoder_prompt(nano.tokenizer, question)
    tags = [nano.tokenizer.encode(prompts.time_tag(seconds)) for seconds in times]
    memory = MemoryTokens(raw_memory(counts, number), np.zeros(len(counts), np.float32))
    return nano.decoder.splice(before, tags, memory, Allocation(np.array(counts), None, "off"), after)


def log_probabilities(decoder: Decoder, embeds: torch.Tensor, ids: Sequence[int]) -> list[float]:
    """Of each of `ids` after what stands before it."""
    found = []
    for token in ids:
        logits, _ = decoder.prefill(embeds)
        found.append(float(torch.log_softmax(logits, -1)[token]))
        embeds = torch.cat([embeds, decoder.llm.model.embed_tokens(torch.tensor([token]))])
    return found


def test_texts_of_like_length_are_read_together():
    lengths = [100, 30, 119, 10, 121, 36, 100]
    assert [group.tolist() for group in network.alike(lengths, 1.2)] == [[3], [1, 5], [0, 6, 2], [4]]
    assert [group.tolist() for group in network.alike(lengths, 2.0)] == [[3], [1, 5], [0, 6, 2, 4]]


@pytest.mark.parametrize("alike", [1.0, 100.0])
def test_the_loss_is_the_answer_s_mean_log_probability(nano, alike, monkeypatch):
    """Whether texts of unequal length are padded and read together, or one by one."""
    monkeypatch.setattr(network, "_ALIKE", alike)
    stop = nano.tokenizer.special_id("<|im_end|>")
    expected = []
    for number, (_, answer, _, _) in enumerate(ASKED):
        ids = [*nano.tokenizer.encode(answer), stop]
        expected.append(log_probabilities(nano.decoder, tool_s_input(nano, number), ids))
    stories = stories_of(nano)
    with torch.no_grad():
        loss, right = nano.write(stories)
        alone = [float(nano.write([story])[0]) for story in stories]
    assert alone == pytest.approx([-np.mean(own) for own in expected], abs=1e-4)
    assert float(loss) == pytest.approx(-np.mean([value for own in expected for value in own]), abs=1e-4)
    assert right.tolist() == [False] * 3
    assert np.ptp(alone) > 1e-2


def test_right_is_what_the_tool_would_write(fresh):
    """The decoder learns two of three answers by heart."""
    optimizer = torch.optim.AdamW(fresh.decoder.llm.parameters(), lr=5e-3)
    for _ in range(20):
        stories = stories_of(fresh)
        loss, _ = fresh.write([stories[0], stories[2]])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        _, right = fresh.write(stories_of(fresh))
    rule = SamplingRule(frozenset([fresh.tokenizer.special_id("<|im_end|>")]), None, None)
    written = []
    for number in range(3):
        embeds = tool_s_input(fresh, number)
        tokens = fresh.decoder.generate(embeds, rule, GenerationOptions(max_new_tokens=20))
        written.append(fresh.tokenizer.decode([token.id for token in tokens]))
    assert right.tolist() == [True, False, True]
    assert [text == one[1] for text, one in zip(written, ASKED, strict=True)] == right.tolist()


def test_typing_errors_are_read_as_the_tool_reads_them(nano, tokenizer_json):
    model = Nano(tokenizer_json, {"cra": "car", "waht": "what"})
    wrong, right = "waht is the cra?", "what is the car?"
    before = Exchange("Is there a cra?", "No cra.")
    assert model._prompts.suffix(wrong) == nano._prompts.suffix(right) != nano._prompts.suffix(wrong)
    expected = nano._prompts.question(right, (Exchange("Is there a car?", "No cra."),))
    assert model._prompts.question(wrong, (before,)) == expected


# --- the package stands on its own --------------------------------------------------------------------------


def test_nothing_in_the_package_needs_training():
    assert importers("training") == set()
    assert "model.compressor" in importers("torch")  # that is, imports are found
