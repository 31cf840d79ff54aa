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
    "ask-verbose": ["ask", "a.mp4", WHAT, *SHORT, "--verbose"],
    "ask-no-ata": ["ask", "a.mp4", WHAT, *SHORT, "--no-ata", "--json"],
    "ask-with-filename": ["ask", "a.mp4", *TWO, *SHORT, "-H"],
    "ask-files": ["ask", "a.mp4", WHAT, *SHORT, "-o", "a.json", "--html", "a.html", "--svg", "a.svg"],
    "ask-json": ["ask", "a.mp4", WHAT, *SHORT, "--json"],
    "ask-two-questions": ["ask", "a.mp4", *TWO, *SHORT],
    "ask-two-questions-csv": ["ask", "a.mp4", *TWO, *SHORT, "--format", "csv"],
    "ask-several": ["ask", "a.mp4", "bad.mp4", "b.mp4", *TWO, *SHORT],
    "ask-several-json": ["ask", "a.mp4", "bad.mp4", "-q", WHAT, *SHORT, "--json"],
    "batch": ["batch", "jobs.jsonl", *SHORT],
    "batch-to-file": ["batch", "jobs.jsonl", *SHORT, "-o", "results.jsonl"],
    "batch-html": ["batch", "a.mp4", "-q", WHAT, *SHORT, "-o", "results.jsonl", "--html", "pages"],
    "batch-progress-json": ["batch", "jobs.jsonl", *SHORT, "--progress", "json"],
    "clips": ["clips", "run.json", "-o", "parts"],
    "clips-copy-json": ["clips", "run.json", "-o", "parts", "--copy", "--json"],
    "clips-nothing": ["clips", "run.json", "-o", "parts", "--min-relevance", "1"],
    "clips-dry-run": ["clips", "run.json", "-o", "parts", "--dry-run"],
    "clips-dry-run-json": ["clips", "run.json", "-o", "parts", "--dry-run", "--json"],
    **{f"models-{name}": ["models", "--format", name] for name in TABLE_FORMATS},
    "models": ["models"],
    "models-to-file": ["models", "-o", "models.csv"],
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
    "error-nothing-given": ["ask"],
    "error-format": ["inspect", "run.json", "--format", "docx"],
    "error-formats": ["inspect", "run.json", "--format", "csv", "--json"],
    "error-ending": ["inspect", "run.json", "-o", "run.docx"],
    "error-there-already": ["inspect", "run.json", "-o", "run.json"],
    "error-folder": ["inspect", "run.json", "--html", "none/run.html"],
    "error-usage": ["ask", "a.mp4", WHAT, *SHORT, "--fps", "x"],
    "error-usage-json": ["ask", "a.mp4", WHAT, *SHORT, "--fps", "x", "--json"],
    "error-model": ["ask", "a.mp4", WHAT, "--model", "./none"],
    "error-saved": ["inspect", "a.mp4"],
}
PULLS: dict[str, list[str]] = {
    "pull-nano": ["pull", "nano"],
    "pull": ["pull", "tiny/tempo"],
    "pull-quiet": ["pull", "tiny/tempo", "--quiet"],
    "pull-dry-run": ["pull", "tiny/tempo", "--dry-run"],
    "pull-offline": ["pull", "tiny/tempo", "--offline"],
    "pull-unknown": ["pull", "tiny/none"],
    "pull-folder": ["pull", "."],
}
PULLED: dict[str, list[str]] = {
    "models-pulled": ["models"],
    "models-pulled-json": ["models", "--json"],
    "models-verify-hub": ["models", "verify", "tiny/tempo"],
    "models-verify-damaged": ["models", "verify", "tiny/tempo"],
    "models-verify-damaged-json": ["models", "verify", "tiny/tempo", "--json"],
    "models-rm": ["models", "rm", "tiny/tempo"],
    "models-rm-yes": ["models", "rm", "tiny/tempo", "--yes"],
    "models-rm-quiet": ["models", "rm", "tiny/tempo", "--yes", "--quiet"],
}
OTHERS = ("cache-kept", "doctor-device-test")
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
    text = re.sub(r"\d+ min \d+ s\b", "N", text)
    text = re.sub(r"\d+(?:\.\d+)? (?:ms|s|min|KB|MB|GB|TB|[KMGT]iB|bytes)\b", "N", text)
    return re.sub(r"\d+\.\d{4,}", lambda number: f"{float(number[0]):.3f}", text)


def damage(folder: Path) -> None:
    """Change one bit of a pulled model's weights, in a cache below `folder`."""
    (weights,) = folder.rglob("snapshots/aaa*/model.safetensors")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.resolve().write_bytes(data)


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


@pytest.mark.parametrize("name", PULLED)
def test_what_is_written_about_a_pulled_model(name: str, tempo: Tempo, folder: Path, hub: FakeHub) -> None:
    assert tempo("pull", "tiny/tempo", "--quiet").code == 0
    if "damaged" in name:
        damage(folder.parent)
    done = tempo(*PULLED[name])
    shown = f"exit {done.code}\n--- stdout\n{done.out}--- stderr\n{done.err}"
    compare(name, lasting(shown, folder).replace(hub.url, "https://hub"))


def test_what_is_written_about_kept_frames(
    tempo: Tempo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempo_cli.video.kept.WORTH_KEEPING", 0.0)
    os.utime("a.mp4", (1_600_000_000, 1_600_000_000))  # nothing is kept of a file that was just written
    assert tempo("inspect", "a.mp4", WHAT, *SHORT[:4], "--json").code == 0
    words, found = tempo("cache"), tempo("cache", "--json")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-01-01 12:00", words.out)
    text += re.sub(r'"(used|bytes)": [0-9.]+', r'"\1": 0', found.out)
    compare("cache-kept", lasting(f"exit {words.code}, {found.code}\n{text}", folder))


def test_what_a_device_test_writes(tempo: Tempo, folder: Path) -> None:
    done = tempo("doctor", "--device-test", "--device", "cpu")
    text = re.sub(r"error [\d.e-]+|(?<=, )[\d.e-]+(?= in )", "error E", done.out)
    compare("doctor-device-test", lasting(f"exit {done.code}\n{text}", folder))


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
    assert {file.stem for file in SNAPSHOTS.iterdir()} == {*CASES, *PULLS, *PULLED, *DOCTOR, *OTHERS}
