"""Messages name what was wrong in words that help: the variable, the line in the file, the command's help."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_cli.cli.help import PANELS
from tempo_cli.hub.inventory import packaged

from .conftest import FRACTAL, SHORT, Outcome

Tempo = Callable[..., Outcome]
RUN = Path(__file__).parent / "run.json"
ASK = ["ask", FRACTAL, "what"]


def said(done: Outcome) -> tuple[int, str, str]:
    error, hint = done.err.splitlines()
    return done.code, error.removeprefix("error: "), hint.removeprefix("hint: ")


SEE = "See: tempo ask --help"


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ([*ASK, "--modle", "nano"], "there is no option --modle", f"Did you mean --model? {SEE}"),
        ([*ASK, "--frobnicate"], "there is no option --frobnicate", SEE),
        ([*ASK, "--fps", "x"], "--fps: 'x' is not a number", SEE),
        ([*ASK, "--max-frames", "1.5"], "--max-frames: '1.5' is not a whole number", SEE),
        ([*ASK, "--sampling", "odd"], "--sampling: 'odd' is not one of 'auto', 'index', 'time'", SEE),
        (
            [*ASK, "--top", "some"],
            "top is 'some', neither a number nor 'all'",
            "10 is usual; 0 shows no table.",
        ),
        ([*ASK, "--fps"], "Option '--fps' requires an argument", SEE),
        (["ask"], "VIDEO is missing", SEE),
        (["clips", "a.mp4", "what"], "--output FOLDER is missing", SEE.replace("ask", "clips")),
        (["aks"], "there is no command 'aks'", "Did you mean ask? See: tempo --help"),
        (["frobnicate"], "there is no command 'frobnicate'", "See: tempo --help"),
        (["models", "verfy"], "there is no command 'verfy'", "Did you mean verify? See: tempo models --help"),
        (
            ["ask", RUN, "what"],
            f"'{RUN}' is a saved run, not a video",
            f"Show it with: tempo inspect {RUN}",
        ),
        (
            ["ask", "https://example.org/watch?v=a&t=3", "what"],
            "'https://example.org/watch?v=a&t=3' is a URL",
            "Download it first, for example with yt-dlp.",
        ),
    ],
)
def test_usage(arguments: list[object], message: str, hint: str, tempo: Tempo) -> None:
    assert said(tempo(*arguments)) == (2, message, hint)


@pytest.mark.parametrize(
    ("variable", "value", "line", "wrong"),
    [
        ("TEMPO_FPS", "x", 'fps = "x"', "'x' is not a number"),
        ("TEMPO_TOP", "some", 'top = "some"', "top is 'some', neither a number nor 'all'"),
        ("TEMPO_FPS", "-1", "fps = -1", "fps is -1; it can be from 1e-06 to 1,000"),
        ("TEMPO_MAX_FRAMES", "0", "max-frames = 0", "max_frames is 0"),
    ],
)
def test_the_variable_or_the_line_of_the_file_is_named(
    variable: str, value: str, line: str, wrong: str, tempo: Tempo, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, value)
    code, message, _ = said(tempo(*ASK))
    assert (code, message.startswith(f"{variable}: {wrong}")) == (2, True)
    monkeypatch.delenv(variable)
    file = tmp_path / "config.toml"
    file.write_text(line)
    monkeypatch.setenv("TEMPO_CONFIG", str(file))
    code, message, _ = said(tempo(*ASK))
    name = line.split(" ")[0]
    assert (code, message.startswith(f"'{name}' in '{file}': {wrong}")) == (2, True)


def test_a_flag_that_is_wrong_is_named_although_there_is_a_variable(
    tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPO_FPS", "3")
    assert said(tempo(*ASK, "--fps", "-1"))[1].startswith("fps is -1")


def test_a_model_that_was_probably_meant(tempo: Tempo) -> None:
    code, message, hint = said(tempo(*ASK, "--model", "nono"))
    assert (code, message) == (4, "there is no model 'nono'")
    assert hint == "Did you mean nano? Or give a folder or a Hub repository."
    assert said(tempo(*ASK, "--model", "other"))[2].startswith("Give nano, a folder, or a Hub repository")


def test_without_the_default_model_the_one_that_comes_along_is_named(
    tempo: Tempo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    (nano,) = packaged()
    code, message, hint = said(tempo(*ASK, "--offline"))
    assert (code, message) == (4, "the model Vision-CAIR/Tempo-6B is not downloaded")
    assert hint.endswith(f"A small model comes with tempo, --model nano: {nano.scope}")
    assert "nano" not in said(tempo(*ASK, "--offline", "--model", "some/model"))[2]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = tempo("doctor", "--json")
    assert (done.code, done.json["status"]) == (0, "ok")
    (model,) = [
        check for check in done.json["checks"] if (check["section"], check["check"]) == ("models", "model")
    ]
    assert model["level"] == "warning"
    assert model["hint"].endswith(f"; or use --model nano: {nano.scope}")
    monkeypatch.setenv("TEMPO_MODEL", "some/model")
    assert tempo("doctor", "--json").code == 5


def test_names_of_other_programs_for_types_are_taken(tempo: Tempo) -> None:
    done = tempo(*ASK, *SHORT, "--max-new-tokens", 1, "--dtype", "fp32", "--json")
    assert done.json["model"]["dtype"] == "float32"
    assert said(tempo(*ASK, *SHORT, "--dtype", "float"))[1] == "dtype 'float' is not known"


def test_nothing_is_to_be_pulled_of_what_comes_along(tempo: Tempo) -> None:
    done = tempo("pull", "nano")
    assert (done.code, done.err) == (0, "nano comes with tempo: there is nothing to download\n")
    assert Path(done.out.strip()).name == "Tempo-nano"


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_completion_is_installed(
    option: str, tempo: Tempo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
    assert tempo(option).code == 0


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("--model na", ["nano"]),
        ("--device c", ["cpu", "cuda"]),
        ("--dtype b", ["bfloat16"]),
        ("--quantize int", ["int8", "int4"]),
    ],
)
def test_the_shell_completes_values(
    typed: str, offered: list[str], tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"tempo ask a.mp4 {typed}"
    monkeypatch.setenv("_TEMPO_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert tempo().out.split() == offered


def test_help_has_panels_and_no_type_names(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    shown = tempo("ask", "--help").out
    assert shown.startswith("Usage: tempo ask [OPTIONS] VIDEO QUESTION...\n")
    assert [line[:-1] for line in shown.splitlines() if line.endswith(":") and line[0] != " "] == [
        "Arguments", *(panel for panel in PANELS if panel != "Batch"), "Other options",
    ]  # fmt: skip
    assert "<" not in shown
    assert " ".join(shown.split("Other options:")[1].split()) == "-h, --help Show this message and exit."
    assert "[MODEL]" in tempo("pull", "--help").out.splitlines()[0]


def test_the_path_stands_before_the_answer_where_asked_for(tempo: Tempo) -> None:
    plain = tempo(*ASK, *SHORT).out
    assert tempo(*ASK, *SHORT, "-H").out == f"{FRACTAL}: {plain}"
    assert json.loads(tempo(*ASK, *SHORT, "-H", "--json").out)["answer"]["text"] == plain.strip("\n")
