"""Whether a model's files are what they should be: by the Hub's list, or by what they say of themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..events import Listener, Transfer
from . import layout
from .inventory import ModelState
from .remote import Hub, RemoteFile

_PIECE = 2**22  # bytes


@dataclass(frozen=True)
class CheckedFile:
    """A file, and what is wrong with it; `problem` is None if nothing is.

    Attributes:
        dropped: its bytes are not the Hub's, so it was taken out of the cache; a pull fetches it again.
    """

    path: Path
    problem: str | None
    dropped: bool = False


class _Origin(NamedTuple):
    repository: str
    commit: str


def verify(state: ModelState, hub: Hub | None, tell: Listener) -> list[CheckedFile]:
    """Check every file that tempo uses of a model, its base's and the router's rows included.

    Args:
        hub: gives sizes and hashes; None: lengths by the safetensors headers, and JSON that can be read.
    """
    found = [*_of_model(state), *_of_base(state)]
    origins = {origin for _, origin in found if origin is not None}
    lists = {origin: hub.listing(*origin).files for origin in origins} if hub is not None else {}
    progress = _Progress(sum(_size(path) for path, origin in found if origin in lists), tell)
    return [_checked(path, lists.get(origin, {}) if origin else {}, progress) for path, origin in found]


def _of_model(state: ModelState) -> Iterator[tuple[Path, _Origin | None]]:
    if state.folder is None:
        return
    origin = _Origin(state.id, state.revision) if state.revision else None
    names = [*layout.small_files(state.folder)]
    names += [name for name in (layout.GENERATION, layout.INDEX) if (state.folder / name).exists()]
    yield from ((state.folder / name, origin) for name in [*names, *_weights(state.folder)])


def _of_base(state: ModelState) -> Iterator[tuple[Path, _Origin | None]]:
    location = state.base_location
    if location is None:
        return
    origin = _Origin(location.id, location.revision) if location.revision else None
    yield from ((location.path / name, origin) for name in layout.small_files(location.path))
    if location.router is not None:
        yield location.router, None
    else:
        yield from ((location.path / name, origin) for name in _weights(location.path))


def _weights(folder: Path) -> list[str]:
    try:
        return layout.weight_files(folder)
    except (OSError, ValueError):
        return [layout.WEIGHTS]


class _Progress:
    """Bytes that were read."""

    def __init__(self, total: int, tell: Listener) -> None:
        self._done, self._total, self._tell = 0, total, tell

    def add(self, count: int) -> None:
        self._done += count
        self._tell(Transfer("verify", self._done, self._total))


def _checked(path: Path, files: dict[str, RemoteFile], progress: _Progress) -> CheckedFile:
    if not path.is_file():
        return CheckedFile(path, "missing")
    file = files.get(path.name)
    if file is None:
        return CheckedFile(path, layout.problem(path))
    problem = _difference(path, file, progress)
    if problem is not None:
        _drop(path)
    return CheckedFile(path, problem, dropped=problem is not None)


def _difference(path: Path, file: RemoteFile, progress: _Progress) -> str | None:
    size = _size(path)
    if size != file.size:
        return f"{size:,} bytes instead of {file.size:,}"
    digest = file.hasher()
    with path.open("rb") as content:
        while piece := content.read(_PIECE):
            digest.update(piece)
            progress.add(len(piece))
    return None if digest.hexdigest() == file.digest else "its hash does not match the Hub's"


def _drop(path: Path) -> None:
    """Take a file out of the Hub's cache: the blob, which has not the hash that names it, and its link."""
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
