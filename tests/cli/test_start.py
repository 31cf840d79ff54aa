"""Help, version, settings: what happens before any work."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tempo_cli

from .conftest import FRACTAL, SHORT, Outcome

Tempo = Callable[..., Outcome]

HELP_WITHOUT_TORCH = """
import sys
from tempo_cli.cli.main import run
code = run(sys.argv[1:])
heavy = {"torch", "transformers", "tokenizers", "huggingface_hub", "PIL"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else code)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["ask", "--help"],
        ["inspect", "--help"],
        ["doctor", "--help"],
        ["--version"],
        [],
        ["ask", "missing.mp4"],
    ],
)
def test_nothing_heavy_is_imported_before_there_is_work(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP_WITHOUT_TORCH, *arguments], capture_output=True, text=True
    )
    assert (done.returncode, "imported" in done.stderr) == (2 if "missing.mp4" in arguments else 0, False)


@pytest.mark.parametrize(
    ("given", "used"),
    [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"), ({"GOMP_SPINCOUNT": "9"}, "None")],
)
def test_waiting_threads_leave_the_cores_to_the_decoder(given: dict[str, str], used: str) -> None:
    others = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code = (
        "import os, sys; from tempo_cli.__main__ import main; from tempo_cli.cli import main as cli; "
        "cli.main = lambda _: print(os.environ.get('OMP_WAIT_POLICY')); main()"
    )
    done = subprocess.run([sys.executable, "-c", code], env=others | given, capture_output=True, text=True)
    assert done.stdout == f"{used}\n"


def test_version(tempo: Tempo) -> None:
    assert tempo("--version") == Outcome(0, f"tempo {tempo_cli.__version__}\n", "")


def test_help_says_that_it_is_deaf(tempo: Tempo) -> None:
    for arguments in (["--help"], ["-h"], [], ["ask", "--help"]):
        assert "tempo sees but does not hear: it ignores audio and subtitles." in tempo(*arguments).out


def test_flag_before_variable_before_file_before_default(
    tempo: Tempo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def window(*more: object) -> int:
        run = tempo("ask", FRACTAL, "what", *SHORT, "--json", *more).json
        assert isinstance(run["sampling"]["window"], int)
        return int(run["sampling"]["window"])

    assert window() == 8
    settings = tmp_path / "config.toml"
    settings.write_text('window = 6\nmax-frames = 12\ncolor = "never"\nsampling = "time"\n')
    monkeypatch.setenv("TEMPO_CONFIG", str(settings))
    assert window() == 6
    sampling = tempo("ask", FRACTAL, "what", *SHORT, "--json").json["sampling"]
    assert (sampling["frames"], sampling["mode"]) == (12, "time")
    monkeypatch.setenv("TEMPO_SAMPLING", "index")
    monkeypatch.setenv("TEMPO_WINDOW", "5")
    assert window() == 5
    assert window("--window", 4) == 4
    assert tempo("ask", FRACTAL, "what", *SHORT, "--json").json["sampling"]["mode"] == "index"


def test_the_file_in_the_platforms_folder_is_found(tempo: Tempo, tmp_path: Path) -> None:
    folder = tmp_path / "config" / "tempo"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("window = 3")
    if sys.platform == "linux":
        assert tempo("ask", FRACTAL, "what", *SHORT, "--json").json["sampling"]["window"] == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("windw = 3", "'windw' in"),
        ("yes = true", "'yes' in"),
        ("window = [3]", "'window' in"),
        ("window =", "can't be read"),
        (None, "exist"),
    ],
)
def test_a_wrong_file_is_named(
    text: str | None, words: str, tempo: Tempo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tmp_path / "config.toml"
    if text is not None:
        settings.write_text(text)
    monkeypatch.setenv("TEMPO_CONFIG", str(settings))
    done = tempo("ask", FRACTAL, "what")
    assert done.code == 2
    assert words in done.err.splitlines()[0]


def test_installed_command_and_module_are_the_same() -> None:
    installed = Path(sys.executable).with_name("tempo")
    by_name = subprocess.run([installed, "--version"], capture_output=True, text=True, check=True)
    by_module = subprocess.run(
        [sys.executable, "-m", "tempo_cli", "--version"], capture_output=True, text=True
    )
    assert by_name.stdout == by_module.stdout == f"tempo {tempo_cli.__version__}\n"


def limited(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command in a shell whose `ulimit -v` is 300 MB."""
    shell = f'ulimit -v 300000; exec "{sys.executable}" -m tempo_cli "$@"'
    return subprocess.run(["bash", "-c", shell, "-", *arguments], capture_output=True, text=True)


def test_too_little_address_space_for_the_libraries_is_said_before_they_load() -> None:
    done = limited("ask", str(FRACTAL), "what")
    assert (done.returncode, done.stdout, done.stderr) == (
        6,
        "",
        "error: the address space is limited to 292 MiB; tempo needs 1024 MiB\n"
        "hint: Raise the limit: ulimit -v unlimited\n",
    )
    assert json.loads(limited("ask", str(FRACTAL), "what", "--json").stdout)["error"]["code"] == "memory"
