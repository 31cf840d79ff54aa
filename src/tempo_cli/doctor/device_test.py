"""Does a device compute rightly? Each operation and nano's networks there, against a CPU in float32."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from ..errors import TempoError
from .findings import REINSTALL_TORCH, Configuration, Finding, Level, guarded, one_line, without_torch

if TYPE_CHECKING:
    import torch

    from .operations import Operation

# by type: of an operation, relative to the largest exact number; of nano's networks, which add up many. In
# float32 a CUDA device stays a hundred times below, and one that rounds products to TF32 does not pass
TOLERANCES: Mapping[str, tuple[float, float]] = {
    "float32": (1e-4, 1e-3),
    "float16": (3e-3, 1e-2),
    "bfloat16": (2e-2, 5e-2),
}
_ANSWERS = "nano: answers"  # the stage whose result is text
_WRONG = "Update the driver and torch, try another `dtype`, or give `device='cpu'`."
_WRONG_CPU = f"Try another `dtype`, or reinstall torch: {REINSTALL_TORCH.partition(': ')[2]}"


def findings(configuration: Configuration) -> Iterator[Finding]:
    """The device, then a finding for each operation, in the device's own type and in float32.

    A level of `problem` means that the device computes wrongly, or not at all.
    """
    if problem := without_torch("device"):
        yield problem
        return
    yield from guarded("device", _tested, configuration)


def _tested(configuration: Configuration) -> Iterator[Finding]:
    """Raises SetupError or UsageError for a device that is not there or unknown."""
    from ..config import LoadOptions
    from ..model.loading import choose_target
    from .operations import OPERATIONS

    device, dtype = configuration.value("device"), configuration.value("dtype")
    target = choose_target(LoadOptions(device=device, dtype=dtype))
    kinds = types(target, given=dtype != "auto")
    named = [_name(kind) for kind in kinds]
    facts = {"device": str(target.device), "dtypes": named}
    message = f"{described(target.device)} in {' and '.join(named)}, against the CPU in float32"
    yield Finding("device", Level.ok, message, facts=facts)
    for operation in OPERATIONS:
        yield from guarded(operation.name, _operation, operation, target.device, kinds)
    yield from guarded("nano", _networks, target.device, kinds)


def types(target: Any, *, given: bool) -> "list[torch.dtype]":
    """The types that are tested: the one that was `given`, else float32 and the one that large models take.

    Args:
        target: a `model.device.Target`.
    """
    import torch

    if given:
        return [target.dtype]
    return [torch.float32, torch.bfloat16 if target.dtype == torch.float32 else target.dtype]


def described(device: "torch.device") -> str:
    """Its name, for a GPU with the model's."""
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def _operation(
    operation: "Operation", device: "torch.device", kinds: "Sequence[torch.dtype]"
) -> Iterator[Finding]:
    import torch

    errors, faults = dict[str, float](), dict[str, str]()
    for kind in [torch.float32] if operation.in_float32 else kinds:
        try:
            errors[_name(kind)] = error_of(operation, device, kind)
        except (RuntimeError, TypeError) as error:  # as MPS does for what it lacks
            faults[_name(kind)] = one_line(error)
    yield _verdict(operation.name, device, errors, faults, 0, exact=operation.is_exact)


def error_of(operation: "Operation", device: "torch.device", kind: "torch.dtype") -> float:
    """How far the device is off in a type; inputs are rounded to it first, so that they are the same."""
    import torch

    from ..model.device import current
    from .trial import largest_error

    real, places = operation.inputs()
    rounded = [values.to(kind) for values in real]
    with torch.inference_mode(), current(device):
        exact = operation.run(*(values.float() for values in rounded), *places)
        there = [_sent(values, device) for values in (*rounded, *places)]
        return largest_error(operation.run(*there), exact)


def _sent(values: "torch.Tensor", device: "torch.device") -> "torch.Tensor":
    """Copied to the device as the networks' inputs are: to CUDA from pinned memory, without waiting."""
    if device.type == "cuda":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


def _networks(device: "torch.device", kinds: "Sequence[torch.dtype]") -> Iterator[Finding]:
    """Raises ModelError where nano is damaged."""
    import torch

    from ..model.device import Target, current
    from .trial import STAGES, packaged_checkpoint, trial

    checkpoint = packaged_checkpoint()
    exact = trial(checkpoint, Target(torch.device("cpu"), torch.float32))
    found, faults = dict[str, dict[str, float]](), dict[str, str]()
    for kind in kinds:
        try:
            with current(device):
                made = trial(checkpoint, Target(device, kind), exact)
            found[_name(kind)] = made.errors(exact, checkpoint.rule.stop_ids)
        except (RuntimeError, TypeError) as error:
            faults[_name(kind)] = one_line(error)
        except TempoError as error:  # such as logits that are no numbers
            faults[_name(kind)] = error.message
    if faults:
        yield _verdict("nano", device, {}, faults, 1)
    for stage in STAGES if found else ():
        yield _verdict(stage, device, {name: errors[stage] for name, errors in found.items()}, {}, 1)


def _verdict(
    name: str,
    device: "torch.device",
    errors: Mapping[str, float],
    faults: Mapping[str, str],
    kind: int,
    *,
    exact: bool = False,
) -> Finding:
    """An operation's finding.

    Args:
        errors, faults: by type: how far off it is, or why it could not be computed.
        kind: place of its tolerance.
        exact: whether it must not be off at all.
    """
    tolerances = {each: 0.0 if exact else TOLERANCES[each][kind] for each in (*errors, *faults)}
    wrong = [each for each, error in errors.items() if not error <= tolerances[each]]
    told = [f"{device} does not compute it in {each}: {fault}" for each, fault in faults.items()]
    for each in wrong:
        none = "another answer" if name == _ANSWERS else "NaN or infinity"
        error = f"largest error {errors[each]:.2g}" if isfinite(errors[each]) else none
        told.append(f"{device} computes wrongly in {each}: {error}, tolerance {tolerances[each]:g}")
    facts = {
        "device": str(device),
        "errors": {each: error if isfinite(error) else None for each, error in errors.items()},
        "tolerances": tolerances,
    }
    if told:
        hint = _WRONG_CPU if device.type == "cpu" else _WRONG
        return Finding(name, Level.problem, "; ".join(told), hint, facts)
    right = (f"{error:.1g} in {each} (limit {tolerances[each]:g})" for each, error in errors.items())
    message = "no difference" if exact else f"error {', '.join(right)}"
    return Finding(name, Level.ok, message, facts=facts)


def _name(kind: "torch.dtype") -> str:
    return str(kind).removeprefix("torch.")
