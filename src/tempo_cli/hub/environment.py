"""The Hub's address, its cache on this machine, and whether it may be contacted."""

import os
import shutil
from pathlib import Path

from httpx2 import HTTPError, InvalidURL
from huggingface_hub import constants, get_token
from huggingface_hub.utils import get_session
from platformdirs import user_data_path

from ..errors import SetupError
from ..files import exists, user_path
from .pace import begun


def endpoint() -> str:
    """Address of the Hub: HF_ENDPOINT, or the public one."""
    return str(constants.ENDPOINT)


def cache_folder() -> Path:
    """The shared cache of the Hub's files: HF_HUB_CACHE, `hub` in HF_HOME, or the library's default."""
    return _own(Path(constants.HF_HUB_CACHE), "the Hub's cache", "HF_HOME")


def data_folder() -> Path:
    """tempo's own data: the routers' rows, which are no file of the Hub."""
    try:
        return _own(user_data_path("tempo"), "tempo's data", "XDG_DATA_HOME")
    except RuntimeError:
        return _own(Path("~"), "tempo's data", "XDG_DATA_HOME")


def _own(path: Path, what: str, variable: str) -> Path:
    try:
        return user_path(str(path))
    except ValueError as error:
        raise SetupError(
            f"can't locate {what} ('{path}'): {error}", f"Set HOME, or set {variable} to a folder."
        ) from None


def token() -> str | None:
    """The token for the Hub, if one is at hand and may be read."""
    try:
        return get_token()
    except (OSError, ValueError):
        return None


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) forbids the network. `--offline` comes on top."""
    wish = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return constants.is_offline_mode() or wish.upper() in constants.ENV_VARS_TRUE_VALUES


def has_token() -> bool:
    """Whether a token for the Hub is at hand: HF_TOKEN, or one that `hf auth login` saved."""
    return token() is not None


def hub_reachable(timeout: float = 3.0) -> str | None:
    """None if the Hub answers within `timeout` seconds, else why not, in one line."""
    if is_offline():
        return "HF_HUB_OFFLINE forbids it"
    try:
        # any answer will do: an error of the page is still the Hub speaking
        begun(lambda: get_session().head(endpoint(), timeout=timeout, follow_redirects=False), timeout)
    except (HTTPError, InvalidURL, ValueError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return None


def free_bytes(folder: Path) -> int:
    """Free bytes of the disk on which `folder` is, or would be made."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if exists(path))
    return shutil.disk_usage(there).free
