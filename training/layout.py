"""Where the weights stand in the released layout, and how training goes on from them."""

from pathlib import Path

from safetensors.torch import load_file

from .network import Nano

TEMPO, BASE = "Tempo-nano", "Qwen3-VL-nano"
_COMPRESSOR = "model.vision_tower_aux_list.0."


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

    Raises:
        KeyError: a weight is missing.
    """
    tensors = load_file(home / TEMPO / "model.safetensors")
    names = tensor_names(model)
    model.load_state_dict({own: tensors[theirs].float() for own, theirs in names.items()}, strict=False)
