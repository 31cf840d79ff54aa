"""Arguments of the wrong kind, as Python users pass them: refused by their type before any work is done."""

import re
from pathlib import Path

import pytest

from tempo_cli import BudgetOptions, GenerationOptions, LoadOptions, SamplingOptions, Tempo, UsageError

GOLDEN = Path(__file__).parent.parent / "golden"
MODEL, VIDEO = GOLDEN / "checkpoints/a/Tempo-tiny", GOLDEN / "videos/fractal.mp4"


@pytest.fixture(scope="module")
def tempo() -> Tempo:
    return Tempo.load(MODEL, options=LoadOptions(device="cpu"))


def refused(message: str) -> "pytest.RaisesExc[TypeError]":
    return pytest.raises(TypeError, match=f"^{re.escape(message)}$")


def test_questions(tempo):
    with refused("questions must be a list of str, not str: use ask for one question"):
        next(tempo.ask_many(VIDEO, "what?"))
    with refused("questions must be a list of str, not NoneType"):
        next(tempo.ask_many(VIDEO, None))
    with refused("a question must be a str, not list: use ask_many for several"):
        tempo.ask(VIDEO, ["what?", "where?"])
    with refused("a question must be a str, not NoneType"):
        tempo.inspect(VIDEO, None)
    with pytest.raises(UsageError, match=r"^there is no question$"):
        next(tempo.ask_many(VIDEO, []))
    with pytest.raises(UsageError, match=r"^there is no question$"):
        tempo.ask(VIDEO, " ")


@pytest.mark.parametrize(("video", "kind"), [(None, "NoneType"), (3, "int"), ([VIDEO], "list")])
def test_a_video(video, kind, tempo):
    with refused(f"a video must be a str, a Path or a VideoInfo, not {kind}"):
        tempo.ask(video, "what?")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling": {"fps": 1}}, "expected SamplingOptions, not dict"),
        ({"sampling": BudgetOptions()}, "expected SamplingOptions, not BudgetOptions"),
        ({"budget": SamplingOptions()}, "expected BudgetOptions, not SamplingOptions"),
        ({"budget": 4096}, "expected BudgetOptions, not int"),
        ({"budget": 0}, "expected BudgetOptions, not int"),
        ({"generation": {}}, "expected GenerationOptions, not dict"),
        ({"generation": LoadOptions()}, "expected GenerationOptions, not LoadOptions"),
    ],
)
def test_options(options, message, tempo):
    with refused(message):
        tempo.ask(VIDEO, "what?", **options)


def test_options_for_loading():
    with refused("expected LoadOptions, not GenerationOptions"):
        Tempo.load(MODEL, options=GenerationOptions())
