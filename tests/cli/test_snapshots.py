"""What every command writes in every mode, compared with a recorded snapshot.

`UPDATE_SNAPSHOTS=1 python -m pytest tests/cli/test_snapshots.py` records `snapshots/` again: read the diff.
The runs come from a saved run and from a golden checkpoint, so nothing here depends on what a model knows.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_cli import __version__
from tempo_cli.cli.options import RUN_FORMATS, TABLE_FORMATS

from ..hub.server import FakeHub
from .conftest import MODEL, SHORT, WHAT, Outcome
from .doctor_stub import findings

Tempo = Callable[..., Outcome]
SNAPSHOTS = Path(__file__).parent / "snapshots"
WRITE = os.environ.get("UPDATE_SNAPSHOTS") == "1"
TWO = ["-q", WHAT, "-q", "where is it"]
CASES: dict[str, list[str]] = {
    **{f"inspect-saved-{name}": ["inspect", "run.json", "--format", name] for name in RUN_FORMATS},
    "inspect-saved": ["inspect", "run.json"],
    "inspect-saved-sorted": ["inspect", "run.json", "--sort", "relevance", "--top", "all"],
    "inspect-saved-least": ["inspect", "run.json", "--min-relevance", "0.99"],
    "inspect-saved-two": ["inspect", "run.json", "run.json", "--format", "csv"],
    "inspect": ["inspect", "a.mp4", WHAT, *SHORT[:4]],
    "inspect-json": ["inspect", "a.mp4", WHAT, *SHORT[:4], "--json"],
    "ask": ["ask", "a.mp4", WHAT, *SHORT],
    "ask-quiet": ["ask", "a.mp4", WHAT, *SHORT, "--quiet"],
    "ask-json": ["ask", "a.mp4", WHAT, *SHORT, "--json"],
    "ask-two-questions": ["ask", "a.mp4", *TWO, *SHORT],
    "ask-two-questions-csv": ["ask", "a.mp4", *TWO, *SHORT, "--format", "csv"],
    "ask-several": ["ask", "a.mp4", "bad.mp4", "b.mp4", *TWO, *SHORT],
    "ask-several-json": ["ask", "a.mp4", "bad.mp4", "-q", WHAT, *SHORT, "--json"],
    "batch": ["batch", "jobs.jsonl", *SHORT],
    "batch-progress-json": ["batch", "jobs.jsonl", *SHORT, "--progress", "json"],
    "clips": ["clips", "run.json", "-o", "parts"],
    "clips-copy-json": ["clips", "run.json", "-o", "parts", "--copy", "--json"],
    "clips-nothing": ["clips", "run.json", "-o", "parts", "--min-relevance", "1"],
    "clips-dry-run": ["clips", "run.json", "-o", "parts", "--dry-run"],
    "clips-dry-run-json": ["clips", "run.json", "-o", "parts", "--dry-run", "--json"],
    **{f"models-{name}": ["models", "--format", name] for name in TABLE_FORMATS},
    "models": ["models"],
    "cache": ["cache"],
    "cache-json": ["cache", "--json"],
    "cache-path": ["cache", "path"],
    "cache-clear": ["cache", "clear"],
    "models-verify": ["models", "verify", "nano", "--offline"],
    "models-verify-json": ["models", "verify", "nano", "--offline", "--json"],
    "error-models-rm": ["models", "rm", "tiny/none", "--yes"],
    "error-video": ["ask", "bad.mp4", WHAT, *SHORT],
    "error-video-json": ["ask", "bad.mp4", WHAT, *SHORT, "--json"],
    "error-video-csv": ["ask", "bad.mp4", WHAT, *SHORT, "--format", "csv"],
    "error-usage": ["ask", "a.mp4", WHAT, *SHORT, "--fps", "x"],
    "error-usage-json": ["ask", "a.mp4", WHAT, *SHORT, "--fps", "x", "--json"],
    "error-model": ["ask", "a.mp4", WHAT, "--model", "./none"],
    "error-saved": ["inspect", "a.mp4"],
}
PULLS: dict[str, list[str]] = {
    "pull": ["pull", "tiny/tempo"],
    "pull-quiet": ["pull", "tiny/tempo", "--quiet"],
    "pull-dry-run": ["pull", "tiny/tempo", "--dry-run"],
    "pull-offline": ["pull", "tiny/tempo", "--offline"],
    "pull-unknown": ["pull", "tiny/none"],
    "pull-folder": ["pull", "."],
}
DOCTOR: dict[str, list[str]] = {
    "doctor": ["doctor"],
    "doctor-json": ["doctor", "--json"],
    "doctor-problem": ["doctor"],
}


def lasting(text: str, folder: Path) -> str:
    """`text` without what differs from run to run and from machine to machine."""
    text = text.replace(str(folder.parent), "/tmp").replace(str(MODEL.parent.parent.parent), "golden")
    text = re.sub(r"[^\s\"|,]*tempo\\?_cli/nano", "tempo_cli/nano", text)
    text = text.replace(json.dumps(__version__), '"VERSION"')
    text = re.sub(r'"(timing|memory|decoder)": \{[^}]*\}', r'"\1": {}', text)
    text = re.sub(r'"(mtime|size|seconds_left)": [0-9.]+', r'"\1": 0', text)
    text = re.sub(r"\b(?:\d{6,}|\d{1,3}(?:,\d{3}){2,})\b", "N", text)  # bytes
    text = re.sub(r"\d+(?:\.\d+)? (?:ms|s|min|KB|MB|GB|TB|[KMGT]iB|bytes)\b", "N", text)
    return re.sub(r"\d+\.\d{4,}", lambda number: f"{float(number[0]):.3f}", text)


def compare(name: str, found: str, folder: Path = SNAPSHOTS) -> None:
    """Fail unless `found` is the snapshot of this name."""
    file = folder / f"{name}.txt"
    if WRITE:
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_what_a_command_writes(name: str, tempo: Tempo, folder: Path) -> None:
    done = tempo(*CASES[name])
    shown = f"exit {done.code}\n--- stdout\n{done.out}--- stderr\n{done.err}"
    compare(name, lasting(shown, folder))


@pytest.mark.parametrize("name", PULLS)
def test_what_a_pull_writes(name: str, tempo: Tempo, folder: Path, hub: FakeHub) -> None:
    done = tempo(*PULLS[name])
    shown = f"exit {done.code}\n--- stdout\n{done.out}--- stderr\n{done.err}"
    compare(name, lasting(shown, folder).replace(hub.url, "https://hub"))


@pytest.mark.parametrize("name", DOCTOR)
def test_what_the_doctor_writes(
    name: str, tempo: Tempo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings, kept frames and models are real; machine, ffmpeg and torch are not the same everywhere."""
    if name == "doctor-problem":
        monkeypatch.setenv("TEMPO_FPS", "x")
        monkeypatch.setenv("TEMPO_MAX_FRAME", "8")
    monkeypatch.setenv("TEMPO_MODEL", str(MODEL))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://huggingface.co")
    for module, function in findings(name == "doctor-problem").items():
        monkeypatch.setattr(f"tempo_cli.doctor.{module}.findings", function)
    done = tempo(*DOCTOR[name])
    shown = f"exit {done.code}\n--- stdout\n{done.out}--- stderr\n{done.err}"
    compare(name, lasting(shown, folder))


def test_no_snapshot_is_left_over() -> None:
    assert {file.stem for file in SNAPSHOTS.iterdir()} == {*CASES, *PULLS, *DOCTOR}
