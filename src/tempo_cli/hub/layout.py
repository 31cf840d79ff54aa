"""Which files a model's folder must hold, and whether they are whole: JSON and safetensors headers only."""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from ..checked import parse_object
from ..errors import ModelError
from ..files import LARGEST_JSON, LARGEST_TOKENIZER, exists, open_regular, read_bytes
from ..tokenizer_files import TOKENIZER, is_older, is_readable, tokenizer_names

CONFIG = "config.json"
GENERATION = "generation_config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TEMPO = "tempo_qwen"

_SHARD = re.compile(r"model[\w.-]*\.safetensors")
_LARGEST_HEADER = 16 * 2**20  # bytes; the released model's has 0.1 million


class Tensor(NamedTuple):
    """What a header says of a tensor; `start` and `end` are bytes from the file's beginning."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def parse_header(raw: bytes, size: int) -> dict[str, Tensor]:
    """Tensors by name, of a header's JSON of `size` bytes.

    Raises:
        ValueError: it is none.
    """
    try:
        entries = {name: entry for name, entry in parse_object(raw).items() if name != "__metadata__"}
        return {name: _tensor(entry, 8 + size) for name, entry in entries.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no safetensors header: {error}") from error


def _tensor(entry: dict[str, Any], data: int) -> Tensor:
    start, end = map(int, entry["data_offsets"])
    return Tensor(str(entry["dtype"]), tuple(map(int, entry["shape"])), data + start, data + end)


def read_header(path: Path) -> dict[str, Tensor]:
    """Tensors by name, of a file.

    Raises:
        ValueError: it is no safetensors file.
        OSError: it can't be read.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if not 2 <= size <= _LARGEST_HEADER:
            raise ValueError("no safetensors header")
        return parse_header(file.read(size), size)


def fault(path: Path) -> str | None:
    """What is wrong with a safetensors file, by its header and its size; None if nothing."""
    try:
        tensors = read_header(path)
        size = path.stat().st_size
    except FileNotFoundError:
        return "missing"
    except (OSError, ValueError):
        return "damaged"
    end = max((tensor.end for tensor in tensors.values()), default=size)
    return None if size == end else f"{size:,} bytes instead of {end:,}"


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object of a file.

    Raises:
        ValueError: it is none.
        OSError: it can't be read.
    """
    most = LARGEST_TOKENIZER if path.name == TOKENIZER else LARGEST_JSON
    return parse_object(read_bytes(path, most, whole=True))


def shards(index: dict[str, Any]) -> list[str]:
    """The files that an index names.

    Raises:
        ValueError: it is not an index, or names a file elsewhere.
    """
    homes = index.get("weight_map")
    names = list(homes.values()) if isinstance(homes, dict) else []
    if not names or not all(isinstance(name, str) and _SHARD.fullmatch(name) for name in names):
        raise ValueError("no index of safetensors files")
    return sorted(set(names))


def base_name(config: dict[str, Any], where: str) -> str:
    """What a Tempo configuration names as the compressor's base.

    Raises:
        ModelError: it is no Tempo configuration.
    """
    kind, names = config.get("model_type"), config.get("mm_vision_tower_aux_list")
    hint = "tempo runs only Tempo models, such as Vision-CAIR/Tempo-6B."
    if kind != TEMPO:
        raise ModelError(f"{where} is not a Tempo model: its config.json says model_type {kind!r}", hint)
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
        raise ModelError(f"{where} is not a Tempo model: its config.json names no single base model", hint)
    return str(names[0])


def weights_missing(folder: Path) -> list[str]:
    """What is missing or broken of a folder's weights, as `name: what`."""
    try:
        names = weight_files(folder)
    except (OSError, ValueError):
        return [f"{INDEX}: damaged"]
    return [f"{name}: {what}" for name in names if (what := fault(folder / name))]


def weight_files(folder: Path) -> list[str]:
    """The names of a folder's weights: one file, else those that the index names.

    Raises:
        ValueError, OSError: the index is none, or can't be read.
    """
    if exists(folder / WEIGHTS) or not exists(folder / INDEX):
        return [WEIGHTS]
    return shards(read_json(folder / INDEX))


def small_files(folder: Path) -> tuple[str, ...]:
    """The names of a folder's configuration and tokenizer."""
    return (CONFIG, *tokenizer_names(lambda name: (folder / name).is_file()))


def missing(folder: Path, weights: bool = True) -> list[str]:
    """What is missing or broken in a model's folder, as `name: what`; a base may do without its weights."""
    found = {name: problem(folder / name) for name in small_files(folder)}
    small = [f"{name}: {what}" for name, what in found.items() if what]
    return small + (weights_missing(folder) if weights else [])


def problem(path: Path) -> str | None:
    """What is wrong with a file of either kind, by what it says of itself; None if nothing."""
    if path.suffix == ".safetensors":
        return fault(path)
    try:
        if is_older(path.name):
            return None if is_readable(path) else "damaged"
        read_json(path)
    except FileNotFoundError:
        return "missing"
    except (OSError, ValueError):
        return "damaged"
    return None
