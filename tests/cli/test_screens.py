"""What a terminal shows after each command, compared with a recorded screen in `screens/`.

`UPDATE_SNAPSHOTS=1 python -m pytest tests/cli/test_screens.py` records them again: look at each.
"""

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..hub.server import FakeHub, Fault
from .conftest import MODEL, SHORT, WHAT, Outcome, on_terminal
from .screen import Screen, wrapped
from .test_snapshots import TWO, compare, damage, lasting

Tempo = Callable[..., Outcome]
SCREENS = Path(__file__).parent / "screens"
COLUMNS = 80
CASES: dict[str, list[str]] = {
    "ask": ["ask", "a.mp4", WHAT, *SHORT],
    "ask-two-questions": ["ask", "a.mp4", *TWO, *SHORT],
    "ask-several": ["ask", "a.mp4", "bad.mp4", "b.mp4", "-q", WHAT, *SHORT],
    "ask-quiet": ["ask", "a.mp4", WHAT, *SHORT, "--quiet"],
    "ask-verbose": ["ask", "a.mp4", WHAT, *SHORT, "--verbose", "--top", "all"],
    "ask-to-file": ["ask", "a.mp4", WHAT, *SHORT, "-H", "--top", "0", "-o", "run.srt", "--html", "run.html"],
    "inspect": ["inspect", "a.mp4", WHAT, *SHORT[:4]],
    "inspect-saved-two": ["inspect", "run.json", "run.json"],
    "inspect-saved-files": ["inspect", "run.json", "-o", "run.md", "--png", "run.png", "--svg", "run.svg"],
    "inspect-saved-csv": ["inspect", "run.json", "--format", "csv"],
    "batch": ["batch", "jobs.jsonl", "-o", "results.jsonl", *SHORT],
    "batch-quiet": ["batch", "jobs.jsonl", "-o", "results.jsonl", *SHORT, "--quiet"],
    "clips": ["clips", "run.json", "-o", "parts"],
    "clips-copy": ["clips", "run.json", "-o", "parts", "--copy", "--top", "1"],
    "clips-dry-run": ["clips", "run.json", "-o", "parts", "--dry-run"],
    "clips-nothing": ["clips", "run.json", "-o", "parts", "--min-relevance", "1"],
    "cache-path": ["cache", "path"],
    "error-video": ["ask", "bad.mp4", WHAT, *SHORT],
    "error-usage": ["ask", "a.mp4", WHAT, *SHORT, "--fps", "x"],
    "error-command": ["asks", "a.mp4"],
    "error-model": ["ask", "a.mp4", WHAT, "--model", "./none"],
    "error-saved": ["inspect", "a.mp4"],
    "error-clips": ["clips", "run.json"],
    "error-there-already": ["inspect", "run.json", "-o", "jobs.jsonl"],
}
STYLED = ("ask", "error-video", "doctor-problem", "terminal-40", "terminal-80", "terminal-160")
HUB: dict[str, tuple[list[str], str]] = {  # with what is typed at the question
    "pull": (["pull", "tiny/tempo"], ""),
    "pull-dry-run": (["pull", "tiny/tempo", "--dry-run"], ""),
    "pull-nano": (["pull", "nano"], ""),
    "pull-unknown": (["pull", "tiny/none"], ""),
    "pull-offered": (["inspect", "a.mp4", WHAT, "--device", "cpu", "--model", "tiny/tempo"], "y"),
    "pull-declined": (["inspect", "a.mp4", WHAT, "--model", "tiny/tempo"], "n"),
    "models-none": (["models"], ""),
}
PULLED: dict[str, tuple[list[str], str]] = {
    "models": (["models"], ""),
    "models-file": (["models", "-o", "models.md"], ""),
    "models-verify": (["models", "verify", "tiny/tempo"], ""),
    "models-verify-damaged": (["models", "verify", "tiny/tempo"], ""),
    "models-rm": (["models", "rm", "tiny/tempo"], "y"),
    "models-rm-declined": (["models", "rm", "tiny/tempo"], "n"),
    "models-rm-yes": (["models", "rm", "tiny/tempo", "--yes"], ""),
}
DOCTOR = ("doctor", "doctor-problem")
CACHE = {"cache": ["cache"], "cache-clear": ["cache", "clear"]}
WIDTHS = (40, 80, 160)
OTHERS = ("clips-there-already", "batch-again", "pull-interrupted")


@pytest.fixture
def terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder. How wide the terminal is, only the terminal says."""
    monkeypatch.delenv("COLUMNS")
    return folder


def check(
    name: str,
    *arguments: object,
    columns: int = COLUMNS,
    normal: Callable[[str], str],
    **more: Any,
) -> None:
    """Run a command on a terminal; compare the screen that it leaves, and the bars that were on it last."""
    code, written = on_terminal(*arguments, columns=columns, **more)
    screen = Screen(written)
    assert screen.cursor_shown
    shown = wrapped(normal(screen.text(styles=name in STYLED)), columns if name not in STYLED else 1000)
    bars = "".join(f"{bar}\n" for bar in map(moving, screen.passing))
    if bars:
        bars = f"--- last progress\n{bars}"
    compare(name, f"exit {code}\n{bars}--- screen\n{shown}", SCREENS)


def moving(bar: str) -> str:
    """A progress bar without what changes with the machine's speed."""
    bar = re.sub(r"[━╸╺]+", "━━━━━━━━", bar)
    bar = re.sub(r"[⠀-⣿]", "⠿", bar)
    bar = re.sub(r"\d+(\.\d+)? [kMG]?B/s|(?<= )\?(?= )", "N MB/s", bar)
    return re.sub(r"-:--:--|\d+:\d\d:\d\d|\d+(\.\d+)? (ms|s|min)\b", "TIME", bar)


