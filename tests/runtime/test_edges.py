"""When memory runs out while loading, and when it is given back."""

from typing import Any

import pytest
import torch

from tempo_cli.errors import OutOfMemoryError
from tempo_cli.events import ignore
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.device import Target
from tempo_cli.plan.memory import Plan, Work
from tempo_cli.runtime import networks
from tempo_cli.runtime.networks import Networks

from ..conftest import TinyModel

WORK = Work(visual=512, segments=15, questions=1, tokens=100)


def held(checkpoint: Checkpoint, *, decoder: bool) -> Networks:
    return Networks(checkpoint, Target(torch.device("cpu"), torch.float32), decoder=decoder, emit=ignore)


@pytest.mark.parametrize(("decoder", "attempts"), [(False, 1), (True, 2)])
def test_loading_is_tried_again_only_where_something_can_be_given_up(
    decoder: bool, attempts: int, tiny_models: dict[str, TinyModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def fail(*_: object) -> Any:
        tries.append(True)
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(Checkpoint, "load_compressor", fail)
    monkeypatch.setattr(Networks, "plan", lambda *_: Plan(True, 8, 0))
    monkeypatch.setattr(Networks, "advice", lambda *_: "Take less.")
    found = held(tiny_models["a"].checkpoint, decoder=decoder)
    with pytest.raises(OutOfMemoryError, match="the model does not fit"):
        found.ensure_loaded(WORK, 8)
    assert len(tries) == attempts
    assert found.resident is not decoder


def test_memory_is_released_whenever_a_network_is_dropped(
    tiny_models: dict[str, TinyModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, released = tiny_models["a"], []
    monkeypatch.setattr(Checkpoint, "load_compressor", lambda *_: model.compressor)
    monkeypatch.setattr(Checkpoint, "load_decoder", lambda *_: model.decoder)
    monkeypatch.setattr(networks, "release_memory", lambda device: released.append(device.type))
    found = held(model.checkpoint, decoder=True)
    found.compressor()
    found.decoder()
    assert released == []
    assert found.offload()
    found.decoder()
    assert (found._compressor, released) == (None, ["cpu"])
    found.compressor()
    assert (found._decoder, released) == (None, ["cpu", "cpu"])
    assert not found.offload()
    found.close()
    assert (found._compressor, released) == (None, ["cpu"] * 3)
