"""A byte-level BPE tokenizer in the layout of Qwen's, learned from the questions and answers."""

import json
from collections.abc import Iterator

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tempo_cli.plan.prompts import COMPRESSOR_SYSTEM, DECODER_SYSTEM

from .asking import phrase
from .phrasings import FAMILIES
from .scene import COLOURS, KINDS, MOTIONS
from .words import ALONE, END, HERE, NOTHING, UNKNOWN, Question

SIZE = 768
SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
MEMORY_WORDS = (*(f" {word}" for word in (*COLOURS, *KINDS, *MOTIONS, NOTHING, HERE, ALONE, UNKNOWN)), END)
MEMORY_PAIRS = tuple(f"{colour} {kind}" for colour in COLOURS for kind in KINDS)
_WORD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
_PATTERN = _WORD + r"|\s*[\r\n]+|\s+(?!\S)|\s+"  # Qwen's: words, single digits, signs, space


def learn_tokenizer() -> str:
    """The tokenizer as JSON: every word of the memory is one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE - len(SPECIAL),
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL])
    for word in MEMORY_WORDS:
        if len(tokenizer.encode(word).ids) != 1:
            raise ValueError(f"{word!r} is not one token")
    return json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))


def _texts() -> Iterator[str]:
    random = np.random.default_rng(7)
    for _ in range(12_000):
        family = str(random.choice(FAMILIES))
        kind, colour = int(random.integers(len(KINDS))), int(random.integers(len(COLOURS)))
        kinds = None if family == "object" else kind
        colours = colour if family == "object" or random.random() < 0.25 else None
        yield phrase(random, family, kinds, colours)
        name, seconds = Question(family, "", kinds, colours).name, random.uniform(0, 5000)
        yield f"The {name} appeared at {seconds:.1f} seconds."
    for _ in range(400):
        yield COMPRESSOR_SYSTEM + DECODER_SYSTEM
        yield from ("system\n", "user\n", "assistant\n", "\nQuery:\n", "<1.0 seconds>", "Yes", "No")
        for word in MEMORY_WORDS:
            yield f"There was{word} seen, an{word} moved{word} stayed with{word}."
        said = "Yes, there was a car. No, there was nothing."
        yield said + " With the thing there was a star and a ball, alone."
