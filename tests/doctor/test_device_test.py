"""A device against the CPU: what is right passes, and what is slightly wrong is named alone."""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tempo_cli.doctor import Finding, Level, device_test, examine_device, findings_to_json, operations, trial
from tempo_cli.doctor.device_test import TOLERANCES, error_of
from tempo_cli.doctor.operations import OPERATIONS, Operation
from tempo_cli.errors import ModelError
from tempo_cli.model.compressor import Compressor, Features
from tempo_cli.model.device import Target
from tempo_cli.model.generation import Token
from tempo_cli.model.llm import Decoder
from tempo_cli.types import MemoryTokens

from .conftest import NOT_THERE, configured

CPU = torch.device("cpu")
NAMES = [operation.name for operation in OPERATIONS]
IN_BFLOAT16 = [operation.name for operation in OPERATIONS if not operation.in_float32]


def outcome(**values: object) -> list[Finding]:
    ((section, found),) = examine_device(configured(**values))
    assert section == "device test"
    return list(found)


def wrong(found: list[Finding]) -> list[str]:
    return [finding.check for finding in found if finding.level is Level.problem]


def with_operation(monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[Tensor], Tensor]) -> None:
    """Let one operation's result be changed where it is computed in bfloat16, as only the device does."""

    def faulty(operation: Operation) -> Operation:
        def run(*inputs: Tensor) -> Tensor:
            result = operation.run(*inputs)
            return change(result) if inputs[0].dtype == torch.bfloat16 else result

        return replace(operation, run=run)

    changed = [faulty(one) if one.name == name else one for one in OPERATIONS]
    monkeypatch.setattr(operations, "OPERATIONS", changed)


@pytest.mark.usefixtures("no_gpu")
def test_a_cpu_is_right_in_float32_and_bfloat16() -> None:
    found = outcome(device="auto")
    assert [finding.check for finding in found] == ["device", *NAMES, *trial.STAGES]
    assert {finding.level for finding in found} == {Level.ok}
    assert found[0].message == "cpu in float32 and bfloat16, against the CPU in float32"
    facts = found[2].facts
    assert (facts["errors"]["float32"], facts["tolerances"]) == (0.0, {"float32": 1e-4, "bfloat16": 0.02})
    assert 0.0005 < facts["errors"]["bfloat16"] < 0.01
    json.loads(findings_to_json([("device test", finding) for finding in found]))


def test_it_says_the_same_each_time() -> None:
    assert outcome() == outcome()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bf16"])
def test_a_type_that_is_given_is_the_only_one(dtype: str) -> None:
    found = outcome(dtype=dtype)
    assert wrong(found) == []
    assert list(found[1].facts["errors"]) == ["bfloat16" if dtype == "bf16" else dtype]
    (argmax,) = [finding for finding in found if finding.check == "argmax"]
    assert list(argmax.facts["errors"]) == ["float32"]  # what follows the logits


@pytest.mark.parametrize("name", IN_BFLOAT16)
def test_an_operation_that_is_slightly_wrong_is_named_alone(name: str, monkeypatch) -> None:
    with_operation(monkeypatch, name, lambda result: result * 1.05)
    monkeypatch.setattr(device_test, "_networks", lambda *_: iter([]))
    (found,) = [finding for finding in outcome(device="cpu") if finding.level is Level.problem]
    assert found.check == name
    limit = found.facts["tolerances"]["bfloat16"]
    assert found.message == (
        f"cpu computes wrongly in bfloat16: largest error {found.facts['errors']['bfloat16']:.2g}, "
        f"tolerance {limit:g}"
    )
    assert 0.04 < found.facts["errors"]["bfloat16"] < 0.06
    assert found.hint == "Try another `dtype`, or reinstall torch: pip install --force-reinstall torch"


def test_one_wrong_number_of_many_is_seen(monkeypatch) -> None:
    def change(result: Tensor) -> Tensor:
        result[-1, -1] += 0.05 * result.abs().max()
        return result

    with_operation(monkeypatch, "layer norm", change)
    assert wrong(outcome()) == ["layer norm"]


def test_a_result_that_is_no_number_has_no_error_in_json(monkeypatch) -> None:
    with_operation(monkeypatch, "SiLU", lambda result: result.index_fill(0, torch.tensor([3]), torch.nan))
    found = outcome()
    assert wrong(found) == ["SiLU"]
    (silu,) = [finding for finding in found if finding.check == "SiLU"]
    assert silu.message == "cpu computes wrongly in bfloat16: NaN or infinity, tolerance 0.02"
    assert silu.facts["errors"]["bfloat16"] is None
    json.loads(findings_to_json([("device test", silu)]))


