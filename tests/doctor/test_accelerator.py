"""torch, with GPUs that are only pretended."""

import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors.numpy import load_file, save_file

from tempo_cli.doctor import Finding, Level, accelerator
from tempo_cli.doctor.findings import guarded
from tempo_cli.runtime import networks

from .conftest import MODEL, NOT_THERE, by_name, configured

GIB = 2**30


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs, an old one and a new one, and the driver for them."""
    import torch

    old = SimpleNamespace(name="Tesla T4", major=7, minor=5)
    new = SimpleNamespace(name="H200", major=9, minor=0)
    cuda = {
        "is_available": lambda: True,
        "device_count": lambda: 2,
        "current_device": lambda: 1,
        "get_device_properties": [old, new].__getitem__,
        "mem_get_info": lambda number: (number * 100 * GIB + GIB, number * 120 * GIB + 15 * GIB),
        "device": lambda number: nullcontext(chosen.append(number)),
        "is_bf16_supported": lambda including_emulation=True: including_emulation or chosen[-1] == 1,
    }
    chosen: list[int] = []
    for name, value in cuda.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(accelerator, "driver_cuda", lambda: "13.1")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"OMP_WAIT_POLICY": "PASSIVE"},
            "models up to 50 million weights compute with 1, others with 3; OMP_WAIT_POLICY=PASSIVE",
        ),
        (
            {"OMP_NUM_THREADS": "3", "KMP_BLOCKTIME": "9"},
            "models up to 50 million weights compute with 3, others with 3; KMP_BLOCKTIME=9",
        ),
        ({}, "models up to 50 million weights compute with 1, others with 3; waiting as OpenMP does"),
    ],
)
def test_threads_and_how_they_wait(monkeypatch: pytest.MonkeyPatch, environment, message) -> None:
    import torch

    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (found,) = accelerator._threads()
    assert found.message == message


@pytest.mark.parametrize(
    ("triton", "compilers", "level", "message", "hint"),
    [
        ("3.6.0", ["gcc"], Level.ok, "Triton 3.6.0, compiled with /bin/gcc", None),
        ("3.6.0", ["clang"], Level.ok, "Triton 3.6.0, compiled with /bin/clang", None),
        (
            "3.6.0",
            [],
            Level.note,
            "no C compiler for Triton: answers are written more slowly",
            "Install gcc, for example: apt install gcc",
        ),
        (
            None,
            ["gcc"],
            Level.note,
            "Triton is not installed: answers are written more slowly",
            "pip install triton",
        ),
    ],
)
def test_what_writes_an_answer(monkeypatch, triton, compilers, level, message, hint) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(accelerator, "_version", lambda _: triton)
    monkeypatch.setattr(
        accelerator.shutil, "which", lambda name: f"/bin/{name}" if name in compilers else None
    )
    (found,) = accelerator._kernels()
    assert (found.level, found.message, found.hint) == (level, message, hint)


@pytest.mark.usefixtures("gpus")
def test_each_gpu_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "nvdec", lambda _: iter([Finding("NVDEC", Level.ok, "works")]))
    found = by_name(accelerator.findings(configured()))
    names = [
        "torch",
        "threads",
        "libraries",
        "CUDA",
        "GPU 0",
        "GPU 1",
        "NVDEC",
        "kernels",
        "attention",
        "quantization",
        "device",
        "fit",
    ]
    assert [name for name in found if name != "MPS"] == names
    assert found["CUDA"].message == "the driver supports CUDA 13.1"
    assert found["GPU 0"].message == (
        "Tesla T4, 15.0 GiB, 1.0 GiB free, compute capability 7.5, bfloat16 no: float16 instead"
    )
    assert found["GPU 1"].facts == {
        "name": "H200",
        "total_bytes": 135 * GIB,
        "free_bytes": 101 * GIB,
        "capability": "9.0",
        "bfloat16": True,
    }
    assert found["torch"].facts["cuda"] == "13.0"
    assert found["attention"].facts["sdpa"] == ["flash", "memory-efficient", "cudnn", "math"]


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    ("driver", "build", "hidden", "level", "words"),
    [
        (None, None, None, "note", "no NVIDIA driver"),
        (None, "13.0", None, "note", "no NVIDIA driver"),
        ("12.8", None, None, "warning", "torch was built without CUDA"),
        ("12.8", "13.0", None, "warning", "the NVIDIA driver supports CUDA 12.8, torch was built for 13.0"),
        ("13.1", "13.0", "", "warning", "CUDA_VISIBLE_DEVICES='' hides the GPUs"),
        ("13.1", "13.0", None, "warning", "there is an NVIDIA driver (CUDA 13.1), but torch finds no GPU"),
    ],
)
def test_why_there_is_no_gpu(
    driver: str | None,
    build: str | None,
    hidden: str | None,
    level: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    monkeypatch.setattr(accelerator, "driver_cuda", lambda: driver)
    monkeypatch.setattr(torch.version, "cuda", build)
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    (found,) = accelerator._cuda()
    assert found.level == level
    assert words in found.message


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(("values", "message"), NOT_THERE)
def test_a_device_that_is_not_there_is_a_problem(values: dict[str, object], message: str) -> None:
    (found,) = guarded("device", accelerator._device, configured(**values))
    assert (found.level, found.message) == (Level.problem, message)


def test_a_device_that_does_not_compute_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: no kernel image\nis available")

    well, fits = accelerator._device(configured())
    assert fits.check == "fit"
    assert (well.level, well.message) == (Level.ok, "ask runs on cpu in float32")
    monkeypatch.setattr(torch, "ones", broken)
    (found,) = accelerator._device(configured())
    assert found.message == "cpu does not compute in float32: CUDA error: no kernel image is available"
    monkeypatch.setattr(torch, "ones", lambda *size, **_: torch.zeros(size))
    (found,) = accelerator._device(configured())
    assert found.message == "cpu does not compute in float32: 64 ones add up to 0"
    assert found.level == Level.problem


def test_torch_that_can_not_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (found,) = accelerator.findings(configured())
    assert (found.check, found.level) == ("torch", Level.problem)
    assert found.hint == "Install it again: pip install --force-reinstall torch"


def numbers_in(folder: Path) -> int:
    """How many numbers the tensors of a checkpoint hold."""
    return sum(tensor.size for tensor in load_file(folder / "model.safetensors").values())


def fit(**values: object) -> Finding:
    given = configured(**values)
    (found,) = guarded("fit", accelerator._fit, given, accelerator._targets(given))
    return found


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("bfloat16", 2)])
def test_what_the_weights_take(dtype: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "host_free_bytes", lambda: 10 * GIB)
    found = fit(dtype=dtype)
    taken = numbers_in(MODEL) * size
    assert found.facts == {"weights_bytes": taken, "free_bytes": 10 * GIB, "together": True}
    assert (found.level, found.message) == (
        Level.ok,
        f"the weights take {taken / 2**20:.1f} MiB, 10.0 GiB free",
    )


def test_networks_that_fit_only_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "host_free_bytes", lambda: numbers_in(MODEL) * 4 - 1)
    found = fit()
    assert (found.level, found.facts["together"]) == (Level.note, False)
    assert found.message.endswith(": the two networks are loaded one at a time")


def test_a_model_that_is_too_large_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "host_free_bytes", lambda: 1000)
    found = fit()
    assert found.level == Level.problem
    assert found.message.endswith("weights take 0.0 GB, and only 0.0 GB is free")


def test_a_model_of_another_kind_is_a_problem(tmp_path: Path) -> None:
    for name in ("Tempo-tiny", "Qwen3-VL-tiny"):
        shutil.copytree(MODEL.parent / name, tmp_path / name)
    folder = tmp_path / "Tempo-tiny"
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {name.replace("mm_projector", "adapter"): t for name, t in tensors.items()},
        folder / "model.safetensors",
    )
    found = fit(model=str(folder))
    assert found.level == Level.problem
    assert "mm_projector" in found.message


def test_of_a_model_that_is_not_here_nothing_is_said() -> None:
    given = configured(model="no where")
    assert list(accelerator._fit(given, accelerator._targets(given))) == []


def test_each_network_s_device_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `cpu:0` as the decoder's device, which this machine has, too."""
    import torch

    from tempo_cli.model import loading
    from tempo_cli.model.device import Target, Targets

    pair = Targets(Target(torch.device("cpu"), torch.float32), Target(torch.device("cpu", 0), torch.bfloat16))
    monkeypatch.setattr(loading, "choose_targets", lambda *_: pair)
    monkeypatch.setattr(networks, "host_free_bytes", lambda: 10 * GIB)
    device, fits = accelerator._device(configured())
    assert device.message == "ask runs on cpu in float32, its decoder on cpu:0 in bfloat16"
    assert device.facts["decoder_device"] == "cpu:0"
    assert device.facts["decoder_dtype"] == "bfloat16"
    assert fits.level is Level.ok
    sizes = fits.facts["weights_bytes"], fits.facts["decoder_weights_bytes"]
    assert sizes[0] / 4 + sizes[1] / 2 == numbers_in(MODEL)
    assert fits.message == (
        f"the compressor takes {sizes[0] / 2**20:.1f} MiB, 10.0 GiB free on cpu; "
        f"the decoder takes {sizes[1] / 2**20:.1f} MiB, 10.0 GiB free on cpu:0"
    )


@pytest.mark.usefixtures("gpus")
def test_the_type_follows_from_the_device_and_the_model_s_size() -> None:
    def found(**values: object) -> list[str]:
        return [str(target.dtype) for target in accelerator._targets(configured(**values))]

    small = {"device": "cuda:1", "model": str(MODEL)}
    assert found(**small) == ["torch.float32"] * 2
    assert found(**small, dtype="bf16") == ["torch.bfloat16"] * 2
    assert found(device="cuda:1", model="no where") == ["torch.bfloat16"] * 2  # taken for a large one
    assert found(**{**small, "decoder-device": "cuda:0", "dtype": "bf16"}) == ["torch.bfloat16"] * 2
    apart = {"device": "cuda:1", "decoder-device": "cuda:0", "model": "no where"}
    assert found(**apart) == ["torch.bfloat16", "torch.float16"]  # the old one has no bfloat16


@pytest.mark.usefixtures("no_gpu")
def test_a_decoder_device_that_is_not_there_is_a_problem() -> None:
    (found,) = guarded("device", accelerator._device, configured(**{"decoder-device": "cuda:1"}))
    assert (found.level, found.hint) == (Level.problem, "Give `decoder_device='cpu'`.")
