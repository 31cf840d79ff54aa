"""What the doctor says: findings, and the configuration that it is asked about."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, ParamSpec

from .. import __version__
from ..errors import TempoError

SCHEMA = "tempo.doctor/1"
DEFAULT, FILE = "default", "configuration file"  # origins of a setting; the third is a variable's name
_BUG = "This is a bug of tempo doctor: please report this line."

Arguments = ParamSpec("Arguments")


class Level(StrEnum):
    """The severity."""

    ok = "ok"
    note = "note"  # worth knowing; nothing has to be done
    warning = "warning"  # something does not work, or not well; `ask` does
    problem = "problem"  # `ask` can't run


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: its name; several findings of a section may share it.
        message: what is, or what is wrong: one line.
        hint: what to do about it, one line; a warning and a problem always have it.
        facts: the same for programs: JSON values by name.
    """

    check: str
    level: Level
    message: str
    hint: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.level in (Level.warning, Level.problem) and not self.hint:
            raise ValueError(f"a {self.level} without a hint: {self.message}")


REINSTALL_TORCH = "Install it again: pip install --force-reinstall torch"


def without_torch(check: str) -> Finding | None:
    """The problem if torch can't be imported, else None."""
    try:
        import torch  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        message = f"torch can't be imported: {one_line(error)}"
        return Finding(check, Level.problem, message, REINSTALL_TORCH)
    return None


@dataclass(frozen=True)
class Setting:
    """An option's value as a command without flags would see it.

    Attributes:
        name: of the long option, without dashes.
        value: read, but not checked against others; the default where what was given can't be read.
        origin: DEFAULT, FILE, or the name of the variable or of the flag.
        fault: why what was given can't be read; None if it can.
    """

    name: str
    value: Any
    origin: str
    fault: str | None = None


@dataclass(frozen=True)
class Configuration:
    """Everything that decides on options besides flags.

    Attributes:
        file: where the configuration file is, or would be.
        error: why it can't be used; None if it can, or if there is none.
        settings: every option's value.
        strangers: variables that look like ours and mean nothing, each with the one that was probably meant.
    """

    file: Path
    error: TempoError | None
    settings: tuple[Setting, ...]
    strangers: tuple[tuple[str, str | None], ...]

    def value(self, name: str) -> Any:
        """The value of the option `--name`."""
        return next(setting.value for setting in self.settings if setting.name == name)

    def with_flags(self, given: Mapping[str, Any]) -> "Configuration":
        """The same with values of flags, by the options' names."""
        settings = (
            replace(setting, value=given[setting.name], origin=f"--{setting.name}", fault=None)
            if setting.name in given
            else setting
            for setting in self.settings
        )
        return replace(self, settings=tuple(settings))


def guarded(
    check: str,
    find: Callable[Arguments, Iterable[Finding]],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> Iterator[Finding]:
    """What `find` finds; an error of ours is a problem with its hint, any other a check that broke."""
    try:
        yield from find(*arguments, **named)
    except TempoError as error:
        yield Finding(check, Level.problem, error.message, error.hint)
    except Exception as error:  # noqa: BLE001  a check that breaks must not hide what the others find
        message = f"the check itself failed: {type(error).__name__}: {one_line(error)}"
        yield Finding(
            check, Level.warning, message, "This is a bug of tempo doctor: please report this line."
        )


def one_line(value: object) -> str:
    """The text of an error without its line breaks, and not without end."""
    text = " ".join(str(value).split())
    return text if len(text) <= 300 else f"{text[:299]}…"


def amount(count: int) -> str:
    """Memory: `11.9 GiB`, `6.4 MiB`."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 / 10 else f"{count / 2**20:.1f} MiB"


def findings_to_json(findings: Iterable[tuple[str, Finding]]) -> str:
    """One line: every finding with the name of its section."""
    checks = [
        {
            "section": section,
            "check": finding.check,
            "level": finding.level.value,
            "message": finding.message,
            "hint": finding.hint,
            "facts": dict(finding.facts),
        }
        for section, finding in findings
    ]
    able = all(check["level"] != Level.problem for check in checks)
    report = {"schema": SCHEMA, "status": "ok" if able else "problem", "version": __version__}
    return json.dumps({**report, "checks": checks}, ensure_ascii=True, allow_nan=False)