def test_what_a_device_does_not_compute_at_all_is_named(monkeypatch) -> None:
    def missing(_: Tensor) -> Tensor:
        raise NotImplementedError("the operator 'aten::silu'\nis not implemented")

    with_operation(monkeypatch, "SiLU", missing)
    (found,) = [finding for finding in outcome() if finding.level is Level.problem]
    assert found.check == "SiLU"
    assert (
        found.message == "cpu does not compute it in bfloat16: the operator 'aten::silu' is not implemented"
    )


def test_a_wrong_activation_is_wrong_in_the_networks_too(monkeypatch) -> None:
    silu = functional.silu

    def narrow(values: Tensor) -> Tensor:
        return silu(values) * (1.2 if values.dtype == torch.bfloat16 else 1)

    with_operation(monkeypatch, "SiLU", lambda result: result * 1.2)
    monkeypatch.setitem(sys.modules["tempo_cli.model.layers"].ACTIVATIONS, "silu", narrow)
    found = wrong(outcome())
    assert found[:2] == ["SiLU", "nano: memory tokens"]
    assert "nano: prompt" in found
    assert "nano: vision tower" not in found  # has none


@pytest.mark.parametrize("stage", trial.STAGES)
def test_each_stage_of_the_networks_is_named_alone(stage: str, monkeypatch) -> None:
    make = trial.trial

    def faulty(checkpoint: object, target: Target, exact: trial.Trial | None = None) -> trial.Trial:
        made = make(checkpoint, target, exact)  # type: ignore[arg-type]
        if target.dtype == torch.float32:
            return made
        features, memories, logits, answers = made.features, made.memories, made.logits, made.answers
        if stage == trial.STAGES[0]:
            features = replace(features, deepstack=tuple(part * 1.2 for part in features.deepstack))
        elif stage == trial.STAGES[1]:
            memories = [replace(memory, tokens=memory.tokens * 1.2) for memory in memories]
        elif stage == trial.STAGES[2]:
            memories = [*memories[1:], memories[0]]
            memories = [
                replace(memory, tokens=true.tokens)
                for memory, true in zip(memories, made.memories, strict=True)
            ]
        elif stage == trial.STAGES[3]:
            logits = [part * 1.2 for part in logits]
        else:
            answers = [*answers[1:], answers[0]]
        return trial.Trial(features, memories, logits, answers)

    monkeypatch.setattr(trial, "trial", faulty)
    (found,) = [finding for finding in outcome() if finding.level is Level.problem]
    assert found.check == stage
    told = "another answer" if stage == trial.STAGES[4] else "largest error "
    assert found.message.startswith(f"cpu computes wrongly in bfloat16: {told}")


def test_a_stage_goes_on_from_the_exact_result_of_the_one_before(monkeypatch) -> None:
    see, compress = Compressor.see, Compressor.compress

    def faint(self: Compressor, rows: Any) -> Features:
        made = see(self, rows)
        return made if made.merged.dtype == torch.float32 else replace(made, merged=made.merged * 0.3)

    def loud(self: Compressor, prefix: Any, question: str) -> MemoryTokens:
        made = compress(self, prefix, question)
        return made if made.tokens.dtype == torch.float32 else replace(made, tokens=made.tokens * 3)

    monkeypatch.setattr(Compressor, "see", faint)
    assert wrong(outcome()) == [trial.STAGES[0]]
    monkeypatch.setattr(Compressor, "compress", loud)
    assert wrong(outcome()) == list(trial.STAGES[:2])


def test_a_number_that_is_none_is_seen_behind_right_ones() -> None:
    checkpoint = trial.packaged_checkpoint()
    exact = trial.trial(checkpoint, Target(CPU, torch.float32))
    last = replace(exact.memories[-1], tokens=exact.memories[-1].tokens * torch.nan)
    broken = replace(exact, memories=[*exact.memories[:-1], last])
    assert broken.errors(exact, checkpoint.rule.stop_ids)[trial.STAGES[1]] == math.inf
    last = replace(last, relevance=last.relevance * math.nan)
    broken = replace(exact, memories=[*exact.memories[:-1], last])
    assert broken.errors(exact, checkpoint.rule.stop_ids)[trial.STAGES[2]] == math.inf


def test_another_answer_is_wrong_however_likely_it_is() -> None:
    stop = frozenset({9})
    exact = [Token(1, -0.1), Token(2, -0.2), Token(9, -0.3), Token(3, -2.0)]
    same = [Token(1, -0.1), Token(2, -0.21), Token(9, -0.3), Token(4, -1.0)]  # what follows the stop is free
    assert trial._apart(same, exact, stop) == pytest.approx(0.01)
    other = [Token(1, -0.1), Token(3, -0.2), Token(9, -0.3), Token(3, -2.0)]
    assert trial._apart(other, exact, stop) == math.inf
    assert trial._apart(same, exact[:2] + same[2:], frozenset()) == pytest.approx(0.01)


