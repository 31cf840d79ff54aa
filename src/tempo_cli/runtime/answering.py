"""From memory tokens to the answer's text."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import SystemRandom

from ..config import GenerationOptions
from ..model.checkpoint import Checkpoint
from ..model.llm import Decoder
from ..model.tokenizer import TextStream
from ..schema import Answer, FinishReason
from ..scope import CancelScope
from ..types import Allocation, MemoryTokens
from .round import Question

_LOOP, _LONGEST_PERIOD = 64, 16  # tokens


def with_seed(generation: GenerationOptions) -> GenerationOptions:
    """The same with a seed, drawn where one is needed and none is given: every run can be repeated."""
    if generation.temperature == 0 or generation.seed is not None:
        return generation
    return replace(generation, seed=SystemRandom().getrandbits(32))


def write_answer(
    decoder: Decoder,
    checkpoint: Checkpoint,
    question: Question,
    tags: Sequence[Sequence[int]],
    memory: MemoryTokens,
    allocation: Allocation,
    generation: GenerationOptions,
    on_text: Callable[[str], None],
    warn: Callable[[str], None],
    scope: CancelScope,
) -> Answer:
    """Generate the answer; `on_text` gets its pieces as they become certain, `warn` what is odd about it.

    Raises:
        CancelledError: the scope was cancelled before the next token.
    """
    embeds = decoder.splice(question.before, tags, memory, allocation, question.after)
    longest = checkpoint.dimensions.max_positions - len(embeds)
    most = min(generation.max_new_tokens, longest)
    stream, ids = TextStream(checkpoint.decoder_tokenizer), list[int]()
    scope.check()
    for token in decoder.generate(embeds, checkpoint.rule, replace(generation, max_new_tokens=most)):
        question.begun = True
        ids.append(token.id)
        if piece := stream.push(token.id):
            on_text(piece)
        scope.check()
    if piece := stream.finish():
        on_text(piece)
    reason: FinishReason = "length" if len(ids) == most else "stop"
    if reason == "length":
        limit = "`max_new_tokens`" if most == generation.max_new_tokens else "the context is full"
        warn(f"the answer was cut off after {most} token{'s' * (most != 1)} ({limit})")
    if repeats(ids):
        warn("the answer repeats itself")
    return Answer(stream.text, reason, len(ids))


def repeats(ids: Sequence[int]) -> bool:
    """Whether the last 64 tokens are the same few again and again: at most 16 that repeat."""
    last = ids[-_LOOP:]
    periods = range(1, _LONGEST_PERIOD + 1)
    return len(last) == _LOOP and any(last[period:] == last[:-period] for period in periods)
