"""The configuration file, the variables, and every value with its origin."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from ..config import BudgetOptions, GenerationOptions, LoadOptions, SamplingOptions
from ..files import exists
from .findings import DEFAULT, FILE, Configuration, Finding, Level, Setting, guarded

_GROUPS = (LoadOptions, SamplingOptions, BudgetOptions, GenerationOptions)


def findings(configuration: Configuration) -> Iterator[Finding]:
    """What a command without flags would start from. A value that it would refuse is a problem."""
    yield from guarded("file", _file, configuration)
    for variable, meant in configuration.strangers:
        hint = f"Did you mean {meant}?" if meant else "Unset it, or see: tempo ask --help"
        message = f"{variable} is set, but tempo has no such setting"
        yield Finding("variable", Level.note, message, hint, {"variable": variable, "meant": meant})
    for setting in configuration.settings:
        yield _setting(setting)
    values = {setting.name.replace("-", "_"): setting.value for setting in configuration.settings}
    for group in _GROUPS:
        yield from guarded("values", _checked, group, values)


def _file(configuration: Configuration) -> Iterator[Finding]:
    path, error = str(configuration.file), configuration.error
    facts = {"path": path, "exists": exists(configuration.file)}
    if error is not None:
        yield Finding("file", Level.problem, error.message, error.hint, facts)
    elif facts["exists"]:
        yield Finding("file", Level.ok, path, facts=facts)
    else:
        yield Finding("file", Level.ok, f"{path} (there is none)", facts=facts)


def _setting(setting: Setting) -> Finding:
    value = setting.value
    if value is not None and not isinstance(value, (bool, int, float, str)):
        value = str(value)
    facts = {"value": value, "origin": setting.origin}
    if setting.fault:
        hint = f"Correct {setting.name} in it." if setting.origin == FILE else "Correct or unset it."
        return Finding(setting.name, Level.problem, setting.fault, hint, facts)
    given = "" if setting.origin == DEFAULT else f" ({setting.origin})"
    return Finding(setting.name, Level.ok, f"{_shown(value)}{given}", facts=facts)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def _checked(group: Any, values: dict[str, Any]) -> Iterator[Finding]:
    """The group's own check, which raises what `ask` would raise."""
    group(**{field.name: values[field.name] for field in fields(group) if field.name in values})
    yield from ()
