"""Every error: the right exit code, one line that says what is wrong, one that says what to do."""

import errno
import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest

from tempo_cli import __version__
from tempo_cli.errors import Interrupted, VideoError
from tempo_cli.schema import Run

from .conftest import FRACTAL, MODEL, SHORT, Outcome

RUN = Path(__file__).parent / "run.json"
BROKEN = MODEL / "config.json"  # JSON, but no saved run
Tempo = Callable[..., Outcome]


def two_lines(outcome: Outcome) -> tuple[str, str]:
    error, hint = outcome.err.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    return error, hint


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ask"], 2, "VIDEO is missing"),
        (["ask", FRACTAL], 2, "there is no question"),
        (["ask", FRACTAL, ""], 2, "there is no question"),
        (["ask", FRACTAL, " \n"], 2, "there is no question"),
        (["ask", FRACTAL, "what", "--fps", "x"], 2, "--fps: 'x' is not a number"),
        (["ask", FRACTAL, "what", "--fps", "0"], 2, "fps is 0"),
        (["ask", FRACTAL, "what", "--fps", "nan"], 2, "fps is nan"),
        (["ask", FRACTAL, "what", "--max-frames", "0"], 2, "max_frames is 0"),
        (["ask", FRACTAL, "what", "--window", "0"], 2, "window is 0"),
        (["ask", FRACTAL, "what", "--budget", "0"], 2, "budget is 0"),
        (["ask", FRACTAL, "what", "--temperature", "-1"], 2, "temperature is -1"),
        (["ask", FRACTAL, "what", "--start", "1:x"], 2, "'1:x' is not a time"),
        (["ask", FRACTAL, "what", "--start", "5", "--end", "4"], 2, "start (5 s) is not before end (4 s)"),
        (["ask", FRACTAL, "what", "--top", "some"], 2, "top is 'some', not a number or 'all'"),
        (["ask", FRACTAL, "what", "--color", "pink"], 2, "'pink'"),
        (["ask", FRACTAL, "what", "--nope"], 2, "--nope"),
        (["guess"], 2, "guess"),
        (["ask", FRACTAL, "what", *SHORT, "--start", "11"], 2, "the video has no frame from 11 s on"),
        (["ask", FRACTAL, "what", *SHORT, "--device", "tpu"], 2, "device 'tpu' is not known"),
        (["ask", FRACTAL, "what", *SHORT, "--dtype", "int3"], 2, "dtype 'int3' is not known"),
        (["ask", FRACTAL, "what", *SHORT, "--context", "30"], 2, "nothing is left for the video"),
        (["ask", FRACTAL, "what", *SHORT, "--context", "99999"], 2, "more than the model's 40,960"),
        (["ask", FRACTAL, "what", *SHORT, "--no-ata", "--context", "300"], 2, "without ATA the video takes 403"),
        (["ask", FRACTAL, "why? " * 20_000, *SHORT], 2, "nothing is left for the video"),
        (["ask", "https://example.org/a.mp4", "what"], 2, "is a URL"),
        (["ask", "missing.mp4", "what"], 3, "'missing.mp4' does not exist"),
        (["ask", MODEL, "what"], 3, "is a folder"),
        (["ask", MODEL / "config.json", "what", *SHORT], 3, "is not a readable video"),
        (["ask", FRACTAL, "what", "--model", ""], 4, "there is no model ''"),
        (["ask", FRACTAL, "what", "--model", "nowhere"], 4, "there is no model 'nowhere'"),
        (["ask", FRACTAL, "what"], 4, "the model Vision-CAIR/Tempo-6B is not downloaded"),
        (["ask", FRACTAL, "what", "--model", FRACTAL.parent], 4, "has no config.json"),
        (["ask", FRACTAL, "what", *SHORT, "--ffmpeg", "nowhere"], 5, "'nowhere' is not an ffmpeg that runs on this machine"),
        (["inspect", FRACTAL], 2, "there is no question for"),
        (["inspect", "missing.mp4", "what"], 3, "'missing.mp4' does not exist"),
    ],
)  # fmt: skip
# ruff: noqa: E501  a table
def test_code_and_message(
    arguments: list[object],
    code: int,
    words: str,
    tempo: Tempo,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    plain = tempo(*arguments)
    assert plain.code == code
    assert plain.out == ""
    assert words in two_lines(plain)[0]
    described = tempo(*arguments, "--json")
    assert described.code == code
    names = {2: "usage", 3: "video", 4: "model", 5: "environment"}
    error = described.json["error"]
    assert (described.json["status"], error["code"]) == ("error", names[code])
    assert words in error["message"]
    assert error["hint"]


Names = tuple[str | None, str | None, str | None]


def names(line: str) -> Names:
    """The video, the question and the model of a line of `--json`."""
    told = json.loads(line)
    return told["video"]["path"], told["question"], told["model"]["id"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["ask"], (None, None, None)),
        (["ask", "a.mp4", "what", "--fps", "x"], (None, None, None)),
        (["guess"], (None, None, None)),
        (["ask", "a.mp4"], ("a.mp4", None, "Vision-CAIR/Tempo-6B")),
        (["ask", "a.mp4", "", "--model", "nano"], ("a.mp4", "", "nano")),
        (["ask", "a.mp4", "what", "is", "it"], ("a.mp4", "what is it", "Vision-CAIR/Tempo-6B")),
        (["ask", "a.mp4", "what", "--fps", "0", "--model", "nano"], ("a.mp4", "what", "nano")),
        (["ask", "a.mp4", "what", "--top", "some", "--model", "nano"], ("a.mp4", "what", "nano")),
        (["ask", FRACTAL, "what", "--model", "nowhere"], (str(FRACTAL), "what", "nowhere")),
        (["inspect", "a.mp4", "--model", "nano"], ("a.mp4", None, "nano")),
        (["inspect", "a.mp4", "what", "--model", "nano"], ("a.mp4", "what", "nano")),
        (["inspect", RUN, "--top", "some"], ("fractal.mp4", "what color was the car", "Tempo-tiny")),
        (["inspect", BROKEN, "--model", "nano"], (str(BROKEN), None, "nano")),
        (["models", "verify", "a", "--json"], (None, None, "a")),
    ],
)
def test_a_failure_names_the_video_the_question_and_the_model(
    arguments: list[object], expected: Names, tempo: Tempo
) -> None:
    told = tempo(*arguments, "--json").json
    assert list(told) == ["schema", "status", "id", "video", "question", "model", "tempo", "error"]
    assert (told["schema"], told["status"], told["id"]) == ("tempo.run/1", "error", None)
    assert told["tempo"] == __version__
    assert names(json.dumps(told)) == expected


