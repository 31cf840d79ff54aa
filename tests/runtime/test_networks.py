"""What kept segments may take beside the networks."""

import pytest
import torch

from tempo_cli.config import KeepOptions
from tempo_cli.events import ignore
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.device import Target
from tempo_cli.plan.keep import KeepLimits
from tempo_cli.plan.memory import USABLE, Plan
from tempo_cli.runtime import networks
from tempo_cli.runtime.networks import Networks

from ..conftest import GOLDEN

GB = 10**9


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host of 64 GB, 40 of them free."""
    monkeypatch.setattr(networks, "host_total_bytes", lambda: 64 * GB)
    monkeypatch.setattr(networks, "host_free_bytes", lambda: 40 * GB)


def networks_on(device: str) -> Networks:
    folder = GOLDEN / "checkpoints/a"
    checkpoint = Checkpoint.open(folder / "Tempo-tiny", folder / "Qwen3-VL-tiny")
    return Networks(checkpoint, Target(torch.device(device), torch.float32), decoder=True, emit=ignore)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("device", "spare", "options", "limits"),
    [
        ("cpu", 10 * GB, KeepOptions(), KeepLimits(0, 10 * GB)),
        ("cpu", 20 * GB, KeepOptions(), KeepLimits(0, 16 * GB)),  # a quarter of the host
        ("cpu", None, KeepOptions(), KeepLimits(0, 0)),
        ("cuda", 5 * GB, KeepOptions(), KeepLimits(5 * GB, 16 * GB)),
        ("cuda", None, KeepOptions("features"), KeepLimits(0, 16 * GB, "features")),
        ("cuda", 5 * GB, KeepOptions("host", 1, 2), KeepLimits(1, 2, "host")),
        ("cpu", 5 * GB, KeepOptions(device_bytes=GB, host_bytes=0), KeepLimits(GB, 0)),
    ],
)
def test_limits_follow_from_the_plan_the_host_and_the_options(device, spare, options, limits):
    assert networks_on(device).keep_limits(Plan(True, 8, spare), options) == limits


def test_little_free_host_memory_lowers_the_limit(monkeypatch):
    monkeypatch.setattr(networks, "host_total_bytes", lambda: 64 * GB)
    monkeypatch.setattr(networks, "host_free_bytes", lambda: 8 * GB)
    found = networks_on("cuda").keep_limits(Plan(True, 8, 0), KeepOptions())
    assert found == KeepLimits(0, int(8 * GB * USABLE))


@pytest.mark.usefixtures("machine")
def test_nothing_kept_is_nothing_to_release():
    held = networks_on("cpu")
    assert not held.release_kept()
    assert held.keep_limits(Plan(True, 8, GB), KeepOptions()) == KeepLimits(0, GB)
