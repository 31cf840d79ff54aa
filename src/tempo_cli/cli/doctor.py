"""`tempo doctor`: check this machine and suggest fixes."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from ..doctor import DEFAULT, Finding, Level, examine, examine_device, findings_to_json
from ..errors import SetupError
from . import options as o
from .console import Screen
from .flags import in_flags
from .models import AsJson
from .settings import configuration
from .text import printable

_MARKS = {Level.ok: "✓", Level.note: "·", Level.warning: "!", Level.problem: "✗"}
_STYLES = {Level.ok: "green", Level.note: "cyan", Level.warning: "yellow", Level.problem: "red"}
_NAME, _OPERATION = 14, 21  # cells of the column of names; of the device test's


def doctor(
    context: typer.Context,
    device_test: Annotated[
        bool,
        typer.Option(
            "--device-test",
            help="Only test whether --device computes correctly in --dtype: every operation that the "
            "networks use, and nano's answers, against the CPU.",
        ),
    ] = False,
    device: o.Device = o.LOAD.device,
    dtype: o.Dtype = o.LOAD.dtype,
    json: AsJson = False,
    color: o.WhenColor = o.Color.auto,
) -> None:
    """Check this machine, and suggest fixes for what does not work.

    Checks Python, ffmpeg, torch, the GPUs, the Hub, the models and every setting with its origin. Nothing is
    changed or downloaded. Exit code 5 means that `tempo ask` can't run, or that the device test failed.
    """
    group = context.find_root().command
    assert isinstance(group, TyperGroup)
    found: list[tuple[str, Finding]] = []
    flags = {name: value for name, value in (("device", device), ("dtype", dtype)) if _is_flag(context, name)}
    chosen = configuration(group).with_flags(flags)
    with Screen(json=json, quiet=False, verbose=False, color=color) as screen:
        for section, findings in (examine_device if device_test else examine)(chosen):
            if not json:
                screen.line(Text(f"\n{section}" if found else section, "bold"))
            for finding in _kept(findings, section, found):
                if not json:
                    _show(screen, finding, _OPERATION if device_test else _NAME)
        levels = Counter(finding.level for _, finding in found)
        if json:
            screen.text(findings_to_json(found) + "\n")
        else:
            screen.line("")
            screen.line(_device_verdict(levels) if device_test else _verdict(levels))
    if levels[Level.problem]:
        raise typer.Exit(SetupError.exit_code)


def _is_flag(context: typer.Context, name: str) -> bool:
    """Whether an option's value comes from the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _kept(findings: Iterator[Finding], section: str, found: list[tuple[str, Finding]]) -> Iterator[Finding]:
    """Findings to show as they come, all kept in `found`; settings that nobody touched share a line."""
    untouched = []
    for finding in findings:
        hint = None if finding.hint is None else in_flags(finding.hint)
        finding = replace(finding, message=in_flags(finding.message), hint=hint)
        found.append((section, finding))
        if finding.facts.get("origin") == DEFAULT:
            untouched.append(f"{finding.check} {finding.message}")
        else:
            yield finding
    if untouched:
        yield Finding("defaults", Level.ok, ", ".join(untouched))


def _show(screen: Screen, finding: Finding, width: int) -> None:
    """A finding and its hint: in columns on a terminal, one line each in a pipe."""
    mark, name = Text(_MARKS[finding.level], _STYLES[finding.level]), printable(finding.check)
    message, hint = printable(finding.message), printable(finding.hint or "")
    if not screen.terminal:
        screen.line(Text.assemble("  ", mark, f" {name:<{width}} {message}"))
        if hint:
            screen.line(f"{'':{width + 5}}→ {hint}")
        return
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=3, justify="right")
    grid.add_column(width=width, overflow="fold")
    grid.add_column(overflow="fold")
    grid.add_row(mark, Text(name), Text(message))
    if hint:
        grid.add_row("", "", Text(f"→ {hint}", "bold"))
    screen.show(grid)


def _verdict(levels: Mapping[Level, int]) -> Text:
    """How many problems there are, and whether `ask` can run."""
    counts = [
        f"{levels[level]} {level}{'s' * (levels[level] != 1)}"
        for level in (Level.problem, Level.warning)
        if levels[level]
    ]
    if levels[Level.problem]:
        return Text(f"{', '.join(counts)}: tempo ask can't run until this is fixed.", "red")
    return Text(f"{', '.join(counts) or 'No problems'}: tempo ask can run.", "yellow" if counts else "green")


def _device_verdict(levels: Counter[Level]) -> Text:
    """Whether the device passed its test."""
    if levels[Level.problem]:
        return Text(f"{levels[Level.problem]} of {levels.total()} checks failed.", "red")
    return Text("The device computes correctly.", "green")
