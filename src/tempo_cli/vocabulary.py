"""A checkpoint's `tokenizer.json`, which may do no more than a byte-level BPE does.

The format can describe replacements that make a text grow without an end, and parts that end the process.
So the kinds of parts are checked before the library builds any of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tokenizers import Tokenizer

from .checked import parse_object

_KINDS = {
    "normalizer": {"NFC", "NFD", "NFKC", "NFKD", "Sequence"},
    "pre_tokenizer": {"ByteLevel", "Digits", "Sequence", "Split"},
    "post_processor": {"ByteLevel", "Sequence", "TemplateProcessing"},
    "decoder": {"ByteLevel", "Sequence"},
}
_PARTS = ("normalizers", "pretokenizers", "processors", "decoders")  # of a Sequence
_MOST_PARTS = 16


def build_tokenizer(serialized: str | bytes) -> Tokenizer:
    """The tokenizer in the text of a `tokenizer.json`.

    Raises:
        ValueError: it is none, or none of this kind.
    """
    document = parse_object(serialized)
    model = document.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE" or model.get("dropout"):
        raise ValueError("its model is not a plain BPE")
    for part, kinds in _KINDS.items():
        for kind in _kinds(document.get(part)):
            if not isinstance(kind, str) or kind not in kinds:
                raise ValueError(f"its {part} is of kind {str(kind)[:40]!r}")
    text = serialized if isinstance(serialized, str) else serialized.decode("utf-8")
    with panics_as_errors():
        return Tokenizer.from_str(text)


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Make ValueErrors of the library's panics, which are no `Exception`, and of its other errors."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise ValueError(" ".join(str(error).split())[:200] or "the library failed") from error
        raise


def _kinds(part: Any) -> Iterator[Any]:
    if part is None:
        return
    if not isinstance(part, dict):
        raise ValueError("one of its parts is not an object")
    yield part.get("type")
    for name in _PARTS:
        inner = part.get(name, [])
        if not isinstance(inner, list) or len(inner) > _MOST_PARTS:
            raise ValueError("one of its parts is not a short list")
        for item in inner:
            yield from _kinds(item)