def test_a_bug_names_them_too(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("tempo_cli.video.opened.probe", broken)
    done = tempo("ask", FRACTAL, "what", "--model", "nano", "--json")
    assert names(done.out) == (str(FRACTAL), "what", "nano")
    assert done.json["error"]["code"] == "internal"


@pytest.mark.parametrize("signal_error", [KeyboardInterrupt(), Interrupted(signal.SIGTERM)])
def test_an_interruption_names_them_too(
    signal_error: BaseException, tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise signal_error

    monkeypatch.setattr("tempo_cli.video.opened.probe", stopped)
    done = tempo("ask", "a.mp4", "-q", "first", "-q", "second", "--model", "nano", "--json")
    assert [names(line) for line in done.out.splitlines()] == [
        ("a.mp4", "first", "nano"),
        ("a.mp4", "second", "nano"),
    ]
    assert {json.loads(line)["error"]["code"] for line in done.out.splitlines()} == {"interrupted"}


def test_every_unanswered_question_gets_its_line(tempo: Tempo) -> None:
    done = tempo("ask", "missing.mp4", "-q", "first", "-q", "second", "--json")
    assert [json.loads(line)["question"] for line in done.out.splitlines()] == ["first", "second"]


def test_an_answered_question_gets_no_second_line(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    def details(_: Run) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("tempo_cli.cli.render.details", details)
    done = tempo("ask", FRACTAL, "-q", "first", "-q", "second", *SHORT, "--json")
    first, second = done.out.splitlines()
    assert (json.loads(first)["status"], json.loads(first)["question"]) == ("ok", "first")
    assert names(second) == (str(FRACTAL), "second", str(MODEL))
    assert json.loads(second)["error"]["code"] == "interrupted"


def test_a_failure_does_not_name_what_an_earlier_one_was_asked(tempo: Tempo) -> None:
    tempo("ask", "a.mp4", "what", "--json")
    assert names(tempo("ask", "--json").out) == (None, None, None)


def test_a_hostile_file_name_is_shown_escaped(tempo: Tempo) -> None:
    done = tempo("ask", "a\x1b[31m\n\u202eb[bold].mp4", "what")
    assert done.code == 3
    assert two_lines(done)[0] == r"error: 'a\x1b[31m\x0a\u202eb[bold].mp4' does not exist"


@pytest.mark.parametrize("command", ["ask", "inspect"])
def test_a_video_that_may_not_be_read_is_the_videos_error(
    command: str, tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the tests may read everything."""

    def refused(*_: object) -> None:
        raise VideoError("'a.mp4' may not be read", "Check the file's permissions.")

    monkeypatch.setattr("os.access", lambda *_, **__: False)
    monkeypatch.setattr("tempo_cli.video.opened.probe", refused)
    done = tempo(command, FRACTAL, "what", "--model", "nano")
    assert (done.code, two_lines(done)[0]) == (3, "error: 'a.mp4' may not be read")


@pytest.mark.parametrize("command", ["ask", "inspect"])
def test_pictures_beyond_max_pixels_are_refused_with_the_flag(command: str, tempo: Tempo) -> None:
    done = tempo(command, FRACTAL, "what", "--model", "nano", "--max-pixels", "100")
    assert done.code == 3
    error, hint = two_lines(done)
    assert error.endswith("pixels, more than 100")
    assert hint == "hint: Raise --max-pixels if they are meant to be so large."


def test_a_bug_ends_in_two_lines(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen [bold]")

    monkeypatch.setattr("tempo_cli.video.opened.probe", broken)
    done = tempo("ask", FRACTAL, "what", "--model", "nano")
    assert done.code == 1
    assert two_lines(done)[0] == "error: RuntimeError: unforeseen [bold]"


def test_a_traceback_only_when_asked_for(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPO_DEBUG", "1")
    assert "Traceback" in tempo("ask", "missing.mp4", "what").err


def test_memory_that_does_not_suffice(tempo: Tempo, monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("tempo_cli.model.llm.Decoder.splice", starved)
    done = tempo("ask", FRACTAL, "what", *SHORT)
    assert done.code == 6
    assert done.err.splitlines() == [
        "warning: memory ran out: both networks do not fit together; they are loaded in turn",
        "error: not enough memory to read the video's tokens",
        "hint: Give --budget 4096.",
    ]


@pytest.mark.parametrize(
    "name", ["two words.mp4", 'it\'s "so".mp4', "100%.mp4", "%03d.mp4", "-i.mp4", "c:d.mp4"]
)
def test_awkward_names_are_only_names(
    name: str, tempo: Tempo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(FRACTAL, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    done = tempo("ask", *SHORT, "--json", "--max-new-tokens", 1, "--", name, "what")
    assert (done.code, done.err) == (0, "warning: the answer was cut off after 1 token (--max-new-tokens)\n")
    assert json.loads(done.out)["video"]["path"] == name


def test_a_damaged_end_is_answered_with_a_warning(tempo: Tempo, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    binary = imageio_ffmpeg.get_ffmpeg_exe()
    copy = [
        "-c",
        "copy",
        "-movflags",
        "+faststart",
        str(whole),
    ]  # its index in front, so it still announces all
    subprocess.run([binary, "-loglevel", "error", "-i", str(FRACTAL), *copy], check=True)
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    done = tempo("ask", cut, "what", *SHORT, "--json")
    run = done.json
    warning, _ = run["warnings"]
    left_out = 20 - run["sampling"]["frames"]
    assert (done.code, run["video"]["duration"], run["sampling"]["fps"]) == (0, 10.0, 2.0)
    assert 5 <= left_out <= 15
    assert warning.startswith("the video is damaged (")
    assert f": {left_out} of 20 sampled frames are left out" in warning


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), 6),
        (MemoryError(), 6),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 6),
        (ImportError("No module named 'torch'"), 1),
        (OSError(errno.EIO, "Input/output error"), 1),
    ],
)
def test_memory_that_the_system_refuses_is_no_bug(tempo, monkeypatch, error, code):
    def broken() -> None:
        raise error

    monkeypatch.setattr("tempo_cli.cli.main.build_app", broken)
    done = tempo("models")
    assert (done.code, "not enough memory" in done.err, "This is a bug" in done.err) == (
        code,
        code == 6,
        code == 1,
    )
