"""However a question ends: no thread, no process and no file is left, and the model answers the next one."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tempo_cli import CacheOptions, Tempo, VideoError
from tempo_cli.model.compressor import Compressor
from tempo_cli.model.step import Step
from tempo_cli.video import segmenting
from tempo_cli.video.decode import FrameDecoder

from .conftest import LENGTH, QUESTIONS, SAMPLING, VIDEO, same, tempo_with

FIRST = QUESTIONS[0]
ERRORS = [VideoError("broken", "Mend it."), RuntimeError("a bug"), KeyboardInterrupt()]


@pytest.fixture(scope="module")
def tempo() -> Tempo:
    return tempo_with()


def after(count: int, call: Callable[..., Any], error: BaseException) -> Callable[..., Any]:
    """`call`, which raises from its call `count` on."""
    calls = iter(range(count))

    def failing(*arguments: Any, **named: Any) -> Any:
        if next(calls, None) is None:
            raise error
        return call(*arguments, **named)

    return failing


def frames_then(error: BaseException) -> Callable[[FrameDecoder], Iterator[Any]]:
    """A decoder's frames, and the error after 18 of them."""
    whole = FrameDecoder.frames

    def frames(self: FrameDecoder) -> Iterator[Any]:
        for number, frame in enumerate(whole(self)):
            if number == 18:
                raise error
            yield frame

    return frames


def break_stage(monkeypatch: pytest.MonkeyPatch, stage: str, error: BaseException) -> None:
    if stage == "decode":
        monkeypatch.setattr(FrameDecoder, "frames", frames_then(error))
    elif stage == "resize":
        monkeypatch.setattr(segmenting, "shrink_frames", after(18, segmenting.shrink_frames, error))
    elif stage == "compress":
        monkeypatch.setattr(Compressor, "see", after(2, Compressor.see, error))
    else:
        monkeypatch.setattr(Step, "__call__", after(2, Step.__call__, error))


def children() -> set[int]:
    """Processes that this one has started and not reaped."""
    tasks = Path("/proc/self/task")
    found = (task / "children" for task in tasks.iterdir()) if tasks.exists() else ()
    return {int(pid) for path in found if path.exists() for pid in path.read_text().split()}


def open_files() -> int:
    """How many this process has."""
    known = Path("/proc/self/fd")
    return len(list(known.iterdir())) if known.exists() else 0


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("stage", ["decode", "resize", "compress", "answer"])
def test_nothing_is_left_after_an_error_or_an_interrupt(
    stage: str, error: BaseException, tempo: Tempo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh
) -> None:
    threads, processes, files = set(threading.enumerate()), children(), open_files()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    with monkeypatch.context() as broken:
        break_stage(broken, stage, error)
        cache = CacheOptions(tmp_path / "cache", keep=False)
        with (
            pytest.raises(type(error)) as caught,
            tempo.open(VIDEO, sampling=SAMPLING, cache=cache) as clip,
        ):
            clip.ask(FIRST, generation=LENGTH)
        assert caught.value is error
    assert set(threading.enumerate()) == threads
    assert children() == processes
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert open_files() <= files
    same(tempo.ask(VIDEO, FIRST, sampling=SAMPLING, generation=LENGTH), fresh[FIRST])
