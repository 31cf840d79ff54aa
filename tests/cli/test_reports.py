"""`--html`: a report beside the words, with the pictures of the very file that the run saw."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import FRACTAL, MODEL, Outcome

Tempo = Callable[..., Outcome]
SAVED = Path(__file__).parent / "run.json"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved run with its video beside it."""
    video = tmp_path / "a #1.mp4"
    shutil.copy(FRACTAL, video)
    value = json.loads(SAVED.read_text())
    value["video"] |= {"path": "a #1.mp4", "size": video.stat().st_size, "mtime": video.stat().st_mtime}
    (tmp_path / "run.json").write_text(json.dumps(value))
    return tmp_path / "run.json"


def written(tempo: Tempo, saved: Path, target: Path) -> str:
    done = tempo("inspect", saved, "--html", target, "--force")
    assert (done.code, done.err) == (0, f"wrote {target}\n")
    return target.read_text()


def test_pictures_and_the_way_to_the_video(tempo: Tempo, saved: Path, tmp_path: Path) -> None:
    text = written(tempo, saved, tmp_path / "report.html")
    assert text.count("data:image/jpeg") == 3 + 2  # and once more where they stand out
    assert 'src="./a%20%231.mp4"' in text
    (tmp_path / "pages").mkdir()
    assert 'src="./../a%20%231.mp4"' in written(tempo, saved, tmp_path / "pages" / "report.html")


def test_of_another_file_there_are_no_pictures(tempo: Tempo, saved: Path, tmp_path: Path) -> None:
    target, video = tmp_path / "report.html", tmp_path / "a #1.mp4"
    os.utime(video, (1.0, 1.0))
    text = written(tempo, saved, target)
    assert "has changed since: no pictures, and nothing to play." in text
    assert "<video" not in text
    video.unlink()
    text = written(tempo, saved, target)
    assert "was not there when this page was made: no pictures." in text
    assert "data:image/jpeg" not in text
    shutil.copy(SAVED, saved)
    (tmp_path / "fractal.mp4").write_bytes(b"")
    assert "older tempo saved it: no pictures." in written(tempo, saved, target)
    video.write_bytes(b"no video")
    value = json.loads(saved.read_text())
    value["video"] |= {"path": str(video), "size": 8, "mtime": video.stat().st_mtime}
    saved.write_text(json.dumps(value))
    assert "No pictures: " in written(tempo, saved, target)


@pytest.mark.parametrize(
    "path",
    ["https://example.com/a.mp4", "javascript:alert(1)", "\\\\host\\a.mp4", "//host/a", "file:///a.mp4"],
)
def test_addresses_are_texts(path: str, tempo: Tempo, saved: Path, tmp_path: Path) -> None:
    value = json.loads(saved.read_text())
    value["video"]["path"] = path
    saved.write_text(json.dumps(value))
    text = written(tempo, saved, tmp_path / "report.html")
    assert "is not a file of this machine: no pictures." in text
    assert "<video" not in text
    assert "href=" not in text.replace('<link rel="icon" href="data:,">', "")


def test_several_saved_runs_on_one_page(tempo: Tempo, saved: Path, tmp_path: Path) -> None:
    other, target = tmp_path / "other.json", tmp_path / "report.html"
    other.write_text(saved.read_text().replace("what color", "which color") + "\n" + saved.read_text())
    done = tempo("inspect", saved, other, "--html", target, "--color", "never")
    assert (done.code, done.out.count("a #1.mp4  wh")) == (0, 3)
    text = target.read_text()
    assert (text.count('class="chart"'), text.count('class="axis"'), text.count("<video")) == (3, 1, 1)
    assert len(tempo("inspect", saved, other, "--json").out.splitlines()) == 3


def test_inspect_writes_a_report_of_a_video(tempo: Tempo, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    options = ["--model", MODEL, "--device", "cpu", "--html", target]
    done = tempo("inspect", FRACTAL, "what color was the car", *options, "--top", 1)
    assert done.code == 0
    text = target.read_text()
    assert text.count("data:image/jpeg") == 3 + 1
    assert text.count('class="mark"') == 1
    again = tempo("inspect", FRACTAL, "what color was the car", *options)
    assert (again.code, again.err.splitlines()[0]) == (2, f"error: '{target}' exists")
