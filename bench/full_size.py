"""Speed and memory of the full-size model on a CUDA device, without its weights.

Builds the released configuration (a 2B compressor, a 4B decoder) the way a checkpoint is loaded, with random
bfloat16 weights made on the device, and measures: seconds per segment and peak memory of the compressor for
micro-batches of 1, 4, 8 and 16 segments (8 frames of 512x256 each, copied from the host as in the product);
seconds to read 8,192 memory tokens with their time tags, and tokens per second after that.

The tokenizer is the tests' tiny one: it splits text into more tokens than the released one, so a segment's
prompt is longer here than it would be (the report gives both its tokens and the visual ones). Random weights
cost the same time as trained ones.

Run: python bench/full_size.py [--runs 5]           needs about 16 GB of device memory
     python bench/full_size.py --small              the same code with tiny sizes on the CPU
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from common import TINY_MODEL, Neighbours, parser, report, timed
from torch import nn
from transformers import Qwen3Config, Qwen3VLConfig

from tempo_cli import prompts
from tempo_cli.config import GenerationOptions, ModelDimensions
from tempo_cli.model.checkpoint import TensorFiles, _compressor_names, _decoder_names, _fill, _on_meta
from tempo_cli.model.compressor import Compressor
from tempo_cli.model.llm import Decoder, SamplingRule
from tempo_cli.model.tokenizer import TextTokenizer
from tempo_cli.segments import plan_segment
from tempo_cli.types import Allocation, FramePlan, MemoryTokens, Segment

MICRO_BATCHES = (1, 4, 8, 16)
HEIGHT, WIDTH, WINDOW, TEMPORAL_PATCH = 256, 512, 8, 2
SEGMENTS = 16  # measured at once; a multiple of every micro-batch
MEMORY_TOKENS, BUDGET = 128, 8192
NEW_TOKENS = 65
QUESTION = "What color was the car?"
DTYPE = torch.bfloat16

Numbers = dict[str, float | None]


@dataclass(frozen=True)
class Sizes:
    """Fields of the three networks' configurations."""

    text: dict[str, Any]
    vision: dict[str, Any]
    decoder: dict[str, Any]


FULL = Sizes(
    text={
        "num_hidden_layers": 28,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151_936,
        "rope_scaling": {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True},
    },
    vision={
        "depth": 24,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_heads": 16,
        "out_hidden_size": 2048,
        "num_position_embeddings": 2304,
        "deepstack_visual_indexes": [5, 11, 17],
    },
    decoder={
        "num_hidden_layers": 36,
        "hidden_size": 2560,
        "intermediate_size": 9728,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151_936,
    },
)
SMALL = Sizes(
    text={
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "vocab_size": 480,
        "rope_scaling": {"rope_type": "default", "mrope_section": [4, 2, 2], "mrope_interleaved": True},
    },
    vision={
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": 64,
        "num_position_embeddings": 256,
        "deepstack_visual_indexes": [0],
    },
    decoder={
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "vocab_size": 480,
    },
)


class RandomTensors(TensorFiles):
    """Stands in for a folder of weights: draws each tensor on the device when it is asked for."""

    def __init__(self, module: nn.Module) -> None:
        self._shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}

    def load(self, names: dict[str, str], device: torch.device) -> Iterator[tuple[str, torch.Tensor]]:
        """Matrices are small noise; gains are one, so that activations stay finite through all layers."""
        for own in names.values():
            tensor = torch.empty(self._shapes[own], dtype=DTYPE, device=device)
            gain = tensor.ndim == 1 and own.endswith("weight")
            yield own, tensor.fill_(1) if gain else tensor.normal_(std=0.02)


@dataclass(frozen=True)
class Model:
    """Both networks and their tokenizer."""

    compressor: Compressor
    decoder: Decoder
    tokenizer: TextTokenizer


