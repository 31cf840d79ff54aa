"""Clips and reference frames, made once; traps for files that must not be opened; processes that must end."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest

from tempo_cli.types import Pixels
from tempo_cli.video import child, ffmpeg

from .clips import JOINED, RECIPES, ClipMaker, FullDecode, decode_all, run_ffmpeg

Trap = Callable[[Path, bytes], threading.Event]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipMaker:
    """The path of a clip by its name in `RECIPES` or `JOINED`, made when first asked for."""
    folder = tmp_path_factory.mktemp("clips")

    @cache
    def make(name: str) -> Path:
        if name in JOINED:
            (folder / name).write_bytes(b"".join(make(part).read_bytes() for part in JOINED[name]))
            return folder / name
        parts = RECIPES[name].arguments
        run_ffmpeg(*(make(part[1:]) if part.startswith("@") else part for part in parts), folder / name)
        return folder / name

    return make


@pytest.fixture(scope="session")
def truth(clip: ClipMaker) -> FullDecode:
    """All frames of a clip as ffmpeg decodes them, by its name in `RECIPES`."""

    @cache
    def make(name: str) -> Pixels:
        frames = decode_all(clip(name), RECIPES[name])
        same = (frames[1:] == frames[:-1]).all(axis=(1, 2, 3))
        assert not same.any(), "neighbours must differ, else a wrong frame would not show"
        return frames

    return make


@contextmanager
def _trap(path: Path, content: bytes) -> Iterator[threading.Event]:
    opened, released = threading.Event(), threading.Event()

    def serve() -> None:
        with suppress(BrokenPipeError), path.open("wb", buffering=0) as pipe:  # waits for a reader
            if not released.is_set():
                opened.set()
                pipe.write(content)

    os.mkfifo(path)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield opened
    finally:
        released.set()
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # lets the thread go on
        thread.join(timeout=10)
        os.close(reader)


@pytest.fixture
def trap() -> Iterator[Trap]:
    """Lay a FIFO at a path: the event is set as soon as anyone opens it, who then reads the content there."""
    with ExitStack() as stack:
        yield lambda path, content: stack.enter_context(_trap(path, content))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of the processes that the product starts."""
    ids: list[int] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            ids.append(self.pid)

    monkeypatch.setattr(child.subprocess, "Popen", Recorded)
    return ids


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str, str], str]:
    """Make an executable shell script by name and body, a stand-in for ffmpeg; returns its path."""

    def make(name: str, body: str) -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture(autouse=True)
def _fresh_search() -> Iterator[None]:
    """No test sees the ffmpeg that another one found."""
    ffmpeg.find_ffmpeg.cache_clear()
    yield
    ffmpeg.find_ffmpeg.cache_clear()
