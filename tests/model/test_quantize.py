"""Weights in 8 and 4 bits: which layers, how exact, and what is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tempo_cli.config import GenerationOptions, LoadOptions, SamplingOptions
from tempo_cli.errors import SetupError, UsageError
from tempo_cli.model import quantize
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.device import Bits, Target, Targets
from tempo_cli.model.layers import Linear
from tempo_cli.model.loading import choose_target
from tempo_cli.model.memory_estimate import weights
from tempo_cli.model.quantize import choose_bits, library, quantized_linear
from tempo_cli.model.rows import one_row
from tempo_cli.tempo import Tempo

from ..conftest import GOLDEN

CPU = torch.device("cpu")
BITS: tuple[Bits, ...] = ("int8", "int4")
FRACTAL = GOLDEN / "videos/fractal.mp4"
LAYER = {"self_attn": ("q", "k", "v", "o"), "mlp": ("gate", "up", "down")}
LANGUAGE = {f"{part}.{name}_proj" for part, names in LAYER.items() for name in names}
VISION = {"attn.qkv", "attn.proj", "mlp.linear_fc1", "mlp.linear_fc2"}


def checkpoint(name: str) -> Checkpoint:
    folder = GOLDEN / "checkpoints" / name
    return Checkpoint.open(folder / "Tempo-tiny", folder / "Qwen3-VL-tiny")


def changed(module: nn.Module) -> set[str]:
    """Names of the layers that are no plain linear layers any more."""
    return {
        name
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear) and type(part) not in (nn.Linear, Linear)
    }


def plain(module: nn.Module) -> set[str]:
    return {name for name, part in module.named_modules() if type(part) in (nn.Linear, Linear)}


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize(("name", "projector"), [("a", {"projector"}), ("b", {"projector.0", "projector.2"})])
def test_exactly_the_linear_layers_of_both_networks_are_quantized(name, projector, bits):
    opened = checkpoint(name)
    target = Target(CPU, torch.float32, bits)
    compressor, decoder = opened.load_compressor(target), opened.load_decoder(target)
    vision = opened.vlm_config.vision_config
    mergers = ["merger", *(f"deepstack_merger_list.{n}" for n in range(len(vision.deepstack_visual_indexes)))]
    text = opened.vlm_config.text_config
    assert changed(compressor) == {
        *(f"vlm.visual.blocks.{n}.{part}" for n in range(vision.depth) for part in VISION),
        *(f"vlm.visual.{merger}.linear_fc{n}" for merger in mergers for n in (1, 2)),
        *(
            f"vlm.language_model.layers.{n}.{part}"
            for n in range(text.num_hidden_layers)
            for part in LANGUAGE
        ),
    }
    layers = range(opened.llm_config.num_hidden_layers)
    assert changed(decoder) == {f"llm.model.layers.{n}.{part}" for n in layers for part in LANGUAGE}
    assert plain(compressor) == set()
    assert plain(decoder) == {"llm.lm_head", *projector}


@pytest.mark.parametrize("bits", BITS)
def test_what_is_not_quantized_is_as_it_was(tiny_models, bits):
    opened, whole = checkpoint("a"), tiny_models["a"]
    target = Target(CPU, torch.float32, bits)
    pairs = (
        (opened.load_compressor(target), whole.compressor),
        (opened.load_decoder(target), whole.decoder),
    )
    for module, other in pairs:
        layers, state = changed(module), dict(module.named_parameters())
        names = {name for name in state if name.removesuffix(".weight") not in layers}
        assert {"router", "memory"} <= names or "projector.weight" in names
        for name in names:
            assert torch.equal(state[name], other.get_parameter(name)), name


def layer(out: int, width: int, bias: bool) -> nn.Linear:
    torch.manual_seed(3)
    made = nn.Linear(width, out, bias=bias).requires_grad_(False)
    made.weight.normal_(std=0.02)
    return made


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("bits", "most"), [("int8", 0.012), ("int4", 0.10)])
def test_a_layers_error_is_that_of_its_bits(bits, most, bias):
    """Relative, over normal weights and activations: 8 bits about 0.01, NF4 about 0.09."""
    whole = layer(192, 256, bias)
    made = quantized_linear(whole, whole.weight.data, bits).eval()
    x = torch.randn(5, 7, 256)
    with torch.inference_mode():
        error = (made(x) - whole(x)).norm() / whole(x).norm()
    assert most / 2 < float(error) < most


@pytest.mark.parametrize("bits", BITS)
def test_activations_that_stand_out_do_no_harm(bits):
    whole = layer(192, 256, bias=False)
    made = quantized_linear(whole, whole.weight.data, bits).eval()
    x = torch.randn(16, 256)
    x[:, 5] *= 1e5  # beyond what float16 holds
    with torch.inference_mode():
        error = (made(x) - whole(x)).norm() / whole(x).norm()
    assert float(error) < (0.02 if bits == "int8" else 0.2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bits", BITS)
def test_every_type_of_activation_comes_back_in_its_type(bits, dtype):
    whole = layer(48, 80, bias=True).to(dtype)
    made = quantized_linear(whole, whole.weight.data, bits).eval()
    with torch.inference_mode():
        assert made(torch.randn(3, 80, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_one_row_in_8_bits_is_as_exact_as_its_weights(dtype):
    """On a GPU; here the function alone. Its own type is kept, whatever stands out."""
    whole = layer(192, 256, bias=False).to(dtype)
    made = quantized_linear(whole, whole.weight.data, "int8").eval()
    values = torch.randn(1, 1, 256).to(dtype)
    values[..., 5] *= 100
    rounded = made.weight.data.double() * made.row_scales[:, None].double()
    found = one_row(values, made.weight.data, made.row_scales)
    assert (found.dtype, found.shape) == (dtype, (1, 1, 192))
    right = values.double() @ rounded.T
    assert (found - right).norm() / right.norm() <= 2 * torch.finfo(dtype).eps
    assert (found - whole(values)).norm() / right.norm() < 0.012


def test_one_row_in_8_bits_is_finite_where_only_the_scaled_sums_fit_into_float16():
    values = torch.full((1, 64), 100.0, dtype=torch.float16)
    found = one_row(values, torch.full((3, 64), 127, dtype=torch.int8), torch.full((3,), 0.01))
    assert found.tolist() == [[8128.0] * 3]


def test_one_row_without_bias_takes_its_own_way_on_a_gpu(monkeypatch):
    ways: list[str] = []
    monkeypatch.setattr(quantize, "one_row", lambda *_: ways.append("one row"))
    monkeypatch.setattr(library().nn.Linear8bitLt, "forward", lambda *_: ways.append("LLM.int8"))
    cases = ((False, (1, 80)), (False, (1, 1, 80)), (False, (2, 80)), (True, (1, 80)))
    for device in ("meta", "cpu"):  # any device but the CPU counts as a GPU
        for bias, shape in cases:
            whole = layer(48, 80, bias)
            quantized_linear(whole, whole.weight.data, "int8")(torch.empty(shape, device=device))
    assert ways == ["one row"] * 2 + ["LLM.int8"] * 6


@pytest.mark.parametrize("name", ["a", "b"])
def test_four_bits_compute_exactly_with_the_rounded_weights(name, tiny_models):
    """The same network with the rounded weights written out gives the same logits: nothing else changed."""
    opened = checkpoint(name)
    rough = opened.load_decoder(Target(CPU, torch.float32, "int4"))
    written = opened.load_decoder(Target(CPU, torch.float32))
    bnb = library()
    for part in changed(rough):
        weight = rough.get_submodule(part).weight
        rounded = bnb.functional.dequantize_4bit(weight.data, weight.quant_state)
        written.get_submodule(part).weight.data = rounded
    embeds = torch.randn(11, opened.dimensions.decoder_width)
    ours, theirs = rough.prefill(embeds)[0], written.prefill(embeds)[0]
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert not torch.allclose(ours, tiny_models[name].decoder.prefill(embeds)[0], atol=1e-2)


@pytest.mark.parametrize("name", ["a", "b"])
def test_eight_bits_leave_the_relevance_nearly_as_it_is(name):
    """Tiny random networks, 20 segments: at most 0.03 apart (0.017 and 0.019 when this was written)."""
    sampling, runs = SamplingOptions(fps=8, window=4), {}
    for bits in ("none", "int8"):
        options = LoadOptions(device="cpu", quantize=bits)
        tempo = Tempo.load(GOLDEN / "checkpoints" / name / "Tempo-tiny", options=options, decoder=False)
        run = tempo.inspect(FRACTAL, "what color was the car", sampling=sampling)
        assert run.model.quantization == (None if bits == "none" else bits)
        runs[bits] = np.array([part.relevance for part in run.segments])
    distance = np.abs(runs["int8"] - runs["none"]).max()
    assert 1e-4 < distance < 0.03


@pytest.mark.parametrize("bits", BITS)
def test_an_answer_comes_out_in_every_number_of_bits(bits):
    tempo = Tempo.load(GOLDEN / "checkpoints/b/Tempo-tiny", options=LoadOptions(device="cpu", quantize=bits))
    few, short = SamplingOptions(max_frames=8), GenerationOptions(max_new_tokens=4)
    first, second = (tempo.ask(FRACTAL, "what?", sampling=few, generation=short) for _ in range(2))
    assert first.answer == second.answer
    assert first.answer is not None
    assert first.answer.tokens == 4


@pytest.mark.parametrize("bits", BITS)
def test_the_estimate_of_the_weights_is_close_to_what_they_take(bits):
    opened = checkpoint("b")
    target = Target(CPU, torch.float32, bits)
    plain = Target(CPU, torch.float32)
    found, whole = weights(opened, Targets(target, target)), weights(opened, Targets(plain, plain))
    for module, estimate, before in (
        (opened.load_compressor(target), found.compressor, whole.compressor),
        (opened.load_decoder(target), found.decoder, whole.decoder),
    ):
        real = sum(weight.nbytes for name, weight in module.named_parameters() if name != "router")
        assert real <= estimate < 1.02 * real
        assert estimate < before


# what is refused


def test_other_bits_are_a_usage_error():
    with pytest.raises(UsageError) as caught:
        LoadOptions(quantize="int3")
    assert (caught.value.message, caught.value.hint) == ("quantize is int3", "Known: none, int8, int4.")


def test_a_device_that_can_t_is_named():
    with pytest.raises(SetupError) as caught:
        choose_bits(LoadOptions(quantize="int4"), torch.device("mps"))
    assert caught.value.message == "`quantize='int4'` does not run on mps"
    assert choose_bits(LoadOptions(), torch.device("mps")) is None


def test_without_the_library_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    quantize.library.cache_clear()
    with pytest.raises(SetupError) as caught:
        choose_target(LoadOptions(device="cpu", quantize="int8"))
    assert caught.value.message.startswith("`quantize` needs bitsandbytes: ")
    assert caught.value.hint == "Run: pip install 'tempo-cli[quantize]'"
    assert caught.value.exit_code == 5


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import torch
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.device import Target
folder = Path(sys.argv[1])
checkpoint = Checkpoint.open(folder / "Tempo-tiny", folder / "Qwen3-VL-tiny")
checkpoint.load_decoder(Target(torch.device("cpu"), torch.float32))
assert "bitsandbytes" not in sys.modules
decoder = checkpoint.load_decoder(Target(torch.device("cpu"), torch.float32, "int4"))
assert "bitsandbytes" in sys.modules
decoder.prefill(torch.zeros(2, checkpoint.dimensions.decoder_width))
import kernels
"""


def test_the_library_is_imported_when_it_is_needed_and_fetches_no_code(tmp_path: Path):
    """With the `kernels` package installed, bitsandbytes would fetch code from the Hub on some CPUs."""
    (tmp_path / "kernels.py").write_text("def get_kernel(*names, **more):\n    print('fetched')\n")
    words = [sys.executable, "-c", CHILD, str(GOLDEN / "checkpoints/a"), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
