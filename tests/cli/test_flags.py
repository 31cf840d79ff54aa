"""Texts of the library name options as Python does; the command line shows them as flags."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tempo_cli
from tempo_cli.cli.flags import in_flags
from tempo_cli.errors import ModelError

from .conftest import FRACTAL, SHORT, Outcome

Tempo = Callable[..., Outcome]
ROOT = Path(tempo_cli.__file__).parent
COMMAND_LINE = {"cli", "__main__.py"}
LIBRARY = [path for path in sorted(ROOT.rglob("*.py")) if path.relative_to(ROOT).parts[0] not in COMMAND_LINE]

FLAG = re.compile(r"(?<![\w-])--[a-z]")
COMMAND = re.compile(r"(tempo [a-z]+|pip install) .*")  # to be run in a shell
OF_A_COMMAND = {"{} --revision {}", " --revision {}"}  # what follows `tempo pull`
NO_FLAG = "`decoder=True`"  # of `Tempo.load`; the command line decides it itself


def literals(tree: ast.AST) -> Iterator[str]:
    """Every text under `tree` but docstrings; what an f-string inserts is {}."""
    if isinstance(tree, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in tree.values)
        return
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        yield tree.value
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
            yield from literals(child)


TEXTS = [text for path in LIBRARY for text in literals(ast.parse(path.read_text(encoding="utf-8")))]


def test_the_library_does_not_speak_of_flags() -> None:
    assert [text for text in TEXTS if FLAG.search(COMMAND.sub("", text)) and text not in OF_A_COMMAND] == []


def test_every_option_that_the_library_names_has_a_flag() -> None:
    named = {text for text in TEXTS if re.search(r"`\w+(=.*)?`", text)}
    assert "Give `quantize='int4'`." in named
    assert "Give `budget={}`." in named
    assert [text for text in named if "`" in in_flags(text).replace(NO_FLAG, "")] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Give `quantize='int4'`.", "Give --quantize int4."),
        ("`quantize='int8'` does not run on mps", "--quantize int8 does not run on mps"),
        ("Leave it out, or give `device='cpu'`.", "Leave it out, or give --device cpu."),
        ("`quantize` needs bitsandbytes: no 'x'", "--quantize needs bitsandbytes: no 'x'"),
        ("Try `dtype='float32'`.", "Try --dtype float32."),
        ("Try `fps=2`.", "Try --fps 2."),
        ("Give `mode='index'`.", "Give --sampling index."),
        ("Give fewer `max_frames`.", "Give fewer --max-frames."),
        ("Give `budget=4096`.", "Give --budget 4096."),
        (
            "Leave `ata=False` out, or lower `max_frames`, or raise `context`.",
            "Leave --no-ata out, or lower --max-frames, or raise --context.",
        ),
        ("Shorten it, or raise `context` (up to 9).", "Shorten it, or raise --context (up to 9)."),
        ("Leave `ffmpeg` out to use the bundled one.", "Leave --ffmpeg out to use the bundled one."),
        ("`offline` forbids contacting the Hub", "--offline forbids contacting the Hub"),
        ("Give `offline=True`.", "Give --offline."),
        ("Load it with `decoder=True`.", "Load it with `decoder=True`."),
        ("Give `micro_batch=1`, or `start=False`.", "Give `micro_batch=1`, or `start=False`."),
        ("the video's `budget` can't be `seed`", "the video's --budget can't be --seed"),
        ("'a `budget` b\n`fps=2`.mp4' has no `fps`", "'a `budget` b\n`fps=2`.mp4' has no --fps"),
        ("Run: pip install 'tempo-cli[quantize]'", "Run: pip install 'tempo-cli[quantize]'"),
        ("Give --yes.", "Give --yes."),
    ],
)
def test_an_option_is_shown_as_its_flag(text: str, shown: str) -> None:
    assert in_flags(text) == shown


def test_errors_and_hints_have_flags_on_the_screen_and_in_json(tempo: Tempo) -> None:
    words = ["ask", FRACTAL, "what", *SHORT, "--no-ata", "--context", 300]
    hint = "Leave --no-ata out, or lower --max-frames, or raise --context."
    assert tempo(*words).err.splitlines()[1] == f"hint: {hint}"
    assert tempo(*words, "--json").json["error"]["hint"] == hint


def test_an_error_message_has_flags_too(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ModelError("`offline` forbids it", "Try `seed=1`.")

    monkeypatch.setattr("tempo_cli.video.isolated.probe", broken)
    done = tempo("ask", FRACTAL, "what", "--json")
    assert done.err.splitlines() == ["error: --offline forbids it", "hint: Try --seed 1."]
    assert done.json["error"] == {"code": "model", "message": "--offline forbids it", "hint": "Try --seed 1."}


def test_the_text_of_a_bug_stays(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no `dtype`")

    monkeypatch.setattr("tempo_cli.video.isolated.probe", broken)
    done = tempo("ask", FRACTAL, "what", "--json")
    assert done.json["error"]["message"] == "RuntimeError: no `dtype`"


def test_warnings_have_flags_on_the_screen_and_in_json(tempo: Tempo, tmp_path: Path) -> None:
    done = tempo("ask", FRACTAL, "what", *SHORT, "--json", "--context", 120)
    warning, cut = done.json["warnings"]
    assert warning.endswith(" tokens for the video and its time tags (raise --context)")
    assert done.err == f"warning: {warning}\nwarning: {cut}\n"
    saved = tmp_path / "run.json"  # as `Run.to_json` writes it
    saved.write_text(json.dumps({**done.json, "warnings": ["so be it (raise `context`)"]}))
    assert tempo("inspect", saved, "--json").json["warnings"] == ["so be it (raise --context)"]


def test_the_doctor_has_flags_too(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPO_FFMPEG", "nowhere")
    (check,) = [
        check
        for check in tempo("doctor", "--json").json["checks"]
        if (check["section"], check["level"]) == ("ffmpeg", "problem")
    ]
    assert check["message"] == "'nowhere' is not an ffmpeg that runs on this machine"
    assert check["hint"] == "Leave --ffmpeg out to use the bundled one."
