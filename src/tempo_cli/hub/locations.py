"""From a model's name to its folder, its base's folder and the router's rows: the one place that decides it.

It only looks at this machine: it never downloads and never contacts the Hub.
"""

import re
from dataclasses import dataclass
from errno import ENAMETOOLONG
from pathlib import Path
from typing import Any

from ..config import FrameShape
from ..errors import ModelError, NotDownloadedError, SetupError
from ..files import read_bytes, reason, user_path
from ..plan.shape import frame_shape
from ..plan.similar import similar
from . import bases, layout
from .environment import cache_folder, data_folder

MAIN = "main"
PACKAGED = {"nano": Path(__file__).parent.parent / "nano" / "Tempo-nano"}  # trained by training/

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")  # SHA-1 or SHA-256
_LONGEST_REF = 1000  # bytes
_LONGEST_NAME = 4000  # characters
_BASE = "Qwen/Qwen3-VL-2B-Instruct"  # of the released model
_NAMES = "Use nano, a folder, or a Hub repository such as Vision-CAIR/Tempo-6B."
_REDOWNLOAD = "Download it again, or check the folder."


@dataclass(frozen=True)
class ModelLocation:
    """Where a model is stored: `revision` is the commit of a Hub repository, None for a local folder."""

    id: str
    path: Path
    revision: str | None


@dataclass(frozen=True)
class BaseLocation:
    """Where a model's base is stored.

    Attributes:
        id: Hub repository or folder, as the model's configuration names it.
        path: the folder with the base's `config.json` and tokenizer.
        revision: commit; None for a local folder.
        router: the file with the two rows of the head; None if the folder has the base's own weights.
    """

    id: str
    path: Path
    revision: str | None
    router: Path | None


def find_model(model: str, revision: str | None = None) -> ModelLocation:
    """The folder `model`, or the cached snapshot of the Hub repository `model`.

    Raises:
        NotDownloadedError: a repository that is not here, or not whole; `tempo pull` fixes that.
        ModelError: neither a folder nor a repository's name.
    """
    folder = as_folder(model)
    if folder is not None:
        return ModelLocation(model, folder, None)
    commit = cached_commit(checked_name(model), revision or MAIN)
    wanted = f"{model} --revision {revision}" if revision else model
    if commit is None:
        raise NotDownloadedError(f"the model {model} is not downloaded", f"Run: tempo pull {wanted}")
    location = ModelLocation(model, snapshot(model, commit), commit)
    problems = layout.missing(location.path)
    if problems:
        raise NotDownloadedError(
            f"the model {model} is incomplete: {problems[0]}", f"Run: tempo pull {wanted} (it continues)"
        )
    return location


def find_base(location: ModelLocation, name: str) -> BaseLocation:
    """The base model that a checkpoint's configuration names.

    The configuration of a local folder may name any folder (`bases.local_base`), which is only read,
    or a Hub repository, which may also be next to it under its own name. A configuration from the Hub may
    name only repositories.

    Raises:
        NotDownloadedError: a repository that is not here, or not whole; `tempo pull` fixes that.
        ModelError: a folder that does not exist, or a name that may not be followed.
    """
    local = location.revision is None
    if len(name) > _LONGEST_NAME:
        raise ModelError(
            "the base model's name is too long", "Don't use this model: its configuration can't be trusted."
        )
    folder = bases.local_base(location.path, name) if local else None
    if folder is not None:
        return BaseLocation(name, folder, None, None)
    if is_repository(name):
        return _cached_base(name, location.id)
    if not local:
        raise ModelError(
            f"the base model '{name}' is not a Hub repository",
            "Don't use this model: its configuration can't be trusted.",
        )
    last = bases.last_name(name)
    cached = [_cached_base(found, location.id) for found in bases.cached_repositories(name)]
    if len(cached) == 1:
        return cached[0]
    hint = f"Put it beside {location.path}, or name a Hub repository in config.json: {_BASE}"
    raise ModelError(f"the base model '{name}' does not exist", hint if last else _REDOWNLOAD)


def as_folder(model: str) -> Path | None:
    """The folder that `model` names; None if it names none. A packaged model goes first."""
    if model in PACKAGED:
        return PACKAGED[model]
    try:
        folder = user_path(model)
        return folder if model.strip() and folder.is_dir() else None
    except (OSError, ValueError) as error:
        raise ModelError(f"'{model}' can't be read: {reason(error)}", _NAMES) from None


def is_packaged(model: str) -> bool:
    """Whether it is a model that comes with tempo."""
    return model in PACKAGED


