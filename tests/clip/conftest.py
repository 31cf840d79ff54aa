"""A tiny model, a short video, and what a fresh run of each question gives."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_cli import GenerationOptions, KeepOptions, LoadOptions, SamplingOptions, Tempo
from tempo_cli.schema import AnsweredRun, Run

from ..conftest import GOLDEN

MODEL = GOLDEN / "checkpoints/a/Tempo-tiny"
VIDEO = GOLDEN / "videos/fractal.mp4"
CPU = LoadOptions(device="cpu", micro_batch=4)
SAMPLING = SamplingOptions(fps=6, window=4)  # 60 frames, 15 segments
LENGTH = GenerationOptions(max_new_tokens=8)
CUT = "the answer was cut off after 8 tokens (`max_new_tokens`)"  # of an answer of this length
QUESTIONS = ("what color was the car", "Who is talking, and to whom?", "why")
PLENTY = 2**30  # bytes


def tempo_with(**keep: object) -> Tempo:
    return Tempo.load(MODEL, options=CPU, keep=KeepOptions(**keep))  # type: ignore[arg-type]


def settled(run: Run) -> Run:
    """A run without its seconds, its bytes, and what it reused."""
    return replace(run, timing=None, memory=None, reused=None)


def same(ours: Run, fresh: Run) -> None:
    """The same answer and allocation, and relevance within 1e-5."""
    relevance = [part.relevance for part in fresh.segments]
    assert [part.relevance for part in ours.segments] == pytest.approx(relevance, abs=1e-5)
    assert flat(ours) == flat(fresh)


def flat(run: Run) -> Run:
    """A run without relevance, and without what depends on earlier questions."""
    segments = [replace(segment, relevance=None) for segment in run.segments]
    return settled(replace(run, segments=segments, video=replace(run.video, decoder=None)))


@pytest.fixture(scope="session")
def fresh() -> dict[str, AnsweredRun]:
    """Each question's run on a video that was opened for it alone."""
    tempo = Tempo.load(MODEL, options=CPU)
    return {
        question: tempo.ask(VIDEO, question, sampling=SAMPLING, generation=LENGTH) for question in QUESTIONS
    }


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, starting a decoder fails the test."""

    def forbid() -> None:
        def start(*_: object, **__: object) -> None:
            raise AssertionError("a decoder was started")

        monkeypatch.setattr("tempo_cli.video.segmenting.FrameDecoder", start)

    return forbid


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    import threading

    yield
    left = [thread for thread in threading.enumerate() if thread.name == "prefetch"]
    for thread in left:
        thread.join(10)  # one that was told to end while it decodes
    assert not any(thread.is_alive() for thread in left)


def damaged_copy(folder: Path) -> Path:
    """The video with zeros in the middle of its pictures."""
    path, data = folder / "cut.mp4", bytearray(VIDEO.read_bytes())
    place = data.index(b"mdat") + 4 + len(data) // 2
    data[place : place + 30_000] = bytes(30_000)
    path.write_bytes(data)
    return path
