"""`tempo models`: list, verify and remove models."""

import json as jsonlib
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ..errors import ModelError, SetupError, UsageError
from ..schema import Request
from ..written import check_writable, write_whole
from . import options as o
from .console import Screen, expect
from .exports import check_format, chosen_format, format_of
from .help import HelpCommand
from .text import printable, size

if TYPE_CHECKING:
    from ..hub.inventory import ModelState
    from ..hub.verify import CheckedFile

_DAMAGED = 4  # exit code of everything about models

AsJson = Annotated[
    bool, typer.Option("--json", envvar="TEMPO_JSON", show_envvar=False, help="One JSON object.")
]

app = typer.Typer()


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    json: AsJson = False,
    format: o.TableFormat = None,
    output: o.TableOutput = None,
    force: o.Force = False,
    color: o.WhenColor = o.Color.auto,
) -> None:
    """List the downloaded models: revision, size, completeness and location. nano comes with tempo.

    `verify` checks files against the Hub; `rm` removes a model.
    """
    if context.invoked_subcommand is not None:
        return
    name = chosen_format(json, format)
    if output is not None and name is None:
        name = format_of(output, o.TABLE_FORMATS)
    if name is not None:
        check_format(name, o.TABLE_FORMATS)
    if output == Path("-"):
        output = None
    if output is not None:
        check_writable(output, force)
    with _screen(name is not None and output is None, color) as screen:
        from ..hub.inventory import inventory, packaged

        states = [*packaged(), *inventory()]
        if name is not None:
            text = _in_format(name, [_as_json(state) for state in states])
            if output is None:
                screen.text(text)
                return
            write_whole(output, text.encode("utf-8", "backslashreplace"), force)
            screen.print(f"wrote {output}")
        for state in states:
            screen.line(_lines(state, screen.width if screen.terminal else None))
        if _cache() and all(state.revision is None for state in states):
            screen.print(f"there is no Tempo model in {_cache()}; download one with: tempo pull")


@app.command("verify", cls=HelpCommand, short_help="Check sizes and hashes.")
def verify(
    command: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", help="Repository or folder. Default: all downloaded models.", show_default=False
        ),
    ] = None,
    revision: o.Revision = None,
    offline: o.Offline = False,
    json: AsJson = False,
    quiet: o.Quiet = False,
    color: o.WhenColor = o.Color.auto,
) -> None:
    """Check the sizes and hashes of a model's files, its base's files and the router's rows.

    They are compared with the Hub; offline, lengths are compared with the files' own headers. A wrong file
    in the Hub's cache is removed so that the next pull downloads it again. Local folders are never changed.
    """
    expect(command, Request(model=model))
    with _screen(json, color, quiet) as screen:
        from ..hub.environment import is_offline
        from ..hub.inventory import inventory, model_state, packaged
        from ..hub.remote import Hub
        from ..hub.verify import verify as check

        hub = None if offline or is_offline() else Hub(tell=screen.on_event)
        states = [model_state(model, revision)] if model else [*packaged(), *inventory()]
        results = [(state, check(state, hub, screen.on_event)) for state in states]
        screen.stop_progress()
        if json:
            told = [_result_as_json(state, files) for state, files in results]
            method = "headers" if hub is None else "hub"
            screen.text(jsonlib.dumps({"schema": "tempo.verify/1", "by": method, "models": told}) + "\n")
        else:
            _show_results(screen, results)
        bad = [state for state, files in results if not _is_right(state, files)]
        if bad and json:
            raise typer.Exit(_DAMAGED)
        if bad:
            raise ModelError(
                f"{bad[0].id} is incomplete",
                f"Run: tempo pull {bad[0].id} (it downloads only what is missing)",
            )


