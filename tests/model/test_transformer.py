"""The layers against those of transformers: alone, behind a cache, in a batch, with joined weights."""

from dataclasses import replace

import pytest
import torch
from transformers import DynamicCache

from tempo_cli.model.device import Target
from tempo_cli.model.llm import Decoder
from tempo_cli.model.transformer import KVCache, Transformer, joined_weights

from .qwen import qwen3, qwen3_vl

CPU = torch.device("cpu")
KINDS = (torch.bfloat16, torch.float32)
SIZES = (1, 2, 15, 16, 17, 63, 64, 65, 130)  # around powers of two


def text_model(tiny_model, part: str) -> torch.nn.Module:
    return tiny_model.decoder.llm.model if part == "decoder" else tiny_model.compressor.vlm.language_model


def their_model(tiny_model, part: str) -> torch.nn.Module:
    return (
        qwen3(tiny_model.decoder).model
        if part == "decoder"
        else qwen3_vl(tiny_model.compressor).language_model
    )


def noise(model: torch.nn.Module, rows: int, length: int) -> torch.Tensor:
    width = model.config.hidden_size
    return torch.randn(rows, length, width, generator=torch.Generator().manual_seed(length)) * 0.3


@torch.inference_mode()
def theirs(model: torch.nn.Module, hidden: torch.Tensor) -> torch.Tensor:
    return model(inputs_embeds=hidden, use_cache=False).last_hidden_state


@torch.inference_mode()
def ours(model: torch.nn.Module, hidden: torch.Tensor, pieces: list[int]) -> torch.Tensor:
    """The same read in pieces, each behind what was read before."""
    transformer, found = Transformer(model), []
    cache = transformer.cache(len(hidden), 0)
    for piece in hidden.split(pieces, dim=1):
        angles = transformer.text_angles(cache.length, piece.shape[1])
        found.append(transformer(piece, cache, angles))
    return torch.cat(found, dim=1)


@pytest.mark.parametrize("part", ["compressor", "decoder"])
@pytest.mark.parametrize("length", SIZES)
def test_one_pass_is_that_of_transformers(tiny_model, part, length):
    model = text_model(tiny_model, part)
    hidden = noise(model, 1, length)
    right = theirs(their_model(tiny_model, part), hidden)
    assert (ours(model, hidden, [length]) - right).abs().max() <= 1e-5


@pytest.mark.parametrize("part", ["compressor", "decoder"])
@pytest.mark.parametrize("pieces", [[1] * 33, [32, 1], [31, 2], [1, 32], [7, 9, 1, 16], [16, 17]])
def test_what_is_read_in_pieces_is_what_one_pass_reads(tiny_model, part, pieces):
    model = text_model(tiny_model, part)
    hidden = noise(model, 3, 33)
    right = theirs(their_model(tiny_model, part), hidden)
    assert (ours(model, hidden, pieces) - right).abs().max() <= 1e-5


def test_keys_and_values_are_those_of_transformers(tiny_model):
    model = text_model(tiny_model, "decoder")
    their = their_model(tiny_model, "decoder")
    hidden, expected = noise(model, 2, 20), DynamicCache(config=their.config)
    transformer = Transformer(model)
    cache = transformer.cache(2, 20)
    with torch.inference_mode():
        their(inputs_embeds=hidden, past_key_values=expected, use_cache=True)
        transformer(hidden, cache, transformer.text_angles(0, 20))
    for number, layer in enumerate(expected.layers):
        assert (cache.filled[number, 0] - layer.keys).abs().max() <= 1e-5
        assert (cache.filled[number, 1] - layer.values).abs().max() <= 1e-5


def test_rows_of_a_batch_do_not_touch_each_other(tiny_model):
    model = text_model(tiny_model, "compressor")
    hidden = noise(model, 3, 12)
    together = ours(model, hidden, [8, 4])
    for row in range(3):
        assert (together[row : row + 1] - ours(model, hidden[row : row + 1], [8, 4])).abs().max() <= 1e-5


def test_unfilled_positions_are_never_read(tiny_model):
    model = text_model(tiny_model, "decoder")
    hidden, transformer = noise(model, 1, 9), Transformer(model)
    clean, dirty = transformer.cache(1, 64), transformer.cache(1, 64)
    clean.values.zero_()
    dirty.values.fill_(torch.nan)
    with torch.inference_mode():
        for count in (4, 4, 1):
            start = clean.length
            pair = [
                transformer(hidden[:, start : start + count], one, transformer.text_angles(start, count))
                for one in (clean, dirty)
            ]
            assert torch.equal(*pair)