def settled(folder: Path) -> Callable[[str], str]:
    """What makes a screen the same everywhere and every time."""
    return lambda text: re.sub(r"\b\d+ tokens/s", "N tokens/s", lasting(text, folder))


@pytest.mark.parametrize("name", CASES)
def test_what_a_terminal_shows(name: str, terminal: Path) -> None:
    check(name, *CASES[name], normal=settled(terminal))


@pytest.mark.parametrize("columns", WIDTHS)
def test_terminals_of_several_widths(columns: int, terminal: Path) -> None:
    check(f"terminal-{columns}", "inspect", "run.json", columns=columns, normal=settled(terminal))


@pytest.mark.parametrize("name", HUB)
def test_downloads(name: str, terminal: Path, hub: FakeHub) -> None:
    words, reply = HUB[name]
    check(name, *words, reply=reply.encode(), normal=settled(terminal))
    assert hub.url


def test_an_interrupted_download(terminal: Path, hub: FakeHub) -> None:
    hub.faults["tiny/tempo/model.safetensors"] = Fault(slow=1_000_000)
    check("pull-interrupted", "pull", "tiny/tempo", interrupt_at=b"1.0/2.1 MB", normal=settled(terminal))


@pytest.mark.parametrize("name", PULLED)
def test_models(name: str, terminal: Path, hub: FakeHub, tempo: Tempo) -> None:
    assert tempo("pull", "tiny/tempo", "--quiet").code == 0
    if name == "models-verify-damaged":
        damage(terminal.parent)
    words, reply = PULLED[name]
    check(name, *words, reply=reply.encode(), normal=settled(terminal))
    assert hub.url


@pytest.mark.parametrize("name", CACHE)
def test_kept_frames(name: str, terminal: Path, tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempo_cli.video.kept.WORTH_KEEPING", 0.0)
    os.utime("a.mp4", (1_600_000_000, 1_600_000_000))  # nothing is kept of a file that was just written
    assert tempo("inspect", "a.mp4", WHAT, *SHORT[:4], "--json").code == 0

    def normal(text: str) -> str:
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-01-01 12:00", settled(terminal)(text))

    check(name, *CACHE[name], normal=normal)


def test_clips_that_are_there_already(terminal: Path, tempo: Tempo) -> None:
    assert tempo("clips", "run.json", "-o", "parts", "--copy").code == 0
    words = ["clips", "run.json", "-o", "parts", "--copy"]
    check("clips-there-already", *words, normal=settled(terminal))


def test_a_batch_that_is_done(terminal: Path, tempo: Tempo) -> None:
    assert tempo("batch", "jobs.jsonl", "-o", "results.jsonl", *SHORT).code == 7
    check("batch-again", "batch", "jobs.jsonl", "-o", "results.jsonl", *SHORT, normal=settled(terminal))


@pytest.fixture
def short_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for settings and caches whose path always has the same length: tables break it."""
    with tempfile.TemporaryDirectory(prefix="tempo-", dir="/tmp") as name:
        here = Path(name)
        (here / "tiny").symlink_to(MODEL.parent)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(here / "config"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
        monkeypatch.setenv("HF_HOME", str(here / "hf"))
        monkeypatch.setenv("TEMPO_MODEL", str(here / "tiny" / "Tempo-tiny"))
        for variable in ("HF_TOKEN", "HF_HUB_CACHE", "HF_ENDPOINT", "COLUMNS"):
            monkeypatch.delenv(variable, raising=False)
        yield here


@pytest.mark.parametrize("name", DOCTOR)
def test_the_doctor(name: str, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "doctor-problem":
        monkeypatch.setenv("TEMPO_FPS", "x")
        monkeypatch.setenv("TEMPO_MAX_FRAME", "8")

    def normal(text: str) -> str:
        text = text.replace(str(short_path), "/tmp/tempo-xxxxxxxx")
        return re.sub(r"[\d.]+ [GT]B of disk", "N of disk", text)

    stub = [sys.executable, str(Path(__file__).parent / "doctor_stub.py")]
    check(name, "doctor", command=stub, normal=normal)


def test_the_emulation_of_a_terminal() -> None:
    bar = "decode 1/2\ndecode 2/2"
    erased = "\r\x1b[1A\x1b[2K\x1b[1A\x1b[2K"
    shown = Screen(f"one\ntwo\rT\n\x1b[?25l{bar}\n{erased}\x1b[1;32mdone\x1b[0m \x1b[2m!\x1b[0m")
    assert shown.text() == "one\nTwo\ndone !"
    assert shown.text(styles=True).endswith("{bold green}done{} {dim}!{}")
    assert shown.passing == ["decode 1/2", "decode 2/2"]
    assert not shown.cursor_shown
    assert Screen("bar\r\x1b[2K").passing == ["bar"]
    for unknown in ("\x1b[3J", "a\tb", "\x1b]0;title"):
        with pytest.raises(ValueError, match="what does"):
            Screen(unknown)
    assert wrapped("abcde\n\nf", 2) == "ab\ncd\ne\n\nf"


def test_no_screen_is_left_over() -> None:
    widths = [f"terminal-{columns}" for columns in WIDTHS]
    known = {*CASES, *HUB, *PULLED, *DOCTOR, *CACHE, *widths, *OTHERS}
    assert {file.stem for file in SCREENS.iterdir()} == known
