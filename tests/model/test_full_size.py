"""The released layout at its full size, 6 billion numbers: names, shapes and bytes, without the numbers.

The expected names and shapes are written down here by rule from the sizes of both networks, not taken from
the modules. The files are sparse: a true header, and a hole where 12 GB of weights would be.
"""

import json
import shutil
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch

from tempo_cli.config import BudgetOptions, SamplingOptions
from tempo_cli.errors import ModelError
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.device import Bits, Target, Targets
from tempo_cli.model.memory_estimate import Weights, compressor_parameters, needs, weights
from tempo_cli.plan.memory import Work, expected_work, make_plan
from tempo_cli.runtime.networks import Networks

from ..conftest import GOLDEN

Shapes = dict[str, tuple[int, ...]]
CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
TOWER = "model.vision_tower_aux_list.0."
VOCABULARY = 151_936
LANGUAGE = {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": VOCABULARY}
COMPRESSOR = LANGUAGE | {
    "num_hidden_layers": 28, "hidden_size": 2048, "intermediate_size": 6144, "rms_norm_eps": 1e-6,
    "rope_theta": 5e6, "tie_word_embeddings": True,
    "rope_scaling": {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True},
}  # fmt: skip
VISION = {
    "depth": 24, "hidden_size": 1024, "num_heads": 16, "intermediate_size": 4096, "patch_size": 16,
    "temporal_patch_size": 2, "spatial_merge_size": 2, "out_hidden_size": 2048,
    "num_position_embeddings": 2304, "deepstack_visual_indexes": [5, 11, 17],
}  # fmt: skip
DECODER = LANGUAGE | {
    "num_hidden_layers": 36, "hidden_size": 2560, "intermediate_size": 9728, "num_attention_heads": 32,
    "rope_theta": 1e6, "rms_norm_eps": 1e-6, "tie_word_embeddings": True, "max_position_embeddings": 40_960,
}  # fmt: skip
TEMPO = DECODER | {
    "model_type": "tempo_qwen", "mm_vision_tower_aux_list": ["Qwen/Qwen3-VL-2B-Instruct"],
    "num_compression_tokens": 128, "mm_projector_type": "linear", "tokenizer_model_max_length": 16_384,
}  # fmt: skip
BASE = {"model_type": "qwen3_vl", "text_config": COMPRESSOR, "vision_config": VISION}


def language(prefix: str, layers: int, width: int, inner: int, heads: int) -> Iterator[tuple[str, Any]]:
    """A Qwen3 language model: heads of 128, 8 of them for keys and values."""
    yield f"{prefix}embed_tokens.weight", (VOCABULARY, width)
    yield f"{prefix}norm.weight", (width,)
    for layer in range(layers):
        at = f"{prefix}layers.{layer}."
        yield f"{at}input_layernorm.weight", (width,)
        yield f"{at}post_attention_layernorm.weight", (width,)
        yield f"{at}self_attn.q_norm.weight", (128,)
        yield f"{at}self_attn.k_norm.weight", (128,)
        yield f"{at}self_attn.q_proj.weight", (heads * 128, width)
        yield f"{at}self_attn.k_proj.weight", (8 * 128, width)
        yield f"{at}self_attn.v_proj.weight", (8 * 128, width)
        yield f"{at}self_attn.o_proj.weight", (width, heads * 128)
        yield f"{at}mlp.gate_proj.weight", (inner, width)
        yield f"{at}mlp.up_proj.weight", (inner, width)
        yield f"{at}mlp.down_proj.weight", (width, inner)


def biased(name: str, *shape: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A layer's weight and bias."""
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def vision(prefix: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The vision tower: 24 blocks of width 1024, and a merger of four patches for it and each deep layer."""
    yield from biased(f"{prefix}patch_embed.proj", 1024, 3, 2, 16, 16)
    yield f"{prefix}pos_embed.weight", (2304, 1024)
    for block in range(24):
        at = f"{prefix}blocks.{block}."
        yield from biased(f"{at}norm1", 1024)
        yield from biased(f"{at}norm2", 1024)
        yield from biased(f"{at}attn.qkv", 3 * 1024, 1024)
        yield from biased(f"{at}attn.proj", 1024, 1024)
        yield from biased(f"{at}mlp.linear_fc1", 4096, 1024)
        yield from biased(f"{at}mlp.linear_fc2", 1024, 4096)
    for name, norm in (("merger", 1024), *((f"deepstack_merger_list.{n}", 4096) for n in range(3))):
        yield from biased(f"{prefix}{name}.norm", norm)
        yield from biased(f"{prefix}{name}.linear_fc1", 4096, 4096)
        yield from biased(f"{prefix}{name}.linear_fc2", 2048, 4096)


def released() -> Shapes:
    """Every tensor of the released folder, by rule."""
    tower = f"{TOWER}vlm.model."
    return {
        **dict(language("model.", layers=36, width=2560, inner=9728, heads=32)),
        **dict(language(f"{tower}language_model.", layers=28, width=2048, inner=6144, heads=16)),
        **dict(vision(f"{tower}visual.")),
        **dict(biased("model.mm_projector", 2560, 2048)),
        f"{TOWER}compression_tokens": (1, 128, 2048),
    }


def write_sparse(path: Path, shapes: Shapes) -> None:
    """A safetensors file in bfloat16 with a true header and no data blocks on the disk."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    words = json.dumps(header).encode()
    words += b" " * (-len(words) % 8)
    with path.open("wb") as file:
        file.write(len(words).to_bytes(8, "little") + words)
        file.truncate(8 + len(words) + at)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The released folder at full size, and its base beside it; some kilobytes on the disk."""
    tempo, base = tmp_path / "Tempo-6B", tmp_path / "base"
    for made, config in ((tempo, TEMPO), (base, BASE)):
        made.mkdir()
        (made / "config.json").write_text(json.dumps(config))
        shutil.copy(GOLDEN / "checkpoints/b/Tempo-tiny/tokenizer.json", made)
    write_sparse(tempo / "model.safetensors", released())
    return tempo


def opened(folder: Path) -> Checkpoint:
    return Checkpoint.open(folder, folder.parent / "base")


def both(dtype: torch.dtype, bits: Bits | None = None) -> Targets:
    """Both networks on one device."""
    target = Target(CUDA, dtype, bits)
    return Targets(target, target)


def test_the_full_size_layout_has_no_missing_and_no_unexpected_tensor(folder):
    checkpoint = opened(folder)  # strict: any difference in names or shapes is an error
    assert (folder / "model.safetensors").stat().st_size > 12_000_000_000
    assert (folder / "model.safetensors").stat().st_blocks * 512 < 2**20
    assert checkpoint.files.names == set(released())


def test_its_weights_are_as_many_as_the_rules_say(folder):
    checkpoint, shapes = opened(folder), released()
    tower = sum(prod(shape) for name, shape in shapes.items() if name.startswith(TOWER))
    rest = sum(prod(shape) for name, shape in shapes.items() if not name.startswith(TOWER))
    assert (tower, rest) == (2_127_794_176, 4_027_713_536)
    assert weights(checkpoint, both(torch.bfloat16)) == Weights(2 * tower, 2 * rest)
    assert weights(checkpoint, both(torch.float32)) == Weights(4 * tower, 4 * rest)
    assert compressor_parameters(checkpoint) == tower + 2048  # and the router


@pytest.mark.parametrize(
    ("kind", "layers"),
    [("mlp2x_gelu", {"0": (2560, 2048), "2": (2560, 2560)}), ("linear", {"": (2560, 2048)})],
)
def test_every_known_projector_fits_at_full_size(folder, kind, layers):
    shapes = {name: shape for name, shape in released().items() if "mm_projector" not in name}
    for number, shape in layers.items():
        shapes |= dict(biased(f"model.mm_projector{'.' if number else ''}{number}", *shape))
    write_sparse(folder / "model.safetensors", shapes)
    (folder / "config.json").write_text(json.dumps(TEMPO | {"mm_projector_type": kind}))
    assert opened(folder).files.names == set(shapes)


def test_a_head_of_its_own_fits_where_the_configuration_says_so(folder):
    write_sparse(folder / "model.safetensors", released() | {"lm_head.weight": (VOCABULARY, 2560)})
    (folder / "config.json").write_text(json.dumps(TEMPO | {"tie_word_embeddings": False}))
    assert "lm_head.weight" in opened(folder).files.names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model.norm.weight": None}, "is missing tensor model.norm.weight"),
        ({"model.layers.0.self_attn.q_proj.weight": (2560, 4096)}, "config.json expects (4096, 2560)"),
    ],
)
def test_a_difference_at_full_size_is_named(folder, change, message):
    shapes = released() | change
    write_sparse(folder / "model.safetensors", {name: shape for name, shape in shapes.items() if shape})
    with pytest.raises(ModelError) as caught:
        opened(folder)
    assert message in caught.value.message


def test_a_tensor_of_no_part_of_the_model_is_ignored_with_a_warning(folder):
    extra = {"model.layers.36.mlp.up_proj.weight": (9728, 2560)}
    write_sparse(folder / "model.safetensors", released() | extra)
    (warning,) = opened(folder).warnings
    assert warning == "tensors that are not part of the model are ignored: model.layers.36.mlp.up_proj.weight"


def test_the_tensor_tells_the_number_of_memory_tokens(folder):
    write_sparse(folder / "model.safetensors", released() | {f"{TOWER}compression_tokens": (1, 64, 2048)})
    checkpoint = opened(folder)
    (warning,) = checkpoint.warnings
    assert warning.endswith("num_compression_tokens 128, but the weights have 64: 64 is used")
    assert checkpoint.dimensions.memory_tokens == 64


@pytest.mark.parametrize(
    ("bits", "gigabytes", "plan"),
    [
        (None, 80, (True, 8)),
        (None, 24, (True, 8)),
        (None, 16, (True, 8)),
        (None, 15, (False, 8)),
        (None, 12, (False, 8)),
        ("int8", 12, (True, 8)),
        ("int4", 12, (True, 8)),
        ("int4", 8, (True, 8)),
        ("int4", 5, (False, 8)),
    ],
)
def test_the_plan_for_an_hour_of_video_by_free_memory(folder, bits: Bits | None, gigabytes, plan):
    """128 segments, 8,192 tokens, bfloat16. Estimates: a table of measurements stands in docs/memory.md."""
    checkpoint = opened(folder)
    targets = both(torch.bfloat16, bits)
    work = expected_work(
        (256, 512), SamplingOptions().max_frames, 8, 1, BudgetOptions().budget, 60, checkpoint.dimensions
    )
    found = needs(checkpoint, targets, weights(checkpoint, targets), work, decoder=True)
    planned = make_plan(gigabytes * 10**9, found, 8)
    assert (planned.resident, planned.micro_batch) == plan


@pytest.mark.parametrize(
    ("target", "segments"), [(Target(CUDA, torch.bfloat16), 16), (Target(CPU, torch.float32), 8)]
)
def test_as_many_segments_at_once_as_pay_on_the_device(folder, target, segments, monkeypatch):
    networks = Networks(opened(folder), target, decoder=True, emit=lambda _: None)
    monkeypatch.setattr(Networks, "free_bytes", lambda _: 80 * 10**9)
    work = Work(visual=512, segments=128, questions=1, tokens=9_400)
    assert networks.plan(work, None).micro_batch == segments
    assert networks.plan(work, 4).micro_batch == 4
