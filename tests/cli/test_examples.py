"""The examples run as they stand."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .conftest import FRACTAL, GOLDEN, MODEL

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
QUESTION = "what color was the car"
ANSWER = json.loads((GOLDEN / "cases" / "a_fractal.json").read_text())["answer"]


def output(*words: object) -> str:
    here = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True, env=here)
    return done.stdout


def test_loop_answers_each_video_and_skips_what_is_none(tmp_path: Path) -> None:
    shutil.copy(FRACTAL, tmp_path / "a film.mp4")
    (tmp_path / "broken.mp4").write_text("no video")
    shown = output(EXAMPLES / "loop.sh", tmp_path, QUESTION, "--model", MODEL, "--max-new-tokens", 24)
    assert shown == f"a film.mp4\t{ANSWER}\n"


def test_timeline_prints_the_best_moments_first() -> None:
    shown = output(
        sys.executable, EXAMPLES / "timeline.py", FRACTAL, QUESTION, "--model", MODEL, "--moments", 2
    )
    assert re.findall(r"([\d.]+) s to +([\d.]+) s  relevance ([\d.]+)", shown) == [
        ("4.2", "8.4", "0.95"),
        ("8.4", "10.0", "0.67"),
    ]


def test_questions_are_answered_in_order() -> None:
    script = [sys.executable, EXAMPLES / "questions.py", FRACTAL]
    shown = output(*script, QUESTION, "who?", "--model", MODEL, "--max-new-tokens", 24)
    assert shown.startswith(f"{ANSWER}\n  ({QUESTION}: most relevant from 4.2 s to 8.4 s)\n")
    assert "\n  (who?: most relevant from " in shown
