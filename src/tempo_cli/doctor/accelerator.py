"""torch, the driver, the GPUs, attention, quantization, and the device that `ask` would take."""

import ctypes
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import ModelError
from ..plan.threads import SMALL_MODEL, computing_threads, waiting_choice
from ..texts import place
from .findings import REINSTALL_TORCH, Configuration, Finding, Level, amount, guarded, one_line, without_torch
from .media import nvdec

if TYPE_CHECKING:
    import torch

    from ..model.device import Targets

_OTHER_DEVICE = "Set TEMPO_DEVICE=cpu, or install a build of torch that fits this GPU and its driver."
_CPU_BUILD = "Install a CUDA build of torch: pytorch.org/get-started lists the command."


def findings(configuration: Configuration) -> Iterator[Finding]:
    """From the import of torch, without which nothing else here can be told, to the device in use."""
    if problem := without_torch("torch"):
        yield problem
        return
    import torch

    yield from guarded("torch", _torch)
    yield from guarded("threads", _threads)
    yield from guarded("libraries", _libraries)
    yield from guarded("CUDA", _cuda)
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        yield from guarded(f"GPU {number}", _gpu, number)
    if torch.cuda.is_available() and not torch.version.hip:
        yield from guarded("NVDEC", nvdec, configuration.value("ffmpeg"))
    if sys.platform == "darwin":
        yield from guarded("MPS", _mps)
    if torch.cuda.is_available() and not torch.version.hip:
        yield from guarded("kernels", _kernels)
    yield from guarded("attention", _attention)
    yield from guarded("quantization", _quantization)
    yield from guarded("device", _device, configuration)


def _torch() -> Iterator[Finding]:
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU"
    if torch.version.hip:
        build = f"ROCm {torch.version.hip}"
    facts = {"version": str(torch.__version__), "cuda": torch.version.cuda, "hip": torch.version.hip}
    yield Finding("torch", Level.ok, f"{torch.__version__}, built for {build}", facts=facts)


def _threads() -> Iterator[Finding]:
    """How many threads compute on a CPU, and how they wait."""
    import torch

    most = torch.get_num_threads()
    small = computing_threads("cpu", 0, os.environ) or most
    waiting = waiting_choice(os.environ)
    value = os.environ[waiting] if waiting else None
    computing = (
        f"models up to {SMALL_MODEL // 10**6} million weights compute with {small}, others with {most}"
    )
    message = f"{computing}; {f'{waiting}={value}' if waiting else 'waiting as OpenMP does'}"
    facts = {"small": small, "large": most, "variable": waiting, "value": value}
    yield Finding("threads", Level.ok, message, facts=facts)


def _libraries() -> Iterator[Finding]:
    """Imports everything that `ask` needs: a library that is missing, or too old, shows here."""
    names = ("tokenizers", "safetensors", "huggingface-hub", "av")
    try:
        from .. import tempo as tempo
    except (ImportError, OSError, RuntimeError) as error:
        message = f"a library that ask needs can't be imported: {one_line(error)}"
        yield Finding(
            "libraries", Level.problem, message, "Install it again: pip install --force-reinstall tempo-cli"
        )
        return
    versions = {name: importlib.metadata.version(name) for name in names}
    message = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield Finding("libraries", Level.ok, message, facts=versions)


def _cuda() -> Iterator[Finding]:
    """Whether the driver and this build of torch find each other."""
    import torch

    driver, build, found = driver_cuda(), torch.version.cuda, torch.cuda.is_available()
    facts = {"driver": driver, "devices": torch.cuda.device_count() if found else 0}
    if found:
        message = f"the driver supports CUDA {driver}" if driver else "there"
        yield Finding("CUDA", Level.ok, message, facts=facts)
    elif driver is None:
        yield Finding("CUDA", Level.note, "no NVIDIA driver: no CUDA device", facts=facts)
    else:
        yield Finding("CUDA", Level.warning, *_why_not(driver, build), facts)