def test_logits_that_are_no_numbers_are_a_problem_of_the_device(monkeypatch) -> None:
    make = Decoder.prefill

    def broken(self: Decoder, *arguments: object) -> object:
        logits, cache = make(self, *arguments)  # type: ignore[arg-type]
        return (logits if self._weight.dtype == torch.float32 else logits * torch.nan), cache

    monkeypatch.setattr(Decoder, "prefill", broken)
    found = {finding.check: finding for finding in outcome() if finding.level is Level.problem}
    assert list(found) == ["nano"]
    message = (
        "cpu does not compute it in bfloat16: the language model's output is not a number (NaN or infinity)"
    )
    assert found["nano"].message == message


def test_a_damaged_nano_does_not_hide_the_operations(monkeypatch) -> None:
    def missing() -> None:
        raise ModelError("nano is not whole", "Install tempo again.")

    monkeypatch.setattr(trial, "packaged_checkpoint", missing)
    found = outcome()
    assert [finding.check for finding in found] == ["device", *NAMES, "nano"]
    assert (wrong(found), found[-1].hint) == (["nano"], "Install tempo again.")


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(("values", "message"), NOT_THERE)
def test_a_device_that_is_not_there_is_a_problem(values: dict[str, object], message: str) -> None:
    (found,) = outcome(**values)
    assert (found.check, found.level, found.message) == ("device", Level.problem, message)


def test_torch_that_can_not_be_imported(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (found,) = outcome()
    assert (found.check, found.level) == ("device", Level.problem)


# the types that are tested, and what they may be off by


@pytest.mark.parametrize(
    ("target", "given", "kinds"),
    [
        (Target(torch.device("cuda", 0), torch.bfloat16), False, [torch.float32, torch.bfloat16]),
        (Target(torch.device("mps"), torch.float16), False, [torch.float32, torch.float16]),
        (Target(CPU, torch.float32), False, [torch.float32, torch.bfloat16]),
        (Target(CPU, torch.float32), True, [torch.float32]),
    ],
)
def test_the_types(target: Target, given: bool, kinds: list[torch.dtype]) -> None:
    assert device_test.types(target, given=given) == kinds


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_rounding_alone_stays_far_within_the_tolerances(kind: torch.dtype) -> None:
    limit = TOLERANCES[str(kind).removeprefix("torch.")][0]
    errors = {one.name: error_of(one, CPU, kind) for one in OPERATIONS if not one.in_float32}
    assert {name: error for name, error in errors.items() if error > limit / 3} == {}


def test_products_rounded_to_tf32_do_not_pass() -> None:
    """TF32 has 10 bits behind the point, as float16 has."""
    (linear,) = [one for one in OPERATIONS if one.name == "linear layer"]
    real, _ = linear.inputs()
    rounded = [values.half().float() for values in real]
    assert trial.largest_error(linear.run(*rounded), linear.run(*real)) > TOLERANCES["float32"][0]


def test_no_choice_is_so_close_that_rounding_could_change_it() -> None:
    for name in ("argmax", "sort", "top-k", "search in order", "sampling"):
        (one,) = [operation for operation in OPERATIONS if operation.name == name]
        (logits,), _ = one.inputs()
        nudged = logits * (1 + 1e-5)  # more than a float32 device is off by
        if name in ("argmax", "sampling"):
            assert torch.equal(one.run(nudged), one.run(logits))
        else:
            assert len(logits.unique()) == len(logits)
    checkpoint = trial.packaged_checkpoint()
    made = trial.trial(checkpoint, Target(CPU, torch.float32))
    for answer in made.answers:
        ids = [token.id for token in answer]
        end = min(ids.index(stop) for stop in checkpoint.rule.stop_ids if stop in ids)
        assert all(token.logprob > -0.1 for token in answer[: end + 1])


def test_nanos_answers_are_right() -> None:
    checkpoint = trial.packaged_checkpoint()
    made = trial.trial(checkpoint, Target(CPU, torch.float32))
    said = []
    for answer in made.answers:
        ids = [token.id for token in answer]
        end = min(ids.index(stop) for stop in checkpoint.rule.stop_ids if stop in ids)
        said.append(checkpoint.decoder_tokenizer.decode(ids[:end]).strip())
    assert said == [
        "The fish was red.",
        "Yes, there was a red fish.",
        "I can't tell.",
        "The red thing was a fish.",
    ]
