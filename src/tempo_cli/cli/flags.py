"""The options in a text of the library, written as the flags of the command line.

The library names an option as Python does, in backticks: `budget`, `quantize='int4'`, `ata=False`.
"""

import re
from collections.abc import Iterator
from typing import get_args

from typer.models import OptionInfo

from ..errors import TempoError
from . import options

# a name in quotes comes from the user and stays; an option has at most one value, quoted if it is a text
_QUOTED_OR_OPTION = re.compile(r"(?<!\w)'.*?'(?!\w)|`(\w+)(?:=('[^'`]*'|[^'`]+))?`", re.DOTALL)


def in_flags(text: str) -> str:
    """`text` with `` `max_frames` `` as --max-frames and `` `quantize='int4'` `` as --quantize int4."""
    return _QUOTED_OR_OPTION.sub(_flag, text)


def told_in_flags(error: TempoError) -> TempoError:
    """The error with flags in its message and hint, but for the text of a bug, which is not ours."""
    if error.code == TempoError.code:
        return error
    return type(error)(in_flags(error.message), in_flags(error.hint))


def flag_of(name: str) -> str | None:
    """The flag of an option by its name in Python; None if there is none."""
    return _FLAGS.get(name)


def _names() -> Iterator[str]:
    """Every option's name in Python: that of its variable, without TEMPO_."""
    for kind in vars(options).values():
        for part in get_args(kind):
            if isinstance(part, OptionInfo):
                yield str(part.envvar).removeprefix("TEMPO_").lower()


_FLAGS = {name: "--" + name.replace("_", "-") for name in _names()}
_FLAGS |= {"workers": "--workers", "retry_failed": "--retry-failed"}  # of `tempo batch` alone
_FLAGS["mode"] = _FLAGS["sampling"]  # in Python the options say of what


def _flag(match: re.Match[str]) -> str:
    name, value = match.groups()
    if value == "False":
        return _FLAGS.get(f"no_{name}", match[0])
    if name not in _FLAGS:
        return match[0]
    return f"{_FLAGS[name]} {value.strip(chr(39))}" if value and value != "True" else _FLAGS[name]