def _why_not(driver: str, build: str | None) -> tuple[str, str]:
    """Why torch finds no CUDA device although there is a driver, and what to do."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if build is None:
        return f"there is an NVIDIA driver (CUDA {driver}), but torch was built without CUDA", _CPU_BUILD
    if hidden is not None:
        return f"CUDA_VISIBLE_DEVICES='{hidden}' hides the GPUs", "Unset it, or name a GPU: 0."
    if int(driver.split(".")[0]) < int(build.split(".")[0]):
        message = f"the NVIDIA driver supports CUDA {driver}, torch was built for {build}"
        return message, f"Update the driver, or install a torch built for CUDA {driver.split('.')[0]}."
    message = f"there is an NVIDIA driver (CUDA {driver}), but torch finds no GPU"
    return message, "Check that nvidia-smi lists one; in a container, that it has access to the GPU."


def driver_cuda() -> str | None:
    """The newest CUDA that the NVIDIA driver knows, such as `12.8`; None where there is no driver."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    version = ctypes.c_int(0)
    with suppress(OSError, AttributeError):
        if ctypes.CDLL(name).cuDriverGetVersion(ctypes.byref(version)) == 0 and version.value:
            return f"{version.value // 1000}.{version.value % 1000 // 10}"
    return None


def _gpu(number: int) -> Iterator[Finding]:
    import torch

    facts = torch.cuda.get_device_properties(number)
    free, total = torch.cuda.mem_get_info(number)
    with torch.cuda.device(number):
        half = torch.cuda.is_bf16_supported(including_emulation=False)
    capability = f"{facts.major}.{facts.minor}"
    message = (
        f"{facts.name}, {amount(total)}, {amount(free)} free, "
        f"compute capability {capability}, bfloat16 {'yes' if half else 'no: float16 instead'}"
    )
    values = {"name": facts.name, "total_bytes": total, "free_bytes": free}
    values |= {"capability": capability, "bfloat16": half}
    yield Finding(f"GPU {number}", Level.ok, message, facts=values)


def _mps() -> Iterator[Finding]:
    import torch

    there = torch.backends.mps.is_available()
    message = "there" if there else "not available: needs macOS 12.3 or newer on Apple silicon"
    yield Finding("MPS", Level.ok if there else Level.note, message, facts={"available": there})


def _kernels() -> Iterator[Finding]:
    """Whether Triton can compile the kernels that write an answer."""
    version = _version("triton")
    compiler = shutil.which(os.environ.get("CC") or "gcc") or shutil.which("clang") or shutil.which("cc")
    facts = {"triton": version, "compiler": compiler}
    if version and compiler:
        yield Finding("kernels", Level.ok, f"Triton {version}, compiled with {compiler}", facts=facts)
    else:
        lack = "no C compiler for Triton" if version else "Triton is not installed"
        fix = "Install gcc, for example: apt install gcc" if version else "pip install triton"
        yield Finding("kernels", Level.note, f"{lack}: answers are written more slowly", fix, facts=facts)


def _attention() -> Iterator[Finding]:
    import torch

    kernels: dict[str, Callable[[], bool]] = {
        "flash": torch.backends.cuda.flash_sdp_enabled,
        "memory-efficient": torch.backends.cuda.mem_efficient_sdp_enabled,
        "cudnn": torch.backends.cuda.cudnn_sdp_enabled,
        "math": torch.backends.cuda.math_sdp_enabled,
    }
    enabled = [name for name, is_on in kernels.items() if is_on()]
    message = f"SDPA with {', '.join(enabled) or 'no kernel'}"
    yield Finding("attention", Level.ok, message, facts={"sdpa": enabled})


def _quantization() -> Iterator[Finding]:
    version = _version("bitsandbytes")
    facts = {"bitsandbytes": version}
    if version:
        yield Finding("quantization", Level.ok, f"bitsandbytes {version}", facts=facts)
    else:
        hint = "For `quantize`: pip install 'tempo-cli[quantize]'"
        yield Finding("quantization", Level.note, "bitsandbytes is not installed", hint, facts)


