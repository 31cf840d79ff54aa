"""Where the weights stand in the released layout, and how training goes on from them."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from tempo_cli.plan.card import model_card

from .network import Nano

TEMPO, BASE = "Tempo-nano", "Qwen3-VL-nano"
TYPING_ERRORS = "typing_errors.json"  # in a work folder, beside the tokenizer: the table of `config.json`
_LAYERS, _LAST = "model.layers.", ("o_proj.weight", "down_proj.weight")  # of the decoder; how a layer ends
_COMPRESSOR = "model.vision_tower_aux_list.0."


def load_untrained(work: Path) -> Nano:
    """A model with the tokenizer and the typing errors of a work folder."""
    table = json.loads((work / TYPING_ERRORS).read_text())
    card = model_card({"tempo": {"typing_errors": table}})
    return Nano((work / "tokenizer.json").read_text(), card.corrections)


def mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Of each weight."""
    return {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}


def tensor_names(model: Nano) -> dict[str, str]:
    """Names in the released layout of the model's own; the head is tied to the embedding and has none."""
    names = {"compressor.memory": f"{_COMPRESSOR}compression_tokens"}
    for name in model.state_dict():
        module, _, rest = name.partition(".")
        part, _, inner = rest.partition(".")
        if module == "compressor" and part == "vlm":
            names[name] = f"{_COMPRESSOR}vlm.model.{inner}"
        elif module == "decoder" and inner != "lm_head.weight":
            names[name] = f"model.mm_projector.{inner}" if part == "projector" else inner
    return names


def warm_start(model: Nano, home: Path) -> None:
    """Go on from exported weights, made with the tokenizer that the model has.

    Where the model's decoder has more layers, new ones that add nothing yet stand before the last ones.

    Raises:
        KeyError: a weight is missing.
    """
    tensors = load_file(home / TEMPO / "model.safetensors")
    tensors = {_deeper(name, tensors, model): tensor for name, tensor in tensors.items()}
    names = tensor_names(model)
    state, there = model.state_dict(), {_layer(name) for name in tensors}
    for own, theirs in names.items():
        if theirs in tensors:
            state[own] = tensors[theirs].float()
        elif _layer(theirs) in there:
            raise KeyError(theirs)
        elif theirs.endswith(_LAST):
            state[own] = torch.zeros_like(state[own])
    model.load_state_dict(state)


def _layer(name: str) -> str:
    """The number of the decoder's layer that a weight belongs to; empty for other weights."""
    return name.removeprefix(_LAYERS).partition(".")[0] if name.startswith(_LAYERS) else ""


def _deeper(name: str, tensors: Collection[str], model: Nano) -> str:
    """What a weight of the decoder's layers is called in a model with more of them."""
    if not name.startswith(_LAYERS):
        return name
    number, rest = _layer(name), name.removeprefix(_LAYERS).partition(".")[2]
    layers = 1 + max(int(_layer(other)) for other in tensors if _layer(other))
    new = len(model.decoder.llm.model.layers) - layers
    place = int(number) + max(0, int(number) - (layers - 1 - new))
    return f"{_LAYERS}{place}.{rest}"
