"""From a checkpoint's JSON to what its modules are built from: only what is known is passed on.

The fields that describe the weights are picked out one by one; all others are passed over. `where` is always
the folder, for messages.
"""

from dataclasses import fields
from typing import Any, TypeVar

from ..config import CONTEXT, MIN_TOKENS, ModelCard, ModelDimensions
from ..errors import ModelError
from ..plan import card
from ..plan.shape import pixel_limits
from .architecture import TextArchitecture, VisionArchitecture, VisionLanguageArchitecture
from .fields import check_fields, rotary_fields
from .generation import SamplingRule

Part = TypeVar("Part", TextArchitecture, VisionArchitecture)
Json = dict[str, Any]

_MROPE_SECTION = 24, 20, 20  # where the base does not say
_VLM_POSITIONS = 128_000  # likewise
_NO_TEMPO = "This is not a Tempo checkpoint."
_NO_CODE = "No code from a repository is ever run."
_AGAIN = "Download it again, or check the folder."


def base_name(raw: Json, where: str) -> str:
    """What a Tempo configuration names as the compressor's base: `./sibling` or a Hub repository."""
    names = raw.get("mm_vision_tower_aux_list")
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
        raise ModelError(f"{where}/config.json names no single base model", _NO_TEMPO)
    return names[0]


def llm_config(raw: Json, where: str) -> TextArchitecture:
    """The decoder's sizes. Any scaling of its positions is ignored (reference)."""
    _require_kind(raw, "tempo_qwen", where)
    _checked_parts(where, raw)
    newer = raw.get("rope_parameters")
    theta = raw.get("rope_theta") or (newer.get("rope_theta") if isinstance(newer, dict) else None)
    if not isinstance(theta, (int, float)) or theta <= 0:
        raise ModelError(f"{where}/config.json has rope_theta {theta!r}", _NO_TEMPO)
    return _built(TextArchitecture, raw, rope_theta=float(theta))


def vlm_config(raw: Json, where: str) -> VisionLanguageArchitecture:
    """The compressor's sizes: the base's, so errors do not repeat what is in it."""
    _require_kind(raw, "qwen3_vl", where, told=False)
    text, vision = raw.get("text_config"), raw.get("vision_config")
    if not isinstance(text, dict) or not isinstance(vision, dict):
        raise ModelError(f"{where}/config.json has no text_config or vision_config", _AGAIN)
    _checked_parts(where, raw, text, vision, told=False)
    try:
        older, newer = (rotary_fields(text, name) for name in ("rope_scaling", "rope_parameters"))
    except ValueError as error:
        raise _does_not_fit(where, error, told=False) from error
    rotary: Json = {"rope_theta": text.get("rope_theta") or TextArchitecture.rope_theta}
    rotary |= older or newer
    section = tuple(rotary.get("mrope_section", _MROPE_SECTION))
    own = {"rope_theta": rotary["rope_theta"], "mrope_section": section}
    most = text.get("max_position_embeddings") or _VLM_POSITIONS
    return VisionLanguageArchitecture(
        _built(TextArchitecture, text, max_position_embeddings=most, **own),
        _built(VisionArchitecture, vision),
    )


def with_stored_count(raw: Json, stored: int | None, where: str) -> tuple[Json, list[str]]:
    """The configuration with the number of memory tokens that the weights have, and warnings.

    Args:
        stored: memory tokens by the weights; None: not known, and the configuration must say.
    """
    told = raw.get("num_compression_tokens")
    if stored is None or told == stored:
        return raw, []
    warning = f"{where}/config.json has num_compression_tokens {told!r:.40}, but the weights have {stored}"
    warnings = [f"{warning}: {stored} is used"] if told is not None else []
    return raw | {"num_compression_tokens": stored}, warnings


