"""Kept segments beside the networks: what counts as free, what is released, how much less is planned then."""

from itertools import count
from types import SimpleNamespace

import pytest
import torch

from tempo_cli.config import KeepOptions
from tempo_cli.events import Progress
from tempo_cli.model.compressor import Prefix
from tempo_cli.model.device import Target
from tempo_cli.model.transformer import KVCache
from tempo_cli.plan.keep import KeepLimits
from tempo_cli.plan.memory import Plan
from tempo_cli.runtime.networks import Networks

MB = 10**6
ONE = 2 * 3 * 64 * 64 * 4  # bytes of one segment below: 98,304
PREFIX = Prefix(KVCache(torch.ones(1, 2, 1, 3, 64, 64), 64), next_position=64)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the system says: `total` and `free` on the host, `device` free on the accelerator."""
    sizes = SimpleNamespace(total=1000 * MB, free=600 * MB, device=50 * MB)
    monkeypatch.setattr("tempo_cli.runtime.networks.host_total_bytes", lambda: sizes.total)
    monkeypatch.setattr("tempo_cli.runtime.networks.host_free_bytes", lambda: sizes.free)
    monkeypatch.setattr("tempo_cli.runtime.networks.device_free_bytes", lambda _: sizes.device)
    return sizes


@pytest.fixture
def networks(tiny_models, memory):  # noqa: ARG001
    """Of a tiny checkpoint on the device that is named; nothing is loaded."""

    def make(device: str, events: list | None = None) -> Networks:
        target = Target(torch.device(device), torch.float32)
        emit = (lambda _: None) if events is None else events.append
        return Networks(tiny_models["a"].checkpoint, target, decoder=True, emit=emit)

    return make


def kept(held: Networks, *, device: int = 0, host: int = 0) -> None:
    """Keep so many segments. The tensors lie on the CPU whatever the store's device is."""
    held.store.device, held.store._arena._pinned = torch.device("cpu"), False
    held.store.set_limits(KeepLimits(100 * MB, 100 * MB))
    shelf = held.store.shelf()
    assert all(shelf.keep_prefix(index, PREFIX, 0, "device") for index in range(device))
    assert all(shelf.keep_prefix(100 + index, PREFIX, 0, "host") for index in range(host))


def test_beside_a_cuda_device_the_host_gives_what_is_usable_or_held_already(networks, memory):
    memory.free, held = 10 * MB, networks("cuda")
    assert held.keep_limits(Plan(True, 8, 0), KeepOptions()).host == 9_200_000
    kept(held, host=3)
    assert held.keep_limits(Plan(True, 8, 0), KeepOptions()).host == int((10 * MB + 3 * ONE) * 0.92)
    memory.free, memory.total = None, None
    assert held.keep_limits(Plan(True, 8, 0), KeepOptions()).host == 0


@pytest.mark.parametrize(("device", "share"), [("cpu", "host"), ("cuda", "device")])
def test_each_time_kept_segments_are_dropped_half_as_much_is_planned(device, share, networks):
    plan, options, held = Plan(True, 8, 40 * MB), KeepOptions(), networks(device)
    for planned in (40 * MB, 20 * MB, 10 * MB):
        assert not held.release_kept()  # nothing was kept: nothing changes
        assert getattr(held.keep_limits(plan, options), share) == planned
        kept(held, device=1)
        assert held.release_kept()


def test_what_the_decoder_keeps_for_its_next_answer_is_dropped_too(networks):
    plan, held = Plan(True, 8, 40 * MB), networks("cuda")
    held._decoder = SimpleNamespace(forget=iter([True, False]).__next__)
    assert held.release_kept()
    assert not held.release_kept()
    assert held.keep_limits(plan, KeepOptions()).device == 40 * MB  # no segment was in the way


@pytest.mark.parametrize(("device", "left", "limit"), [("cpu", 0, 50 * MB), ("cuda", 2 * ONE, 100 * MB)])
def test_releasing_leaves_the_host_beside_a_cuda_device(device, left, limit, networks):
    held = networks(device)
    kept(held, device=1, host=2)
    assert held.release_kept()
    assert (held.store.device_bytes, held.store.host_bytes) == (0, left)
    assert held.store.limits == KeepLimits(0, limit, "device")  # nothing more goes onto the device


@pytest.mark.parametrize(("device", "free"), [("cpu", 600 * MB + 3 * ONE), ("cuda", 50 * MB + ONE)])
def test_kept_segments_count_as_free(device, free, networks):
    held = networks(device)
    kept(held, device=1, host=2)
    assert held.free_bytes() == free


def test_where_the_device_tells_nothing_nothing_is_known(networks, memory):
    memory.device = None
    assert networks("cuda").free_bytes() is None


def test_seconds_of_loading_add_up_and_its_progress_is_told(networks, monkeypatch):
    events = []
    held = networks("cpu", events)
    monkeypatch.setattr("tempo_cli.runtime.networks.time", SimpleNamespace(perf_counter=count().__next__))
    held.seconds = 5.0
    assert held._load(lambda: "loaded") == "loaded"
    assert held.seconds == 6.0
    assert events == [Progress("load", 0, 1), Progress("load", 1, 1)]
