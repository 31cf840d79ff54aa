"""Weights in one number of bits: whole questions, speed, and what runs where a card has less memory."""

import time
from dataclasses import asdict
from typing import Any

import torch
from checkpoints import SIZES, write

from tempo_cli import BudgetOptions, GenerationOptions, LoadOptions, Run, SamplingOptions, Tempo
from tempo_cli.errors import OutOfMemoryError, SetupError

from . import device, internals, speed
from .results import Row
from .scale import NEW_TOKENS, QUESTION, WINDOW, Bench

_BYTES = {"none": None, "int8": 1.0, "int4": 0.5}  # of a weight, without scales: for floors
_CONTEXT = 0.6e9  # bytes that a CUDA context takes of a card, which a limit on tensors does not count


def run(bench: Bench) -> None:
    """All rows of one number of bits."""
    bits = bench.options.bits
    bench.record.add(f"device, weights {bits}", **device.facts(bench))
    write(bench.hollow, SIZES[bench.scale.size], hollow=True)
    try:
        internals.check_options(LoadOptions(device=bench.device, quantize=bits))
    except SetupError as error:
        bench.record.add(f"weights {bits}", bits=bits, note=f"skipped: {error.message}")
        return
    with internals.generated_weights():
        whole(bench, bits)
        internals.release(bench.device)
        ladder(bench, bits)


def whole(bench: Bench, bits: str) -> None:
    """Load, whole questions, and the decoder's speed, with all of the card."""
    tempo = None
    with bench.record.row(f"load, weights {bits}") as row:
        tempo = speed.load(bench, bench.hollow / "Tempo", row, bits)
        row["bits"] = bits
    if tempo is None:
        return
    asks = bench.scale.asks if bits == "none" else bench.scale.asks[:1]
    for segments, budget in asks:
        with bench.record.row(f"{segments} segments, budget {budget}, weights {bits}") as row:
            device.reset_peak()
            row |= {"bits": bits, **ask(bench, tempo, segments, BudgetOptions(budget=budget))}
    ceilings, _ = device.ceilings(bench, getattr(torch, tempo.info.dtype))
    with bench.record.row(f"read {bench.scale.prefills[0]} tokens, weights {bits}") as row:
        row |= {"bits": bits}
        row |= speed.prefill(bench, tempo, bench.scale.prefills[0], ceilings, _BYTES[bits])
    with bench.record.row(f"write after {bench.scale.positions[0]} tokens, weights {bits}") as row:
        row |= {"bits": bits}
        row |= speed.write_tokens(bench, tempo, bench.scale.positions[0], ceilings, _BYTES[bits])


def ladder(bench: Bench, bits: str) -> None:
    """A question within each limit: as planned, and without a plan where the plan gave something up."""
    for limit in bench.scale.limits:
        if fit(bench, bits, limit, planned=True):
            continue
        fit(bench, bits, limit, planned=False)


def fit(bench: Bench, bits: str, limit: float, *, planned: bool) -> bool:
    """One question within a limit, or the error that says why not; whether nothing had to be given up."""
    name = f"within {limit / 1e9:.3g} GB, weights {bits}, {'planned' if planned else 'not planned'}"
    whole = False
    with bench.record.row(name) as row:
        row |= {"limit": limit, "bits": bits, "planned": planned}
        free = limit - _CONTEXT if bench.device == "cuda" else limit
        internals.release(bench.device)  # of the row before
        internals.limit_memory(bench.device, free, planned=planned)
        try:
            row |= loaded_and_asked(bench, bits)
            whole = row["fits"] and row["together"] and not row["steps"]
        finally:
            internals.release(bench.device)
            internals.limit_memory(bench.device, None, planned=True)
    return whole


def loaded_and_asked(bench: Bench, bits: str) -> Row:
    """Load and ask, every memory token kept: the decoder reads all that the budget allows."""
    device.reset_peak()
    started = time.perf_counter()
    try:
        options = LoadOptions(device=bench.device, quantize=bits)
        tempo = Tempo.load(bench.hollow / "Tempo", options=options)
        found = ask(bench, tempo, bench.scale.ladder_segments, BudgetOptions(ata=False))
    except OutOfMemoryError as error:
        return {"fits": False, "note": f"does not fit: {error.message}. {error.hint}", "seconds": None}
    return {"fits": True, **found, "seconds": time.perf_counter() - started}


def ask(bench: Bench, tempo: Tempo, segments: int, budget: BudgetOptions) -> Row:
    """One question of the product; peaks include the weights."""
    run: Run = tempo.ask(
        bench.scale.clip(),
        QUESTION,
        sampling=SamplingOptions(fps=bench.scale.fps(segments), max_frames=segments * WINDOW),
        budget=budget,
        generation=GenerationOptions(max_new_tokens=NEW_TOKENS),
    )
    if len(run.segments) != segments:
        raise ValueError(f"{len(run.segments)} segments where {segments} were due")
    facts: dict[str, Any] = asdict(run.memory) | {"timing": asdict(run.timing)}
    return {
        "segments": segments,
        "used": run.budget.used,
        "seconds": run.timing.compress + run.timing.answer,
        "peak_bytes": device.peak(),
        "warnings": list(run.warnings),
        "note": how(run),
        **facts,
    }


def how(run: Run) -> str:
    """How a run was made to fit, in a few words."""
    held = "together" if run.memory.together else "in turn"
    steps = f"; gave up: {', '.join(run.memory.steps)}" if run.memory.steps else ""
    return f"{held}, {run.memory.micro_batch} at once, {run.budget.used:,} tokens{steps}"
