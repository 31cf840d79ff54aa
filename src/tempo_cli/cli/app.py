"""The command line as a whole."""

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from .. import __version__
from ..errors import SetupError
from . import ask, batch, cache, clips, doctor, inspect, models, pull
from .help import HelpCommand
from .settings import default_map, file_settings

HELP = """Ask questions about videos of any length, and see which parts the answer came from.

tempo sees but does not hear: it ignores audio and subtitles.

Every option can also be set by an environment variable (TEMPO_MAX_FRAMES for
--max-frames) or in the configuration file. Flags override variables, and variables
override the file.
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
    app.command("ask", cls=HelpCommand, short_help="Answer a question about a video.")(ask.ask)
    app.command(
        "inspect", cls=HelpCommand, short_help="Show which segments are relevant, without an answer."
    )(inspect.inspect)
    app.command("batch", cls=HelpCommand, short_help="Answer many questions about many videos.")(batch.batch)
    app.command("clips", cls=HelpCommand, short_help="Cut out the relevant parts.")(clips.clips)
    app.command("pull", cls=HelpCommand, short_help="Download a model.")(pull.pull)
    app.add_typer(models.app, name="models", short_help="List, verify and remove models.")
    app.add_typer(cache.app, name="cache", short_help="List or clear decoded frames.")
    app.command("doctor", cls=HelpCommand, short_help="Check this machine and suggest fixes.")(doctor.doctor)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tempo {__version__}")
        raise typer.Exit


def _require_working_folder() -> None:
    """Without one, torch ends the process before tempo can report an error."""
    try:
        Path.cwd()
    except OSError:
        hint = "Change to another folder and try again."
        raise SetupError("the working folder was removed or can't be read", hint) from None


def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        if not version:
            typer.echo(context.get_help())
    elif context.invoked_subcommand != "doctor":  # which says itself what is wrong with the file
        _require_working_folder()
        assert isinstance(context.command, TyperGroup)
        context.default_map = default_map(context.command, file_settings(context.command))
