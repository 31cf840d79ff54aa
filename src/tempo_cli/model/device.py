"""Where the model runs, in which type, and how much memory is left there."""

import gc
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy.typing as npt
import torch

from ..config import LoadOptions
from ..errors import SetupError, UsageError

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_HALF = torch.float16, torch.bfloat16


Bits = Literal["int8", "int4"]


@dataclass(frozen=True)
class Target:
    """Where weights go and how they are kept there; with `bits` None all of them in `dtype`."""

    device: torch.device
    dtype: torch.dtype
    bits: Bits | None = None


class Targets(NamedTuple):
    """Where each network goes."""

    compressor: Target
    decoder: Target


# what other programs call them
_DTYPE_ALIASES = {
    "bf16": "bfloat16", "fp16": "float16", "f16": "float16", "half": "float16", "fp32": "float32",
    "f32": "float32",
}  # fmt: skip
_DEVICE_ALIASES = {"gpu": "cuda"}


def choose_device(
    options: LoadOptions, option: Literal["device", "decoder_device"] = "device"
) -> tuple[torch.device, torch.dtype]:
    """The device and type that `options` mean on this machine.

    Args:
        option: which of the devices; without `decoder_device` it is `device`.

    Raises:
        UsageError: a name that is none.
        SetupError: a device that this machine, or this build of torch, does not have.
    """
    name = (options.decoder_device if option == "decoder_device" else None) or options.device
    device = _device(_DEVICE_ALIASES.get(name, name), option)
    dtype = _DTYPE_ALIASES.get(options.dtype, options.dtype)
    if dtype == "auto":
        return device, _default_dtype(device)
    if dtype not in _DTYPES:
        raise UsageError(f"dtype '{options.dtype}' is not known", f"Known: auto, {', '.join(_DTYPES)}.")
    return device, _DTYPES[dtype]


def put(values: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """A copy on a device; a CUDA device copies from pinned memory, so the host does not wait for it."""
    host = torch.from_numpy(values)
    return host.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else host.to(device)


def device_free_bytes(device: torch.device) -> int | None:
    """Bytes that tensors could still take on an accelerator; None on a CPU, whose memory is the host's."""
    if device.type == "mps":
        return max(0, torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    reserved = torch.cuda.memory_reserved(device)
    limit = int(torch.cuda.get_per_process_memory_fraction(device) * total)
    return max(0, min(free, limit - reserved) + reserved - torch.cuda.memory_allocated(device))


def release_memory(device: torch.device) -> None:
    """Give back what no tensor holds any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory did not suffice; each backend says it in its own way."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    words = ("DefaultCPUAllocator", "MPS backend out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def device_peak_bytes(*devices: torch.device) -> int | None:
    """Most bytes that tensors took on CUDA devices since the process began, in all; None without any."""
    found = [int(torch.cuda.max_memory_allocated(device)) for device in set(devices) if device.type == "cuda"]
    return sum(found) if found else None


def current(device: torch.device) -> AbstractContextManager[object]:
    """Make a CUDA device the current one, whose streams and graphs are used, in the block."""
    return torch.cuda.device(device.index or 0) if device.type == "cuda" else nullcontext()


def cpu_speed() -> float:
    """Multiply-adds per second of this CPU in float32, from a product of some milliseconds."""
    matrix = torch.ones(1024, 1024)
    matrix @ matrix
    started = time.perf_counter()
    matrix @ matrix
    return 1024**3 / (time.perf_counter() - started)


def _device(name: str, option: str = "device") -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not (kind == "cuda" and number.isdecimal())):
        raise UsageError(f"device '{name}' is not known", "Known: auto, cpu, cuda, cuda:N, mps.")
    if kind == "cuda" and not torch.cuda.is_available():
        raise SetupError(
            "there is no CUDA device, or torch was built without CUDA", f"Give `{option}='cpu'`."
        )
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise SetupError(
            f"there is no {name}: {torch.cuda.device_count()} CUDA devices", f"Give `{option}='auto'`."
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise SetupError("there is no MPS device", f"Give `{option}='cpu'`.")
    return torch.device(kind, int(number or 0)) if kind == "cuda" else torch.device(kind)


def _default_dtype(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        with current(device):
            own = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if own else torch.float16
    return torch.float32 if device.type == "cpu" else torch.float16


def is_recent_cuda(values: torch.Tensor) -> bool:
    """Whether kernels for half precision on NVIDIA's cards since 2020 (Ampere) can be used."""
    if values.device.type != "cuda" or values.dtype not in _HALF:
        return False
    return torch.version.hip is None and torch.cuda.get_device_capability(values.device)[0] >= 8
