"""Running the command: in this process, or as one of its own where that makes a difference."""

import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tempo_cli.cli.main import run

GOLDEN = Path(__file__).parent.parent / "golden"
MODEL = GOLDEN / "checkpoints" / "a" / "Tempo-tiny"
FRACTAL = GOLDEN / "videos" / "fractal.mp4"
COMMAND = [sys.executable, "-m", "tempo_cli"]
CUT = "the answer was cut off after 24 tokens (--max-new-tokens)"  # of every answer with SHORT
WHAT = "what color was the car"
SHORT = ["--model", str(MODEL), "--device", "cpu", "--max-new-tokens", "24"]


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        (line,) = self.out.splitlines()
        value: dict[str, Any] = json.loads(line)
        return value


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no configuration file of whoever runs the tests has a say."""
    for name in list(os.environ):
        if name.startswith("TEMPO_") or name in ("FORCE_COLOR", "NO_COLOR", "GITHUB_ACTIONS", "COLUMNS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def tempo(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run the command line here, with stdout and stderr as pipes."""

    def call(*arguments: object) -> Outcome:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: two videos, a broken one, a saved run, jobs."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    shutil.copy(FRACTAL, here / "a.mp4")
    shutil.copy(GOLDEN / "videos" / "pattern.mp4", here / "b.mp4")
    (here / "bad.mp4").write_text("no video")
    facts = (here / "a.mp4").stat()
    value = json.loads((Path(__file__).parent / "run.json").read_text())
    value["video"] |= {
        "path": "a.mp4", "constant_rate": True, "duration": 40.0,
        "size": facts.st_size, "mtime": facts.st_mtime,
    }  # fmt: skip
    (here / "run.json").write_text(json.dumps(value))
    jobs = [{"video": video, "question": WHAT} for video in ("a.mp4", "bad.mp4")]
    (here / "jobs.jsonl").write_text("".join(json.dumps(job) + "\n" for job in jobs))
    return here


def spawn(*arguments: object, **more: Any) -> "subprocess.Popen[bytes]":
    """Start the command as a process of its own, output to pipes."""
    words = [str(argument) for argument in arguments]
    return subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def on_terminal(
    *arguments: object,
    columns: int = 80,
    interrupt_at: bytes | None = None,
    reply: bytes = b"",
    command: Sequence[str] = COMMAND,
) -> tuple[int, str]:
    """Run the command with a terminal of `columns` cells on all streams: exit code and what was shown.

    Args:
        command: what is run instead of `tempo`.
        interrupt_at: send SIGINT once this was shown.
        reply: what is typed at the first question.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    words = [str(argument) for argument in arguments]
    # readline, which pytest imports, adds COLUMNS to the process's environment behind Python's back
    environment = dict(os.environ)
    process = subprocess.Popen(
        [*command, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the terminal's way of saying that the other end is closed
            break
        if not piece:
            break
        shown += piece
        if interrupt_at is not None and interrupt_at in shown:
            process.send_signal(signal.SIGINT)
            interrupt_at = None
        if reply and b"[y/N] " in shown:
            os.write(ours, reply + b"\n")
            reply = b""
    os.close(ours)
    return process.wait(), shown.decode("utf-8", "replace").replace("\r\n", "\n")
