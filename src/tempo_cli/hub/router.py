"""Two rows of the base's head, `Yes` and `No`: read by byte range, kept in a small file of our own.

The router is all that Tempo needs of the base's weights: 8 KB of 4 GB. They lie in a safetensors file in
tempo's data folder, one for each base and commit; the tensors are `yes` and `no`, in their own type.
"""

import json
import os
from pathlib import Path

from ..checked import parse_object
from ..errors import ModelError
from ..files import reason
from ..tokenizer_files import read_tokenizer
from ..vocabulary import build_tokenizer, panics_as_errors
from . import layout
from .layout import Tensor
from .remote import Hub, Listing, RemoteFile

HEADS = ("lm_head.weight", "model.language_model.embed_tokens.weight")  # the second where the head is tied
WORDS = {"yes": "Yes", "no": "No"}

_LONGEST_HEADER = 240 * 1024  # bytes: with the rows, no more than 256 KB of the weights are ever read
_REAL = frozenset({"F64", "F32", "F16", "BF16"})
_NO_BASE = "The base must be a Qwen3-VL model with its weights in safetensors."


def fetch_rows(hub: Hub, base: Listing, folder: Path, into: Path) -> None:
    """Read the rows of `Yes` and `No` of the base's head, and keep them in `into`.

    Args:
        folder: the base's, with its tokenizer, which knows the words' numbers.

    Raises:
        ModelError: the base has no such head, or its server gives no parts of files.
    """
    numbers = {name: _number(folder, word) for name, word in WORDS.items()}
    file, name, head = _head(hub, base)
    if len(head.shape) != 2 or head.shape[0] <= max(numbers.values()) or head.dtype not in _REAL:
        shape = "x".join(map(str, head.shape))
        raise ModelError(
            f"{base.repository} has a head of {head.dtype} {shape}, which does not fit", _NO_BASE
        )
    rows = {name: _row(hub, file, head, number) for name, number in numbers.items()}
    origin = {"repository": base.repository, "revision": base.commit, "tensor": name}
    _write(into, head, rows, origin | {word: str(number) for word, number in numbers.items()})


def _number(folder: Path, word: str) -> int:
    try:
        text = read_tokenizer(folder)
        with panics_as_errors():
            ids = build_tokenizer(text).encode(word, add_special_tokens=False).ids
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the tokenizer in {folder} can't be read: {reason(error)}", "Run tempo pull again."
        ) from error
    if len(ids) != 1:
        raise ModelError(f"{word!r} is not one token of the base model", _NO_BASE)
    return int(ids[0])


def _head(hub: Hub, base: Listing) -> tuple[RemoteFile, str, Tensor]:
    """The file that has the head, the head's name and its place."""
    file, names = _home(hub, base)
    size = int.from_bytes(hub.read_range(file, 0, 8), "little")
    if not 2 <= size <= _LONGEST_HEADER:
        raise ModelError(f"{file.path} of {file.repository} has no usable header", _NO_BASE)
    try:
        tensors = layout.parse_header(hub.read_range(file, 8, 8 + size), size)
        name = next(name for name in names if name in tensors)
    except (ValueError, StopIteration) as error:
        told = f"{file.path} of {file.repository} has neither {HEADS[0]} nor {HEADS[1]}"
        raise ModelError(told, _NO_BASE) from error
    return file, name, tensors[name]


def _home(hub: Hub, base: Listing) -> tuple[RemoteFile, tuple[str, ...]]:
    """The file that has the head, and the names that the head may have in it."""
    if layout.WEIGHTS in base.files or layout.INDEX not in base.files:
        if layout.WEIGHTS not in base.files:
            raise ModelError(f"{base.repository} has no {layout.WEIGHTS}", _NO_BASE)
        return base.files[layout.WEIGHTS], HEADS
    try:
        index = parse_object(hub.read(base.files[layout.INDEX]))
        layout.shards(index)
        name = next(name for name in HEADS if name in index["weight_map"])
        return base.files[index["weight_map"][name]], (name,)
    except (ValueError, KeyError, StopIteration) as error:
        raise ModelError(f"the index of {base.repository} names no head", _NO_BASE) from error


def _row(hub: Hub, file: RemoteFile, head: Tensor, number: int) -> bytes:
    length = (head.end - head.start) // head.shape[0]
    start = head.start + number * length
    return hub.read_range(file, start, start + length)


def _write(path: Path, head: Tensor, rows: dict[str, bytes], origin: dict[str, str]) -> None:
    """A safetensors file: the header's length, the header, the rows. It appears whole or not at all."""
    header: dict[str, object] = {"__metadata__": origin}
    start = 0
    for name, row in rows.items():
        offsets = [start, start + len(row)]
        header[name] = {"dtype": head.dtype, "shape": [head.shape[1]], "data_offsets": offsets}
        start += len(row)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that the data are aligned
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.incomplete")
    try:
        partial.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(rows.values()))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
