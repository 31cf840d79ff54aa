"""Bytes that the networks take on their device, from their sizes, before anything is loaded.

Weights are exact but for the scales of quantized ones; what computing takes beside them is an estimate
from the largest values that live at the same time.
"""

from dataclasses import dataclass
from typing import Any

import torch

from ..plan.memory import Needs, Work
from .checkpoint import Checkpoint, compressor_names, decoder_names
from .compressor import Compressor
from .device import Target, Targets
from .llm import ANSWER_ROOM, Decoder
from .quantize import bytes_per_weight, is_quantized

_PROMPT = 250  # tokens of a segment's prompt that are neither frames nor memory tokens


@dataclass(frozen=True)
class Weights:
    """Bytes of both networks' weights on their devices; a tied head counts once."""

    compressor: int
    decoder: int


def weights(checkpoint: Checkpoint, targets: Targets) -> Weights:
    """Both networks' weights as they are kept."""
    compressor, decoder = checkpoint.empty_compressor(), checkpoint.empty_decoder()
    return Weights(
        _weights(compressor, compressor_names(compressor), targets.compressor),
        _weights(decoder, decoder_names(decoder, checkpoint.llm_config), targets.decoder),
    )


def needs(checkpoint: Checkpoint, targets: Targets, found: Weights, work: Work, decoder: bool) -> Needs:
    """What `work` takes on its devices; without a decoder only its compressing."""
    one, other = targets.compressor, targets.decoder
    numbers = work.segments * checkpoint.dimensions.memory_tokens * checkpoint.dimensions.compressor_width
    answer = 0
    if decoder:
        copied = (one.device, one.dtype) != (other.device, other.dtype)  # a question's memory tokens
        answer = answer_bytes(checkpoint, other.dtype, work.tokens)
        answer += numbers * other.dtype.itemsize if copied else 0
    return Needs(
        compressor=found.compressor,
        decoder=found.decoder if decoder else 0,
        segment=segment_bytes(checkpoint, one.dtype, work.visual),
        answer=answer,
        kept=work.questions * numbers * one.dtype.itemsize,
    )


def compressor_parameters(checkpoint: Checkpoint) -> int:
    """How many numbers the compressor's weights are."""
    return sum(weight.numel() for weight in checkpoint.empty_compressor().parameters())


def decoder_parameters(checkpoint: Checkpoint) -> int:
    """How many numbers the decoder's weights are."""
    return sum(weight.numel() for weight in checkpoint.empty_decoder().parameters())


def segment_bytes(checkpoint: Checkpoint, dtype: torch.dtype, visual: int) -> int:
    """To compress one segment whose frames take `visual` tokens: the larger of its two halves."""
    vision: Any = checkpoint.vlm_config.vision_config
    text: Any = checkpoint.vlm_config.text_config
    dimensions, size = checkpoint.dimensions, dtype.itemsize
    values = 3 * dimensions.temporal_patch * dimensions.patch**2
    # of a patch: its pixels in float32, twice; one block's streams; rotated queries and keys in float32
    pixels = values * (2 * torch.float32.itemsize + size)
    block = size * (6 * vision.hidden_size + 2 * vision.intermediate_size) + 16 * vision.hidden_size
    tokens = visual + _PROMPT + dimensions.memory_tokens
    return int(max(visual * dimensions.merge**2 * (pixels + block), tokens * _token(text, size)))


def answer_bytes(checkpoint: Checkpoint, dtype: torch.dtype, tokens: int) -> int:
    """To read a decoder input of so many tokens, with its keys and values and room for the answer's."""
    config, size = checkpoint.llm_config, dtype.itemsize
    return tokens * _token(config, size) + ANSWER_ROOM * size * _cache(config)


def _token(config: Any, size: int) -> int:
    """Keys and values of all layers, and one layer's streams, for one token."""
    return int(size * (_cache(config) + 4 * config.hidden_size + 3 * config.intermediate_size))


def _cache(config: Any) -> int:
    """Numbers that the keys and values of all layers are, for one token."""
    return int(config.num_hidden_layers * 2 * config.num_key_value_heads * config.head_dim)


def _weights(module: Compressor | Decoder, names: dict[str, str], target: Target) -> int:
    shapes = module.state_dict()
    total = 0.0
    for own in names.values():
        plain = target.bits is None or not is_quantized(module, own)
        size = target.dtype.itemsize if plain or target.bits is None else bytes_per_weight(target.bits)
        total += shapes[own].numel() * size
    return int(total)