def _device(configuration: Configuration) -> Iterator[Finding]:
    """The device and type of a run, tried out with a small product.

    Raises:
        SetupError, UsageError: what was asked for is not there, or unknown.
    """
    targets = _targets(configuration)
    pairs = [(str(target.device), str(target.dtype).removeprefix("torch.")) for target in targets]
    (device, name), (beside, beside_name) = pairs
    bits = targets.compressor.bits
    facts = {"device": device, "dtype": name, "quantization": bits}
    facts |= {"decoder_device": beside, "decoder_dtype": beside_name}
    for target, (where, kind) in dict(zip(targets, pairs, strict=True)).items():
        if fault := _fault(target.device, target.dtype):
            hint = REINSTALL_TORCH if target.device.type == "cpu" else _OTHER_DEVICE
            yield Finding(
                "device", Level.problem, f"{where} does not compute in {kind}: {fault}", hint, facts
            )
            return
    message = f"ask runs on {place(device, name, bits, beside, beside_name)}"
    yield Finding("device", Level.ok, message, facts=facts)
    yield from guarded("fit", _fit, configuration, targets)


def _targets(configuration: Configuration) -> "Targets":
    """Where the networks go: by the model's size, if the model is here."""
    from ..config import LoadOptions
    from ..hub.locations import find_model
    from ..model.loading import choose_targets
    from ..model.tensor_files import TensorFiles

    names = ("device", "dtype", "quantize", "decoder_device")
    options = LoadOptions(**{name: configuration.value(name.replace("_", "-")) for name in names})
    targets = choose_targets(options)
    with suppress(ModelError):  # what is wrong with it stands under models, or is told where it is loaded
        folder = find_model(configuration.value("model"), configuration.value("revision")).path
        targets = choose_targets(options, TensorFiles(folder).weights)
    return targets


def _fit(configuration: Configuration, targets: "Targets") -> Iterator[Finding]:
    """Whether the model, if it is here, is one that can be loaded, and fits into the memory.

    Raises:
        ModelError: it is damaged, or another kind of model.
        OutOfMemoryError: not even one of its networks fits.
    """
    from ..hub.locations import find_base, find_model
    from ..model.checkpoint import Checkpoint
    from ..plan.memory import Work
    from ..runtime.networks import Networks

    try:
        location = find_model(configuration.value("model"), configuration.value("revision"))
        base = find_base(location, Checkpoint.base_name(location.path))
    except ModelError:  # what it lacks stands under models
        return
    checkpoint = Checkpoint.open(location.path, base.path, base.router)
    one, other = targets
    networks = Networks(checkpoint, one, decoder=True, emit=lambda _: None, decoder_target=other)
    weights_alone = Work(visual=0, segments=0, questions=1, tokens=0)
    together = networks.plan(weights_alone, 1).resident
    needs, free = networks.needs(weights_alone), networks.free_bytes()
    if networks.apart:
        beside = networks.free_bytes("decoder")
        here = f"{_room('the compressor takes', needs.compressor, free)} on {one.device}"
        there = f"{_room('the decoder takes', needs.decoder, beside)} on {other.device}"
        facts = {"weights_bytes": needs.compressor, "free_bytes": free, "together": True}
        facts |= {"decoder_weights_bytes": needs.decoder, "decoder_free_bytes": beside}
        yield Finding("fit", Level.ok, f"{here}; {there}", facts=facts)
        return
    size = needs.compressor + needs.decoder
    facts = {"weights_bytes": size, "free_bytes": free, "together": together}
    message = _room("the weights take", size, free)
    if together:
        yield Finding("fit", Level.ok, message, facts=facts)
    else:
        hint = "This is slower than necessary: close other programs, or set TEMPO_QUANTIZE=int4."
        yield Finding("fit", Level.note, f"{message}: the two networks are loaded one at a time", hint, facts)


def _room(what: str, size: int, free: int | None) -> str:
    return f"{what} {amount(size)}" + ("" if free is None else f", {amount(free)} free")


def _fault(device: "torch.device", dtype: "torch.dtype") -> str | None:
    """Why a product of two small matrices fails; None if it is right."""
    import torch

    try:
        ones = torch.ones(64, 64, device=device, dtype=dtype)
        product = float((ones @ ones)[0, 0])
    except RuntimeError as error:  # no kernel for this GPU, or one that is gone or taken
        return one_line(error)
    return None if product == 64 else f"64 ones add up to {product:g}"


def _version(distribution: str) -> str | None:
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(distribution)
    return None