def dimensions(
    raw: Json, llm: TextArchitecture, vlm: VisionLanguageArchitecture, where: str
) -> ModelDimensions:
    """What the weights are."""
    text, vision = vlm.text_config, vlm.vision_config
    try:
        found = ModelDimensions(
            memory_tokens=_memory_tokens(raw),
            projector=str(_present(raw, "mm_projector_type", "linear")),  # as the reference assumes
            compressor_width=text.hidden_size,
            decoder_width=llm.hidden_size,
            context=int(_present(raw, "tokenizer_model_max_length", CONTEXT)),
            max_positions=llm.max_position_embeddings,
            patch=vision.patch_size,
            merge=vision.spatial_merge_size,
            temporal_patch=vision.temporal_patch_size,
            pixels=pixel_limits(raw),
            min_tokens=raw.get("tempo", {}).get("min_tokens", MIN_TOKENS),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{where}/config.json has no valid {error}", _NO_TEMPO) from error
    if min(found.memory_tokens, found.context, found.patch, found.merge, found.temporal_patch) < 1:
        raise ModelError(f"{where}/config.json has a size below 1", _NO_TEMPO)
    if found.min_tokens > found.memory_tokens:
        raise ModelError(f"{where}/config.json has tempo.min_tokens {found.min_tokens}", _NO_TEMPO)
    return found


def model_card(raw: Json, where: str) -> ModelCard:
    """What the checkpoint says about itself."""
    try:
        return card.model_card(raw)
    except ValueError as error:
        raise ModelError(f"{where}/config.json has no valid {error}", _AGAIN) from error


def _memory_tokens(raw: Json) -> int:
    if raw.get("num_compression_tokens") is None:
        raise ValueError("num_compression_tokens")
    return int(raw["num_compression_tokens"])


def _present(raw: Json, name: str, default: str | int) -> Any:
    """A field's value; the default where it is absent or null."""
    value = raw.get(name)
    return default if value is None else value


def sampling_rule(raw: Json, stop_ids: frozenset[int], where: str) -> SamplingRule:
    """Top-k and top-p of `generation_config.json`; without one sampling is plain."""
    top_k, top_p = raw.get("top_k"), raw.get("top_p")
    sound_k = top_k is None or (type(top_k) is int and 0 <= top_k < 2**31)
    sound_p = top_p is None or (type(top_p) in (int, float) and 0 < top_p <= 1)
    if not (sound_k and sound_p):
        raise ModelError(f"{where}/generation_config.json has top_k {top_k!r}, top_p {top_p!r}", _AGAIN)
    return SamplingRule(stop_ids, top_k, top_p)


def _require_kind(raw: Json, kind: str, where: str, *, told: bool = True) -> None:
    parts = (raw, raw.get("text_config"), raw.get("vision_config"))
    if any(isinstance(part, dict) and part.get("auto_map") for part in parts):
        raise ModelError(f"{where}/config.json asks for code of its own (auto_map)", _NO_CODE)
    if raw.get("model_type") != kind:
        other = f"type {raw.get('model_type')!r:.60}" if told else "another type"
        raise ModelError(f"{where} holds a model of {other}, not {kind!r}", _NO_TEMPO)


def _checked_parts(where: str, *parts: Json, told: bool = True) -> None:
    try:
        for part in parts:
            check_fields(part)
    except ValueError as error:
        raise _does_not_fit(where, error, told=told) from error


def _does_not_fit(where: str, error: ValueError, *, told: bool) -> ModelError:
    """That a field does not fit; with its value only if `told`. The message begins with the field's name."""
    what = str(error) if told else f"{str(error).split(' ')[0]} has a value that does not fit"
    return ModelError(f"{where}/config.json: {what}", _AGAIN)


def _built(kind: type[Part], raw: Json, **own: Any) -> Part:
    """The known fields of `raw`, which were checked, and `own` before them; null counts as absent."""
    known = {field.name: raw[field.name] for field in fields(kind) if raw.get(field.name) is not None}
    if known.get("deepstack_visual_indexes") is not None:
        known["deepstack_visual_indexes"] = tuple(known["deepstack_visual_indexes"])
    if "num_key_value_heads" in raw and raw["num_key_value_heads"] is None:
        known["num_key_value_heads"] = known.get("num_attention_heads", TextArchitecture.num_attention_heads)
    return kind(**known | own)
