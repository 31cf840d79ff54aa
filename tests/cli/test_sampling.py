"""`--sampling` from the outside, with a recording of a screen: 5 s at 30 per second, then one every 10 s."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ..video.clips import RECIPES, run_ffmpeg
from .conftest import FRACTAL, Outcome

Tempo = Callable[..., Outcome]
NANO = ["--model", "nano", "--device", "cpu", "--json"]
SECONDS = 60.04 / 80  # that each sample stands for


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "screen.mp4"
    run_ffmpeg(*RECIPES["screen.mp4"].arguments, path)
    return path


def test_a_recording_of_a_screen_is_sampled_by_time_with_a_warning(screen: Path, tempo: Tempo) -> None:
    done = tempo("ask", screen, "what", *NANO)
    run = done.json
    warning = (
        "the video's frames are unevenly spaced: sampling by index would leave gaps of 20.0 s, so they are "
        "sampled by time, unlike in the released code (use --sampling index to sample as it does)"
    )
    assert (done.code, done.err, run["warnings"]) == (0, f"warning: {warning}\n", [warning])
    assert run["sampling"] == {
        "frames": 80, "fps": pytest.approx(1 / SECONDS), "window": 8, "mode": "time",
    }  # fmt: skip
    assert (run["video"]["start"], run["video"]["end"]) == (0.0, 60.04)
    for index, segment in enumerate(run["segments"]):
        assert segment["frames"] == 8
        assert segment["start"] == pytest.approx(8 * index * SECONDS)
        assert segment["end"] == pytest.approx(8 * (index + 1) * SECONDS)
        assert segment["time"] == round((8 * index + 4) * SECONDS, 1)


def test_the_given_mode_is_the_one_that_is_used(screen: Path, tempo: Tempo) -> None:
    by_index = tempo("ask", screen, "what", *NANO, "--sampling", "index")
    run = by_index.json
    assert (by_index.err, run["warnings"], run["sampling"]["mode"]) == ("", [], "index")
    begins = [segment["start"] for segment in run["segments"]]
    assert max(begins) == pytest.approx(141 / 30)  # 77 of 80 samples are in the first 5 s
    assert run["segments"][-1]["end"] == 60.04
    by_time = tempo("ask", screen, "what", *NANO, "--sampling", "time")
    automatic = tempo("ask", screen, "what", *NANO).json
    assert (by_time.err, by_time.json["warnings"]) == ("", [])
    for part in ("sampling", "segments", "answer"):
        assert by_time.json[part] == automatic[part]


def test_the_warning_stands_in_every_run_and_is_told_once(screen: Path, tempo: Tempo) -> None:
    done = tempo("ask", screen, "-q", "what", "-q", "where", *NANO)
    first, second = (json.loads(line)["warnings"] for line in done.out.splitlines())
    assert first == second
    assert done.err == f"warning: {first[0]}\n"


def test_a_part_between_two_frames_shows_what_is_on_the_screen(screen: Path, tempo: Tempo) -> None:
    part = ["inspect", screen, "what", *NANO, "--start", 25, "--end", 29]
    refused = tempo(*part)
    assert refused.code == 2
    hint = "It lasts 60.0 s; --sampling time takes the frame that is shown then."
    assert refused.json["error"]["hint"] == hint
    run = tempo(*part, "--sampling", "time").json
    assert (run["video"]["start"], run["video"]["end"]) == (25.0, 29.0)
    (segment,) = run["segments"]
    assert (segment["start"], segment["end"], segment["time"], segment["frames"]) == (25.0, 29.0, 27.0, 1)


def test_an_even_video_by_time(tempo: Tempo) -> None:
    """20 samples of 10 s; the last segment has 4 of them, 8 s to 10 s."""
    done = tempo("ask", FRACTAL, "what", *NANO, "--sampling", "time", "--verbose")
    assert done.json["sampling"] == {"frames": 20, "fps": 2.0, "window": 8, "mode": "time"}
    told = [(segment["start"], segment["end"], segment["time"]) for segment in done.json["segments"]]
    assert told == [(0.0, 4.0, 2.0), (4.0, 8.0, 6.0), (8.0, 10.0, 9.0)]
    assert " · 20 frames at 2/s by time · budget " in done.err


def test_an_unknown_mode_is_refused(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tempo("ask", FRACTAL, "what", "--sampling", "frames").code == 2
    monkeypatch.setenv("TEMPO_SAMPLING", "frames")
    done = tempo("doctor", "--json")
    (check,) = [one for one in done.json["checks"] if one["check"] == "sampling"]
    assert (check["level"], check["facts"]["value"]) == ("problem", "auto")
    assert check["message"].startswith("TEMPO_SAMPLING says 'frames': ")
