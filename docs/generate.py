"""Write docs/cli.md from the command's own help, or, with --check, fail where the docs are not true any more.

Checked: docs/cli.md is what the command says now; every relative link in a Markdown file leads somewhere;
every `--option` that the documents name exists.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "cli.md"
COMMANDS: tuple[tuple[str, ...], ...] = (
    (),
    ("ask",),
    ("inspect",),
    ("batch",),
    ("clips",),
    ("pull",),
    ("models",),
    ("models", "verify"),
    ("models", "rm"),
    ("cache",),
    ("cache", "path"),
    ("cache", "clear"),
    ("doctor",),
)
HEAD = "# Commands\n\nWritten by `make docs` from the commands' own `--help`.\n"
FOREIGN = {
    "--dist",
    "--extra-index-url",
    "--no-deps",
    "--remote-debugging-pipe",
}  # options of other programs that the documents name


def help_text(command: tuple[str, ...]) -> str:
    """What `tempo COMMAND --help` prints on 100 columns without colour."""
    plain = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "TEMPO_CONFIG": os.devnull}
    words = [sys.executable, "-m", "tempo_cli", *command, "--help"]
    text = subprocess.run(words, env=os.environ | plain, capture_output=True, text=True, check=True).stdout
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def reference() -> str:
    """The whole of docs/cli.md."""
    parts = [HEAD]
    for command in COMMANDS:
        parts.append(f"\n## `{' '.join(('tempo', *command))}`\n\n```\n{help_text(command)}\n```\n")
    return "".join(parts)


def documents() -> list[Path]:
    """Every Markdown file of the project that speaks to people."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("[a-z]*/README.md")])


def broken(options: set[str]) -> list[str]:
    """Links that lead nowhere and options that do not exist."""
    problems = []
    for path in documents():
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(ROOT)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            if not (path.parent / target).exists():
                problems.append(f"{name}: {target} does not exist")
        if path.parent.name in ("bench", "training"):
            continue  # their scripts have options of their own
        for option in sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - options - FOREIGN):
            problems.append(f"{name}: tempo has no {option}")
    return problems


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where it is not true")
    text = reference()
    if not parser.parse_args().check:
        TARGET.write_text(text, encoding="utf-8")
        return
    problems = broken(set(re.findall(r"--[a-z][a-z-]+", text)))
    if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
        problems.append("docs/cli.md is not what the commands say now: run make docs")
    sys.exit("\n".join(problems) or None)


if __name__ == "__main__":
    main()
