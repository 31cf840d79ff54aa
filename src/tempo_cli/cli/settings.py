"""The configuration file: `config.toml` in the platform's folder, or where TEMPO_CONFIG points.

Its keys are the long options' names (`max-frames = 512`); it holds for every command that has the option.
"""

import os
import tomllib
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from ..errors import UsageError
from . import options

Settings = dict[str, dict[str, Any]]


def config_path() -> Path:
    """Where the configuration file is, or would be."""
    explicit = os.environ.get("TEMPO_CONFIG")
    return Path(explicit).expanduser() if explicit else user_config_path("tempo") / "config.toml"


def file_settings() -> Settings:
    """Defaults from the file, by command.

    Raises:
        UsageError: the file can't be read, or has a key that is no option.
    """
    path = config_path()
    if not path.exists():
        if os.environ.get("TEMPO_CONFIG"):
            raise UsageError(
                f"TEMPO_CONFIG names '{path}', which does not exist", "Create it or unset the variable."
            )
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"the configuration file '{path}' can't be read: {error}", "Correct it.") from error
    for key, value in values.items():
        if key not in options.CONFIGURABLE or not isinstance(value, (str, int, float, bool)):
            known = ", ".join(sorted(options.CONFIGURABLE))
            raise UsageError(f"'{key}' in '{path}' is no setting", f"Known: {known}.")
    named = {key.replace("-", "_"): value for key, value in values.items()}
    return dict.fromkeys(("ask", "inspect"), named)