def build(sizes: Sizes, device: torch.device) -> Model:
    """Both networks on the device, built as `checkpoint` does, but with random weights."""
    vlm = Qwen3VLConfig(
        text_config={"rope_theta": 5e6, "rms_norm_eps": 1e-6, "tie_word_embeddings": True, **sizes.text},
        vision_config={
            "patch_size": 16,
            "temporal_patch_size": TEMPORAL_PATCH,
            "spatial_merge_size": 2,
            **sizes.vision,
        },
        tie_word_embeddings=True,
    )
    llm = Qwen3Config(
        rope_theta=1e6,
        rope_scaling=None,
        rms_norm_eps=1e-6,
        max_position_embeddings=40_960,
        tie_word_embeddings=True,
        **sizes.decoder,
    )
    dimensions = ModelDimensions(
        memory_tokens=MEMORY_TOKENS,
        projector="linear",
        compressor_width=vlm.text_config.hidden_size,
        decoder_width=llm.hidden_size,
        context=16_384,
        max_positions=llm.max_position_embeddings,
        patch=vlm.vision_config.patch_size,
        merge=vlm.vision_config.spatial_merge_size,
        temporal_patch=vlm.vision_config.temporal_patch_size,
    )
    tokenizer = TextTokenizer((TINY_MODEL / "tokenizer.json").read_text(encoding="utf-8"))
    compressor = _on_meta(lambda: Compressor(vlm, dimensions, tokenizer))
    router = torch.randn(dimensions.compressor_width, device=device)
    _fill(
        compressor,
        RandomTensors(compressor),
        _compressor_names(compressor),
        device,
        DTYPE,
        extra={"router": router},
    )
    decoder = _on_meta(lambda: Decoder(llm, dimensions))
    _fill(decoder, RandomTensors(decoder), _decoder_names(decoder, llm), device, DTYPE, extra={})
    return Model(compressor, decoder, tokenizer)


def segments(count: int) -> list[Segment]:
    """Noise at the default 2 fps, from a time on at which all time tags have the same number of digits."""
    plan = FramePlan(np.arange(count * WINDOW), fps=2.0, origin=1000.0)
    randomness = np.random.default_rng(0)
    frames = randomness.integers(0, 256, (count, WINDOW, HEIGHT, WIDTH, 3), np.uint8)
    plans = (
        plan_segment(plan, range(first, first + WINDOW), WINDOW, TEMPORAL_PATCH)
        for first in range(0, count * WINDOW, WINDOW)
    )
    return [Segment(*pair) for pair in zip(plans, frames, strict=True)]


def compress(model: Model, work: list[Segment], micro_batch: int, device: torch.device) -> None:
    """Compress all segments as the pipeline does."""
    for batch in model.compressor.batches(work, micro_batch):
        assert len(batch.ids) == micro_batch, "prompts differ in length"
        relevance = model.compressor.compress(model.compressor.read(batch), QUESTION).relevance
        assert np.isfinite(relevance).all(), "not finite"
    _wait(device)


def measure_compressor(model: Model, micro_batch: int, runs: int, device: torch.device) -> Numbers:
    """Median seconds per segment, after one run that warms up; and the peak memory."""
    work = segments(SEGMENTS)
    _reset_peak(device)
    try:
        compress(model, work, micro_batch, device)
        seconds = [timed(lambda: compress(model, work, micro_batch, device)) for _ in range(runs)]
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return {"micro_batch": micro_batch, "seconds_per_segment": None, "peak_bytes": None}
    return {
        "micro_batch": micro_batch,
        "seconds_per_segment": statistics.median(seconds) / SEGMENTS,
        "peak_bytes": _peak(device),
    }


