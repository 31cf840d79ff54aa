"""From files to a device: types, attention, broken numbers, a kill in the middle."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tempo_cli.config import FLOAT32_WEIGHTS, LoadOptions
from tempo_cli.errors import ModelError, SetupError, UsageError
from tempo_cli.model import loading, quantize
from tempo_cli.model.checkpoint import Checkpoint, TensorFiles
from tempo_cli.model.device import Target, Targets, device_free_bytes, device_peak_bytes
from tempo_cli.model.loading import choose_target, choose_targets

from ..conftest import GOLDEN

CPU = torch.device("cpu")
CUDA = torch.device("cuda", 0)
NANO = Path(loading.__file__).parents[1] / "nano/Tempo-nano"
LANGUAGE = "model.vision_tower_aux_list.0.vlm.model.language_model."
EACH_PART = [
    "model.norm.weight",
    "model.embed_tokens.weight",
    "model.mm_projector.bias",
    "model.vision_tower_aux_list.0.compression_tokens",
    f"{LANGUAGE}layers.1.mlp.down_proj.weight",
    "model.vision_tower_aux_list.0.vlm.model.visual.blocks.0.attn.qkv.bias",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of checkpoint a that a test may damage; its base lies beside it."""
    shutil.copytree(GOLDEN / "checkpoints/a", tmp_path / "a")
    return tmp_path / "a" / "Tempo-tiny"


def opened(folder: Path) -> Checkpoint:
    return Checkpoint.open(folder, folder.parent / "Qwen3-VL-tiny")


def put(folder: Path, name: str, value: float, at: int = -1) -> None:
    """Write one number into a tensor of the file."""
    tensors = load_file(folder / "model.safetensors")
    tensors[name].view(-1)[at] = value
    save_file(tensors, folder / "model.safetensors")


def load(folder: Path, target: Target) -> None:
    checkpoint = opened(folder)
    checkpoint.load_compressor(target)
    checkpoint.load_decoder(target)


@pytest.mark.parametrize("name", EACH_PART)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_tensor_with_a_number_that_is_none_is_named(folder, name, value):
    put(folder, name, value)
    with pytest.raises(ModelError) as caught:
        load(folder, Target(CPU, torch.float32))
    assert caught.value.message == f"tensor {name} holds NaN or infinity"
    assert caught.value.hint == "The weights are broken: download them again."


def test_infinities_that_cancel_out_are_seen(folder):
    put(folder, EACH_PART[0], float("inf"), at=0)
    put(folder, EACH_PART[0], -float("inf"), at=1)
    with pytest.raises(ModelError, match="holds NaN or infinity"):
        load(folder, Target(CPU, torch.float32))


def test_a_number_too_large_for_the_type_is_told_from_a_broken_one(folder):
    put(folder, "model.norm.weight", 1e5)
    with pytest.raises(ModelError) as caught:
        load(folder, Target(CPU, torch.float16))
    assert caught.value.message == "tensor model.norm.weight has numbers too large for float16"
    assert caught.value.hint == "Try `dtype='float32'`."
    load(folder, Target(CPU, torch.bfloat16))


def test_a_sum_that_overflows_is_no_broken_number():
    assert loading._finite(torch.full((100,), 6e4, dtype=torch.float16))
    assert not loading._finite(torch.tensor([6e4, 6e4, torch.inf], dtype=torch.float16))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_weight_takes_the_type_but_tables_and_the_router_stay_exact(folder, dtype):
    checkpoint = opened(folder)
    target = Target(CPU, dtype)
    compressor, decoder = checkpoint.load_compressor(target), checkpoint.load_decoder(target)
    assert {weight.dtype for name, weight in compressor.named_parameters() if name != "router"} == {dtype}
    assert {weight.dtype for weight in decoder.parameters()} == {dtype}
    assert compressor.router.dtype == torch.float32
    for module in (compressor, decoder):
        assert {table.dtype for name, table in module.named_buffers() if "inv_freq" in name} == {
            torch.float32
        }
        assert not any(value.is_meta for value in (*module.parameters(), *module.buffers()))


# which type, device and attention