@app.command("rm", cls=HelpCommand, short_help="Remove a model.")
def remove(
    command: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Hub repository.", show_default=False)],
    yes: o.Yes = False,
    quiet: o.Quiet = False,
    color: o.WhenColor = o.Color.auto,
) -> None:
    """Remove a Tempo model from the Hugging Face cache, with all its revisions.

    Local folders, other models and the base model's files are kept.
    """
    expect(command, Request(model=model))
    with _screen(False, color, quiet) as screen:
        from ..hub.inventory import removable
        from ..hub.inventory import remove as take_out

        states = removable(model)
        told = (
            f"{len(states)} revision{'s' * (len(states) != 1)}, {size(sum(state.bytes for state in states))}"
        )
        if not yes and not screen.is_interactive:
            raise UsageError(f"removing {model} needs confirmation", "Give --yes.")
        if yes or screen.confirm(f"Remove {model} ({told})?"):
            screen.print(f"freed {size(take_out(model))}")
        else:
            screen.print("nothing was removed")


def _cache() -> str | None:
    """The Hub's cache; None where there is no place for it."""
    from ..hub.environment import cache_folder

    try:
        return str(cache_folder())
    except SetupError:
        return None


def _screen(json: bool, color: o.Color, quiet: bool = False) -> Screen:
    return Screen(json=json, quiet=quiet, verbose=False, color=color)


def _lines(state: "ModelState", width: int | None) -> Text:
    """The lines about a model.

    Args:
        width: of a terminal, to break the sentence of `scope` between words; None: one line.
    """
    told = ("complete", "green") if state.complete else ("incomplete", "red")
    first = f"{printable(state.id)}  {(state.revision or '-')[:12]}  {size(state.bytes)}  "
    more = [(f"\n  {printable(what)}", "red") for what in state.missing]
    sentence = printable(state.scope or "")
    parts = [sentence] if width is None else wrap(sentence, width - 2)
    scope = "".join(f"\n  {part}" for part in parts if part)
    return Text.assemble(first, told, scope, *more, (f"\n  {printable(str(state.folder))}", "dim"))


def _as_json(state: "ModelState") -> dict[str, Any]:
    base = state.base_location
    return {
        **state.facts,
        "base": state.base,
        "base_folder": str(base.path) if base else None,
        "router": str(base.router) if base and base.router else None,
    }


def _in_format(name: str, models: list[dict[str, Any]]) -> str:
    """The list as JSON, as lines of JSON, or as a table."""
    from ..report.tables import escaped, separated, table_markdown

    if name == "json":
        return jsonlib.dumps({"schema": "tempo.models/1", "cache": _cache(), "models": models}) + "\n"
    if name == "jsonl":
        return "".join(jsonlib.dumps(model) + "\n" for model in models)
    columns = ("id", "revision", "bytes", "complete", "folder")
    rows = [["" if model[column] is None else model[column] for column in columns] for model in models]
    if name == "md":
        cells = [[value if isinstance(value, int) else escaped(value) for value in row] for row in rows]
        return table_markdown(columns, cells)
    return separated(columns, rows, "," if name == "csv" else "\t")


def _is_right(state: "ModelState", files: "list[CheckedFile]") -> bool:
    return state.complete and not any(file.problem for file in files)


def _result_as_json(state: "ModelState", files: "list[CheckedFile]") -> dict[str, Any]:
    checked = [{"file": str(file.path), "problem": file.problem, "dropped": file.dropped} for file in files]
    right = _is_right(state, files)
    return {
        "id": state.id,
        "revision": state.revision,
        "ok": right,
        "missing": list(state.missing),
        "files": checked,
    }


def _show_results(screen: Screen, results: "list[tuple[ModelState, list[CheckedFile]]]") -> None:
    for state, files in results:
        screen.line(printable(f"{state.id}  {(state.revision or '-')[:12]}"))
        for file in files:
            taken = "; removed from the cache" if file.dropped else ""
            told = (f"{file.problem}{taken}", "red") if file.problem else ("ok", "green")
            screen.line(Text.assemble("  ", told, f"  {printable(_name(state, file.path))}"))
        listed = {f"{file.path.name}: {file.problem}" for file in files}
        for other in [what for what in state.missing if what not in listed]:
            screen.line(Text.assemble("  ", (printable(other), "red")))


def _name(state: "ModelState", path: Path) -> str:
    if path.parent == state.folder:
        return path.name
    router = state.base_location is not None and path == state.base_location.router
    return f"{state.base}: two rows of its head" if router else f"{state.base}/{path.name}"
