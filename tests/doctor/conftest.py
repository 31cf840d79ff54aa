"""Configurations, findings by name, stand-ins for ffmpeg."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest

from tempo_cli.doctor import DEFAULT, Configuration, Finding, Setting
from tempo_cli.video import ffmpeg

GOLDEN = Path(__file__).parent.parent / "golden"
MODEL = GOLDEN / "checkpoints" / "a" / "Tempo-tiny"
BUNDLED: str = imageio_ffmpeg.get_ffmpeg_exe()

Script = Callable[[str, str], str]

VALUES = {"model": str(MODEL), "revision": None, "offline": False, "device": "cpu", "dtype": "auto"}
VALUES |= {"quantize": "none", "ffmpeg": None, "decoder-device": None}


def configured(**values: object) -> Configuration:
    """The golden model on the CPU, but for `values`."""
    given = tuple(Setting(name, value, DEFAULT) for name, value in (VALUES | values).items())
    return Configuration(Path("config.toml"), None, given, ())


def by_name(found: Iterable[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in found}


def outline(found: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.check, finding.level.value) for finding in found]


NOT_THERE: list[tuple[dict[str, object], str]] = [  # settings without a GPU, and what is wrong with them
    ({"device": "cuda"}, "there is no CUDA device, or torch was built without CUDA"),
    ({"device": "tpu"}, "device 'tpu' is not known"),
    ({"dtype": "int3"}, "dtype 'int3' is not known"),
]


@pytest.fixture(autouse=True)
def _fresh_search() -> Iterator[None]:
    """No test sees the ffmpeg that another one found."""
    ffmpeg.find_ffmpeg.cache_clear()
    yield
    ffmpeg.find_ffmpeg.cache_clear()


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Make an executable shell script by name and body; returns its path."""

    def make(name: str, body: str) -> str:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """No CUDA device, whatever this machine has."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
