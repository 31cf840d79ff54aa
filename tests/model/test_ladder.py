"""When memory is short: what was planned, what is given up on the way, and that no result changes."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from tempo_cli.config import BudgetOptions, GenerationOptions, LoadOptions, SamplingOptions
from tempo_cli.errors import ModelError, OutOfMemoryError
from tempo_cli.events import AnswerText, Event, Progress
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.compressor import Compressor, SegmentInput
from tempo_cli.model.llm import Decoder
from tempo_cli.model.step import Step
from tempo_cli.runtime import networks
from tempo_cli.schema import Run
from tempo_cli.tempo import Tempo

from ..conftest import GOLDEN

MODEL = GOLDEN / "checkpoints/a/Tempo-tiny"
VIDEO = GOLDEN / "videos/fractal.mp4"
CPU = LoadOptions(device="cpu")
SAMPLING = SamplingOptions(fps=6, window=4)  # 60 frames, 15 segments
GENERATION = GenerationOptions(max_new_tokens=8)
IN_TURN = "both networks do not fit together; they are loaded in turn"


def answer(tempo: Tempo, **more: Any) -> Run:
    return tempo.ask(VIDEO, "what color was the car", sampling=SAMPLING, generation=GENERATION, **more)


@pytest.fixture(scope="module")
def plenty() -> Run:
    """The answer where memory is no question."""
    return answer(Tempo.load(MODEL, options=CPU))


@pytest.fixture
def tempo() -> Tempo:
    return Tempo.load(MODEL, options=CPU)


def batches_up_to(most: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the compressor run out of memory beyond so many segments; the sizes that it was asked for."""
    asked: list[int] = []
    see = Compressor.see

    def limited(self: Compressor, rows: Sequence[SegmentInput]) -> Any:
        asked.append(len(rows))
        if len(rows) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return see(self, rows)

    monkeypatch.setattr(Compressor, "see", limited)
    return asked


def alone(network: type, method: str, other: str, tempo: Tempo, patch: pytest.MonkeyPatch) -> None:
    """Let a network run out of memory as long as the other one is held."""
    run: Callable[..., Any] = getattr(network, method)

    def limited(self: Any, *arguments: Any) -> Any:
        if getattr(tempo.networks, other) is not None:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(self, *arguments)

    patch.setattr(network, method, limited)


CUT = "the answer was cut off after 8 tokens (`max_new_tokens`)"


def same(ours: Run, others: Run) -> None:
    assert ours.answer == others.answer
    assert [part.tokens for part in ours.segments] == [part.tokens for part in others.segments]
    relevance = [part.relevance for part in others.segments]
    assert [part.relevance for part in ours.segments] == pytest.approx(relevance, abs=1e-6)


def free(monkeypatch: pytest.MonkeyPatch, size: int | None) -> None:
    monkeypatch.setattr(networks, "host_free_bytes", lambda: size)


def test_with_room_enough_nothing_is_given_up(plenty):
    memory = plenty.memory
    assert (memory.micro_batch, memory.together, memory.steps, plenty.warnings) == (8, True, (), (CUT,))


def test_a_batch_that_is_too_large_is_halved_and_done_again(tempo, plenty, monkeypatch):
    asked = batches_up_to(3, monkeypatch)
    run = answer(tempo)
    assert asked[:5] == [8, 4, 2, 2, 2]
    assert sum(size for size in asked if size <= 3) == 15
    assert run.memory.steps == ("micro_batch=4", "micro_batch=2")
    assert (run.memory.micro_batch, run.memory.together) == (2, True)
    assert run.warnings == (
        "memory ran out: 4 segments are compressed at once from here on",
        "memory ran out: 2 segments are compressed at once from here on",
        CUT,
    )
    same(run, plenty)


def test_questions_that_share_a_pass_share_its_steps(tempo, monkeypatch):
    questions = ["what?", "who is there?"]
    calm = [
        run.segments for run in tempo.ask_many(VIDEO, questions, sampling=SAMPLING, generation=GENERATION)
    ]
    batches_up_to(4, monkeypatch)
    runs = list(tempo.ask_many(VIDEO, questions, sampling=SAMPLING, generation=GENERATION))
    for run, segments in zip(runs, calm, strict=True):
        assert run.memory.steps == ("micro_batch=4",)
        assert [part.tokens for part in run.segments] == [part.tokens for part in segments]


