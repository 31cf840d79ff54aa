"""`tempo cache`: the decoded frames that later runs find."""

import json as jsonlib
from datetime import datetime

import typer

from ..config import CacheOptions
from . import options as o
from .console import Screen
from .help import HelpCommand
from .models import AsJson
from .text import printable, size

app = typer.Typer()


@app.callback(invoke_without_command=True)
def cache(
    context: typer.Context,
    cache_size: o.CacheSize = o.CACHE.limit,
    json: AsJson = False,
    color: o.WhenColor = o.Color.auto,
) -> None:
    """List the videos whose decoded frames are kept, most recently used first.

    A later question about one of these videos decodes nothing. The least recently used ones are removed when
    space is needed. `path` shows the folder; `clear` empties it.
    """
    if context.invoked_subcommand is not None:
        return
    from ..video.kept import frame_folder

    with Screen(json=json, quiet=False, verbose=False, color=color) as screen:
        folder = frame_folder(CacheOptions(limit=cache_size))
        entries = folder.entries()
        used = sum(entry.size for entry in entries)
        if json:
            listed = [{"video": entry.video(), "bytes": entry.size, "used": entry.used} for entry in entries]
            plain = {"path": str(folder.path), "limit": cache_size, "bytes": used, "entries": listed}
            screen.text(jsonlib.dumps({"schema": "tempo.cache/1", **plain}) + "\n")
            return
        for entry in entries:
            when = datetime.fromtimestamp(entry.used).strftime("%Y-%m-%d %H:%M")
            name = printable(entry.video() or "(damaged)")
            screen.line(f"{size(entry.size):>9}  {when}  {name}")
        screen.print(f"{size(used)} of {size(cache_size)} in {folder.path}")


@app.command("path", cls=HelpCommand, short_help="Show the folder.")
def path() -> None:
    """Show the folder of the decoded frames."""
    from ..video.kept import frame_folder

    with Screen(json=False, quiet=False, verbose=False, color=o.Color.auto) as screen:
        screen.line(str(frame_folder(CacheOptions()).path))


@app.command("clear", cls=HelpCommand, short_help="Remove all decoded frames.")
def clear(quiet: o.Quiet = False, color: o.WhenColor = o.Color.auto) -> None:
    """Remove all decoded frames. Videos, models and settings are kept."""
    from ..video.kept import frame_folder

    with Screen(json=False, quiet=quiet, verbose=False, color=color) as screen:
        screen.print(f"freed {size(frame_folder(CacheOptions()).clear())}")
