"""Triton's kernels, run by its interpreter on the CPU (`conftest.py`), against plain operations."""

import os
from typing import Any

import pytest
import torch
from torch.nn import functional

from tempo_cli.config import GenerationOptions
from tempo_cli.model import step
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.device import Target
from tempo_cli.model.llm import Decoder
from tempo_cli.model.transformer import Angles, rotated
from tempo_cli.plan import prompts

from .stepping import chances, nano_checkpoint, new_step

if "triton" not in os.environ.get("TEMPO_TEST_REQUIRE", ""):
    pytest.importorskip("triton")

from tempo_cli.model import kernels

OPTIONS = GenerationOptions(max_new_tokens=2)  # each takes seconds in the interpreter
EPS = 1e-6
TYPES = [torch.float32, torch.bfloat16]
SHAPES = [(48, 80), (33, 128), (640, 512), (5, 1100)]  # rows and columns, smaller and larger than a tile
CPU = torch.device("cpu")


def noise(*shape: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def assert_close(found: torch.Tensor, right: torch.Tensor) -> None:
    """Within one step of bfloat16, since the interpreter cuts off where a GPU rounds; or within 1e-5."""
    step_of, least = (2**-7, 1e-5) if found.dtype == torch.bfloat16 else (1e-5, 1e-5)
    assert ((found - right).abs() <= step_of * right.abs() + least).all()


def normed(hidden: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    return functional.rms_norm(hidden.float(), gain.shape, gain.float(), EPS)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_a_product_of_the_normed_vector(rows, columns, dtype):
    hidden, gain = noise(1, columns, dtype=dtype), noise(columns, dtype=dtype, seed=1)
    weight = noise(rows, columns, dtype=dtype, seed=2) * columns**-0.5
    out = torch.full((1, rows), torch.nan, dtype=dtype)
    kernels.norm_product(hidden, gain, EPS, weight, out)
    assert_close(out, functional.linear(normed(hidden, gain), weight.float()))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_a_gated_product(rows, columns, dtype):
    hidden, gain = noise(1, columns, dtype=dtype), noise(columns, dtype=dtype, seed=1)
    weight = noise(2 * rows, columns, dtype=dtype, seed=2) * columns**-0.5
    out = torch.full((1, rows), torch.nan, dtype=dtype)
    kernels.gated_product(hidden, gain, EPS, weight, out)
    gate, up = functional.linear(normed(hidden, gain), weight.float()).chunk(2, dim=-1)
    assert_close(out, functional.silu(gate) * up)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_a_product_is_added(rows, columns, dtype):
    values, out = noise(1, columns, dtype=dtype), noise(1, rows, dtype=dtype, seed=1)
    weight = noise(rows, columns, dtype=dtype, seed=2) * columns**-0.5
    right = out.float() + functional.linear(values.float(), weight.float())
    kernels.add_product(values, weight, out)
    assert_close(out, right)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_a_product_with_weights_in_8_bits(rows, columns, dtype):
    values, scales = noise(1, columns, dtype=dtype), noise(rows, dtype=torch.float32, seed=1).abs() / 100
    weight = (noise(rows, columns, dtype=torch.float32, seed=2) * 40).round().clamp(-127, 127).to(torch.int8)
    out = torch.full((1, rows), torch.nan, dtype=dtype)
    kernels.scaled_product(values, weight, scales, out)
    assert_close(out, functional.linear(values.float(), weight.float() * scales[:, None]))


@pytest.mark.parametrize("dtype", TYPES)
def test_heads_are_normed_turned_and_put_in_their_places(dtype):
    count, groups, width, capacity, place = 5, 2, 16, 20, 7
    heads, gains = (
        noise(count + 2 * groups, width, dtype=dtype),
        noise(count + groups, width, dtype=dtype, seed=1),
    )
    cos, sin = (noise(capacity, width, dtype=dtype, seed=seed) for seed in (2, 3))
    cache = torch.zeros(3, 2, 1, groups, capacity, width, dtype=dtype)
    queries = torch.full((count, width), torch.nan, dtype=dtype)
    kernels.turn_heads(heads, gains, cos, sin, torch.tensor([place]), cache[1, :, 0], EPS, queries)
    unit = functional.rms_norm(heads[: count + groups].float(), (width,), None, EPS)
    turned = rotated(unit * gains.float(), Angles(cos[place].float(), sin[place].float()))
    assert_close(queries, turned[:count])
    assert_close(cache[1, 0, 0, :, place], turned[count:])
    assert torch.equal(cache[1, 1, 0, :, place], heads[-groups:])
    cache[1, :, :, :, place] = 0
    assert not cache.any()  # nothing else was written


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return nano_checkpoint()


def joined(decoder: Decoder) -> Decoder:
    """With weights that lie together, as on CUDA."""
    for layer in decoder._transformer.layers:
        for part in (layer.heads, layer.gate_up):
            part.weights = (torch.cat(part.weights),)
    return decoder


def chances_of(decoder: Decoder, embeds: torch.Tensor, ids: list[int], fused: bool) -> torch.Tensor:
    made = new_step(decoder, len(embeds) + len(ids))
    found = chances(decoder, embeds, ids, made)
    assert (made._fused is not None and made._fused.has_run) is fused
    return found


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
def test_all_layers_in_these_kernels_give_what_plain_operations_give(nano, dtype, tolerance, monkeypatch):
    decoder = joined(nano.load_decoder(Target(CPU, dtype)))
    before, after = prompts.decoder_prompt(nano.decoder_tokenizer, "what color was the car?")
    embeds = decoder._embed([*before, *after]).detach()
    ids = [token.id for token in decoder.generate(embeds, nano.rule, OPTIONS)]
    plain = chances_of(decoder, embeds, ids, fused=False)
    monkeypatch.setattr(step, "is_recent_cuda", lambda _: True)
    monkeypatch.setattr(step, "_attention", step._MaskedAttention)
    fused = chances_of(decoder, embeds, ids, fused=True)
    best = plain.argmax(-1, keepdim=True)
    assert torch.equal(fused.argmax(-1), best[:, 0])
    assert (fused - plain).gather(1, best).abs().max() <= tolerance


def test_kernels_that_can_not_be_compiled_are_done_without(nano, monkeypatch):
    decoder = joined(nano.load_decoder(Target(CPU, torch.float32)))
    embeds = decoder._embed([1, 2, 3]).detach()
    plain = chances_of(decoder, embeds, [4, 5], fused=False)
    monkeypatch.setattr(step, "is_recent_cuda", lambda _: True)
    monkeypatch.setattr(step, "_attention", step._MaskedAttention)

    def broken(*_: Any) -> None:
        raise RuntimeError("Failed to find C compiler")

    monkeypatch.setattr(kernels, "norm_product", broken)
    assert torch.equal(chances_of(decoder, embeds, [4, 5], fused=False), plain)
