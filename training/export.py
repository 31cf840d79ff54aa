"""Writes the trained weights in the released layout: a Tempo folder, and its base folder beside it."""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from tempo_cli.model.tokenizer import TextTokenizer
from tempo_cli.plan import prompts

from .layout import BASE, TEMPO, load_untrained, mean, tensor_names, warm_start
from .network import Nano
from .scene import KINDS
from .shape import DECODER, DIMENSIONS, MROPE, PIXELS, TEXT, VISION
from .spelling import as_table
from .train import STAGES
from .trainer import load

SCOPE = (
    f"nano knows eight kinds of things ({', '.join(KINDS)}) in eight colors, in drawn videos only: "
    "no people, no text, no camera footage."
)
_DTYPE = torch.bfloat16


def export(model: Nano, tokenizer_json: str, folder: Path, weak: float | None = None) -> None:
    """Write both folders into `folder`.

    Args:
        weak: highest relevance below which a video gives no evidence, if it was measured.
    """
    tempo, base = folder / TEMPO, folder / BASE
    for home in (tempo, base):
        home.mkdir(parents=True, exist_ok=True)
        (home / "tokenizer.json").write_text(tokenizer_json, encoding="utf-8")
    ids = _special_ids(model.tokenizer)
    _write(tempo / "config.json", _tempo_config(model, ids, weak))
    _write(tempo / "generation_config.json", {"eos_token_id": ids["<|im_end|>"], "top_k": 20, "top_p": 0.95})
    _write(base / "config.json", _base_config(model.tokenizer.vocabulary, ids))
    _save(_tempo_tensors(model), tempo)
    embedding = model.compressor.vlm.language_model.embed_tokens.weight
    _save({"model.language_model.embed_tokens.weight": embedding}, base)


def _special_ids(tokenizer: TextTokenizer) -> dict[str, int]:
    names = ("<|endoftext|>", "<|im_end|>", "<|image_pad|>")
    own = (prompts.VIDEO_PAD, prompts.VISION_START, prompts.VISION_END)
    return {str(name): tokenizer.special_id(name) for name in (*names, *own)}


def _tempo_config(model: Nano, ids: dict[str, int], weak: float | None) -> dict[str, Any]:
    return {
        "architectures": ["TempoQwenForCausalLM"],
        "model_type": "tempo_qwen",
        "dtype": "bfloat16",
        **DECODER,
        "vocab_size": model.tokenizer.vocabulary,
        "rope_scaling": None,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "mm_projector_type": DIMENSIONS.projector,
        "mm_vision_tower_aux_list": [f"./{BASE}"],
        "num_compression_tokens": DIMENSIONS.memory_tokens,
        "tokenizer_model_max_length": DIMENSIONS.context,
        "tempo": {
            "min_tokens": DIMENSIONS.min_tokens,
            "longest_edge": PIXELS.longest_edge,
            "grid": PIXELS.grid,
            "min_pixels": PIXELS.min_pixels,
            "max_pixels": PIXELS.max_pixels,
            "scope": SCOPE,
            **({} if weak is None else {"weak_relevance": weak}),
            **({"typing_errors": as_table(model.corrections)} if model.corrections else {}),
        },
    }


def _base_config(vocabulary: int, ids: dict[str, int]) -> dict[str, Any]:
    return {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "model_type": "qwen3_vl",
        "dtype": "bfloat16",
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "tie_word_embeddings": True,
        "text_config": {
            "model_type": "qwen3_vl_text",
            **TEXT,
            "vocab_size": vocabulary,
            "rope_scaling": MROPE,
        },
        "vision_config": {"model_type": "qwen3_vl", **VISION},
    }


def _tempo_tensors(model: Nano) -> dict[str, Tensor]:
    state = model.state_dict()
    return {theirs: state[own] for own, theirs in tensor_names(model).items()}


def _save(tensors: dict[str, Tensor], home: Path) -> None:
    rounded = {name: tensor.detach().to(_DTYPE).contiguous() for name, tensor in tensors.items()}
    file = home / "model.safetensors"
    file.unlink(missing_ok=True)  # its permissions would stay
    # `save_file` would write a file that other users can't read.
    file.write_bytes(save(rounded, metadata={"format": "pt", "license": "Apache-2.0"}))


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Export what a work folder holds: the weights after its last stage.

    With `--start`, two thirds of these and a third of those that training started from: a stage forgets
    wordings that it seldom meets, and a mean guards against that (Wortsman et al. 2021, "Robust fine-tuning
    of zero-shot models", arXiv 2109.01903).
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--start", type=Path, help="folder of exported weights, for the mean of both")
    parser.add_argument("--measured", type=Path, help="report of training.evaluate, for `weak_relevance`")
    options = parser.parse_args()
    tokenizer = (options.work / "tokenizer.json").read_text()
    model = load_untrained(options.work)
    states = [load(options.work / f"{STAGES[-1]}.pt")]
    if options.start is not None:
        warm_start(model, options.start)
        states = [*states * 2, model.state_dict()]
    model.load_state_dict(mean(states))
    weak = json.loads(options.measured.read_text())["weak relevance"] if options.measured else None
    export(model, tokenizer, options.folder, weak)


if __name__ == "__main__":
    main()
