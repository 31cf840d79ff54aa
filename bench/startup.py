"""How long before a command does anything, and does `--help` stay light?

Measures the seconds of whole processes, in turns, after a first round that fills the file caches (its
seconds are shown too): an empty Python, the installed `tempo --help`, imports of ours and of torch, and a
whole answer by the model that comes along, from the start of the process to its end. Then lists which heavy
modules `tempo --help` imports. The exit status is 1 if torch is among them, or if the answer takes 10 s or
more.

Run: python bench/startup.py [--runs 7]
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

from common import Neighbours, medians, parser, report, run_child, spreads

HEAVY = ("torch", "transformers", "huggingface_hub", "numpy", "av", "PIL", "imageio_ffmpeg")
SCRIPT = Path(sysconfig.get_path("scripts")) / ("tempo.exe" if sys.platform == "win32" else "tempo")
CHASE = Path(__file__).resolve().parents[1] / "examples/chase.mp4"
ANSWER = "tempo ask examples/chase.mp4 … --model nano"
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "tempo --help": [str(SCRIPT), "--help"],
    "import tempo_cli": [sys.executable, "-c", "import tempo_cli"],
    "import torch": [sys.executable, "-c", "import torch"],
    "from tempo_cli import Tempo": [sys.executable, "-c", "from tempo_cli import Tempo"],
    ANSWER: [str(SCRIPT), "ask", str(CHASE), "what color was the car", "--model", "nano"],
}
MOST_SECONDS = 10.0  # for the answer


def one_round() -> dict[str, float]:
    """Seconds of each command, one after the other."""
    return {name: _seconds(name, command) for name, command in COMMANDS.items()}


def _seconds(name: str, command: list[str]) -> float:
    child = run_child(command)
    if child.status:
        sys.exit(f"'{name}' ended with status {child.status}: is the project installed (pip install -e .)?")
    return child.seconds


def heavy_imports() -> list[str]:
    """Which of the heavy modules `tempo --help` imports, by the interpreter's own log of imports."""
    command = [sys.executable, "-X", "importtime", "-m", "tempo_cli", "--help"]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    imported = {line.rpartition("|")[2].strip() for line in log.splitlines()}
    assert "tempo_cli" in imported, "no log of imports"
    return [name for name in HEAVY if name in imported]


def main() -> int:
    """Measure and report."""
    options = parser(__doc__, runs=7).parse_args()
    neighbours = Neighbours()
    first = one_round()
    rounds = [one_round() for _ in range(options.runs)]
    seconds, ranges = medians(rounds), spreads(rounds)
    heavy = heavy_imports()
    rows: list[list[object]] = [[name, value, *ranges[name], first[name]] for name, value in seconds.items()]
    report(
        "startup",
        ["command", "seconds", "lowest", "highest", "first round"],
        [*rows, ["heavy modules that tempo --help imports", ", ".join(heavy) or "none", "", "", ""]],
        options,
        neighbours,
        seconds=seconds,
        lowest_and_highest_seconds=ranges,
        first_round_seconds=first,
        help_imports=heavy,
        help_imports_torch="torch" in heavy,
    )
    return int("torch" in heavy or seconds[ANSWER] >= MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
