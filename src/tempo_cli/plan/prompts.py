"""The token ids of every prompt. A special token written in a question stays plain text.

A prompt is a list of pieces: plain text, or `Special` for a token that only we may write. Neighbouring
texts are joined before they are tokenised, so that the ids equal those of the whole string at once.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Protocol

from ..types import Exchange

COMPRESSOR_SYSTEM = (
    "You are a query-conditioned visual compressor. Store in the provided memory tokens the minimal visual "
    "information needed to answer the Query. Ignore irrelevant details. Now, before compressing, answer "
    "exactly 'Yes' or 'No': is this segment relevant to the Query?"
)  # part of the weights: the released model was trained with exactly these words
DECODER_SYSTEM = "You are a helpful assistant."
EARLIER_QUESTIONS = 2  # that the compressor reads before the current one


class Special(str):
    """The name of a special token, as in `<|im_start|>`."""


IM_START = Special("<|im_start|>")
IM_END = Special("<|im_end|>")
VISION_START = Special("<|vision_start|>")
VISION_END = Special("<|vision_end|>")
VIDEO_PAD = Special("<|video_pad|>")


class Tokenizer(Protocol):
    """What a prompt needs of a tokenizer."""

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, in which no special token is recognised."""

    def special_id(self, name: str) -> int:
        """Id of the special token `name`."""


def encode_pieces(tokenizer: Tokenizer, pieces: Sequence[str]) -> list[int]:
    """Ids of texts and special tokens in a row."""
    ids: list[int] = []
    for special, run in groupby(pieces, key=lambda piece: isinstance(piece, Special)):
        if special:
            ids.extend(tokenizer.special_id(name) for name in run)
        else:
            ids.extend(tokenizer.encode("".join(run)))
    return ids


def time_tag(seconds: float) -> str:
    """A time as the model reads it."""
    return f"<{seconds:.1f} seconds>"


def compressor_prefix(tokenizer: Tokenizer, patch_times: Sequence[float], tokens_per_patch: int) -> list[int]:
    """Ids up to the end of the segment's frames: what does not depend on the question."""
    pieces: list[str] = [IM_START, "system\n", COMPRESSOR_SYSTEM, IM_END, "\n", IM_START, "user\n"]
    for seconds in patch_times:
        pieces += [time_tag(seconds), VISION_START, *[VIDEO_PAD] * tokens_per_patch, VISION_END]
    return encode_pieces(tokenizer, pieces)


def compressor_suffix(tokenizer: Tokenizer, question: str) -> list[int]:
    """Ids from the question to the place where relevance is read; memory tokens follow."""
    pieces = ["\nQuery:\n", question, IM_END, "\n", IM_START, "assistant\n"]
    return encode_pieces(tokenizer, pieces)


def compressor_query(question: str, history: Sequence[Exchange] = ()) -> str:
    """What the compressor reads as its query.

    In a conversation, "which way did it go?" names nothing: the last `EARLIER_QUESTIONS` questions stand
    before the current one, a line each.
    """
    return "\n".join([*(exchange.question for exchange in history[-EARLIER_QUESTIONS:]), question])


def decoder_prompt(
    tokenizer: Tokenizer, question: str, history: Sequence[Exchange] = ()
) -> tuple[list[int], list[int]]:
    """Ids before and after the video in the decoder's input.

    The video stands once, in the first user turn. Earlier questions and answers follow it, then `question`.
    """
    before = [IM_START, "system\n", DECODER_SYSTEM, IM_END, "\n", IM_START, "user\n"]
    after: list[str] = ["\n"]
    for exchange in history:
        after += [exchange.question, IM_END, "\n", IM_START, "assistant\n", exchange.answer, IM_END, "\n"]
        after += [IM_START, "user\n"]
    after += [question, IM_END, "\n", IM_START, "assistant\n"]
    return encode_pieces(tokenizer, before), encode_pieces(tokenizer, after)
