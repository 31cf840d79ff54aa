"""Everything that the parts use of the product beyond its public API, in one place.

The rest of `gpu_parts` uses `Tempo`, its options, `doctor.accelerator.driver_cuda` and the decisions in
`plan/`. Where the product's inside changes, this module follows and nothing else does.
"""

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from checkpoints import is_gain

from tempo_cli import GenerationOptions, LoadOptions, Tempo
from tempo_cli.model import step
from tempo_cli.model.checkpoint import TensorFiles
from tempo_cli.model.compressor import Compressor, Features, Prefix, SegmentInput
from tempo_cli.model.compressor import batches as compressor_batches
from tempo_cli.model.device import release_memory
from tempo_cli.model.generation import SamplingRule, Token
from tempo_cli.model.llm import Decoder
from tempo_cli.model.loading import choose_target
from tempo_cli.plan import memory, prompts
from tempo_cli.plan.segments import plan_segment
from tempo_cli.runtime import networks
from tempo_cli.types import FramePlan, MemoryTokens, Segment

_FREE_BYTES = networks.device_free_bytes, networks.host_free_bytes  # what the product asks


def compressor(tempo: Tempo) -> Compressor:
    """The compressor, loaded."""
    return tempo.networks.compressor()


def decoder(tempo: Tempo) -> Decoder:
    """The decoder, loaded."""
    return tempo.networks.decoder()


def batches(network: Compressor, segments: list[Segment], size: int) -> list[list[SegmentInput]]:
    """Segments as the product hands them to the compressor."""
    return list(compressor_batches(map(network.prepare, segments), size))


def prefix_tokens(batch: list[SegmentInput]) -> int:
    """Tokens of a segment's prompt before the question."""
    return len(batch[0].ids)


def see(network: Compressor, batch: list[SegmentInput]) -> Features:
    """The vision tower alone."""
    return network.see(batch)


def read(network: Compressor, features: Features) -> Prefix:
    """Keys and values of everything before the question."""
    return network.read(features)


def compress(network: Compressor, prefix: Prefix, question: str) -> MemoryTokens:
    """Question and memory tokens; the scores come back to the host, so the device has finished."""
    return network.compress(prefix, question)


def suffix_tokens(network: Compressor, question: str) -> int:
    """Tokens of the question and the memory tokens."""
    return len(prompts.compressor_suffix(network.tokenizer, question)) + network.dimensions.memory_tokens


def micro_batch(device: str) -> int:
    """Segments that the product compresses at once where memory is plenty."""
    return memory.micro_batch(device)


def noise_segments(count: int, window: int, height: int, width: int) -> list[Segment]:
    """Noise at 2 fps, from a time on at which all time tags have the same number of digits."""
    plan = FramePlan(np.arange(count * window), fps=2.0, origin=1000.0)
    frames = np.random.default_rng(0).integers(0, 256, (count, window, height, width, 3), np.uint8)
    starts = range(0, count * window, window)
    plans = (plan_segment(plan, range(first, first + window), window, 2) for first in starts)
    return [Segment(*pair) for pair in zip(plans, frames, strict=True)]


def embeddings(network: Decoder, tokens: int) -> torch.Tensor:
    """A decoder input of noise, (L, D)."""
    weight = network.llm.model.embed_tokens.weight
    noise = torch.randn(tokens, weight.shape[1], device=weight.device, dtype=torch.float32)
    return noise.mul_(0.02).to(weight.dtype)


def prefill(network: Decoder, embeds: torch.Tensor) -> tuple[torch.Tensor, Any]:
    """Logits (V,) after the decoder input, and the cache to go on with."""
    return network.prefill(embeds)


def write(network: Decoder, embeds: torch.Tensor, tokens: int) -> Iterator[Token]:
    """So many tokens behind a decoder input, as an answer is written."""
    rule, options = SamplingRule(frozenset(), None, None), GenerationOptions(max_new_tokens=tokens)
    return network.generate(embeds, rule, options)


@torch.inference_mode()
def rescored(network: Decoder, embeds: torch.Tensor, tokens: int) -> float:
    """Largest difference of four tokens' log-probabilities, written and read again as a part of the text."""
    found = list(write(network, embeds, tokens))
    answer = network._embed([token.id for token in found])
    errors = []
    for place in {tokens - 1, *(tokens * part // 4 for part in (1, 2, 3))}:
        logits, _ = network.prefill(torch.cat([embeds, answer[:place]]))
        errors.append(abs(float(logits.log_softmax(-1)[found[place].id]) - found[place].logprob))
    return max(errors)


def attention(network: Decoder, position: int) -> Callable[[], None]:
    """The attention of one token of an answer at `position`, in all layers."""
    transformer = network._transformer
    cache = transformer.cache(1, position + 1)
    place = torch.tensor([position], device=cache.values.device)
    queries = torch.randn(transformer.heads, transformer.width, device=place.device).to(cache.values.dtype)
    make = step._attention(transformer, cache)

    def attend() -> None:
        mix = make(place)
        for keys, values in cache.values[:, :, 0]:
            mix(queries, keys, values)

    return attend


def check_options(options: LoadOptions) -> None:
    """Raise what `Tempo.load` would, before anything is loaded."""
    choose_target(options)


def release(device: str) -> None:
    """Give back what no tensor holds any more."""
    release_memory(torch.device(device))


@contextmanager
def generated_weights() -> Iterator[None]:
    """Meanwhile weights are random numbers made on their device, not read from the files.

    The files' headers still count: names and shapes are checked as ever.
    """

    def load(
        files: TensorFiles, names: Collection[str], device: torch.device
    ) -> Iterator[tuple[str, torch.Tensor]]:
        numbers = torch.Generator(device).manual_seed(0)
        for name in names:
            shape = files.shape(name)
            made = {"dtype": torch.bfloat16, "device": device}
            if is_gain(name, shape):
                yield name, torch.ones(shape, **made)
            else:
                yield name, torch.randn(shape, generator=numbers, **made).mul_(0.02)

    own = TensorFiles.load
    TensorFiles.load = load  # type: ignore[method-assign]
    try:
        yield
    finally:
        TensorFiles.load = own  # type: ignore[method-assign]


def limit_memory(device: str, size: float | None, *, planned: bool) -> None:
    """Let no more than `size` bytes be free (None: all), really on CUDA, only pretended on a CPU.

    Without a plan nothing is known of what is free, and everything is tried until memory runs out; on a
    CPU the limit then means nothing.
    """
    if device == "cuda":
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(1.0 if size is None else min(1.0, size / total))
    networks.device_free_bytes, networks.host_free_bytes = _FREE_BYTES
    if not planned:
        networks.device_free_bytes = lambda _: None
        networks.host_free_bytes = lambda: None
    elif size is not None and device == "cpu":
        networks.host_free_bytes = lambda: int(size)


def limited_command(device: str, size: float, words: list[str]) -> None:
    """The command `tempo WORDS` in this process, with little memory: on CUDA without a plan."""
    from tempo_cli.__main__ import main

    limit_memory(device, size, planned=device == "cpu")
    sys.argv = ["tempo", *words]
    main()


def limited_command_source(device: str, size: float) -> str:
    """Python that runs `limited_command` with its own arguments."""
    home = str(Path(__file__).resolve().parents[1])
    return (
        f"import sys; sys.path.insert(0, {home!r}); from gpu_parts.internals import limited_command; "
        f"limited_command({device!r}, {size!r}, sys.argv[1:])"
    )
