"""Where the model runs and in which type."""

import time

import torch

from ..config import LoadOptions
from ..errors import SetupError, UsageError

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(options: LoadOptions) -> tuple[torch.device, torch.dtype]:
    """The device and type that `options` mean on this machine.

    Raises:
        UsageError: a name that is none.
        SetupError: a device that this machine, or this build of torch, does not have.
    """
    device = _device(options.device)
    if options.dtype == "auto":
        return device, _default_dtype(device)
    if options.dtype not in _DTYPES:
        raise UsageError(f"dtype '{options.dtype}' is not known", f"Known: auto, {', '.join(_DTYPES)}.")
    return device, _DTYPES[options.dtype]


def device_peak_bytes(device: torch.device) -> int | None:
    """Most bytes that tensors took on a CUDA device since the process began."""
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else None


def cpu_speed() -> float:
    """Multiply-adds per second of this CPU in float32, from a product of some milliseconds."""
    matrix = torch.ones(1024, 1024)
    matrix @ matrix
    started = time.perf_counter()
    matrix @ matrix
    return 1024**3 / (time.perf_counter() - started)


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not (kind == "cuda" and number.isdecimal())):
        raise UsageError(f"device '{name}' is not known", "Known: auto, cpu, cuda, cuda:N, mps.")
    if kind == "cuda" and not torch.cuda.is_available():
        raise SetupError("there is no CUDA device, or torch was built without CUDA", "Give --device cpu.")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise SetupError(
            f"there is no {name}: {torch.cuda.device_count()} CUDA devices", "Give --device auto."
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise SetupError("there is no MPS device", "Give --device cpu.")
    return torch.device(kind, int(number or 0)) if kind == "cuda" else torch.device(kind)


def _default_dtype(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32 if device.type == "cpu" else torch.float16
