"""Shared fixtures: the golden cases and the tiny checkpoints, each loaded once."""

import os

os.environ.setdefault("TRITON_INTERPRET", "1")  # read when Triton is imported, by whatever test is the first

import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

from tempo_cli.config import BudgetOptions, SamplingOptions

from .hub.fixtures import cache, hub  # noqa: F401  fixtures for more than one folder

if TYPE_CHECKING:
    from tempo_cli.model.checkpoint import Checkpoint
    from tempo_cli.model.compressor import Compressor
    from tempo_cli.model.llm import Decoder

# tiny models: a second thread costs more than it brings; read when torch is imported, here or in a child
os.environ.setdefault("OMP_NUM_THREADS", "1")

# the same examples in every run: a red test means that the code has changed
settings.register_profile("tempo", deadline=None, derandomize=True, database=None)
settings.load_profile("tempo")

# a run in the background inherits that these are ignored, and so would the commands that tests interrupt
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler)

GOLDEN = Path(__file__).parent / "golden"
CASES = (
    "a_bunny_tight_budget",
    "a_fractal",
    "a_pattern_single_frame_tail",
    "b_bunny_starved_budget",
    "b_fractal_multiple_choice",
    "b_pattern_ata_off",
)


@dataclass(frozen=True)
class GoldenCase:
    """What the reference did with one video and question; tests/golden/README.md explains the arrays."""

    name: str
    facts: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]

    @property
    def question(self) -> str:
        return str(self.facts["query"])

    @property
    def video(self) -> Path:
        return GOLDEN / "videos" / self.facts["video"]

    @property
    def folder(self) -> Path:
        return GOLDEN / "checkpoints" / self.facts["checkpoint"] / "Tempo-tiny"

    @property
    def sampling(self) -> SamplingOptions:
        return SamplingOptions(self.facts["fps"], self.facts["max_frames"], self.facts["window"])

    @property
    def budget(self) -> BudgetOptions:
        return BudgetOptions(budget=self.facts["budget"], ata=self.facts["ata"])


@dataclass(frozen=True)
class TinyModel:
    """A golden checkpoint on the CPU in float32."""

    checkpoint: "Checkpoint"
    compressor: "Compressor"
    decoder: "Decoder"


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of golden files."""
    return GOLDEN


@pytest.fixture(scope="session", params=CASES)
def case(request: pytest.FixtureRequest) -> GoldenCase:
    """Each golden case in turn."""
    path = GOLDEN / "cases" / request.param
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    with np.load(path.with_suffix(".npz")) as arrays:
        return GoldenCase(request.param, facts, dict(arrays))


@pytest.fixture(scope="session")
def tiny_models() -> dict[str, TinyModel]:
    """By name: a with a linear projector and an untied head, b with an MLP and a tied one."""
    import torch

    from tempo_cli.model.checkpoint import Checkpoint
    from tempo_cli.model.device import Target

    models = {}
    for name in ("a", "b"):
        folder = GOLDEN / "checkpoints" / name
        checkpoint = Checkpoint.open(folder / "Tempo-tiny", folder / "Qwen3-VL-tiny")
        where = Target(torch.device("cpu"), torch.float32)
        compressor, decoder = checkpoint.load_compressor(where), checkpoint.load_decoder(where)
        models[name] = TinyModel(checkpoint, compressor, decoder)
    return models


@pytest.fixture(scope="session", params=["a", "b"])
def tiny_model(request: pytest.FixtureRequest, tiny_models: dict[str, TinyModel]) -> TinyModel:
    """Each golden checkpoint in turn."""
    return tiny_models[request.param]


@pytest.fixture(scope="session")
def exact_pixels() -> bool:
    """Whether this processor resizes bit for bit like the one that recorded the golden frames."""
    import torch

    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
