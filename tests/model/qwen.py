"""transformers' own modules with the weights of ours, to compare with."""

from dataclasses import asdict
from typing import Any

from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3VLConfig, Qwen3VLModel

from tempo_cli.model.architecture import TextArchitecture
from tempo_cli.model.compressor import Compressor
from tempo_cli.model.llm import Decoder


def qwen3(decoder: Decoder) -> Qwen3ForCausalLM:
    """The decoder's language model."""
    return _filled(Qwen3ForCausalLM(Qwen3Config(**_text(decoder.llm.config))), decoder.llm)


def qwen3_vl(compressor: Compressor) -> Qwen3VLModel:
    """The compressor's model; it knows the placeholder of videos."""
    ours = compressor.vlm.config
    vision = asdict(ours.vision_config)
    vision["deepstack_visual_indexes"] = list(vision["deepstack_visual_indexes"])
    names = {"video_token_id": "<|video_pad|>", "image_token_id": "<|vision_start|>"}  # no images here
    ids = {field: compressor.tokenizer.special_id(name) for field, name in names.items()}
    config = Qwen3VLConfig(text_config=_text(ours.text_config), vision_config=vision, **ids)
    return _filled(Qwen3VLModel(config), compressor.vlm)


def _text(config: TextArchitecture) -> dict[str, Any]:
    fields = asdict(config)
    theta, section = fields.pop("rope_theta"), fields.pop("mrope_section")
    rope = {"rope_type": "default", "rope_theta": theta}
    if section is not None:
        rope |= {"mrope_section": list(section), "mrope_interleaved": True}
    return fields | {"rope_parameters": rope}


def _filled(theirs: Any, ours: Any) -> Any:
    """With the weights and the type of `ours`; all names are the same."""
    theirs.to(next(ours.parameters()).dtype)
    for module in theirs.modules():  # rotary tables stay exact, as in a model that is loaded
        if hasattr(module, "original_inv_freq"):
            module.inv_freq = type(module)(module.config).inv_freq
    theirs.load_state_dict(ours.state_dict())
    return theirs.eval()
