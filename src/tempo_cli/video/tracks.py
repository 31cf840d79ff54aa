"""What of a file the model is not shown: found by the process that reads it."""

import av
from av.container import InputContainer

from ..types import Tracks

_PROGRESSIVE = 1  # libav's code of a picture without fields; 0: not told, others: which field is first
_TRANSPARENT = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16")
_ALWAYS_TRANSPARENT = {"gif"}  # as libav decodes it, whether or not anything in it is


def tracks_of(container: InputContainer, stream: av.VideoStream) -> Tracks:
    """The tracks of the file beside `stream`, and what of its pictures is lost."""
    kinds = [other.type for other in container.streams]
    shown = av.stream.Disposition.default | av.stream.Disposition.forced
    codec = stream.codec_context
    tags = {name.lower(): value for name, value in stream.metadata.items()}
    has_alpha = (codec.pix_fmt or "").startswith(_TRANSPARENT) or tags.get("alpha_mode") == "1"
    return Tracks(
        sound=kinds.count("audio"),
        texts=kinds.count("subtitle"),
        texts_on=any(text.disposition & shown for text in container.streams.subtitles),
        interlaced=codec.field_order > _PROGRESSIVE,
        alpha=has_alpha and codec.codec.canonical_name not in _ALWAYS_TRANSPARENT,
    )
