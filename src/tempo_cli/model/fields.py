"""The kinds and ranges of what a checkpoint's JSON may say, before anything is built from it.

Absurd sizes would take time and memory before the weights show that they are wrong; zeros and texts in their
place would fail somewhere in the library. Ranges are far beyond real models.
"""

from typing import Any

from ..checked import number

Json = dict[str, Any]

_SIZES = {  # whole numbers from 1 up to this
    "depth": 512,
    "head_dim": 2**12,
    "hidden_size": 2**16,
    "in_channels": 16,
    "intermediate_size": 2**20,
    "max_position_embeddings": 2**28,
    "num_attention_heads": 2**10,
    "num_compression_tokens": 2**16,
    "num_heads": 2**10,
    "num_hidden_layers": 512,
    "num_key_value_heads": 2**10,
    "num_position_embeddings": 2**20,
    "out_hidden_size": 2**16,
    "patch_size": 2**8,
    "sliding_window": 2**31,
    "spatial_merge_size": 2**4,
    "temporal_patch_size": 2**4,
    "tokenizer_model_max_length": 2**31,
    "vocab_size": 2**22,
}
_COUNTS = {  # whole numbers from 0 up to this
    "image_token_id": 2**31,
    "max_window_layers": 2**12,
    "video_token_id": 2**31,
    "vision_end_token_id": 2**31,
    "vision_start_token_id": 2**31,
}
_REALS: dict[str, tuple[float, float]] = {
    "initializer_range": (0, 100),
    "rms_norm_eps": (1e-12, 1),
    "rope_theta": (1e-3, 1e12),
}
ACTIVATIONS = ("silu", "gelu", "gelu_pytorch_tanh")
_FLAGS = {"attention_bias", "tie_word_embeddings", "use_sliding_window"}
_ROTARY = {"rope_theta", "rope_type", "type", "mrope_section", "mrope_interleaved"}


def check_fields(raw: Json) -> None:
    """Check the known fields of a configuration, or of a part of one, where they are present and not null.

    Raises:
        ValueError: one is of a wrong kind or out of range; the message names it.
    """
    given = {name: value for name, value in raw.items() if value is not None}
    for name in _SIZES.keys() & given.keys():
        number(given[name], name, 1, _SIZES[name])
    for name in _COUNTS.keys() & given.keys():
        number(given[name], name, 0, _COUNTS[name])
    for name in _REALS.keys() & given.keys():
        number(given[name], name, *_REALS[name], float)
    for name in _FLAGS & given.keys():
        _require(isinstance(given[name], bool), name)
    _require(given.get("hidden_act", ACTIVATIONS[0]) in ACTIVATIONS, "hidden_act")
    _require(_are(given.get("layer_types", []), str, 512), "layer_types")
    _check_indexes(given.get("deepstack_visual_indexes", []))
    _check_heads(given)


def rotary_fields(raw: Json, name: str) -> Json:
    """What is known of `rope_scaling` or `rope_parameters`; empty where the field is absent.

    Raises:
        ValueError: it is of a wrong kind; the message names it.
    """
    value = raw.get(name)
    if value is None:
        return {}
    _require(isinstance(value, dict), name)
    known = {key: item for key, item in value.items() if key in _ROTARY and item is not None}
    if "rope_theta" in known:
        number(known["rope_theta"], f"{name}.rope_theta", *_REALS["rope_theta"], float)
    section = known.get("mrope_section", [1, 1, 1])
    _require(_are(section, int, 3) and len(section) == 3 and min(section) > 0, f"{name}.mrope_section")
    for key in ("rope_type", "type"):
        _require(known.get(key, "default") in ("default", "mrope"), f"{name}.{key}")
    _require(isinstance(known.get("mrope_interleaved", True), bool), f"{name}.mrope_interleaved")
    return known


def _check_indexes(value: Any) -> None:
    _require(_are(value, int, 64) and all(0 <= item < 512 for item in value), "deepstack_visual_indexes")


def _check_heads(raw: Json) -> None:
    heads, shared = raw.get("num_attention_heads"), raw.get("num_key_value_heads")
    if heads is not None and shared is not None:
        _require(heads % shared == 0, "num_key_value_heads")
    width, heads = raw.get("hidden_size"), raw.get("num_heads")
    if width is not None and heads is not None:
        _require(width % heads == 0, "num_heads")


def _are(value: Any, kind: type, most: int) -> bool:
    return isinstance(value, list) and len(value) <= most and all(type(item) is kind for item in value)


def _require(condition: bool, name: str) -> None:
    if not condition:
        raise ValueError(f"{name} has a value that does not fit")
