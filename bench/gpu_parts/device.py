"""The device itself: its facts, its clock, its peaks, and what it reaches."""

import time
from collections.abc import Callable
from typing import Any

import torch

from tempo_cli.doctor.accelerator import driver_cuda

from .counts import Ceilings
from .scale import Bench

_TRIES = 5


def facts(bench: Bench) -> dict[str, Any]:
    """Names and versions.

    Raises:
        RuntimeError: there is no CUDA device although one is needed.
    """
    if bench.device == "cpu":
        torch.set_num_threads(1)  # threads of so little work wait for each other
        return {"accelerator": None, "torch": torch.__version__}
    if not torch.cuda.is_available():
        raise RuntimeError("no CUDA device here: give --small to try the code on the CPU")
    torch.zeros(1, device="cuda")  # wakes it up
    card = torch.cuda.get_device_properties(0)
    return {
        "accelerator": card.name,
        "total_bytes": card.total_memory,
        "free_bytes": torch.cuda.mem_get_info()[0],
        "capability": f"{card.major}.{card.minor}",
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "driver_cuda": driver_cuda(),
        "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
        "tf32_convolution": torch.backends.cudnn.allow_tf32,
    }


def wait() -> None:
    """Until the device has finished."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds until the device has finished `work`, and its result."""
    wait()
    started = time.perf_counter()
    result = work()
    wait()
    return time.perf_counter() - started, result


def fastest(work: Callable[[], Any], tries: int = _TRIES) -> float:
    """The least seconds of some tries; one before them warms up."""
    work()
    return min(timed(work)[0] for _ in range(tries))


def recorded(work: Callable[[], Any]) -> Callable[[], Any]:
    """`work` as a CUDA graph, so that starting its operations costs nothing; on a CPU `work` itself."""
    work()
    if not torch.cuda.is_available():
        return work
    wait()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def reset_peak() -> None:
    """Count peaks from here on."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak() -> int | None:
    """Most bytes of the device that tensors took since `reset_peak`."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


def taken() -> int | None:
    """Bytes of the device that tensors take now."""
    return torch.cuda.memory_allocated() if torch.cuda.is_available() else None


def ceilings(bench: Bench, dtype: torch.dtype) -> tuple[Ceilings, dict[str, float]]:
    """What the device reaches: a large matrix product, a copy on it, a copy to it from pinned memory."""
    size, count = bench.scale.matmul, bench.scale.copy
    left, right = (torch.randn(size, size, device=bench.device).to(dtype) for _ in range(2))
    product = 2 * size**3 / fastest(lambda: left @ right)
    source = torch.ones(count // 2, dtype=torch.uint8, device=bench.device)
    target = torch.empty_like(source)
    copy = 2 * source.nbytes / fastest(lambda: target.copy_(source))  # read and written
    host = torch.ones(count // 4, dtype=torch.uint8, pin_memory=bench.device == "cuda")
    part = target[: len(host)]
    to_device = host.nbytes / fastest(lambda: part.copy_(host, non_blocking=True))
    to_host = host.nbytes / fastest(lambda: host.copy_(part, non_blocking=True))
    found = {
        "operations_per_second": product,
        "copy_bytes_per_second": copy,
        "pinned_host_to_device_bytes_per_second": to_device,
        "device_to_pinned_host_bytes_per_second": to_host,
    }
    return Ceilings(product, copy), found
