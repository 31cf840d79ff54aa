"""Output that can't be written, folders that can't be read, terminals of no width: an error, or no matter."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_cli.cli import console, settings, streams
from tempo_cli.cli.main import finish, run
from tempo_cli.cli.options import Color
from tempo_cli.errors import SetupError
from tempo_cli.hub import environment

from .conftest import COMMAND, FRACTAL, Outcome

Tempo = Callable[..., Outcome]
RUN = Path(__file__).parent / "run.json"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["inspect", str(RUN)], 5, "error: the output can't be written: No space left on device"),
        (["ask", "nosuch.mp4", "x", "--json"], 3, "error: 'nosuch.mp4' does not exist"),
        (["ask", "nosuch.mp4"], 2, "error: there is no question"),
    ],
)
def test_the_commands_own_failure_keeps_its_code_on_a_full_disk(
    arguments: list[str],
    code: int,
    words: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = streams._Out(os.open("/dev/full", os.O_WRONLY), "w")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8"))
    told: list[streams.OutputError] = []
    found = run(arguments)
    if not found:  # it is still in the buffer
        found = finish(found, lambda error: told.append(error) or 5)
        assert found == 5
        assert str(told[0]) == "[Errno 28] No space left on device"
    else:
        assert finish(found, lambda _: 1) == code
        assert capfd.readouterr().err.splitlines()[0] == words
    assert found == code


def test_what_cannot_be_shown_on_stderr_is_lost() -> None:
    raw = streams._Err(os.open("/dev/full", os.O_WRONLY), "w")
    with io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", line_buffering=True) as stream:
        stream.write("one\ntwo\n")


def test_a_closed_pipe_stays_what_it_is() -> None:
    theirs, ours = os.pipe()
    os.close(theirs)
    raw = streams._Out(ours, "w")
    with pytest.raises(BrokenPipeError):
        raw.write(b"x")
    raw.close()


def closed(which: str, *arguments: str) -> "tuple[int, bytes]":
    """A command with one stream closed: exit code and the other stream's text."""
    words = " ".join(f"'{word}'" for word in [*COMMAND, *arguments])
    done = subprocess.run(["/bin/sh", "-c", f"exec {words} {which}"], capture_output=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_closed_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    code, told = closed(">&-", "--version")
    assert (code, told.splitlines()) == (
        5,
        [b"error: the output can't be written: it is closed", b"hint: Leave standard output open."],
    )
    assert closed("2>&- <&-", "ask", "nosuch.mp4", "x") == (3, b"")
    monkeypatch.delenv("HF_HUB_OFFLINE")  # nobody is there to ask, so no connection is made
    code, told = closed("<&-", "ask", str(FRACTAL), "x", "--model", "no/such")
    assert (code, told.splitlines()[0]) == (4, b"error: the model no/such is not downloaded")
    code, told = closed(">&- 2>&-", "ask", "nosuch.mp4", "x", "--json")
    assert (code, told) == (3, b"")


@pytest.mark.parametrize(
    ("columns", "width"), [("0", 80), ("1", 20), ("99999999", 1000), ("x", 80), ("-5", 80)]
)
def test_any_columns_give_a_screen(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert console._rich(stderr=False, color=Color.never).width == width


def test_long_messages_lose_their_middle(tempo: Tempo) -> None:
    done = tempo("ask", FRACTAL, "what", "--model", "x" * 5000)
    assert done.code == 4
    assert len(done.err) < 1500
    assert " … " in done.err


def test_a_working_folder_that_is_gone(tempo: Tempo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    shutil.rmtree(folder)
    done = tempo("models")
    assert (done.code, done.err.splitlines()[0]) == (
        5,
        "error: the working folder was removed or can't be read",
    )


def test_no_home_at_all(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's bare user id."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)

    def unknown(*_: object) -> None:
        raise KeyError("no such user")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "~/.cache/huggingface/hub")
    assert settings.config_path() == Path(os.devnull)
    with pytest.raises(SetupError, match="can't locate tempo's data"):
        environment.data_folder()
    done = tempo("models")
    assert (done.code, done.out.splitlines()[0].split()[0]) == (0, "nano")
    done = tempo("ask", FRACTAL, "what")
    assert (done.code, done.err.splitlines()[1]) == (5, "hint: Set HOME, or set HF_HOME to a folder.")
    assert tempo("inspect", FRACTAL, "what", "--model", "nano", "--max-frames", 4, "--json").code == 0


def test_a_cache_that_may_not_be_read(tempo: Tempo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempo_cli.hub.locations.read_bytes", refused)
    done = tempo("ask", FRACTAL, "what")
    assert done.code == 5
    assert done.err.splitlines()[0].endswith("models--Vision-CAIR--Tempo-6B can't be read: Permission denied")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = " + b"[" * 100_000, "it is nested too deeply"),
        (b"seed = " + b"9" * 5000, "a number has too many digits"),
        (b"\xff", "can't decode"),
        (b"seed = " + b"9" * 400, "'seed' in"),
        (b"fps = 1e400", "fps is inf"),
        (b"model = true", "'model' in"),
        (b"no-ata = 1", "'no-ata' in"),
        (b"fps = []", "'fps' in"),
        (bytes(2**20 + 1), "it has more than 1,048,576 bytes"),
    ],
)
def test_hostile_configuration_files(
    content: bytes, words: str, tempo: Tempo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    monkeypatch.setenv("TEMPO_CONFIG", str(path))
    done = tempo("ask", FRACTAL, "what", "--model", "nano" if b"model" not in content else "")
    assert (done.code, done.err.count("\n")) == (2, 2)
    assert words in done.err


def test_configurations_that_are_no_files(
    tempo: Tempo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("/dev/zero", str(tmp_path / "pipe"), str(tmp_path), "~nosuchuser/x", "x" * 5000):
        monkeypatch.setenv("TEMPO_CONFIG", name)
        assert tempo("ask", FRACTAL, "what").code == 2
    monkeypatch.setenv("TEMPO_CONFIG", os.devnull)
    assert tempo("models").code == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--temperature", "1e-320"), ("--temperature", "1e999"), ("--seed", str(2**64)), ("--seed", "-1"),
        ("--fps", "1e13"), ("--fps", "nan"), ("--max-frames", "1000000000000000"), ("--window", "9" * 30),
        ("--budget", "9" * 5000), ("--context", "16"), ("--max-new-tokens", "9" * 20),
        ("--max-pixels", "9" * 40), ("--top", "9" * 5000), ("--top", "\u0663"),
    ],
)  # fmt: skip
def test_numbers_at_the_edge(option: str, value: str, tempo: Tempo) -> None:
    done = tempo("ask", FRACTAL, "what", "--model", "nano", option, value)
    assert (done.code, done.err.count("\n")) == (2, 2)


def test_without_unicode_bars_are_drawn_in_ascii() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "COLUMNS": "80"}
    done = subprocess.run([*COMMAND, "inspect", RUN], env=environment, capture_output=True, check=True)
    lines = done.stdout.decode("ascii").splitlines()
    assert "relevance " + "-" * 29 + "#" * 30 + "=" * 11 in lines
    assert "tokens    " + "_" * 29 + "#" * 30 + ":" * 11 in lines
    assert lines[-3:] == [
        "~   1 more at 4 tokens",
        "    3 segments - 180 of 8,192 tokens - highest relevance 0.95 - decode 0.3 s",
        "    compress 0.5 s - 292 tokens/s",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("▏▎▍▌▋▊▉█", ".::==++#"), ("“a” → ✓✗", '"a" > +x'), ("ü\u2028😀", "\\xfc\\u2028\\U0001f600")],
)
def test_a_character_that_the_encoding_lacks(text: str, shown: str) -> None:
    assert text.encode("ascii", streams.PLAIN).decode() == shown
