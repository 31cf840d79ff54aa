"""Decoded frames on disk, from the outside: found by the next run, listed, cleared, and left out."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_cli.video import kept
from tempo_cli.video.child import Child
from tempo_cli.video.decode import FrameDecoder

from .conftest import FRACTAL, MODEL, SHORT, Outcome

Tempo = Callable[..., Outcome]
QUESTION = ("what color was the car", *SHORT, "--max-frames", 16, "--json")
PASSING = ("timing", "memory", "reused")


@pytest.fixture(autouse=True)
def everything_is_worth_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "WORTH_KEEPING", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "tempo" / "frames"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "v.mp4"
    shutil.copy(FRACTAL, path)
    os.utime(path, (1_600_000_000, 1_600_000_000))
    return path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Arguments of every process that is started."""
    found: list[list[str]] = []
    start = Child.__init__

    def counted(self: Child, arguments: list[str], **more: object) -> None:
        found.append(arguments)
        start(self, arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Child, "__init__", counted)
    return found


def lasting(run: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in run.items() if name not in PASSING}


@pytest.mark.parametrize("command", ["ask", "inspect"])
def test_a_second_run_starts_no_process(
    tempo: Tempo, video: Path, started: list[list[str]], command: str
) -> None:
    question = QUESTION if command == "ask" else ("what", "--model", MODEL, "--device", "cpu", "--json")
    first = tempo(command, video, *question)
    assert (first.code, len(started)) == (0, 2), "one reads, one decodes"
    second = tempo(command, video, *question)
    assert (second.code, second.err, len(started)) == (0, first.err, 2)
    assert lasting(second.json) == lasting(first.json)
    assert (first.json["reused"]["frames"], second.json["reused"]["frames"]) == (None, "disk")


def test_other_words_find_the_same_frames(tempo: Tempo, video: Path, started: list[list[str]]) -> None:
    tempo("inspect", video, "what", "--model", MODEL, "--device", "cpu", "--max-frames", 16)
    done = tempo("ask", video, *QUESTION)
    assert (done.json["reused"]["frames"], len(started)) == ("disk", 2)


@pytest.mark.parametrize("option", ["--no-cache", "--cache-size=0"])
def test_nothing_is_kept_where_that_is_asked_for(
    tempo: Tempo, video: Path, folder: Path, option: str
) -> None:
    first, second = tempo("ask", video, *QUESTION, option), tempo("ask", video, *QUESTION, option)
    assert lasting(first.json) == lasting(second.json)
    assert second.json["reused"]["frames"] is None
    assert list(folder.iterdir()) == []


def test_the_list_names_videos(tempo: Tempo, video: Path, folder: Path) -> None:
    tempo("ask", video, *QUESTION)
    (entry,) = folder.iterdir()
    size, used = entry.stat().st_size, entry.stat().st_mtime
    listed = tempo("cache")
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(used))
    assert listed.out.split() == [f"{size / 1e6:.1f}", "MB", *when.split(), str(video)]
    assert listed.err == f"{size / 1e6:.1f} MB of 5.0 GB in {folder}\n"
    assert tempo("cache", "--json", "--cache-size", "20 MB").json == {
        "schema": "tempo.cache/1", "path": str(folder), "limit": 20_000_000, "bytes": size,
        "entries": [{"video": str(video), "bytes": size, "used": used}],
    }  # fmt: skip
    assert tempo("cache", "path").out == f"{folder}\n"
    entry.write_bytes(b"")
    assert tempo("cache").out.endswith("(damaged)\n")


def test_clearing_empties_the_folder(tempo: Tempo, video: Path, folder: Path) -> None:
    tempo("ask", video, *QUESTION)
    (entry,) = folder.iterdir()
    size = entry.stat().st_size
    assert tempo("cache", "clear").err == f"freed {size / 1e6:.1f} MB\n"
    assert list(folder.iterdir()) == []
    assert tempo("cache", "clear").err == "freed 0 bytes\n"
    assert (tempo("cache").out, video.exists()) == ("", True)


def test_a_limit_lets_the_oldest_go(tempo: Tempo, video: Path, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "w.mp4"
    shutil.copy2(video, other)
    tempo("ask", video, *QUESTION)
    (entry,) = folder.iterdir()
    limit = int(entry.stat().st_size * 1.5) + (1 << 24)  # room for one, and for what is being written
    tempo("ask", other, *QUESTION, "--cache-size", limit - entry.stat().st_size)
    (left,) = tempo("cache", "--json").json["entries"]
    assert left["video"] == str(other)


@pytest.mark.parametrize("wrong", ["much", "-1", "5XB", "", "1e9", "5 G B"])
def test_a_size_is_checked(tempo: Tempo, wrong: str) -> None:
    done = tempo("ask", FRACTAL, *QUESTION, f"--cache-size={wrong}")
    assert (done.code, done.json["error"]["code"]) == (2, "usage")
    assert "is not a size; write 5GB or 500MB" in done.json["error"]["message"]


def test_a_home_that_cannot_be_written_changes_nothing(
    tempo: Tempo, video: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = lasting(tempo("ask", video, *QUESTION, "--no-cache").json)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    done = tempo("ask", video, *QUESTION)
    assert (done.code, lasting(done.json)) == (0, expected)
    assert (tempo("cache").out, tempo("cache", "clear").code) == ("", 0)


def test_a_video_that_is_broken_is_told_before_its_model_is_missed(tempo: Tempo, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    assert tempo("ask", broken, "what", "--model", "nobody/nothing", "--offline").code == 3


def test_a_model_that_can_not_be_had_ends_the_decoder(
    tempo: Tempo, video: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    from tempo_cli.cli import opening
    from tempo_cli.errors import NotDownloadedError

    def missing(*_: object, **__: object) -> None:
        raise NotDownloadedError("it is not here", "Download it.")

    decoders: list[FrameDecoder] = []
    stop = FrameDecoder.kill
    monkeypatch.setattr(FrameDecoder, "kill", lambda self: decoders.append(self) or stop(self))
    monkeypatch.setattr(opening, "ensure", missing)
    done = tempo("ask", video, *QUESTION)
    assert (done.code, done.json["error"]["message"]) == (4, "it is not here")
    assert len(decoders) == 1
    assert [path.suffix for path in folder.iterdir() if path.suffix == ".part"] == []
