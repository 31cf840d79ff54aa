"""What of which model is on this machine, and removing it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import scan_cache_dir

from ..errors import ModelError, SetupError
from ..files import exists
from ..plan.card import model_card
from . import layout
from .environment import cache_folder
from .locations import (
    MAIN,
    PACKAGED,
    BaseLocation,
    ModelLocation,
    as_folder,
    cached_commit,
    checked_name,
    find_base,
    is_repository,
    repository_folder,
    snapshot,
)


@dataclass(frozen=True)
class ModelState:
    """What is here of a model.

    Attributes:
        id: Hub repository, or the folder as it was named.
        revision: commit of a repository; None for a folder, or where nothing is here.
        folder: the snapshot in the Hub's cache, or the user's folder; None where nothing is here.
        bytes: of the files in `folder`.
        base: what its configuration names as the compressor's base; None where that can't be read.
        base_location: where the base and the router's rows are stored; None while it is incomplete.
        missing: what is missing or broken, one line each, base included; empty if nothing.
        scope: what it can answer, in its own words; None: it does not say.
    """

    id: str
    revision: str | None
    folder: Path | None
    bytes: int
    base: str | None
    base_location: BaseLocation | None
    missing: tuple[str, ...]
    scope: str | None = None

    @property
    def complete(self) -> bool:
        """Whether it can be loaded, as far as names, sizes and headers tell."""
        return not self.missing

    @property
    def facts(self) -> dict[str, Any]:
        """What every JSON output says of it."""
        return {
            "id": self.id,
            "revision": self.revision,
            "folder": str(self.folder) if self.folder else None,
            "bytes": self.bytes,
            "complete": self.complete,
            "missing": list(self.missing),
            "scope": self.scope,
        }

    @property
    def pullable(self) -> bool:
        """Whether `tempo pull` can bring what is missing: a repository, or only a folder's base."""
        return self.revision is not None or self.folder is None or layout.missing(self.folder) == []


def inventory() -> list[ModelState]:
    """Every Tempo model in the Hub's cache, each revision, whole or not, by name. No network."""
    found = []
    try:
        configs = sorted(cache_folder().glob("models--*--*/snapshots/*/config.json"))
    except (OSError, SetupError):
        configs = []  # no home, or one that may not be read: nothing is here
    for config in configs:
        repository = config.parents[2].name.removeprefix("models--").replace("--", "/", 1)
        if _is_tempo(config) and is_repository(repository):
            found.append(_state(ModelLocation(repository, config.parent, config.parent.name)))
    return found


def packaged() -> list[ModelState]:
    """The models that are parts of tempo itself."""
    return [_state(ModelLocation(name, folder, None)) for name, folder in PACKAGED.items()]


def model_state(model: str, revision: str | None = None) -> ModelState:
    """What is here of the folder or Hub repository `model`. No network.

    Raises:
        ModelError: neither a folder nor a repository's name.
    """
    folder = as_folder(model)
    if folder is not None:
        return _state(ModelLocation(model, folder, None))
    commit = cached_commit(checked_name(model), revision or MAIN)
    if commit is None:
        return ModelState(model, None, None, 0, None, None, ("not downloaded",))
    return _state(ModelLocation(model, snapshot(model, commit), commit))


def removable(model: str) -> list[ModelState]:
    """The revisions of a Tempo model that `remove` would take out of the Hub's cache.

    Raises:
        ModelError: it is a folder, is not in the cache, or is not a Tempo model.
    """
    if model in PACKAGED:
        raise ModelError(f"{model} comes with tempo", "It is removed when tempo is uninstalled.")
    if as_folder(model) is not None:
        raise ModelError(f"{model} is a local folder", "tempo removes only models in the Hub's cache.")
    own = [state for state in inventory() if state.id == model]
    if not own:
        raise ModelError(f"there is no Tempo model {model} in {cache_folder()}", "See: tempo models")
    return own


def remove(model: str) -> int:
    """Take a Tempo model out of the Hub's cache, all its revisions, and router rows that no other one needs.

    Its base's files in the cache stay: other programs may use them. Returns the bytes that were freed.

    Raises:
        ModelError: see `removable`.
        SetupError: the cache can't be written.
    """
    own = removable(model)
    cache = scan_cache_dir(cache_folder())
    folder = repository_folder(model).resolve()
    revisions = (
        commit for repo in cache.repos if repo.repo_path.resolve() == folder for commit in repo.revisions
    )
    strategy = cache.delete_revisions(*(commit.commit_hash for commit in revisions))
    strategy.execute()
    if exists(folder):
        raise SetupError(f"{folder} can't be removed completely", "Remove this folder yourself.")
    others = {state.base for state in inventory()}
    for state in own:
        if state.base_location and state.base_location.router and state.base not in others:
            state.base_location.router.unlink(missing_ok=True)
    return strategy.expected_freed_size


def _state(location: ModelLocation) -> ModelState:
    problems = layout.missing(location.path)
    base, base_location, scope = None, None, None
    try:
        config = layout.read_json(location.path / layout.CONFIG)
        scope = _scope(config)
        base = layout.base_name(config, location.id)
        base_location = find_base(location, base)
    except (OSError, ValueError):
        pass  # the configuration itself is missing or damaged: `problems` says so
    except ModelError as error:
        problems.append(error.message)
    if base_location is not None and base_location.revision is None:
        problems += [f"base {base}: {problem}" for problem in layout.missing(base_location.path)]
    return ModelState(
        id=location.id,
        revision=location.revision,
        folder=location.path,
        bytes=size_of(location.path),
        base=base,
        base_location=base_location,
        missing=tuple(problems),
        scope=scope,
    )


def _scope(config: dict[str, Any]) -> str | None:
    """The model's own words; None where they make no sense, which loading it reports."""
    try:
        return model_card(config).scope
    except ValueError:
        return None


def size_of(folder: Path) -> int:
    """Bytes of the files in a model's folder, links followed."""
    try:
        return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    except OSError:
        return 0  # what is wrong with its files is said of each


def _is_tempo(config: Path) -> bool:
    try:
        return layout.read_json(config).get("model_type") == layout.TEMPO
    except (OSError, ValueError):
        return False
