"""Writes checkpoints in the released layout with random weights, one tensor at a time. Not a script.

Matrices are small noise, gains are one, so that activations stay finite through all layers; the noise repeats
every 16 million numbers, which changes neither speed nor memory. The tokenizer is the tests' tiny one: it
splits text into more tokens than the released one, so prompts are longer than they would be. The base has the
few rows that this tokenizer can name. A hollow checkpoint has true headers and holes where the weights
would be, for who makes the numbers on the device.
"""

import json
import shutil
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import torch
from common import TINY_MODEL

from tempo_cli.model import configuration
from tempo_cli.model.checkpoint import compressor_names, decoder_names
from tempo_cli.model.compressor import Compressor
from tempo_cli.model.llm import Decoder
from tempo_cli.model.tokenizer import TextTokenizer

_SHARD = 4 * 10**9  # bytes
_NOISE = 2**24  # numbers


class Sizes(NamedTuple):
    """Fields of the three networks' configurations."""

    text: dict[str, Any]
    vision: dict[str, Any]
    decoder: dict[str, Any]


def _text(layers: int, width: int, inner: int, heads: int, size: int, vocabulary: int) -> dict[str, Any]:
    return {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 2 if heads < 16 else 8,
        "head_dim": size,
        "vocab_size": vocabulary,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
    }


def _vision(depth: int, width: int, heads: int, out: int, positions: int, deep: list[int]) -> dict[str, Any]:
    return {
        "depth": depth,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_heads": heads,
        "out_hidden_size": out,
        "num_position_embeddings": positions,
        "deepstack_visual_indexes": deep,
        "patch_size": 16,
        "temporal_patch_size": 2,
        "spatial_merge_size": 2,
    }


SIZES = {
    "full": Sizes(
        _text(28, 2048, 6144, 16, 128, 151_936),
        _vision(24, 1024, 16, 2048, 2304, [5, 11, 17]),
        _text(36, 2560, 9728, 32, 128, 151_936),
    ),
    "medium": Sizes(
        _text(4, 1024, 3072, 8, 128, 151_936),
        _vision(4, 512, 8, 1024, 2304, [1]),
        _text(8, 1280, 4864, 10, 128, 151_936),
    ),
    # the compressor at half the width and a quarter of the depth: the full one's proportions
    "quarter": Sizes(
        _text(7, 1024, 3072, 8, 128, 480),
        _vision(6, 512, 8, 1024, 2304, [1, 2, 4]),
        _text(2, 1280, 2560, 10, 128, 480),
    ),
    # keys and values as large as the full one's, and little else to compute
    "wide": Sizes(
        _text(16, 256, 512, 16, 128, 480), _vision(2, 64, 2, 256, 256, [0]), _text(2, 64, 96, 4, 16, 480)
    ),
    "small": Sizes(
        _text(2, 64, 96, 4, 16, 480), _vision(2, 32, 2, 64, 256, [0]), _text(2, 64, 96, 4, 16, 480)
    ),
}


def write(folder: Path, sizes: Sizes, *, hollow: bool = False) -> Path:
    """Write `Tempo` and, beside it, its base (bfloat16) into `folder`, unless it is there; give Tempo's.

    Args:
        hollow: leave holes in Tempo's files; its base's few rows are always written.
    """
    tempo, base = folder / "Tempo", folder / "base"
    if (tempo / "complete").exists():
        return tempo
    half = sizes.text["head_dim"] // 2
    sections = [half - 2 * (half * 5 // 16), half * 5 // 16, half * 5 // 16]
    rope = {"rope_type": "default", "mrope_section": sections, "mrope_interleaved": True}
    text = sizes.text | {"rope_theta": 5e6, "rope_scaling": rope}
    configs: dict[Path, dict[str, Any]] = {
        base: {"model_type": "qwen3_vl", "text_config": text, "vision_config": sizes.vision},
        tempo: sizes.decoder
        | {
            "model_type": "tempo_qwen",
            "mm_vision_tower_aux_list": ["./base"],
            "num_compression_tokens": 128,
            "mm_projector_type": "linear",
            "tokenizer_model_max_length": 16_384,
            "rope_theta": 1e6,
            "max_position_embeddings": 40_960,
        },
    }
    for home, config in configs.items():
        home.mkdir(parents=True, exist_ok=True)
        (home / "config.json").write_text(json.dumps(config))
        shutil.copy(TINY_MODEL / "tokenizer.json", home)
    _write_shards(tempo, dict(_shapes(configs[tempo], configs[base])), hollow)
    rows = {"model.language_model.embed_tokens.weight": (480, sizes.text["hidden_size"])}
    _write_file(base / "model.safetensors", rows)
    (tempo / "complete").touch()
    return tempo


def _shapes(tempo: dict[str, Any], base: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    llm, vlm = configuration.llm_config(tempo, "tempo"), configuration.vlm_config(base, "base")
    dimensions = configuration.dimensions(tempo, llm, vlm, "tempo")
    tokenizer = TextTokenizer((TINY_MODEL / "tokenizer.json").read_text(encoding="utf-8"))
    with torch.device("meta"):
        compressor, decoder = Compressor(vlm, dimensions, tokenizer), Decoder(llm, dimensions)
    for module, names in (
        (compressor, compressor_names(compressor)),
        (decoder, decoder_names(decoder, llm)),
    ):
        state = module.state_dict()
        for name, own in names.items():
            yield name, tuple(state[own].shape)


def is_gain(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor's numbers are ones, as a norm's are before training."""
    return len(shape) == 1 and name.endswith("weight")


def _write_shards(folder: Path, shapes: dict[str, tuple[int, ...]], hollow: bool) -> None:
    shards: list[dict[str, tuple[int, ...]]] = [{}]
    size = 0
    for name, shape in shapes.items():
        if size > _SHARD:
            shards.append({})
            size = 0
        shards[-1][name] = shape
        size += 2 * prod(shape)
    homes = {}
    for number, shard in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        _write_file(folder / file, shard, hollow)
        homes.update(dict.fromkeys(shard, file))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": homes}))


def _write_file(path: Path, shapes: dict[str, tuple[int, ...]], hollow: bool = False) -> None:
    header, at = {}, 0
    for name, shape in shapes.items():
        end = at + 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, end]}
        at = end
    words = json.dumps(header).encode()
    words += b" " * (-len(words) % 8)
    noise = torch.randn(_NOISE, generator=torch.Generator().manual_seed(0)).mul_(0.02)
    data = memoryview(noise.bfloat16().view(torch.uint8).numpy())
    one = torch.ones(1, dtype=torch.bfloat16).view(torch.uint8).numpy().tobytes()
    with path.open("wb") as file:
        file.write(len(words).to_bytes(8, "little") + words)
        if hollow:
            file.truncate(8 + len(words) + at)
            return
        for name, shape in shapes.items():
            left = 2 * prod(shape)
            if is_gain(name, shape):
                file.write(one * shape[0])
                continue
            while left:
                left -= file.write(data[: min(left, len(data))])
