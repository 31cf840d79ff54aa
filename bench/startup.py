"""How long before a command does anything, and does `--help` stay light?

Measures the seconds of whole processes, in turns, after a first round that fills the file caches (its
seconds are shown too): an empty Python, the installed `tempo --help`, imports of ours and of torch, and a
whole answer by the model that comes along, from the start of the process to its end; its floor, which is the
import of torch and what the answer takes in a process that has given one before; and an answer and twenty of
them beside one busy process, over what they take without it. With --base, the same answer by another checkout
of this project. Then lists which heavy modules `tempo --help` imports. The exit status is 1 if torch is among
them, if the answer takes 10 s or more or 0.73 of the other checkout's or more, or if a busy process more than
doubles the time of anything.

Run: python bench/startup.py [--runs 7] [--base CHECKOUT]
"""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
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
TWENTY = "the same with twenty questions"
QUESTIONS = [part for number in range(20) for part in ("-q", f"what color was car {number}")]
WORK = """
import sys, time
from tempo_cli import Tempo
for _ in range(2):
    started = time.perf_counter()
    with Tempo.load("nano") as tempo:
        tempo.ask(sys.argv[1], "what color was the car")
    seconds = time.perf_counter() - started
print(seconds)
"""
MOST_SECONDS = 10.0  # for the answer
MOST_OF_BASE = 0.73
MOST_BUSY = 2.0


def one_round(base: Path | None) -> dict[str, float]:
    """Seconds of each command, one after the other, and ratios."""
    seconds = {name: _seconds(name, command) for name, command in COMMANDS.items()}
    if base is not None:
        command = [sys.executable, "-m", "tempo_cli", *COMMANDS[ANSWER][1:]]
        seconds[BASE] = _seconds(BASE, command, PYTHONPATH=str(base / "src"))
        seconds[OF_BASE] = seconds[ANSWER] / seconds[BASE]
    seconds["an answer's own work"] = float(run_child([sys.executable, "-c", WORK, str(CHASE)]).output)
    seconds["floor: import torch, and that work"] = seconds["import torch"] + seconds["an answer's own work"]
    more = {ANSWER: COMMANDS[ANSWER], TWENTY: [*COMMANDS[ANSWER][:3], *QUESTIONS, "--model", "nano"]}
    seconds[TWENTY] = _seconds(TWENTY, more[TWENTY])
    with busy():
        for name, command in more.items():
            seconds[f"{name}{BUSY}"] = _seconds(name, command)
    for name in more:
        seconds[f"{name}{BUSY} / alone"] = seconds[f"{name}{BUSY}"] / seconds[name]
    return seconds


BASE, OF_BASE = "the same by --base", "over that of --base"
BUSY = ", beside a busy process"


@contextmanager
def busy() -> Iterator[None]:
    """A process that takes all it can get of one core, in a session of its own."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _seconds(name: str, command: list[str], **variables: str) -> float:
    before = {variable: os.environ.get(variable) for variable in variables}
    os.environ.update(variables)
    try:
        child = run_child(command)
    finally:
        for variable, value in before.items():
            os.environ.pop(variable)
            if value is not None:
                os.environ[variable] = value
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
    options_of = parser(__doc__, runs=7)
    options_of.add_argument("--base", type=Path, help="another checkout of this project to compare with")
    options = options_of.parse_args()
    neighbours = Neighbours()
    first = one_round(options.base)
    rounds = [one_round(options.base) for _ in range(options.runs)]
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
    slow = seconds[ANSWER] >= MOST_SECONDS or seconds.get(OF_BASE, 0) >= MOST_OF_BASE
    disturbed = any(value > MOST_BUSY for name, value in seconds.items() if name.endswith("/ alone"))
    return int("torch" in heavy or slow or disturbed)


if __name__ == "__main__":
    sys.exit(main())
