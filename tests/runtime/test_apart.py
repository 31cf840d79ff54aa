"""Each network on a device of its own. `cpu:0` stands for another device than `cpu` where one computes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch

from tempo_cli import clip
from tempo_cli import tempo as tempo_module
from tempo_cli.config import GenerationOptions, KeepOptions, LoadOptions, SamplingOptions
from tempo_cli.errors import OutOfMemoryError
from tempo_cli.events import ignore
from tempo_cli.model import device as device_module
from tempo_cli.model import loading
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.compressor import Compressor, Prefix
from tempo_cli.model.device import Target, Targets
from tempo_cli.model.llm import Decoder
from tempo_cli.model.tensor_files import TensorFiles
from tempo_cli.model.transformer import KVCache
from tempo_cli.plan.keep import KeepLimits
from tempo_cli.plan.memory import USABLE, Plan, Work
from tempo_cli.runtime import effort, networks, summary
from tempo_cli.runtime.effort import Effort
from tempo_cli.runtime.networks import Networks
from tempo_cli.tempo import Tempo
from tempo_cli.types import MemoryTokens

from ..conftest import GOLDEN

MODEL = GOLDEN / "checkpoints/a/Tempo-tiny"
VIDEO = GOLDEN / "videos/fractal.mp4"
SAMPLING = SamplingOptions(fps=6, window=4)
GENERATION = GenerationOptions(max_new_tokens=8)
GB = 10**9
MB = 10**6
WORK = Work(visual=8, segments=2, questions=1, tokens=40)
CPU, CPU_0 = torch.device("cpu"), torch.device("cpu", 0)
PREFIX = Prefix(KVCache(torch.ones(1, 2, 1, 3, 64, 64), 64), next_position=64)
ONE = 2 * 3 * 64 * 64 * 4  # bytes of one kept segment


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """Free bytes by device; a host of 64 GB."""
    free: dict[str, int | None] = {"cpu": 40 * GB, "cuda:0": 10 * GB, "cuda:1": 20 * GB, "mps": 30 * GB}
    monkeypatch.setattr(networks, "host_total_bytes", lambda: 64 * GB)
    monkeypatch.setattr(networks, "host_free_bytes", lambda: free["cpu"])
    monkeypatch.setattr(networks, "device_free_bytes", lambda device: free[str(device)])
    return free


@pytest.fixture(autouse=True)
def _files_know_one_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """safetensors has no name for a second one."""
    load = TensorFiles.load
    monkeypatch.setattr(TensorFiles, "load", lambda self, names, _: load(self, names, CPU))


def on(device: str, decoder_device: str, *, decoder: bool = True) -> Networks:
    one, other = (Target(torch.device(name), torch.float32) for name in (device, decoder_device))
    checkpoint = Checkpoint.open(MODEL, MODEL.parent / "Qwen3-VL-tiny")
    return Networks(checkpoint, one, decoder=decoder, emit=ignore, decoder_target=other)


PAIRS = [("cuda:0", "cuda:1"), ("cpu", "cuda:0"), ("cuda:0", "cpu"), ("cpu", "mps")]


@pytest.mark.parametrize(("device", "beside"), PAIRS)
def test_each_device_is_asked_for_its_own_memory(device, beside, machine):
    held = on(device, beside)
    assert held.apart
    assert (held.free_bytes(), held.free_bytes("decoder")) == (machine[device], machine[beside])
    held._compressor = held._decoder = object()  # type: ignore[assignment]
    assert held.free_bytes() == machine[device] + held._weights.compressor
    assert held.free_bytes("decoder") == machine[beside] + held._weights.decoder


@pytest.mark.parametrize(("device", "beside"), PAIRS)
def test_both_are_resident_where_one_device_would_hold_them_in_turn(device, beside, machine):
    held = on(device, beside)
    needs = held.needs(WORK)
    machine[device] = int((needs.compressor + needs.segment + needs.kept) / USABLE) + 2
    machine[beside] = int((needs.decoder + needs.answer) / USABLE) + 2
    assert held.plan(WORK, 8) == Plan(True, 1, 1, 1)
    alone = on(device, device)
    assert not alone.plan(WORK, 8).resident
    assert not held.offload()
    assert held.resident


def test_a_question_s_memory_tokens_count_on_both_devices():
    apart, together = on("cuda:0", "cuda:1").needs(WORK), on("cuda:0", "cuda:0").needs(WORK)
    assert apart.kept == together.kept > 0
    assert apart.answer == together.answer + together.kept
    assert replace(apart, answer=together.answer) == together


@pytest.mark.parametrize(
    ("short", "message", "hint"),
    [
        ("cuda:0", "compressor", "Give --device cpu."),
        ("cuda:1", "decoder", "Give --decoder-device cpu."),
    ],
)
def test_too_little_memory_is_named_with_its_device(short, message, hint, machine):
    from tempo_cli.cli.flags import in_flags

    machine[short] = 1000
    with pytest.raises(OutOfMemoryError) as caught:
        on("cuda:0", "cuda:1").plan(WORK, 8)
    assert caught.value.message == f"the {message}'s weights take 0.0 GB, and only 0.0 GB is free on {short}"
    assert in_flags(caught.value.hint) == hint


def test_four_bits_are_not_advised_where_one_device_has_none(machine):
    held, few = on("cpu", "mps"), replace(WORK, segments=1, tokens=4)
    quantized = held.needs(few, "int4")
    enough = int((quantized.decoder + quantized.answer) / USABLE) + 2
    assert enough < held._weights.decoder
    machine["mps"] = machine["cuda:1"] = enough
    with pytest.raises(OutOfMemoryError) as caught:
        held.plan(few, 8)
    assert caught.value.hint == "Give `decoder_device='cpu'`."
    with pytest.raises(OutOfMemoryError) as caught:
        on("cpu", "cuda:1").plan(few, 8)
    assert caught.value.hint == "Give `quantize='int4'`."


# kept segments


@pytest.mark.parametrize(
    ("device", "beside", "plan", "limits"),
    [
        ("cuda:0", "cuda:1", Plan(True, 8, 5 * GB, 9 * GB), KeepLimits(5 * GB, 16 * GB)),
        ("cuda:0", "cpu", Plan(True, 8, 5 * GB, 9 * GB), KeepLimits(5 * GB, 9 * GB)),
        ("cuda:0", "cpu", Plan(True, 8, 5 * GB, 30 * GB), KeepLimits(5 * GB, 16 * GB)),
        ("cuda:0", "cpu", Plan(True, 8, 5 * GB, None), KeepLimits(5 * GB, 0)),
        ("cpu", "cuda:0", Plan(True, 8, 5 * GB, 9 * GB), KeepLimits(0, 5 * GB)),
    ],
)
@pytest.mark.usefixtures("machine")
def test_segments_are_kept_on_the_compressor_s_device(device, beside, plan, limits):
    held = on(device, beside)
    assert held.keep_limits(plan, KeepOptions()) == limits
    assert held.store.device == torch.device(device)


def keep(held: Networks) -> None:
    """One segment on the device and two on the host; all tensors lie on the CPU."""
    held.store.device, held.store._arena._pinned = CPU, False
    held.store.set_limits(KeepLimits(100 * MB, 100 * MB))
    shelf = held.store.shelf()
    assert shelf.keep_prefix(0, PREFIX, 0, "device")
    assert all(shelf.keep_prefix(index, PREFIX, 0, "host") for index in (1, 2))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("device", "beside", "stage", "left", "limits"),
    [
        ("cuda:0", "cuda:1", "compress", (0, 2 * ONE), KeepLimits(0, 100 * MB)),
        ("cuda:0", "cuda:1", "answer", (ONE, 2 * ONE), KeepLimits(100 * MB, 100 * MB)),  # would free nothing
        ("cuda:0", "cpu", "compress", (0, 2 * ONE), KeepLimits(0, 100 * MB)),
        ("cuda:0", "cpu", "answer", (ONE, 0), KeepLimits(100 * MB, 50 * MB)),
        ("cpu", "cuda:0", "compress", (0, 0), KeepLimits(0, 50 * MB)),
        ("cpu", "cuda:0", "answer", (ONE, 2 * ONE), KeepLimits(100 * MB, 100 * MB)),
    ],
)
def test_only_what_is_kept_where_memory_is_short_is_dropped(device, beside, stage, left, limits):
    held = on(device, beside)
    keep(held)
    assert held.release_kept(stage) == (left != (ONE, 2 * ONE))
    assert (held.store.device_bytes, held.store.host_bytes) == left
    assert held.store.limits == limits


@pytest.mark.usefixtures("machine")
def test_what_is_kept_counts_as_free_where_it_is(machine):
    held = on("cuda:0", "cpu")
    keep(held)
    assert held.free_bytes() == machine["cuda:0"] + ONE
    assert held.free_bytes("decoder") == machine["cpu"] + 2 * ONE


# a whole run, with `cpu:0` as the decoder's device


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> Tempo:
    def chosen(*_: object) -> Targets:
        return Targets(Target(CPU, torch.float32), Target(CPU_0, torch.float32))

    monkeypatch.setattr(tempo_module, "choose_targets", chosen)
    return Tempo.load(MODEL)


def answer(tempo: Tempo, **more: Any) -> Any:
    return tempo.ask(VIDEO, "what color was the car", sampling=SAMPLING, generation=GENERATION, **more)


def test_the_answer_is_the_same_and_memory_tokens_are_moved_once(apart, monkeypatch):
    moved, move, splice = [], MemoryTokens.on, Decoder.splice
    given = []

    def noted(self: MemoryTokens, *where: Any) -> MemoryTokens:
        moved.append(where)
        return move(self, *where)

    def spliced(self: Decoder, before: Any, tags: Any, memory: MemoryTokens, *more: Any) -> torch.Tensor:
        given.append(memory)
        return splice(self, before, tags, memory, *more)

    monkeypatch.setattr(MemoryTokens, "on", noted)
    monkeypatch.setattr(Decoder, "splice", spliced)
    run = answer(apart)
    monkeypatch.undo()
    together = answer(Tempo.load(MODEL, options=LoadOptions(device="cpu")))
    assert (run.answer, run.segments) == (together.answer, together.segments)
    assert moved == [(CPU_0, torch.float32)]
    assert len(given) == 1
    assert (run.memory.together, run.memory.steps) == (True, ())
    model = run.to_dict()["model"]
    assert [model[name] for name in ("device", "dtype", "decoder_device", "decoder_dtype")] == [
        "cpu", "float32", "cpu:0", "float32",
    ]  # fmt: skip
    assert repr(apart) == f"Tempo('{MODEL}' on cpu in float32, its decoder on cpu:0 in float32)"


def test_each_network_computes_with_its_own_device_as_the_current_one(apart, monkeypatch):
    chosen, steps = [], []

    @contextmanager
    def current(where: torch.device) -> Iterator[None]:
        chosen.append(where)
        yield
        chosen.pop()

    monkeypatch.setattr(clip, "current", current)
    for network, method in ((Compressor, "see"), (Compressor, "compress"), (Decoder, "prefill")):
        run = getattr(network, method)

        def noted(*given: Any, run: Any = run, method: str = method) -> Any:
            steps.append((method, chosen[-1]))
            return run(*given)

        monkeypatch.setattr(network, method, noted)
    answer(apart)
    assert set(steps) == {("see", CPU), ("compress", CPU), ("prefill", CPU_0)}


def test_the_peak_is_asked_of_both_devices(apart, monkeypatch):
    asked = []
    monkeypatch.setattr(summary, "device_peak_bytes", lambda *devices: asked.append(devices))
    answer(apart)
    answer(Tempo.load(MODEL, decoder=True))  # the same two devices
    assert asked == [(CPU, CPU_0)] * 2


def test_the_type_follows_from_the_number_of_weights(monkeypatch):
    monkeypatch.setattr(device_module, "_default_dtype", lambda _: torch.bfloat16)
    found = [Tempo.load(MODEL, options=LoadOptions("cpu", dtype)).info for dtype in ("auto", "bf16")]
    assert [(info.dtype, info.decoder_dtype) for info in found] == [("float32",) * 2, ("bfloat16",) * 2]
    monkeypatch.setattr(loading, "FLOAT32_WEIGHTS", 1000)
    assert Tempo.load(MODEL, options=LoadOptions("cpu")).info.dtype == "bfloat16"


def test_tokens_take_the_decoder_s_type():
    memory = MemoryTokens(torch.ones(2, 3, 4), torch.zeros(2).numpy())
    there = memory.on(torch.device("meta"), torch.bfloat16)
    assert (there.tokens.device.type, there.tokens.dtype) == ("meta", torch.bfloat16)
    assert there.relevance is memory.relevance
    assert memory.on(CPU, torch.float32).tokens is memory.tokens  # nothing is copied on one device


def test_each_network_is_loaded_on_its_own_device(monkeypatch):
    loaded = {}
    for name in ("compressor", "decoder"):
        load = getattr(Checkpoint, f"load_{name}")

        def noted(self: Checkpoint, target: Target, load: Any = load, name: str = name) -> Any:
            loaded[name] = target
            return load(self, target)

        monkeypatch.setattr(Checkpoint, f"load_{name}", noted)
    pair = Targets(Target(CPU, torch.float32), Target(CPU_0, torch.bfloat16))
    monkeypatch.setattr(tempo_module, "choose_targets", lambda *_: pair)
    tempo = Tempo.load(MODEL)
    assert loaded == {"compressor": pair.compressor, "decoder": pair.decoder}
    run = answer(tempo)
    assert run.answer.tokens == 8
    assert (run.model.dtype, run.model.decoder_dtype) == ("float32", "bfloat16")


def test_an_answer_that_does_not_fit_leaves_the_compressor_alone(apart, monkeypatch):
    def never(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Decoder, "prefill", never)
    with pytest.raises(OutOfMemoryError) as caught:
        answer(apart)
    assert caught.value.message == "not enough memory to read the video's tokens"
    assert caught.value.hint == "Give `budget=4096`."
    assert apart.networks.resident
    assert apart.networks._compressor is not None


def test_a_segment_that_does_not_fit_leaves_the_decoder_alone(apart, monkeypatch):
    def never(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Compressor, "see", never)
    with pytest.raises(OutOfMemoryError, match="not enough memory to compress one segment"):
        answer(apart)
    assert apart.networks._decoder is not None


def test_a_decoder_that_can_t_be_loaded_is_named_with_its_device(monkeypatch):
    def never(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    pair = Targets(Target(CPU, torch.float32), Target(CPU_0, torch.float32))
    monkeypatch.setattr(tempo_module, "choose_targets", lambda *_: pair)
    monkeypatch.setattr(Checkpoint, "load_decoder", never)
    with pytest.raises(OutOfMemoryError) as caught:
        Tempo.load(MODEL)
    assert caught.value.message == "the decoder does not fit on cpu:0"


def test_without_a_decoder_nothing_is_apart(apart):  # noqa: ARG001
    inspecting = Tempo.load(MODEL, decoder=False)
    assert not inspecting.networks.apart
    run = inspecting.inspect(VIDEO, "what color was the car", sampling=SAMPLING)
    assert (run.model.device, run.model.decoder_device, run.model.decoder_dtype) == ("cpu", None, None)


# what a CPU takes


def test_threads_follow_what_runs_on_the_cpu(tiny_models, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(effort.memory_estimate, "compressor_parameters", lambda _: 60 * MB)
    checkpoint, cuda = tiny_models["a"].checkpoint, Target(torch.device("cuda", 0), torch.bfloat16)
    cpu = Target(CPU, torch.float32)
    assert Effort(checkpoint, Targets(cuda, cuda)).threads is None
    assert Effort(checkpoint, Targets(cpu, cpu)).threads is None  # 60 million weights
    assert Effort(checkpoint, Targets(cpu, cuda)).threads is None
    assert Effort(checkpoint, Targets(cuda, cpu)).threads == 1  # the tiny decoder alone


def test_a_large_decoder_on_a_cpu_is_worth_a_warning(tiny_models, monkeypatch):
    cpu, cuda = Target(CPU, torch.float32), Target(torch.device("cuda", 0), torch.bfloat16)
    monkeypatch.setattr(effort.memory_estimate, "decoder_parameters", lambda _: 4 * GB)
    monkeypatch.setattr(effort, "cpu_speed", lambda: 4 * GB * 40 / 120)  # 40 tokens take 120 s
    checkpoint = tiny_models["a"].checkpoint
    told = "4.0 billion weights on a CPU: expect about 2 minutes before the answer begins"
    assert Effort(checkpoint, Targets(cuda, cpu)).warning(16, 8, WORK) == told
    assert Effort(checkpoint, Targets(cuda, cuda)).warning(16, 8, WORK) is None
    assert Effort(checkpoint, Targets(cpu, cpu)).warning(16, 8, WORK) is None  # the tiny compressor
