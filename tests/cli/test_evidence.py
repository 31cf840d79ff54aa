"""What the command says of a model's scope, and of an answer that nothing in the video supports."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import tempo_cli
from tempo_cli import LoadOptions
from tempo_cli.plan import prompts
from tempo_cli.types import Exchange

from .conftest import CUT, FRACTAL, MODEL, SHORT, Outcome, on_terminal

Tempo = Callable[..., Outcome]
WHAT = "what color was the car"
SCOPE = "It knows \x1b[1mnoise, and [bold]nothing[/bold] else."
ESCAPED = "It knows \\x1b[1mnoise, and [bold]nothing[/bold] else."


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., Path]:
    """A golden checkpoint whose configuration says something about itself."""

    def make(**own: object) -> Path:
        shutil.copytree(MODEL.parent, tmp_path / "models")
        path = tmp_path / "models" / MODEL.name / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"tempo": own}))
        return path.parent

    return make


@pytest.mark.parametrize("command", ["ask", "inspect"])
def test_the_json_has_the_threshold_and_the_scope(
    command: str, tempo: Tempo, described: Callable[..., Path]
) -> None:
    model = described(scope=SCOPE, weak_relevance=0.99)
    more = ["--max-new-tokens", 1] if command == "ask" else []
    run = tempo(command, FRACTAL, WHAT, "--model", model, "--device", "cpu", "--json", *more).json
    relevance = [segment["relevance"] for segment in run["segments"]]
    assert run["evidence"] == {
        "highest": max(relevance), "segments": [1, 2], "threshold": 0.99, "weak": True,
    }  # fmt: skip
    assert run["model"]["scope"] == SCOPE


def test_a_terminal_shows_the_scope_once_and_the_weak_evidence_of_each_answer(
    described: Callable[..., Path],
) -> None:
    options = ["--model", described(scope=SCOPE, weak_relevance=0.96), "--device", "cpu"]
    code, shown = on_terminal(
        "ask", FRACTAL, "-q", WHAT, "-q", "where", *options, "--max-new-tokens", 1, "--color", "never",
        columns=160,
    )  # fmt: skip
    assert code == 0
    assert shown.count(f"note: {ESCAPED}\n") == 1
    assert shown.count("\n    weak evidence: no segment above 0.96\n") == 2


def test_a_long_scope_is_broken_between_words(described: Callable[..., Path]) -> None:
    words = "knows " * 30
    code, shown = on_terminal(
        "inspect", FRACTAL, WHAT, "--model", described(scope=words.strip()), "--device", "cpu", "--color",
        "never",
    )  # fmt: skip
    assert code == 0
    lines = [line.split() for line in shown[shown.index("note: ") :].splitlines()[:3]]
    assert lines == [["note:", *["knows"] * 12], ["knows"] * 13, ["knows"] * 5]


def test_strong_evidence_and_a_threshold_that_nobody_measured_are_not_mentioned(
    described: Callable[..., Path],
) -> None:
    for model in (described(weak_relevance=0.5), MODEL):
        _, shown = on_terminal("inspect", FRACTAL, WHAT, "--model", model, "--device", "cpu")
        assert "highest relevance 0.95" in shown
        assert "weak" not in shown
        assert "note" not in shown


def test_a_pipe_gets_neither(tempo: Tempo, described: Callable[..., Path]) -> None:
    model = described(scope=SCOPE, weak_relevance=0.99)
    done = tempo("ask", FRACTAL, WHAT, *SHORT, "--model", model)
    assert (done.code, done.err, len(done.out.splitlines())) == (0, f"warning: {CUT}\n", 1)


def test_a_saved_run_shows_its_weak_evidence(
    tempo: Tempo, described: Callable[..., Path], tmp_path: Path
) -> None:
    saved, model = tmp_path / "run.json", described(weak_relevance=0.99)
    saved.write_text(tempo("inspect", FRACTAL, WHAT, "--model", model, "--device", "cpu", "--json").out)
    assert "\n    weak evidence: no segment above 0.99\n" in tempo("inspect", saved).out


def test_models_and_doctor_show_the_scope_of_nano(tempo: Tempo) -> None:
    path = Path(tempo_cli.__file__).parent / "nano" / "Tempo-nano" / "config.json"
    scope = json.loads(path.read_text())["tempo"]["scope"]
    assert tempo("models").out.splitlines()[1] == f"  {scope}"
    assert tempo("models", "--json").json["models"][0]["scope"] == scope
    checks = tempo("doctor", "--json").json["checks"]
    assert [check["level"] for check in checks if check["message"] == scope] == ["note"]


def test_a_typing_error_is_read_as_the_word_and_the_user_is_told(
    tempo: Tempo, described: Callable[..., Path]
) -> None:
    options = ["--model", described(typing_errors={"color": "colro colr"}), "--device", "cpu", "--json"]
    wrong, right = WHAT.replace("color", "colro"), WHAT
    assert wrong != right
    first, second = (tempo("inspect", FRACTAL, text, *options).json for text in (wrong, right))
    assert first["question"] == wrong
    assert first["warnings"] == ['typing error: read "colro" as "color"', *second["warnings"]]
    relevance = [[segment["relevance"] for segment in run["segments"]] for run in (first, second)]
    assert relevance[0] == relevance[1]


def test_each_question_is_told_its_own_typing_errors(tempo: Tempo, described: Callable[..., Path]) -> None:
    model = described(typing_errors={"color": "colro", "where": "whree"})
    wrong = WHAT.replace("color", "colro")
    done = tempo("ask", FRACTAL, "-q", "why", "-q", wrong, "-q", "whree", *SHORT, "--model", model, "--json")
    runs = [json.loads(line) for line in done.out.splitlines()]
    notes = [[line for line in run["warnings"] if "typing" in line] for run in runs]
    assert notes == [
        [], ['typing error: read "colro" as "color"'], ['typing error: read "whree" as "where"'],
    ]  # fmt: skip
    assert [run["question"] for run in runs] == ["why", wrong, "whree"]
    assert [line for line in done.err.splitlines() if "typing" in line] == [
        'warning: typing error: read "colro" as "color"', 'warning: typing error: read "whree" as "where"',
    ]  # fmt: skip


def test_a_conversation_is_read_without_its_typing_errors(
    described: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, decoder_prompt = [], prompts.decoder_prompt
    monkeypatch.setattr(
        prompts, "decoder_prompt", lambda *given: asked.append(given[1:]) or decoder_prompt(*given)
    )
    model = described(typing_errors={"what": "waht"})
    with (
        tempo_cli.Tempo.load(str(model), options=LoadOptions(device="cpu")) as loaded,
        loaded.open(FRACTAL) as clip,
    ):
        runs = [clip.inspect("why", history=[Exchange(text, "waht")]) for text in ("waht?", "what?", "who?")]
    assert [run.history[0].question for run in runs] == ["waht?", "what?", "who?"]
    assert asked[0] == asked[1] == ("why", (Exchange("what?", "waht"),))
    wrong, right, other = ([part.relevance for part in run.segments] for run in runs)
    assert wrong == right != other


@pytest.mark.parametrize("own", [{"scope": 5}, {"weak_relevance": 1}, {"typing_errors": {"car": 1}}])
def test_a_description_that_makes_no_sense_is_an_error_of_the_model(
    own: dict[str, object], tempo: Tempo, described: Callable[..., Path]
) -> None:
    done = tempo("ask", FRACTAL, WHAT, *SHORT, "--model", described(**own))
    assert done.code == 4
    assert f"tempo.{next(iter(own))}" in done.err.splitlines()[0]