def checked_name(model: str) -> str:
    """`model`, which must have the form of a Hub repository's name; else a ModelError."""
    if not is_repository(model):
        meant = similar(model, PACKAGED)
        hint = f"Did you mean {meant}? Otherwise, use a folder or a Hub repository." if meant else _NAMES
        raise ModelError(f"there is no model '{model}'", hint)
    return model


def check_downloaded(model: str, revision: str | None = None) -> None:
    """Raise NotDownloadedError if a pull would bring what `model` or its base lacks; ModelError as above."""
    location = find_model(model, revision)
    try:
        config = layout.read_json(location.path / layout.CONFIG)
    except (OSError, ValueError):
        return  # a folder of the user's without a configuration: no pull fixes that
    find_base(location, layout.base_name(config, location.id))


def read_shape(model: str, revision: str | None = None) -> FrameShape:
    """The frame shape that a model needs, from its configuration alone: without torch, before it is loaded.

    Raises:
        NotDownloadedError, ModelError: see `find_model`; or a configuration can't be read.
    """
    location = find_model(model, revision)
    try:
        config = layout.read_json(location.path / layout.CONFIG)
        base = find_base(location, layout.base_name(config, location.id))
        base_config = _base_config(base.path / layout.CONFIG)
    except FileNotFoundError as error:
        missing = Path(error.filename)
        raise ModelError(f"{missing.parent} has no {missing.name}", _REDOWNLOAD) from None
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the configuration of {model} can't be read: {reason(error)}", _REDOWNLOAD
        ) from error
    try:
        return frame_shape(config, base_config)
    except ValueError as error:
        raise ModelError(f"the configuration of {model} has no valid {error}", _REDOWNLOAD) from error


def _base_config(path: Path) -> dict[str, Any]:
    """The base's configuration. It may be any file that the model's names, so nothing of it is repeated."""
    try:
        return layout.read_json(path)
    except ValueError:
        raise ValueError(f"{path} is not a JSON object") from None


def is_repository(name: str) -> bool:
    """Whether it could be the name of a Hub repository."""
    return _REPOSITORY.fullmatch(name) is not None and ".." not in name and "--" not in name


def repository_folder(repository: str) -> Path:
    """Where the Hub's cache keeps a repository: `blobs`, `refs` and `snapshots` are in it."""
    return cache_folder() / f"models--{repository.replace('/', '--')}"


def snapshot(repository: str, commit: str) -> Path:
    """The folder in which a commit's files have their names."""
    return repository_folder(repository) / "snapshots" / commit


def cached_commit(repository: str, revision: str) -> str | None:
    """The commit that a branch, tag or commit means on this machine; None if it is not here."""
    ref = ref_file(repository, revision)
    try:
        commit = revision if ref is None else read_bytes(ref, _LONGEST_REF).decode("ascii").strip()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        commit = revision
    except OSError as error:
        if error.errno != ENAMETOOLONG:
            raise _unreadable(error, repository_folder(repository)) from error
        commit = revision
    try:
        known = _COMMIT.fullmatch(commit) and snapshot(repository, commit).is_dir()
    except OSError as error:
        raise _unreadable(error, repository_folder(repository)) from error
    return commit if known else None


def _unreadable(error: OSError, folder: Path) -> SetupError:
    return SetupError(
        f"{folder} can't be read: {reason(error)}", "Make it readable, or set HF_HOME to another folder."
    )


def ref_file(repository: str, revision: str) -> Path | None:
    """Where the cache notes a branch's or tag's commit; None for what needs no note, or must have none."""
    refs = repository_folder(repository) / "refs"
    ref = refs / revision
    inside = refs in ref.parents and ".." not in ref.parts
    return ref if inside and not _COMMIT.fullmatch(revision) else None


def router_file(repository: str, commit: str) -> Path:
    """Where the router's rows of a base are kept, or would be."""
    return data_folder() / "router" / repository.replace("/", "--") / f"{commit}.safetensors"


def _cached_base(name: str, model: str) -> BaseLocation:
    commit = cached_commit(name, MAIN)
    hint = f"Run: tempo pull {model}"
    if commit is None:
        raise NotDownloadedError(f"the base model {name} is not downloaded", hint)
    folder, router = snapshot(name, commit), router_file(name, commit)
    problems = layout.missing(folder, weights=False)
    if problems:
        raise NotDownloadedError(f"the base model {name} is incomplete: {problems[0]}", hint)
    if layout.fault(router) is None:
        return BaseLocation(name, folder, commit, router)
    if layout.weights_missing(folder):
        raise NotDownloadedError(f"the router's rows of {name} are not downloaded", hint)
    return BaseLocation(name, folder, commit, None)
