"""Finding a model: a folder, or a Hugging Face Hub repository in the shared cache. Never downloads."""

import re
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelError

_SIBLING = re.compile(r"\./[A-Za-z0-9_][\w.-]*")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class ModelHome:
    """Where a model lies: `revision` is the commit of a Hub repository, None for a folder of the user's."""

    id: str
    folder: Path
    revision: str | None


def find_model(model: str, revision: str | None = None) -> ModelHome:
    """The folder `model`, or the cached snapshot of the Hub repository `model`.

    Raises:
        ModelError: neither exists.
    """
    folder = Path(model).expanduser()
    if model.strip() and folder.is_dir():
        return ModelHome(model, folder, None)
    if not _is_repository(model):
        raise ModelError(
            f"there is no model folder '{model}'", "Give a folder or a Hub id such as Vision-CAIR/Tempo-6B."
        )
    return _cached(model, revision)


def find_base(home: ModelHome, name: str) -> ModelHome:
    """The base model that a checkpoint's configuration names.

    `./name` is a folder beside the checkpoint's; anything else is a Hub repository, which may also lie
    beside a folder of the user's under its own name. A configuration from the Hub may name only repositories.

    Raises:
        ModelError: it does not exist, or the name may not be followed.
    """
    local = home.revision is None
    if local and _SIBLING.fullmatch(name):
        folder = home.folder.resolve().parent / name[2:]
        if not folder.is_dir():
            raise ModelError(
                f"the base model {folder} does not exist", f"Put {name[2:]} beside {home.folder}."
            )
        return ModelHome(name, folder, None)
    if not _is_repository(name):
        raise ModelError(
            f"the base model '{name}' is no Hub repository", "This configuration is not to be trusted."
        )
    beside = home.folder.resolve().parent / name.split("/")[1]
    if local and beside.is_dir():
        return ModelHome(name, beside, None)
    return _cached(name, None)


def _is_repository(name: str) -> bool:
    return _REPOSITORY.fullmatch(name) is not None and ".." not in name


def _cached(repository: str, revision: str | None) -> ModelHome:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    wanted = f" --revision {revision}" if revision else ""
    try:
        folder = Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        raise ModelError(
            f"the model {repository} is not downloaded", f"Run: hf download {repository}{wanted}"
        ) from None
    return ModelHome(repository, folder, folder.name)
