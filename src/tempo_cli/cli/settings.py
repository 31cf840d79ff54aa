"""The configuration file: `config.toml` in the platform's folder, or where TEMPO_CONFIG points.

Its keys are the long options' names (`max-frames = 512`); it holds for every command that has the option.
"""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from platformdirs import user_config_path
from typer.core import TyperCommand, TyperGroup, TyperOption

from ..doctor import DEFAULT, FILE, Configuration, Setting
from ..errors import TempoError, UsageError
from ..files import read_bytes, reason, user_path
from ..plan.similar import similar
from . import options

Values = dict[str, str | int | float | bool]
Command = TyperGroup | TyperCommand

_LARGEST = 2**20  # bytes of the file
_NO_OPTIONS = frozenset({"TEMPO_CONFIG", "TEMPO_DEBUG"})  # variables that no flag stands for


def config_path() -> Path:
    """Where the configuration file is, or would be."""
    explicit = os.environ.get("TEMPO_CONFIG")
    if not explicit:
        return _usual_path()
    try:
        return user_path(explicit)
    except ValueError as error:
        raise UsageError(f"TEMPO_CONFIG names '{explicit}': {error}", "Correct or unset it.") from None


def _usual_path() -> Path:
    """The null device where there is no home folder: there is no file."""
    try:
        return user_config_path("tempo") / "config.toml"
    except RuntimeError:
        return Path(os.devnull)


def file_settings(group: TyperGroup) -> Values:
    """What the file says, by long option.

    Raises:
        UsageError: the file can't be read, or has a key that is no option of a command under `group`.
    """
    path = config_path()
    values = _parsed(path)
    known = _options(group)
    allowed = sorted(set(known) - options.PER_RUN)
    for key, value in values.items():
        if key not in allowed:
            meant = similar(key.replace("_", "-"), allowed)
            hint = f"Did you mean {meant}? " if meant else ""
            raise UsageError(f"'{key}' in '{path}' is not a setting", f"{hint}Known: {', '.join(allowed)}.")
        if not _fits(known[key][0], value):
            raise UsageError(f"'{key}' in '{path}' has a value of the wrong type", "See: tempo doctor")
    return values


def file_keys() -> set[str]:
    """The names in the file; none where it can't be read."""
    try:
        return set(_parsed(config_path()))
    except UsageError:
        return set()


def _parsed(path: Path) -> dict[str, Any]:
    """The values in the file, of any kind; none where there is no file."""
    if path == Path(os.devnull):
        return {}
    try:
        text = read_bytes(path, _LARGEST, whole=True).decode("utf-8-sig")
        return tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        if not os.environ.get("TEMPO_CONFIG"):
            return {}
        raise UsageError(
            f"TEMPO_CONFIG names '{path}', which does not exist", "Create it or unset the variable."
        ) from None
    except OSError as error:
        message = f"the configuration file '{path}' can't be read: {reason(error)}"
        raise UsageError(message, f"Make it readable, or set TEMPO_CONFIG={os.devnull}.") from error
    except (ValueError, RecursionError) as error:
        told = "it is nested too deeply" if isinstance(error, RecursionError) else reason(error)
        raise UsageError(f"the configuration file '{path}' can't be read: {told}", "Correct it.") from error


def _fits(option: TyperOption, value: Any) -> bool:
    """Whether a value of TOML is of a kind that the option can be made of."""
    if isinstance(value, bool):
        return bool(option.is_flag)
    if isinstance(value, int):
        return not option.is_flag and abs(value) < 2**64
    return (isinstance(value, float) and not option.is_flag) or isinstance(value, str)


def default_map(group: TyperGroup, values: Values) -> dict[str, Any]:
    """The file's values as defaults of every command under `group`; a command passes over what it lacks."""
    named: dict[str, Any] = {key.replace("-", "_"): value for key, value in values.items()}
    return named | {
        name: default_map(command, values) if isinstance(command, TyperGroup) else named
        for name, command in group.commands.items()
    }


def configuration(group: TyperGroup) -> Configuration:
    """Every option's value and origin for a command without flags."""
    values: Values = {}
    error: TempoError | None = None
    path = _usual_path()
    try:
        path = config_path()
        values = file_settings(group)
    except UsageError as found:
        error = found
    known = _options(group)
    resolved = [_resolved(name, *home, values) for name, home in known.items()]
    shown = tuple(s for s in resolved if s.name not in options.PER_RUN or s.origin != DEFAULT)
    return Configuration(path, error, shown, tuple(_strangers(known)))


def _options(command: Command) -> dict[str, tuple[TyperOption, Command]]:
    """Every option that has a variable, by its long name, with a command under `command` that has it."""
    found: dict[str, tuple[TyperOption, Command]] = {}
    if isinstance(command, TyperGroup):
        for part in command.commands.values():
            assert isinstance(part, (TyperGroup, TyperCommand))
            for name, home in _options(part).items():
                found.setdefault(name, home)
    for option in command.params:
        if isinstance(option, TyperOption) and isinstance(option.envvar, str):
            found.setdefault(option.opts[0].removeprefix("--"), (option, command))
    return found


def _resolved(name: str, option: TyperOption, command: Command, values: Values) -> Setting:
    variable = str(option.envvar)
    given: Any = os.environ.get(variable)
    origin = variable
    if not given:  # as for the command itself, an empty variable counts as none
        given, origin = values.get(name), FILE
    if given is None:
        return Setting(name, option.default, DEFAULT)
    try:
        value = option.process_value(typer.Context(command), given)
        if name == "top":
            options.parse_top(value)  # which commands do themselves
        return Setting(name, value, origin)
    except (typer.BadParameter, UsageError) as error:
        reason = " ".join(error.message.split())
        return Setting(name, option.default, origin, f"{origin} says '{given}': {reason}")


def _strangers(known: dict[str, tuple[TyperOption, Command]]) -> Iterator[tuple[str, str | None]]:
    variables = {str(option.envvar) for option, _ in known.values()} | _NO_OPTIONS
    own = sorted(variable.removeprefix("TEMPO_") for variable in variables)
    for name in sorted(os.environ):
        if name.startswith("TEMPO_") and name not in variables:
            meant = similar(name.removeprefix("TEMPO_"), own)
            yield name, f"TEMPO_{meant}" if meant else None