@pytest.mark.parametrize(("bfloat16", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_cuda_takes_bfloat16_where_it_has_it_else_float16(monkeypatch, bfloat16, dtype):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)

    def supported(including_emulation: bool = True) -> bool:
        return including_emulation or bfloat16

    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert choose_target(LoadOptions()) == Target(torch.device("cuda", 1), dtype)
    assert choose_target(LoadOptions(device="cuda")) == Target(CUDA, dtype)
    assert choose_target(LoadOptions(device="cuda", dtype="float32")).dtype == torch.float32
    with pytest.raises(SetupError, match="there is no cuda:2: 2 CUDA devices"):
        choose_target(LoadOptions(device="cuda:2"))


def test_a_cpu_takes_float32():
    assert choose_target(LoadOptions(device="cpu")) == Target(CPU, torch.float32)


@pytest.fixture
def every_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two CUDA devices with bfloat16, an old one without, and MPS."""
    current = [0]

    @contextmanager
    def device(number: int) -> Iterator[None]:
        current.append(number)
        yield
        current.pop()

    def supported(including_emulation: bool = True) -> bool:
        return including_emulation or current[-1] < 2

    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)


@pytest.mark.usefixtures("every_device")
@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_a_small_model_computes_in_float32_on_every_device(device):
    assert FLOAT32_WEIGHTS == 100_000_000
    large = choose_target(LoadOptions(device=device), FLOAT32_WEIGHTS)
    assert large == choose_target(LoadOptions(device=device))
    assert large.dtype == {"cpu": torch.float32, "cuda": torch.bfloat16, "mps": torch.float16}[device]
    assert choose_target(LoadOptions(device=device), FLOAT32_WEIGHTS - 1).dtype == torch.float32
    asked = choose_target(LoadOptions(device=device, dtype="fp16"), 1)
    assert asked.dtype == torch.float16  # what is asked for stays


def test_weights_are_counted_by_the_files_headers(folder):
    files = TensorFiles(folder)
    tensors = load_file(folder / "model.safetensors")
    assert files.weights == sum(tensor.numel() for tensor in tensors.values())
    assert TensorFiles(NANO).weights == 3_704_448


@pytest.mark.usefixtures("every_device")
@pytest.mark.parametrize(
    ("device", "beside", "targets"),
    [
        ("cuda:0", "cuda:1", [("cuda:0", torch.bfloat16), ("cuda:1", torch.bfloat16)]),
        ("cuda:0", "cuda:2", [("cuda:0", torch.bfloat16), ("cuda:2", torch.float16)]),
        ("cuda:2", "cuda:1", [("cuda:2", torch.float16), ("cuda:1", torch.bfloat16)]),
        ("cuda", "cpu", [("cuda:0", torch.bfloat16), ("cpu", torch.float32)]),
        ("cpu", "gpu", [("cpu", torch.float32), ("cuda:0", torch.bfloat16)]),
        ("cpu", "mps", [("cpu", torch.float32), ("mps", torch.float16)]),
        ("cpu", "cpu", [("cpu", torch.float32), ("cpu", torch.float32)]),
        ("cuda:1", None, [("cuda:1", torch.bfloat16), ("cuda:1", torch.bfloat16)]),
        ("cpu", "auto", [("cpu", torch.float32), ("cuda:0", torch.bfloat16)]),
    ],
)
def test_each_network_has_a_device_and_its_type(device, beside, targets):
    found = choose_targets(LoadOptions(device=device, decoder_device=beside))
    assert found == Targets(*(Target(torch.device(name), dtype) for name, dtype in targets))
    small = choose_targets(LoadOptions(device=device, decoder_device=beside), 1000)
    assert [target.dtype for target in small] == [torch.float32] * 2


def test_a_decoder_device_that_is_not_there_is_named_by_its_option(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for name in ("cuda:1", "mps"):
        with pytest.raises(SetupError) as caught:
            choose_targets(LoadOptions(device="cpu", decoder_device=name))
        assert caught.value.hint == "Give `decoder_device='cpu'`."
    with pytest.raises(UsageError, match="device 'tpu' is not known"):
        choose_targets(LoadOptions(device="cpu", decoder_device="tpu"))


@pytest.mark.usefixtures("every_device")
def test_quantization_is_refused_for_a_decoder_on_mps(monkeypatch):
    monkeypatch.setattr(quantize, "library", lambda: None)
    with pytest.raises(SetupError) as caught:
        choose_targets(LoadOptions(device="cuda", decoder_device="mps", quantize="int4"))
    assert caught.value.message == "`quantize='int4'` does not run on mps"
    assert caught.value.hint == "Leave it out, or give `decoder_device='cpu'`."


def test_the_peak_is_that_of_all_cuda_devices(monkeypatch):
    peaks = {"cuda:0": 5, "cuda:1": 7}
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: peaks[str(device)])
    other = torch.device("cuda", 1)
    assert device_peak_bytes(CUDA, other) == 12
    assert device_peak_bytes(CUDA, CUDA) == 5
    assert device_peak_bytes(CPU, other) == 7
    assert device_peak_bytes(CPU) is None


@pytest.mark.parametrize(
    "options", [{"device": "tpu"}, {"device": "cuda:x"}, {"device": "cpu:0"}, {"dtype": "int3"}]
)
def test_a_name_that_is_none_is_refused(options):
    with pytest.raises(UsageError, match="is not known"):
        choose_target(LoadOptions(**{"device": "cpu", **options}))


@pytest.mark.parametrize(
    ("total", "free", "fraction", "reserved", "allocated", "room"),
    [
        (80, 70, 1.0, 0, 0, 70),
        (80, 60, 1.0, 10, 4, 66),  # what is reserved but not used can be taken
        (80, 70, 0.25, 0, 0, 20),  # the process may take no more than 20
        (80, 60, 0.25, 10, 4, 16),
        (80, 70, 0.1, 12, 12, 0),
    ],
)
def test_free_memory_on_cuda(monkeypatch, total, free, fraction, reserved, allocated, room):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, total))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: reserved)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: allocated)
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda _: fraction)
    assert device_free_bytes(CUDA) == room


def test_free_memory_on_a_cpu_is_the_hosts():
    assert device_free_bytes(CPU) is None


# what is refused


@pytest.mark.parametrize("part", ["Tempo-tiny", "Qwen3-VL-tiny"])
@pytest.mark.parametrize("inside", [None, "text_config", "vision_config"])
def test_a_configuration_that_asks_for_code_is_refused(folder, part, inside):
    path = folder.parent / part / "config.json"
    value: dict[str, Any] = json.loads(path.read_text())
    (value if inside is None else value.setdefault(inside, {}))["auto_map"] = {"AutoModel": "modeling.Model"}
    path.write_text(json.dumps(value))
    with pytest.raises(ModelError) as caught:
        opened(folder)
    assert caught.value.message == f"{folder.parent / part}/config.json asks for code of its own (auto_map)"
    assert caught.value.hint == "No code from a repository is ever run."


def test_an_index_that_names_a_pickle_is_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"model.norm.weight": "pytorch_model.bin"}}))
    with pytest.raises(ModelError) as caught:
        opened(folder)
    assert caught.value.message == f"{index} names pytorch_model.bin"
    assert caught.value.hint == (
        "pytorch_model.bin is a pickle, which could run code: only safetensors are loaded."
    )


def test_a_pickle_under_another_name_is_no_model(folder):
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (folder / "trap",)

    torch.save({"model.norm.weight": Trap()}, folder / "model.safetensors")
    with pytest.raises(ModelError, match="is damaged or incomplete"):
        opened(folder)
    assert not (folder / "trap").exists()


def test_renamed_tensors_are_named_both_ways(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["model.final_norm.weight"] = tensors.pop("model.norm.weight")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ModelError) as caught:
        opened(folder)
    assert caught.value.message == f"{folder} is missing tensor model.norm.weight"


# a kill in the middle

KILLED = """
import os, signal, sys
from pathlib import Path
from tempo_cli.config import LoadOptions
from tempo_cli.model.checkpoint import TensorFiles
from tempo_cli.tempo import Tempo
load = TensorFiles.load
def until(self, names, device):
    for number, pair in enumerate(load(self, names, device)):
        if number == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        yield pair
TensorFiles.load = until
Tempo.load(sys.argv[1], options=LoadOptions(device="cpu"))
"""


def digest(folder: Path) -> dict[str, str]:
    files = [path for path in folder.parent.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_killed_while_loading_the_next_run_loads(folder):
    before = digest(folder)
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert digest(folder) == before
    load(folder, Target(CPU, torch.float32))


def test_tensors_come_one_at_a_time(folder, monkeypatch):
    """What was read before is in its place, in its own type, when the next tensor is read."""
    checkpoint = opened(folder)
    decoder = checkpoint.empty_decoder()
    read = TensorFiles.load
    left: list[int] = []

    def watched(self: TensorFiles, names: Any, where: torch.device) -> Any:
        for pair in read(self, names, where):
            left.append(sum(weight.is_meta for weight in decoder.parameters()))
            yield pair

    monkeypatch.setattr(TensorFiles, "load", watched)
    monkeypatch.setattr(Checkpoint, "empty_decoder", lambda *_: decoder)
    checkpoint.load_decoder(Target(CPU, torch.bfloat16))
    assert left == list(range(len(left), 0, -1))