def test_when_one_segment_is_too_much_the_decoder_makes_room(tempo, plenty, monkeypatch):
    alone(Compressor, "compress", "_decoder", tempo, monkeypatch)
    run = answer(tempo)
    assert run.memory.steps == ("micro_batch=4", "micro_batch=2", "micro_batch=1", "in_turn")
    assert run.memory.together is False
    assert run.warnings[-2:] == (f"memory ran out: {IN_TURN}", CUT)
    same(run, plenty)


def test_when_the_answer_does_not_fit_the_compressor_makes_room(tempo, plenty, monkeypatch):
    alone(Decoder, "prefill", "_compressor", tempo, monkeypatch)
    run = answer(tempo)
    assert (run.memory.steps, run.warnings) == (("in_turn",), (f"memory ran out: {IN_TURN}", CUT))
    same(run, plenty)
    again = answer(tempo)  # loads the compressor again, and the decoder after it
    assert (again.memory.steps, again.warnings) == (("in_turn",), (IN_TURN, CUT))
    assert again.timing.load > run.timing.load
    same(again, plenty)


def test_several_questions_are_answered_in_turn_with_one_load_of_each(monkeypatch):
    tempo = Tempo.load(MODEL, options=CPU)
    tempo.networks.offload()
    loads: list[str] = []
    for name in ("compressor", "decoder"):
        load = getattr(Checkpoint, f"load_{name}")

        def noted(*arguments: Any, load: Any = load, name: str = name) -> Any:
            loads.append(name)
            return load(*arguments)

        monkeypatch.setattr(Checkpoint, f"load_{name}", noted)
    runs = list(tempo.ask_many(VIDEO, ["a?", "b?", "c?"], sampling=SAMPLING, generation=GENERATION))
    assert [run.answer is not None for run in runs] == [True] * 3
    assert loads == ["decoder"]
    list(tempo.ask_many(VIDEO, ["a?"], sampling=SAMPLING, generation=GENERATION))
    assert loads == ["decoder", "compressor", "decoder"]


def test_two_networks_are_never_held_where_they_do_not_fit_together():
    tempo = Tempo.load(MODEL, options=CPU)
    held = tempo.networks
    held.offload()
    held.decoder()
    assert (held._compressor, held._decoder is None) == (None, False)
    held.compressor()
    assert (held._compressor is None, held._decoder) == (False, None)


def test_an_answer_that_was_begun_is_not_begun_again(tempo, monkeypatch):
    step, calls = Step.__call__, []

    def limited(self: Step) -> torch.Tensor:
        calls.append(int(self.token))
        if len(calls) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self)

    monkeypatch.setattr(Step, "__call__", limited)
    told: list[Event] = []
    with pytest.raises(OutOfMemoryError) as caught:
        answer(tempo, on_event=told.append)
    assert caught.value.message == "not enough memory to read the video's tokens"
    assert any(isinstance(event, AnswerText) for event in told)
    assert len(calls) == 3


def test_when_nothing_is_left_to_give_up_the_error_names_a_flag(tempo, monkeypatch):
    batches_up_to(0, monkeypatch)
    with pytest.raises(OutOfMemoryError) as caught:
        answer(tempo)
    assert caught.value.message == "not enough memory to compress one segment"
    assert caught.value.hint == "Give `quantize='int4'`."
    assert caught.value.exit_code == 6


def test_when_the_decoder_alone_runs_out_a_lower_budget_is_advised(tempo, monkeypatch):
    def never(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Decoder, "prefill", never)
    with pytest.raises(OutOfMemoryError) as caught:
        answer(tempo, budget=BudgetOptions(budget=4096))
    assert caught.value.hint == "Give `budget=2048`."
    with pytest.raises(OutOfMemoryError) as caught:
        answer(tempo, budget=BudgetOptions(budget=4096, ata=False))
    assert caught.value.hint == "Give `quantize='int4'`."


def test_without_a_decoder_there_is_nothing_to_part(monkeypatch):
    tempo = Tempo.load(MODEL, options=CPU, decoder=False)
    batches_up_to(0, monkeypatch)
    with pytest.raises(OutOfMemoryError, match="to compress one segment"):
        tempo.inspect(VIDEO, "what?", sampling=SAMPLING)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    ],
)
def test_every_backends_way_of_saying_so_is_understood(tempo, plenty, error, monkeypatch):
    see = Compressor.see

    def limited(self: Compressor, rows: Sequence[SegmentInput]) -> Any:
        if len(rows) > 4:
            raise error
        return see(self, rows)

    monkeypatch.setattr(Compressor, "see", limited)
    run = answer(tempo)
    assert run.memory.steps == ("micro_batch=4",)
    same(run, plenty)


