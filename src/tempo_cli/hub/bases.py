"""Where the base of a model in a local folder may be stored: a folder, or a repository in the Hub's cache.

The released instructions have users change the name to a path such as `./checkpoints/Qwen3-VL-2B-Instruct`,
relative to the folder they work in. Of what is found only JSON, tokenizer and two rows of weights are read.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import SetupError
from ..files import exists
from .environment import cache_folder

_CONFIG = "config.json"
_SIBLING = re.compile(r"\./[A-Za-z0-9_][\w.-]*")
_LAST = re.compile(r"[A-Za-z0-9][\w.-]*")


def local_base(model: Path, name: str) -> Path | None:
    """The folder that a model in the folder `model` means by `name`; None if there is none.

    That is the folder as it is written, relative to the working folder, else the folder of this last name
    beside the model. `./name` means the one beside the model first.
    """
    candidates = [*_as_written(name), *_beside(model, name)]
    if _SIBLING.fullmatch(name):
        candidates = [*_beside(model, name), *_as_written(name)]
    folders = [folder for folder in candidates if _is_folder(folder)]
    whole = [folder for folder in folders if exists(folder / _CONFIG)]
    return next(iter(whole or folders), None)


def last_name(name: str) -> str | None:
    """The last part of a path or a repository's name; None if that is no name of a folder."""
    last = Path(name).name if "\0" not in name else ""
    return last if last not in ("", ".", "..") else None


def cached_repositories(name: str) -> list[str]:
    """The repositories in the Hub's cache with the last name of `name`."""
    last = last_name(name)
    if last is None or not _LAST.fullmatch(last) or "--" in last:
        return []
    try:
        found = sorted(cache_folder().glob(f"models--*--{last}"))
    except (OSError, SetupError):
        return []
    return [folder.name.removeprefix("models--").replace("--", "/", 1) for folder in found]


def _as_written(name: str) -> Iterator[Path]:
    if name.strip() and "\0" not in name:
        yield Path(name)


def _beside(model: Path, name: str) -> Iterator[Path]:
    """Beside the model's folder, and beside what it is a link to."""
    last = last_name(name)
    if last is not None:
        yield model.absolute().parent / last
        yield model.resolve().parent / last


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
