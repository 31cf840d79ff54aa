"""`--picture`: what the model sees is what a player shows, unless it is asked not to."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest
from picture import hdr_filters

from .conftest import SHORT, Outcome

CHASE = Path(__file__).parents[2] / "examples" / "chase.mp4"
QUESTION = "what color was the car"
Command = Callable[..., Outcome]


def make(path: Path, *arguments: str | Path) -> Path:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", *arguments, path]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module")
def hdr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    encode = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "18")
    path = tmp_path_factory.mktemp("hdr") / "chase.mp4"
    return make(path, "-i", CHASE, "-vf", hdr_filters("smpte2084"), *encode)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    moving = ("-f", "lavfi", "-i", "testsrc2=size=720x576:rate=25:duration=0.4", "-vf", "setsar=64/45")
    return make(tmp_path_factory.mktemp("wide") / "wide.mpg", *moving, "-c:v", "mpeg2video")


@pytest.fixture
def tuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration file that wants raw pictures."""
    path = tmp_path / "config.toml"
    path.write_text('picture = "raw"\n')
    monkeypatch.setenv("TEMPO_CONFIG", str(path))


def test_hdr_is_answered_like_the_sdr_that_it_was_made_from(tempo: Command, hdr: Path) -> None:
    done = tempo("ask", hdr, QUESTION, "--model", "nano", "--json")
    assert done.json["answer"]["text"] == "The car was red."
    video = done.json["video"]
    told = (video["picture"], video["sample_aspect_ratio"], video["color_transfer"])
    assert told == ("auto", "1:1", "smpte2084")
    assert (done.json["warnings"], done.err) == ([], "")


def test_raw_is_warned_of_by_its_flag(
    tempo: Command, hdr: Path, wide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPO_PICTURE", "raw")
    done = tempo("ask", hdr, QUESTION, "--model", "nano", "--json", "--end", "8")
    (warning,) = done.json["warnings"]
    assert "the model sees other colors (HDR: smpte2084) than a player shows" in warning
    assert done.json["video"]["picture"] == "raw"
    assert "with --picture raw the model sees" in done.err
    done = tempo("inspect", wide, QUESTION, *SHORT[:4], "--json")
    (warning,) = done.json["warnings"]
    assert "another shape (pixels are 64:45)" in warning
    assert (done.json["video"]["width"], done.json["video"]["height"]) == (720, 576)


def test_width_and_height_are_as_shown(tempo: Command, wide: Path) -> None:
    done = tempo("inspect", wide, QUESTION, *SHORT[:4], "--json")
    video = done.json["video"]
    assert (video["width"], video["height"]) == (1024, 576)
    told = (video["picture"], video["sample_aspect_ratio"], video["color_transfer"])
    assert told == ("auto", "64:45", None)


@pytest.mark.usefixtures("tuned")
def test_a_flag_goes_before_the_configuration_file(tempo: Command, wide: Path) -> None:
    asked = ("inspect", wide, QUESTION, *SHORT[:4], "--json")
    assert tempo(*asked).json["video"]["picture"] == "raw"
    assert tempo(*asked, "--picture", "auto").json["video"]["picture"] == "auto"


def test_another_word_is_refused(tempo: Command, wide: Path) -> None:
    done = tempo("ask", wide, QUESTION, *SHORT, "--picture", "hdr")
    assert done.code == 2
    assert "picture is hdr" in done.err
    assert "Known: auto, raw." in done.err
