"""nano on a drawn clip, stage by stage, each from the exact result of the stage before.

So a stage that a device computes wrongly is named alone, and not with everything behind it.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np
import torch
from torch import Tensor

from ..config import BudgetOptions, GenerationOptions
from ..hub.locations import find_base, find_model
from ..model.checkpoint import Checkpoint
from ..model.compressor import Features, SegmentInput
from ..model.device import Target
from ..model.generation import Token
from ..plan import prompts
from ..plan.budget import context_room, fit_budget
from ..types import Allocation, FloatArray, MemoryTokens, Pixels

STAGES = ("nano: vision tower", "nano: memory tokens", "nano: relevance", "nano: prompt", "nano: answers")
QUESTIONS = ("what color was the fish", "is there a red fish?", "is there a dog?", "what was red?")
_TOKENS = 24  # of each answer, and behind its end: so that a step that is recorded for later is repeated
_SEGMENTS, _FRAMES, _RATE = 2, 8, 2  # frames of a segment, and of a second
_SIZE = (64, 96)  # px, height and width
_SHOWN = 1  # the segment with the fish


@dataclass(frozen=True)
class Trial:
    """What nano makes of the clip on one device.

    Attributes:
        features: of the vision tower, of all segments.
        memories: of all segments, one for each question.
        logits: of each answer's first token, (V,).
        answers: tokens of each, without a stop at its end.
    """

    features: Features
    memories: Sequence[MemoryTokens]
    logits: Sequence[Tensor]
    answers: Sequence[list[Token]]

    def errors(self, exact: "Trial", stop_ids: Container[int]) -> dict[str, float]:
        """The largest error of each stage; infinite where a number is none, or an answer another one.

        Features, memory tokens and logits relative to the largest exact one; of answers it is the largest
        difference of a log-probability.
        """
        memories = list(zip(self.memories, exact.memories, strict=True))
        found = (
            largest_error(_flat(self.features), _flat(exact.features)),
            max(largest_error(mine.tokens, true.tokens) for mine, true in memories),
            max(_distance(mine.relevance, true.relevance) for mine, true in memories),
            max(largest_error(mine, true) for mine, true in zip(self.logits, exact.logits, strict=True)),
            max(_apart(*both, stop_ids) for both in zip(self.answers, exact.answers, strict=True)),
        )
        return dict(zip(STAGES, found, strict=True))


def largest_error(found: Tensor, exact: Tensor) -> float:
    """Relative to the largest exact number; infinite where a number is none, or the shape another one."""
    mine, true = found.detach().cpu().double(), exact.detach().cpu().double()
    if mine.shape != true.shape or not bool(mine.isfinite().all()):
        return inf
    scale = float(true.abs().max()) or 1.0
    return float((mine - true).abs().max()) / scale


def _distance(found: FloatArray, exact: FloatArray) -> float:
    """Infinite where a number is none."""
    return float(np.abs(found - exact).max()) if np.isfinite(found).all() else inf


def _flat(features: Features) -> Tensor:
    return torch.cat([part.float().cpu().flatten() for part in (features.merged, *features.deepstack)])


def _apart(found: Sequence[Token], exact: Sequence[Token], stop_ids: Container[int]) -> float:
    """How far log-probabilities are apart up to the answer's end; infinite where it is another answer."""
    end = next((at for at, token in enumerate(exact) if token.id in stop_ids), len(exact) - 1) + 1
    if [token.id for token in found[:end]] != [token.id for token in exact[:end]]:
        return inf
    return max(abs(mine.logprob - true.logprob) for mine, true in zip(found[:end], exact[:end], strict=True))


def packaged_checkpoint() -> Checkpoint:
    """nano, as it comes with tempo.

    Raises:
        ModelError: the installation is not whole.
    """
    location = find_model("nano", None)
    base = find_base(location, Checkpoint.base_name(location.path))
    return Checkpoint.open(location.path, base.path, base.router)


def trial(checkpoint: Checkpoint, target: Target, exact: Trial | None = None) -> Trial:
    """nano's work on `target`.

    Args:
        exact: what a CPU makes of it in float32: each stage goes on from there. None: from its own.
    """
    compressor, decoder = checkpoint.load_compressor(target), checkpoint.load_decoder(target)
    parts = [compressor.input(frames, times) for frames, times in _clip()]
    features = compressor.see(parts)
    given = _moved(exact.features, target) if exact else features
    room = max(compressor.suffix_tokens(question) for question in QUESTIONS)
    prefix = compressor.read(given, room)
    memories = [compressor.compress(prefix, question) for question in QUESTIONS]
    logits, answers = [], []
    endless = checkpoint.rule._replace(stop_ids=frozenset())
    for question, memory in zip(QUESTIONS, exact.memories if exact else memories, strict=True):
        tags, before, after, allocation = _spliced(checkpoint, parts, question, memory)
        embeds = decoder.splice(before, tags, memory, allocation, after)
        logits.append(decoder.prefill(embeds)[0])
        answers.append(list(decoder.generate(embeds, endless, GenerationOptions(max_new_tokens=_TOKENS))))
    return Trial(features, memories, logits, answers)


def _moved(features: Features, target: Target) -> Features:
    """Features on another device and in another type."""
    merged, *deepstack = (
        part.to(target.device, target.dtype) for part in (features.merged, *features.deepstack)
    )
    return replace(features, merged=merged, deepstack=tuple(deepstack))


def _spliced(
    checkpoint: Checkpoint, parts: Sequence[SegmentInput], question: str, memory: MemoryTokens
) -> tuple[list[list[int]], list[int], list[int], Allocation]:
    """Time tags, the prompt around the video, and what each segment keeps."""
    tokenizer, options = checkpoint.decoder_tokenizer, BudgetOptions()
    before, after = prompts.decoder_prompt(tokenizer, question)
    middles = [(number + 0.5) * _FRAMES / _RATE for number in range(len(parts))]
    tags = [tokenizer.encode(prompts.time_tag(middle)) for middle in middles]
    room = context_room(len(before) + len(after), options, checkpoint.dimensions)
    lengths = [len(tag) for tag in tags]
    fitted = fit_budget(memory.relevance, lengths, room, options, checkpoint.dimensions)
    return tags, before, after, fitted.allocation


def _clip() -> Iterator[tuple[Pixels, list[float]]]:
    """Segments of a clip in which a red fish passes, with the times of their pairs of frames."""
    for segment in range(_SEGMENTS):
        first = segment * _FRAMES
        frames = np.stack([_frame(number) for number in range(first, first + _FRAMES)])
        yield frames, [(number + 0.5) / _RATE for number in range(first, first + _FRAMES, 2)]


def _frame(number: int) -> Pixels:
    """Frame `number` of the clip: a background, and the fish in its segment."""
    height, width = _SIZE
    y, x = np.mgrid[:height, :width] + 0.5
    wave = 12 * np.sin(x / 9 + number / 40) + 12 * np.cos(y / 7)
    picture = np.array((110.0, 125.0, 118.0)) + wave[..., None]
    if number // _FRAMES == _SHOWN:
        along, across = x - 30 - 5.5 * (number % _FRAMES), y - 32
        body = 13 - np.hypot(along / 1.5, across)
        tail = np.minimum(np.minimum(-along - 12, along + 28), 14 + along / 1.6 + 14 - np.abs(across) * 2)
        inside = np.clip(np.maximum(body, tail), 0, 1)[..., None]
        picture += (np.array((215.0, 30.0, 35.0)) - picture) * inside
    found: Pixels = picture.round().astype(np.uint8)
    return found
