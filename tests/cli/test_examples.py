"""The examples run as they stand."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import on_terminal

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
CHASE = EXAMPLES / "chase.mp4"
QUESTION = "what color was the car"
ANSWER = "The car was red."


def output(*words: object, code: int = 0) -> str:
    here = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, env=here)
    assert done.returncode == code, done.stderr
    return done.stdout


def test_loop_answers_each_video_and_skips_what_is_none(tmp_path: Path) -> None:
    shutil.copy(CHASE, tmp_path / "a film.mp4")
    (tmp_path / "broken.mp4").write_text("no video")
    shown = output(EXAMPLES / "loop.sh", tmp_path, QUESTION, "--model", "nano")
    assert shown == f"a film.mp4\t{ANSWER}\n"


def test_timeline_prints_the_best_moments_first() -> None:
    shown = output(
        sys.executable, EXAMPLES / "timeline.py", CHASE, QUESTION, "--model", "nano", "--moments", 2
    )
    best = re.findall(r"([\d.]+) s to +([\d.]+) s  relevance ([\d.]+)", shown)
    assert sorted((round(float(start)), round(float(end))) for start, end, _ in best) == [(20, 24), (24, 28)]
    first, second = (float(relevance) for _, _, relevance in best)
    assert first >= second > 0.5


def test_questions_are_answered_in_order() -> None:
    script = [sys.executable, EXAMPLES / "questions.py", CHASE]
    shown = output(*script, QUESTION, "Is there a black car?", "--model", "nano")
    car, black = shown.splitlines()[::2]
    assert (car, black) == (ANSWER, "No, there was no black car.")
    assert f"  ({QUESTION}: most relevant from 2" in shown
    assert "\n  (Is there a black car?: most relevant from " in shown


def test_batch_writes_a_line_for_each_video(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    videos = [CHASE, broken, EXAMPLES / "harbour.webm"]
    shown = output(sys.executable, EXAMPLES / "batch.py", QUESTION, *videos, "--model", "nano", code=7)
    first, second, third = map(json.loads, shown.splitlines())
    assert [one["status"] for one in (first, second, third)] == ["ok", "error", "ok"]
    assert first["answer"]["text"] == ANSWER
    assert second["error"]["code"] == "video"
    assert third["answer"]["text"] == "There was no car."
    output(sys.executable, EXAMPLES / "batch.py", QUESTION, CHASE, "--model", "nano")


def test_the_notebook_runs_from_top_to_bottom(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLES)
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    names: dict[str, object] = {}
    shown = []
    for cell in cells:
        exec("".join(cell["source"]), names)
        shown.append(capsys.readouterr().out)
    loaded, asked, table, budget, several, further = shown
    assert (loaded, budget) == ("", "")
    progress, answer, end = asked.split("\n")
    assert progress.endswith("\r12 of 12 segments")
    assert (answer, end) == (ANSWER, "")
    assert table.splitlines() == [
        "     seconds   relevance  tokens",
        " 20.2 - 24.2        1.00       8",
        " 24.2 - 28.2        1.00       7",
    ]
    assert several.splitlines() == [
        f"{QUESTION}: {ANSWER} (20 s to 24 s)",
        "Is there a black car?: No, there was no black car. (24 s to 28 s)",
    ]
    assert further.splitlines() == [
        f"{QUESTION}: {ANSWER} (reused: None)",
        "Is there a black car?: No, there was no black car. (reused: host)",
    ]


def test_the_readme_shows_what_is_shown() -> None:
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    words, printed = re.findall(r"```\n\$ tempo ask examples/chase.mp4 (.*)\n([^`]*)```", text)[0]
    code, shown = on_terminal("ask", CHASE, *words.split(), "--color", "never", "--quiet", columns=100)
    assert code == 0
    expected, found = (
        [line.rstrip() for line in part.partition(" · decode ")[0].splitlines()] for part in (printed, shown)
    )
    assert found == expected
    assert expected[0] == ANSWER
