"""What a pull would do: file lists and two small JSON files from the Hub, nothing written."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checked import parse_object
from ..errors import ModelError, NotDownloadedError
from ..tokenizer_files import tokenizer_names
from . import layout
from .locations import MAIN, ModelLocation, as_folder, checked_name, find_base, snapshot
from .remote import Hub, Listing, RemoteFile
from .store import bytes_here

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_NO_TEMPO = "This is not a complete Tempo model."


@dataclass(frozen=True)
class Part:
    """What a pull takes of one repository: `revision` is the branch, tag or commit that was asked for."""

    listing: Listing
    revision: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True)
class PullPlan:
    """What a pull would do.

    Attributes:
        model: Hub repository, or a folder whose base is on the Hub.
        base: the base's files, and where the router's rows come from; None where the base is here already.
        weights: the model's files; None for a folder.
    """

    model: str
    base: Part | None
    weights: Part | None

    @property
    def parts(self) -> tuple[Part, ...]:
        """In the order in which they are fetched: the small one first."""
        return tuple(part for part in (self.base, self.weights) if part is not None)

    @property
    def files(self) -> tuple[RemoteFile, ...]:
        """All files, in order."""
        return tuple(file for part in self.parts for file in part.files)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def here(self) -> int:
        """Bytes of them that are on this machine already, unfinished files included."""
        return sum(bytes_here(file) for file in self.files)


def make_plan(hub: Hub, model: str, revision: str | None = None) -> PullPlan:
    """What the Hub repository `model`, or the base of the folder `model`, needs.

    Raises:
        ModelError: there is no such model, it is not a Tempo model, or it has no safetensors.
    """
    folder = as_folder(model)
    if folder is not None:
        location = ModelLocation(model, folder, None)
        return PullPlan(
            model, _base_part(hub, location, layout.base_name(_local_config(folder), model)), None
        )
    listing = hub.listing(checked_name(model), revision or MAIN)
    location = ModelLocation(model, snapshot(model, listing.commit), listing.commit)
    base = _base_part(hub, location, layout.base_name(_config(hub, listing), model))
    return PullPlan(model, base, Part(listing, revision or MAIN, tuple(_model_files(hub, listing))))


def _base_part(hub: Hub, location: ModelLocation, name: str) -> Part | None:
    """What has to be fetched of the base; None where it is here, from an earlier pull or in full."""
    try:
        find_base(location, name)
    except NotDownloadedError:
        listing = hub.listing(name, MAIN)
        return Part(listing, MAIN, tuple(_small_files(listing)))
    return None


def _model_files(hub: Hub, listing: Listing) -> Iterator[RemoteFile]:
    """What is used of a Tempo repository, weights at the end: where they are whole, all is there."""
    yield from _small_files(listing)
    if layout.GENERATION in listing.files:
        yield listing.files[layout.GENERATION]
    if layout.WEIGHTS in listing.files or layout.INDEX not in listing.files:
        yield from _named(listing, layout.WEIGHTS)
        return
    index = listing.files[layout.INDEX]
    try:
        names = layout.shards(parse_object(hub.read(index)))
    except ValueError as error:
        raise ModelError(f"{index.path} of {listing.repository} is not an index", _NO_TEMPO) from error
    yield from (index, *_named(listing, *names))


def _small_files(listing: Listing) -> Iterator[RemoteFile]:
    """The configuration and the tokenizer."""
    yield from _named(listing, layout.CONFIG, *tokenizer_names(listing.files.__contains__))


def _named(listing: Listing, *names: str) -> Iterator[RemoteFile]:
    for name in names:
        if name not in listing.files:
            raise ModelError(f"{listing.repository} has no {name}", _why_not(listing, name))
        yield listing.files[name]


def _why_not(listing: Listing, name: str) -> str:
    pickle = next((other for other in listing.files if other.endswith(_PICKLES)), None)
    if pickle is not None and name.endswith(".safetensors"):
        return f"{pickle} is a pickle, which could run code: only safetensors are downloaded."
    return _NO_TEMPO


def _config(hub: Hub, listing: Listing) -> dict[str, Any]:
    (config,) = _named(listing, layout.CONFIG)
    try:
        return parse_object(hub.read(config))
    except ValueError as error:
        raise ModelError(f"{config.path} of {listing.repository} is not JSON", _NO_TEMPO) from error


def _local_config(folder: Path) -> dict[str, Any]:
    try:
        return layout.read_json(folder / layout.CONFIG)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder} has no {layout.CONFIG} that can be read", "Give a folder in the released layout."
        ) from error
