"""Times from the outside: a player's in options, table and JSON; the model's in the tags."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ..video.clips import RECIPES, run_ffmpeg
from .conftest import FRACTAL, Outcome

Tempo = Callable[..., Outcome]
NANO = ["--model", "nano", "--device", "cpu", "--json"]


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The picture begins 5 s after the sound, and lasts 2 s."""
    folder = tmp_path_factory.mktemp("clips")
    for name in ("h264.mp4", "late_5.mp4"):
        words = RECIPES[name].arguments
        run_ffmpeg(*(folder / word[1:] if word.startswith("@") else word for word in words), folder / name)
    return folder / "late_5.mp4"


def test_a_picture_that_begins_after_the_sound(late: Path, tempo: Tempo) -> None:
    usual, shifted = (tempo("inspect", path, "what", *NANO) for path in (late.with_name("h264.mp4"), late))
    before, after = usual.json, shifted.json
    assert after["video"]["duration"] == 7.0
    assert (after["video"]["start"], after["video"]["end"]) == (5.0, 7.0)
    for old, new in zip(before["segments"], after["segments"], strict=True):
        assert new == {**old, "start": old["start"] + 5, "end": old["end"] + 5}
    warning = (
        "the picture starts 5.0 s into the file, and the model counts from there: times in an answer's text "
        "are 5.0 s too early; all other times match a player's"
    )
    assert (before["warnings"], after["warnings"]) == ([], [warning])
    assert shifted.err == f"warning: {warning}\n"


def test_start_and_end_are_a_player_s(late: Path, tempo: Tempo) -> None:
    run = tempo("inspect", late, "what", *NANO, "--start", 6, "--end", "0:06.4").json
    assert (run["video"]["start"], run["video"]["end"]) == (6.0, 6.4)
    assert [segment["time"] for segment in run["segments"]] == [1.4]  # the middle of 8 samples, 1 s to 1.8 s
    refused = tempo("inspect", late, "what", *NANO, "--end", 4)
    assert (refused.code, refused.json["error"]["hint"]) == (2, "Its picture lasts from 5.0 s to 7.0 s.")


def test_the_end_is_named_as_it_was_given(tempo: Tempo) -> None:
    done = tempo("ask", FRACTAL, "what", *NANO, "--end", 0)
    error = json.loads(done.out)["error"]
    assert (done.code, error["message"]) == (2, "end is 0, so no frame is left")


def test_the_last_frame_is_shown_until_the_end(tempo: Tempo) -> None:
    run = tempo("inspect", FRACTAL, "what", *NANO, "--start", 9.97).json
    assert [(s["start"], s["end"], s["frames"]) for s in run["segments"]] == [(9.96, 10.0, 1)]
