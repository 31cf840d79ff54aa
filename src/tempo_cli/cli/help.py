"""`--help` of a command: usage in the words of its arguments, and its options in panels."""

from typing import Any

from typer.core import TyperArgument, TyperCommand

PANELS: dict[str, tuple[str, ...]] = {
    "Model": (
        "model", "revision", "offline", "min-rate", "yes", "device-test", "device", "decoder-device", "dtype",
        "quantize",
    ),
    "Video": (
        "fps", "max-frames", "window", "start", "end", "picture", "sampling", "max-pixels", "ffmpeg",
        "no-cache", "cache-size",
    ),
    "Answer": ("question", "budget", "context", "no-ata", "max-new-tokens", "temperature", "seed"),
    "Batch": (
        "glob", "stream", "retry-failed", "fail-fast", "shard", "limit", "workers", "devices",
        "progress",
    ),
    "Output": (
        "padding", "copy", "dry-run", "top", "min-relevance", "sort", "json", "format", "output", "html",
        "png", "svg", "force", "with-filename", "quiet", "verbose", "color",
    ),
}  # fmt: skip
_OTHER = "Other options"
_PANEL = {name: panel for panel, names in PANELS.items() for name in names}


class HelpCommand(TyperCommand):
    """A command with few lines of usage and many options."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`[OPTIONS] VIDEO QUESTION...`: an optional argument is in brackets, unless it may be repeated."""
        pieces = ["[OPTIONS]"]
        for param in self.get_params(ctx):
            if isinstance(param, TyperArgument):
                name = _argument(param)
                pieces.append(name if param.required or param.nargs != 1 else f"[{name}]")
        return pieces

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then the panels in their order; a command with few options has one."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        sections |= {panel: [] for panel in (*PANELS, _OTHER)}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            if isinstance(param, TyperArgument):
                sections["Arguments"].append((_argument(param), record[1].removesuffix("  [required]")))
            else:
                name = str(param.opts[0]).removeprefix("--")
                sections[_PANEL.get(name, _OTHER)].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _argument(param: TyperArgument) -> str:
    return param.display_name_raw + ("..." if param.nargs != 1 else "")
