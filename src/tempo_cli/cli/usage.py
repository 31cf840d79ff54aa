"""What is wrong with a command line, a variable or a line of the configuration file, in our words."""

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from ..errors import TempoError, UsageError
from ..plan.similar import similar
from .flags import flag_of
from .settings import config_path, file_keys

_NO_COMMAND = re.compile(r"No such command '(.*?)'", re.DOTALL)
_KINDS = (  # how the library says what a value is not, and how we do
    ("valid number", "a number"),
    ("valid integer", "a whole number"),
    ("valid boolean", "true or false"),
)


def explained(error: typer.TyperException, arguments: Sequence[str]) -> UsageError:
    """An error of the library that reads the command line, as one of ours."""
    context: Any = getattr(error, "ctx", None)
    words = [word for word in arguments[:1] if not word.startswith("-")]
    command = context.command_path if context is not None else " ".join(["tempo", *words])
    see = f"See: {command} --help"
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities"):
        names = (name for param in context.command.params for name in param.opts) if context else ()
        return UsageError(f"there is no option {option}", _meant(option, names) + see)
    if match := _NO_COMMAND.search(error.format_message()):
        commands = getattr(context.command, "commands", {}) if context else {}
        return UsageError(f"there is no command '{match[1]}'", _meant(match[1], commands) + see)
    param: Any = getattr(error, "param", None)
    if type(error).__name__ == "MissingParameter" and param is not None:
        flag = f"{param.opts[0]} " if param.param_type_name == "option" else ""
        return UsageError(f"{flag}{param.display_name_raw} is missing", see)
    if param is None:
        return UsageError(_one_line(error.format_message().removeprefix("Invalid value: ")), see)
    return UsageError(f"{_origin(param, context)}: {_what(error)}", see)


def _meant(name: str, names: Iterable[str]) -> str:
    """`Did you mean --model? ` where one name is similar enough."""
    found = similar(name, names)
    return f"Did you mean {found}? " if found else ""


def _origin(param: Any, context: Any) -> str:
    """Where a value comes from: the flag or argument, its variable, or its line in the configuration file."""
    flag = max(param.opts, key=len) if param.param_type_name == "option" else param.display_name_raw
    source = context.get_parameter_source(param.name) if context is not None else None
    name = getattr(source, "name", "")
    if name == "ENVIRONMENT":
        variables = [param.envvar] if isinstance(param.envvar, str) else list(param.envvar or ())
        return next((variable for variable in variables if os.environ.get(variable)), flag)
    if name == "DEFAULT_MAP":
        return f"'{flag.removeprefix('--')}' in '{config_path()}'"
    return str(flag)


def _what(error: typer.TyperException) -> str:
    """What is wrong with a value, without the words of the library that checks types."""
    message = _one_line(str(getattr(error, "message", error)))
    listed = getattr(error.__cause__, "errors", None)
    given = listed()[0].get("input") if callable(listed) else None
    shown = f"'{given}'" if isinstance(given, str) else "it"
    for theirs, ours in _KINDS:
        if theirs in message:
            return f"{shown} is not {ours}"
    return message.removeprefix("Value error, ")


def with_origin(error: TempoError, arguments: Sequence[str]) -> TempoError:
    """The error; where it begins with an option's name, with the variable or line that set the option."""
    flag = flag_of(error.message.split(" ")[0])
    given = any(word == flag or word.startswith(f"{flag}=") for word in arguments)
    if not isinstance(error, UsageError) or flag is None or given:
        return error
    variable = "TEMPO_" + flag.removeprefix("--").replace("-", "_").upper()
    name = flag.removeprefix("--")
    if os.environ.get(variable):
        error.message = f"{variable}: {error.message}"
    elif name in file_keys():
        error.message = f"'{name}' in '{config_path()}': {error.message}"
    return error


def _one_line(message: str) -> str:
    return " ".join(message.split()).rstrip(".")
