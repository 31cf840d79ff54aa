"""Training leaves nothing behind on the wrong device: checked with an accelerator that is only imagined.

What lies on it is remembered by its storage. As on a real one, an operation on tensors of both sides is an
error (numbers alone, of no dimension, may travel), and so is reading one without fetching it first.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tempo_cli.model import vision
from training.network import Nano
from training.stages import Stage
from training.stories import Shelf
from training.trainer import Trainer

from .test_stages import SMALL

PLACE = torch.device("meta")  # its name


class Imagined:
    """The accelerator: which tensors it holds."""

    def __init__(self) -> None:
        self.held: dict[int, Tensor] = {}  # keeps them alive, so that no address is used twice

    def take(self, tensor: Tensor) -> Tensor:
        self.held[tensor.untyped_storage().data_ptr()] = tensor.detach()
        return tensor

    def holds(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() in self.held


class Operations(TorchDispatchMode):
    """What is computed from what it holds, it holds; nothing may mix."""

    def __init__(self, device: Imagined) -> None:
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        sides = {self.device.holds(tensor) for tensor in tensors if tensor.ndim}
        if len(sides) > 1:
            raise AssertionError(f"{func} on tensors of two devices")
        found = func(*args, **(kwargs or {}))
        if True in sides or (not sides and any(map(self.device.holds, tensors))):
            for leaf in tree_leaves(found):
                if isinstance(leaf, Tensor):
                    self.device.take(leaf)
        return found


class Calls(TorchFunctionMode):
    """`.to(device)` and `device=` put there, `.cpu()` fetches, and `.numpy()` of what is not here fails."""

    def __init__(self, device: Imagined) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = dict(kwargs or {})
        if getattr(func, "__self__", None) is Tensor.device and self.device.holds(args[0]):
            return PLACE
        if func is Tensor.cpu:
            return torch.from_numpy(np.array(args[0].detach().tolist()))
        if func is Tensor.to and args[1:] == (PLACE,):
            return self.device.take(args[0].clone())
        if func is Tensor.numpy:
            assert not self.device.holds(args[0]), "read from the device without fetching it"
        there = named.get("device") == PLACE
        if there:
            del named["device"]
        found = func(*args, **named)
        return self.device.take(found) if there else found


@pytest.fixture
def imagined(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An accelerator; modules and arrays go there."""
    device = Imagined()
    vision._cells.cache_clear()  # what lies on an accelerator of another test
    vision._taps.cache_clear()

    def to(self: nn.Module, place: object) -> nn.Module:
        for tensor in (*self.parameters(), *self.buffers()):
            assert place == PLACE
            device.take(tensor)
        return self

    monkeypatch.setattr(Nano, "device", PLACE)
    monkeypatch.setattr(nn.Module, "to", to)
    with Calls(device), Operations(device):
        yield


@pytest.mark.usefixtures("imagined")
@pytest.mark.parametrize("name", SMALL)
def test_a_stage_runs_on_one_device(fresh: Nano, shelf: Shelf, tmp_path: Path, name: str) -> None:
    stage: Stage = SMALL[name]
    Trainer(fresh.to(PLACE), tmp_path, 0, [shelf], [shelf]).run(stage, 1)
    assert (tmp_path / f"{stage.name}.pt").exists()


@pytest.mark.usefixtures("imagined")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda there, here: there + here,
        lambda there, here: there[here.long()],
        lambda there, here: torch.cat([there, here]),
        lambda there, _: there.numpy(),
    ],
)
def test_the_imagined_device_is_as_strict_as_a_real_one(
    fresh: Nano, wrong: Callable[[Tensor, Tensor], object]
) -> None:
    there, here = fresh.put(np.ones(3, np.float32)), torch.zeros(3)
    assert float((there * 2).sum()) == 6
    assert (there.cpu() + here).tolist() == [1, 1, 1]
    with pytest.raises(AssertionError, match="device"):
        wrong(there, here)