def decoder_input(model: Model, device: torch.device) -> torch.Tensor:
    """A prompt with a full budget of memory tokens, spliced as the pipeline does, (L, D)."""
    count = BUDGET // MEMORY_TOKENS
    width = model.compressor.dimensions.compressor_width
    tokens = torch.randn(count, MEMORY_TOKENS, width, dtype=DTYPE, device=device)
    memory = MemoryTokens(tokens, np.full(count, 0.5, np.float32))
    allocation = Allocation(np.full(count, MEMORY_TOKENS, np.int64), BUDGET, "uniform")
    tags = [model.tokenizer.encode(prompts.time_tag(1000.0 + 4 * index)) for index in range(count)]
    before, after = prompts.decoder_prompt(model.tokenizer, QUESTION)
    return model.decoder.splice(before, tags, memory, allocation, after)


def measure_decoder(model: Model, runs: int, device: torch.device) -> Numbers:
    """Median seconds up to the first token and tokens per second after it; and the peak memory."""
    embeds = decoder_input(model, device)
    _reset_peak(device)
    pairs = [write(model.decoder, embeds, device) for _ in range(runs + 1)][1:]
    return {
        "input_tokens": len(embeds),
        "prefill_seconds": statistics.median(first for first, _ in pairs),
        "tokens_per_second": statistics.median((NEW_TOKENS - 1) / rest for _, rest in pairs),
        "peak_bytes": _peak(device),
    }


def write(decoder: Decoder, embeds: torch.Tensor, device: torch.device) -> tuple[float, float]:
    """Seconds to the first token, and for all others."""
    endless = SamplingRule(frozenset(), None, None)
    tokens = decoder.generate(embeds, endless, GenerationOptions(max_new_tokens=NEW_TOKENS))
    _wait(device)
    started = time.perf_counter()
    next(tokens)
    first = time.perf_counter()
    count = 1 + sum(1 for _ in tokens)
    assert count == NEW_TOKENS, f"{count} tokens"
    return first - started, time.perf_counter() - first


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> int | None:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def _gigabytes(size: float | None) -> float | None:
    return None if size is None else size / 1e9


def compressor_row(numbers: Numbers) -> list[object]:
    """One line of the table."""
    name = f"compress, micro-batch {numbers['micro_batch']}"
    return [name, numbers["seconds_per_segment"], "s/segment", _gigabytes(numbers["peak_bytes"])]


def decoder_rows(numbers: Numbers) -> list[list[object]]:
    """Two lines of the table."""
    peak = _gigabytes(numbers["peak_bytes"])
    return [
        [f"read {numbers['input_tokens']:,} tokens", numbers["prefill_seconds"], "s", peak],
        ["write", numbers["tokens_per_second"], "tokens/s", peak],
    ]


def weights(model: Model) -> int:
    """Parameters of both networks, a tied one counted once."""
    return sum(weight.numel() for part in (model.compressor, model.decoder) for weight in part.parameters())


def chosen_device(options: argparse.Namespace) -> torch.device:
    """The CPU for the small sizes, else CUDA."""
    if options.small:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device here: give --small to try the code on the CPU")
    return torch.device("cuda", torch.cuda.current_device())


def main() -> None:
    """Measure and report."""
    options_of = parser(__doc__, runs=5)
    options_of.add_argument("--small", action="store_true", help="tiny sizes on the CPU")
    options = options_of.parse_args()
    device = chosen_device(options)
    neighbours = Neighbours()
    torch.manual_seed(0)
    model = build(SMALL if options.small else FULL, device)
    batches = [measure_compressor(model, size, options.runs, device) for size in MICRO_BATCHES]
    answer = measure_decoder(model, options.runs, device)
    prefix = model.compressor.prefix_ids(segments(1)[0])
    visual = prefix.count(model.tokenizer.special_id(prompts.VIDEO_PAD))
    report(
        "full_size",
        ["step", "value", "unit", "peak GB"],
        [*map(compressor_row, batches), *decoder_rows(answer)],
        options,
        neighbours,
        small=options.small,
        accelerator=torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        parameters=weights(model),
        dtype=str(DTYPE).removeprefix("torch."),
        prompt_tokens=len(prefix),
        visual_tokens=visual,
        compress=batches,
        decode=answer,
    )


if __name__ == "__main__":
    main()