def test_another_error_is_none_of_memory(tempo, monkeypatch):
    def broken(*_: Any) -> Any:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(Compressor, "read", broken)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        answer(tempo)


# loading


def test_loading_goes_on_in_turn_when_memory_runs_out(plenty, monkeypatch):
    load, calls = Checkpoint.load_decoder, []

    def limited(self: Checkpoint, target: Any) -> Any:
        calls.append(target)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return load(self, target)

    monkeypatch.setattr(Checkpoint, "load_decoder", limited)
    tempo = Tempo.load(MODEL, options=CPU)
    assert tempo.networks._decoder is None
    run = answer(tempo)
    assert (run.memory.steps, run.memory.together, len(calls)) == (("in_turn",), False, 2)
    same(run, plenty)


def test_loading_that_never_fits_is_an_error_of_memory(monkeypatch):
    def never(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Checkpoint, "load_compressor", never)
    with pytest.raises(OutOfMemoryError) as caught:
        Tempo.load(MODEL, options=CPU)
    assert (caught.value.message, caught.value.hint) == ("the model does not fit", "Give `quantize='int4'`.")


def test_a_model_that_can_t_fit_is_refused_before_it_is_loaded(monkeypatch):
    free(monkeypatch, 1_000_000)
    monkeypatch.delattr(Checkpoint, "load_compressor")
    with pytest.raises(OutOfMemoryError) as caught:
        Tempo.load(MODEL, options=CPU)
    assert re.fullmatch(
        r"the compressor's weights take 0\.0 GB, and only 0\.0 GB is free", caught.value.message
    )


def test_the_weights_are_counted_exactly():
    tempo = Tempo.load(MODEL, options=CPU)
    held, found = tempo.networks, {}
    for name, module in (("compressor", held.compressor()), ("decoder", held.decoder())):
        found[name] = sum(weight.nbytes for key, weight in module.named_parameters() if key != "router")
    assert found == {"compressor": held._weights.compressor, "decoder": held._weights.decoder}


def test_what_the_networks_hold_counts_as_free(monkeypatch):
    free(monkeypatch, 10**9)
    tempo = Tempo.load(MODEL, options=CPU)
    held = tempo.networks
    both = held._weights.compressor + held._weights.decoder
    assert held.free_bytes() == 10**9 + both
    free(monkeypatch, None)
    assert held.free_bytes() is None


def test_little_memory_plans_to_load_in_turn(plenty, monkeypatch):
    # the usual question's needs: one byte less than what both networks and its answer take
    tempo = Tempo.load(MODEL, options=CPU)
    needs = tempo.networks.needs(tempo.usual_work())
    whole = needs.compressor + needs.decoder + needs.kept + max(needs.segment, needs.answer)
    free(monkeypatch, int(whole / 0.92))
    told: list[Event] = []
    short = Tempo.load(MODEL, options=CPU, on_event=told.append)
    assert short.networks._decoder is None
    assert told == [Progress("load", 0, 1), Progress("load", 0, 1), Progress("load", 1, 1)]
    run = answer(short)
    assert (run.memory.together, run.memory.steps, run.warnings) == (False, ("in_turn",), (IN_TURN, CUT))
    same(run, plenty)


def test_a_smaller_batch_is_planned_without_a_word(plenty, monkeypatch):
    tempo = Tempo.load(MODEL, options=CPU, decoder=False)
    work = tempo.work((272, 640), 60, SAMPLING, BudgetOptions(), [0])
    needs = tempo.networks.needs(work)
    free(monkeypatch, int((3 * needs.segment + needs.kept) / 0.92))  # beside the compressor, which is held
    run = tempo.inspect(VIDEO, "what color was the car", sampling=SAMPLING)
    assert (run.memory.micro_batch, run.memory.steps, run.warnings) == (2, (), ())
    same(run, Run(**{**vars(plenty), "answer": None}))


def test_a_damaged_model_is_no_question_of_memory(monkeypatch):
    def broken(*_: Any) -> Any:
        raise ModelError("tensor x holds NaN or infinity", "Download it again.")

    monkeypatch.setattr(Checkpoint, "load_decoder", broken)
    with pytest.raises(ModelError, match="holds NaN"):
        Tempo.load(MODEL, options=CPU)