def test_a_full_cache_grows_and_keeps_what_it_holds():
    cache = KVCache(torch.arange(2 * 2 * 1 * 1 * 3 * 4.0).view(2, 2, 1, 1, 3, 4), length=2)
    before, memory = cache.filled.clone(), cache.values
    cache.reserve(3)
    assert cache.values is memory
    cache.reserve(4)
    assert cache.capacity == 3 + 256
    assert torch.equal(cache.filled, before)
    cache.length = cache.capacity
    cache.reserve(2000)
    assert cache.capacity == 2000
    cache.reserve(2001)
    assert cache.capacity == 2500


@torch.inference_mode()
def test_in_bfloat16_it_is_as_close_to_float32_as_transformers(tiny_model):
    rough, exact = (tiny_model.checkpoint.load_decoder(Target(CPU, kind)) for kind in KINDS)
    exact_qwen, rough_qwen = qwen3(exact), qwen3(rough)
    errors = []
    for length in SIZES:
        hidden = noise(exact.llm.model, 1, length)
        right = exact_qwen(inputs_embeds=hidden, use_cache=False).logits[0, -1].log_softmax(-1)
        theirs = rough_qwen(inputs_embeds=hidden.bfloat16(), use_cache=False).logits[0, -1]
        mine = rough.prefill(hidden[0].bfloat16())[0]
        pair = (one.float().log_softmax(-1) for one in (mine, theirs))
        errors.append([float((one - right).abs().mean()) for one in pair])
    mine, theirs = torch.tensor(errors).mean(0)
    assert mine <= 1.2 * theirs


# joined weights


def test_which_weights_are_laid_behind_each_other():
    names = [f"llm.model.layers.1.self_attn.{part}_proj.weight" for part in "kqvo"]
    inner = [f"llm.model.layers.1.mlp.{part}_proj.weight" for part in ("up", "gate", "down")]
    alone = ["llm.model.layers.2.mlp.gate_proj.weight", "vlm.visual.blocks.0.attn.qkv.weight"]
    heads, pair = (names[1], names[0], names[2]), (inner[1], inner[0])
    assert joined_weights([*names, *inner, *alone]) == {
        **dict.fromkeys(heads, heads),
        **dict.fromkeys(pair, pair),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_that_are_converted_are_joined_and_others_stay_the_files_own(tiny_model, dtype):
    """The file's type is float32: a copy in that type would be a second one."""
    decoder = tiny_model.checkpoint.load_decoder(Target(CPU, dtype))
    layer = decoder.llm.model.layers[0]
    attention = [getattr(layer.self_attn, f"{part}_proj").weight for part in "qkv"]
    inner = [getattr(layer.mlp, f"{part}_proj").weight for part in ("gate", "up")]
    for weights in (attention, inner if dtype != torch.float32 else attention):
        ends = [weight.data_ptr() + weight.nbytes for weight in weights]
        joined = all(end == weight.data_ptr() for end, weight in zip(ends, weights[1:], strict=False))
        assert joined == (dtype != torch.float32)
        if joined:
            memory = weights[0].untyped_storage()
            assert memory.nbytes() == sum(weight.nbytes for weight in weights)
            assert {weight.untyped_storage().data_ptr() for weight in weights} == {memory.data_ptr()}
    plain = tiny_model.decoder.llm.state_dict()
    for name, weight in decoder.llm.state_dict().items():
        assert torch.equal(weight, plain[name].to(dtype))


@torch.inference_mode()
def test_joined_and_separate_weights_compute_the_same(tiny_model):
    decoder = tiny_model.checkpoint.load_decoder(Target(CPU, torch.bfloat16))
    hidden = noise(decoder.llm.model, 1, 30).bfloat16()
    joined = ours(decoder.llm.model, hidden, [29, 1])
    for layer in decoder.llm.model.layers:
        for linear in (layer.self_attn.k_proj, layer.mlp.up_proj):
            linear.weight = torch.nn.Parameter(linear.weight.clone(), requires_grad=False)
    assert (joined - ours(decoder.llm.model, hidden, [29, 1])).abs().max() <= 0.02


@torch.inference_mode()
def test_biases_count(tiny_model):
    checkpoint = tiny_model.checkpoint
    decoder = Decoder(replace(checkpoint.llm_config, attention_bias=True), checkpoint.dimensions)
    missing, unexpected = decoder.load_state_dict(tiny_model.decoder.state_dict(), strict=False)
    assert unexpected == []
    assert len(missing) == 4 * len(decoder.llm.model.layers)
    for name in missing:
        torch.nn.init.normal_(decoder.get_parameter(name), generator=torch.Generator().manual_seed(1))
    hidden = noise(decoder.llm.model, 1, 10)
    found = ours(decoder.llm.model, hidden, [6, 4])
    assert (found - theirs(qwen3(decoder).model, hidden)).abs().max() <= 1e-5
