"""What counts as right, and what counts as left behind."""

import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from gpu_parts.command import left_nothing
from gpu_parts.correctness import distance, verdict
from gpu_parts.results import Recorder
from gpu_parts.scale import SMALL, Bench

from tempo_cli import LoadOptions, Tempo
from tests.conftest import GOLDEN

EXACT = {
    "relevance": 0.0,
    "relevance_99": 0.0,
    "same_tokens": 1.0,
    "within_2_tokens": 1.0,
    "same_answers": 1.0,
}


@pytest.mark.parametrize(
    ("dtype", "found", "ok"),
    [
        (
            "bfloat16",
            {"relevance": 0.5, "relevance_99": 0.02, "within_2_tokens": 0.9, "same_answers": 0.98},
            True,
        ),
        ("bfloat16", {"same_tokens": 0.1}, True),
        ("bfloat16", {"relevance_99": 0.0201}, False),
        ("bfloat16", {"within_2_tokens": 0.899}, False),
        ("bfloat16", {"same_answers": 0.979}, False),
        ("float32", {"relevance": 1e-3, "same_tokens": 0.99}, True),
        ("float32", {"relevance": 1.1e-3}, False),
        ("float32", {"same_tokens": 0.98}, False),
        ("float32", {"same_answers": 0.99}, False),
    ],
)
def test_a_verdict(dtype: str, found: dict[str, float], ok: bool) -> None:
    assert verdict(EXACT | found, dtype)["ok"] is ok


def test_nano_may_be_further_off_in_bfloat16_only() -> None:
    assert verdict(EXACT | {"relevance_99": 0.04}, "bfloat16", steep=True)["ok"]
    assert not verdict(EXACT | {"relevance_99": 0.041}, "bfloat16", steep=True)["ok"]
    assert not verdict(EXACT | {"relevance": 0.002}, "float32", steep=True)["ok"]


def test_answers_that_are_noise_do_not_count() -> None:
    assert verdict(EXACT | {"same_answers": 0.0}, "bfloat16", answers=False)["ok"]


def test_the_distance_of_runs() -> None:
    tempo = Tempo.load(GOLDEN / "checkpoints/a/Tempo-tiny", options=LoadOptions(device="cpu"))
    video = GOLDEN / "videos/fractal.mp4"
    car, bike = (tempo.inspect(video, f"what color was the {thing}") for thing in ("car", "bike"))
    assert distance([car, bike], [car, bike]) == {"questions": 2, "segments": 2 * len(car.segments)} | EXACT
    pairs = list(zip(car.segments, bike.segments, strict=True))
    apart = distance([car], [bike])
    assert (
        apart["relevance_99"]
        <= apart["relevance"]
        == max(abs((a.relevance or 0) - (b.relevance or 0)) for a, b in pairs)
    )
    assert apart["same_tokens"] == sum(a.tokens == b.tokens for a, b in pairs) / len(pairs)
    assert apart["within_2_tokens"] == sum(abs(a.tokens - b.tokens) <= 2 for a, b in pairs) / len(pairs)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A rehearsal."""
    return Bench(SMALL, tmp_path, Recorder(tmp_path / "rows"), 1, Namespace())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_process_and_a_file_that_are_left_are_named(bench: Bench) -> None:
    row: dict[str, Any] = {"exit": 0}
    with left_nothing(bench, row) as env:
        row["ok"] = True
        Path(env["TMPDIR"], "frames.rgb").touch()
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process.kill()
    process.wait()
    (name,) = row["left"]["processes"]
    assert name.startswith("python")
    assert row["left"]["files"] == ["frames.rgb"]
    assert row["ok"] is False


def test_nothing_left_leaves_the_verdict_alone(bench: Bench) -> None:
    for ok in (True, False):
        row: dict[str, Any] = {"exit": 0}
        with left_nothing(bench, row):
            row["ok"] = ok
        assert row["ok"] is ok
        assert row["left"] == {"processes": [], "files": []}
