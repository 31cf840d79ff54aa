"""The command line as a whole."""

from typing import Annotated

import typer

from .. import __version__
from . import ask, inspect

HELP = """Ask questions about videos of any length, and see which parts the answer came from.

tempo sees, it does not hear: no audio, no subtitles.

Every option has a variable: --max-frames is TEMPO_MAX_FRAMES. A flag goes before a variable, a
variable before the configuration file, the file before the default.
"""


def build_app() -> typer.Typer:
    """A fresh application with all commands."""
    app = typer.Typer(
        help=HELP,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True)(_root)
    app.command("ask", short_help="Answer a question about a video.")(ask.ask)
    app.command("inspect", short_help="Show what is relevant, without an answer.")(inspect.inspect)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tempo {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None and not version:
        typer.echo(context.get_help())
