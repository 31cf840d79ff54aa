"""From named tensors to modules on a device: one tensor at a time, none of them held twice.

A module is built on the meta device, where it takes no memory. Each tensor comes straight from its file to
the device, takes its type there, is checked, quantized if it is to be, and put in its place.
"""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import nn

from ..config import FLOAT32_WEIGHTS, LoadOptions
from ..errors import ModelError
from ..system_memory import trim_heap
from .compressor import Compressor
from .device import Bits, Target, Targets, choose_device
from .llm import Decoder
from .quantize import choose_bits, is_quantized, quantized_linear
from .transformer import joined_weights


def choose_target(
    options: LoadOptions,
    weights: int | None = None,
    option: Literal["device", "decoder_device"] = "device",
) -> Target:
    """Where and how `options` mean the weights to be kept on this machine.

    Args:
        weights: of the whole model, how many; None: not known yet, taken for many.
        option: whose device.

    Raises:
        UsageError: a name that is none.
        SetupError: what this machine, or this build of torch, does not have.
    """
    device, dtype = choose_device(options, option)
    if options.dtype == "auto" and weights is not None and weights < FLOAT32_WEIGHTS:
        dtype = torch.float32
    return Target(device, dtype, choose_bits(options, device, option))


def choose_targets(options: LoadOptions, weights: int | None = None) -> Targets:
    """The same for both networks: `choose_target` says what for."""
    return Targets(choose_target(options, weights), choose_target(options, weights, "decoder_device"))


def fill(
    module: Compressor | Decoder,
    names: dict[str, str],
    tensors: Iterable[tuple[str, torch.Tensor]],
    target: Target,
) -> None:
    """Give a module that was built on meta its weights; afterwards it is ready to run.

    Args:
        names: {the file's name: the module's}.
        tensors: (the file's name, tensor on the target's device, in the file's type).

    Raises:
        ModelError: a tensor holds NaN or infinity, or does in the target's type.
    """
    joining = _Joining(module, names.values())
    for name, tensor in tensors:
        own, weight = names[name], tensor.to(target.dtype)
        _check_numbers(name, tensor, weight)
        if target.bits and is_quantized(module, own):
            _put_quantized(module, own, weight, target.bits)
        elif weight is tensor and weight.device.type == "cpu":
            put(module, own, weight)  # it is the file's own memory: a copy would be a second one
        else:
            put(module, own, joining.placed(own, weight))
    for child in module.modules():
        tie = getattr(child, "tie_weights", None)
        if callable(tie):
            tie()
        for name, table in list(child.named_buffers(recurse=False)):
            child.register_buffer(name, table.to(target.device), persistent=False)
    module.requires_grad_(False).eval()


class _Joining:
    """Lays weights that read the same input behind each other, so that one operation can use them all."""

    def __init__(self, module: nn.Module, names: Iterable[str]) -> None:
        self._groups = joined_weights(names)
        self._rows = {name: len(module.get_parameter(name)) for name in self._groups}
        self._memory: dict[tuple[str, ...], torch.Tensor] = {}

    def placed(self, own: str, weight: torch.Tensor) -> torch.Tensor:
        """`weight` in its place beside the others; itself where it has none."""
        group = self._groups.get(own)
        if group is None:
            return weight
        if group not in self._memory:
            rows = sum(self._rows[name] for name in group)
            self._memory[group] = weight.new_empty((rows, weight.shape[1]))
        start = sum(self._rows[name] for name in group[: group.index(own)])
        return self._memory[group][start : start + len(weight)].copy_(weight)


def put(module: nn.Module, own: str, tensor: torch.Tensor) -> None:
    """Make `tensor` the parameter that is called `own`."""
    home, _, leaf = own.rpartition(".")
    setattr(module.get_submodule(home), leaf, nn.Parameter(tensor, requires_grad=False))


def _put_quantized(module: nn.Module, own: str, weight: torch.Tensor, bits: Bits) -> None:
    home, _, _ = own.rpartition(".")
    layer = module.get_submodule(home)
    assert isinstance(layer, nn.Linear)
    module.set_submodule(home, quantized_linear(layer, weight, bits))
    if weight.device.type == "cpu":
        trim_heap()  # small results between large temporary values would keep most of what those took


def _check_numbers(name: str, stored: torch.Tensor, weight: torch.Tensor) -> None:
    if _finite(weight):
        return
    if _finite(stored):
        kind = str(weight.dtype).removeprefix("torch.")
        raise ModelError(f"tensor {name} has numbers too large for {kind}", "Try `dtype='float32'`.")
    raise ModelError(f"tensor {name} holds NaN or infinity", "The weights are broken: download them again.")


def _finite(tensor: torch.Tensor) -> bool:
    """One pass: a sum is finite only if all is; one that overflows in a narrow type is looked at closely."""
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())
