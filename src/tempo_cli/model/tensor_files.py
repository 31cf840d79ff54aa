"""A folder's safetensors files: names, shapes and tensors, and the JSON beside them."""

import os
from collections.abc import Collection, Iterator
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open

from ..checked import parse_object
from ..errors import ModelError
from ..files import LARGEST_JSON, open_regular, read_bytes, reason

COMPRESSOR = "model.vision_tower_aux_list.0."
_REAL = {"F64", "F32", "F16", "BF16"}
_PICKLE = "is a pickle, which could run code: only safetensors are loaded."
_PIECE = 4096  # rows
_REDOWNLOAD = "Download it again, or check the folder."


class _Header(NamedTuple):
    """What a file says of a tensor."""

    path: Path
    shape: tuple[int, ...]
    kind: str


class TensorFiles:
    """The tensors of a folder's safetensors files, one file or sharded, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = folder / "model.safetensors.index.json"
        single = (folder / "model.safetensors").exists() or not index.exists()
        names = ["model.safetensors"] if single else _shard_names(index)
        self._headers: dict[str, _Header] = {}
        for name in names:
            path = folder / name
            if Path(name).name != name or not path.exists():
                raise ModelError(f"{folder} has no {name}", _no_weights_hint(folder))
            if path.suffix != ".safetensors":
                raise ModelError(f"{index} names {name}", f"{name} {_PICKLE}")
            with opened(path) as tensors:
                for tensor in tensors.keys():  # noqa: SIM118  no dictionary: it has no __iter__
                    header = tensors.get_slice(tensor)
                    self._headers[tensor] = _Header(path, tuple(header.get_shape()), header.get_dtype())

    @property
    def memory_tokens(self) -> int | None:
        """M by the shape of the memory tokens; None where there are none of a sensible shape."""
        header = self._headers.get(f"{COMPRESSOR}compression_tokens")
        return header.shape[1] if header and len(header.shape) == 3 and header.shape[1] > 0 else None

    @property
    def names(self) -> set[str]:
        """Every tensor's name."""
        return set(self._headers)

    @property
    def weights(self) -> int:
        """How many numbers all tensors hold, by the files' headers."""
        return sum(prod(header.shape) for header in self._headers.values())

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape by the file's header."""
        return self._headers[name].shape

    def is_real(self, name: str) -> bool:
        """Whether it holds floating-point numbers, by the file's header."""
        return self._headers[name].kind in _REAL

    def rows(self, name: str, rows: list[int]) -> torch.Tensor:
        """Some rows of a matrix, in the file's own type, (len(rows), D)."""
        with opened(self._headers[name].path) as tensors:
            matrix = tensors.get_slice(name)
            return torch.stack([matrix[row : row + 1][0] for row in rows])

    def equal(self, name: str, other: str) -> bool:
        """Whether two tensors are the same, compared piece by piece."""
        one, two = self._headers[name], self._headers[other]
        if (one.shape, one.kind) != (two.shape, two.kind) or not one.shape:
            return False
        with opened(one.path) as first, opened(two.path) as second:
            left, right = first.get_slice(name), second.get_slice(other)
            starts = range(0, one.shape[0], _PIECE)
            return all(torch.equal(left[at : at + _PIECE], right[at : at + _PIECE]) for at in starts)

    def load(self, names: Collection[str], device: torch.device) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield (name, tensor) for `names`, file by file, straight to the device."""
        for path in sorted({self._headers[name].path for name in names}):
            with opened(path, device) as tensors:
                for name in names:
                    if self._headers[name].path == path:
                        yield name, tensors.get_tensor(name)


def _shard_names(index: Path) -> list[str]:
    homes = read_json(index).get("weight_map")
    if not isinstance(homes, dict) or not all(isinstance(name, str) for name in homes.values()):
        raise ModelError(f"{index} is not an index of tensors", _REDOWNLOAD)
    return sorted(set(homes.values()))


def opened(path: Path, device: torch.device | None = None) -> Any:
    try:
        os.close(open_regular(path))
        return safe_open(str(path), framework="pt", device=str(device or "cpu"))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged or incomplete: {reason(error)}", _REDOWNLOAD) from error


def _no_weights_hint(folder: Path) -> str:
    pickles = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]
    if pickles:
        return f"{pickles[0].name} {_PICKLE}"
    return _REDOWNLOAD


def read_json(path: Path) -> dict[str, Any]:
    try:
        return parse_object(read_bytes(path, LARGEST_JSON, whole=True))
    except FileNotFoundError:
        raise ModelError(
            f"{path.parent} has no {path.name}", "Give a folder in the released layout."
        ) from None
    except OSError as error:
        raise ModelError(f"{path} can't be read: {reason(error)}", _REDOWNLOAD) from error
    except ValueError as error:
        raise ModelError(f"{path} can't be used: {reason(error)}", _REDOWNLOAD) from error
