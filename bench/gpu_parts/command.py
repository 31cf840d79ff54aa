"""The whole command as users start it, and its ways out: right exit codes, and nothing left behind."""

import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from checkpoints import SIZES, write

from . import processes
from .internals import limited_command_source
from .results import Row
from .scale import NEW_TOKENS, QUESTION, ROOT, Bench

_COMMAND = [sys.executable, "-m", "tempo_cli"]
_EXAMPLE = ROOT / "examples/chase.mp4"
_EXAMPLE_QUESTION, _EXAMPLE_ANSWER = "what color was the car", "red"
_PATIENCE = 60.0  # seconds for one command
_SETTLED = 64 * 2**20  # bytes of the device that may differ afterwards: other processes' small change
_LITTLE = {"cuda": 16 * 2**20, "cpu": 2**20}  # bytes in which nano does not work
_INTERRUPTED, _OUT_OF_MEMORY = 130, 6


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


def run(bench: Bench, checkpoint: "subprocess.Popen[bytes]") -> None:
    """All rows; `checkpoint` is the process that writes the full-size one."""
    with bench.record.row("tempo ask with nano") as row, left_nothing(bench, row) as env:
        words = ["--model", "nano", _EXAMPLE, _EXAMPLE_QUESTION]
        _check_answer(bench, row, _ask(bench, words, env), "nano")
        row["ok"] = row["ok"] and _EXAMPLE_ANSWER in row["answer"]
    with bench.record.row("interrupt while compressing") as row, left_nothing(bench, row) as env:
        row["exit"], row["running"], shown = _interrupt(bench, env)
        row["ok"] = row["exit"] == _INTERRUPTED
        if not row["ok"]:
            row["screen"] = shown
    with bench.record.row("out of memory") as row, left_nothing(bench, row) as env:
        source = limited_command_source(bench.device, _LITTLE[bench.device])
        words = ["ask", "--device", bench.device, "--model", "nano", str(_EXAMPLE), _EXAMPLE_QUESTION]
        done = _done([sys.executable, "-c", source, *words], env)
        row |= {"exit": done.code, "message": done.err.strip().splitlines()[-2:]}
        row["ok"] = done.code == _OUT_OF_MEMORY and done.err.splitlines()[-1].startswith("hint: ")
    name = f"tempo ask with the {bench.scale.size} size"
    checkpoint.wait()
    model = write(bench.whole, SIZES[bench.scale.size])  # is there by now
    with bench.record.row(name) as row, left_nothing(bench, row) as env:
        segments, budget = bench.scale.asks[0]
        options = ["--budget", str(budget), "--fps", str(bench.scale.fps(segments))]
        options += ["--max-new-tokens", str(NEW_TOKENS)]
        words = ["--model", model, *options, bench.scale.clip(), QUESTION]
        _check_answer(bench, row, _ask(bench, words, env), str(model), segments)


def _ask(bench: Bench, words: Sequence[object], env: dict[str, str]) -> Outcome:
    options = ["--device", bench.device, "--json", "--quiet"]
    return _done([*_COMMAND, "ask", *options, *map(str, words)], env)


def _check_answer(bench: Bench, row: Row, done: Outcome, model: str, segments: int | None = None) -> None:
    """Facts of the run that stands on stdout, and whether it is what was asked for."""
    row["exit"] = done.code
    if done.code:
        row |= {"ok": False, "message": (done.out + done.err)[-500:]}
        return
    told: dict[str, Any] = json.loads(done.out)
    row |= {
        "answer": told["answer"]["text"] if model == "nano" else None,
        "device": told["model"]["device"],
        "dtype": told["model"]["dtype"],
        "segments": len(told["segments"]),
        "timing": told["timing"],
        "memory": told["memory"],
        "used": told["budget"]["used"],
        "peak_bytes": told["memory"]["device_peak_bytes"],
        "seconds": told["timing"]["total"],
    }
    row["ok"] = row["device"].startswith(bench.device) and segments in (None, row["segments"])


def _done(words: Sequence[str], env: dict[str, str]) -> Outcome:
    done = subprocess.run(
        words, env=env, capture_output=True, text=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def _interrupt(bench: Bench, env: dict[str, str]) -> tuple[int, list[str], str]:
    """Ctrl-C once the progress of compressing is on the screen: exit code, what ran then, and the screen."""
    options = ["--device", bench.device, "--model", "nano", "--fps", "8", "--window", "2"]
    words = [*_COMMAND, "ask", *options, str(bench.scale.clip()), QUESTION]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(words, env=env | {"TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown, running = b"", []
    with os.fdopen(ours, "rb", buffering=0) as screen, suppress(OSError):  # EIO: the other end is closed
        while piece := screen.read(4096):
            shown += piece
            if b"compress" in shown and not running:
                running = [process.args[0], *processes.descendants(process.pid).values()]
                process.send_signal(signal.SIGINT)
    names = [Path(name).name for name in running]
    return process.wait(_PATIENCE), names, shown.decode("utf-8", "replace")[-500:]


@contextmanager
def left_nothing(bench: Bench, row: Row) -> Iterator[dict[str, str]]:
    """The environment for a command; afterwards `row` tells what it left, and is not ok if anything is left.

    Looked for are processes, temporary files, and memory of the device.
    """
    known, before = processes.descendants(), _free(bench)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        temporary = Path(folder, "tmp")
        home.mkdir()
        temporary.mkdir()
        yield _environment(home, temporary)
        files = sorted(path.name for path in temporary.rglob("*"))
    row["left"] = {"processes": sorted(processes.settle(known, 3.0).values()), "files": files}
    if before is not None:
        row["left"]["device_bytes"] = _lost(bench, before)
    lost = row["left"].get("device_bytes", 0) > _SETTLED
    row["ok"] = row.get("ok", False) and not (row["left"]["processes"] or files or lost)
    row["note"] = f"exit {row.get('exit')}, left {row['left']}"


def _environment(home: Path, temporary: Path) -> dict[str, str]:
    """This one without settings of whoever runs it."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TEMPO_")}
    return plain | {"TMPDIR": str(temporary), "XDG_CONFIG_HOME": str(home), "HF_HUB_OFFLINE": "1"}


def _free(bench: Bench) -> int | None:
    return torch.cuda.mem_get_info()[0] if bench.device == "cuda" else None


def _lost(bench: Bench, before: int) -> int:
    """Bytes of the device that are not free any more; the driver may take a moment to give them back."""
    deadline = time.monotonic() + 5
    while (lost := before - (_free(bench) or 0)) > _SETTLED and time.monotonic() < deadline:
        time.sleep(0.1)
    return lost
