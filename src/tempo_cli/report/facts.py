"""The small print of a run: how it was made, what it took, what was unusual, what the model did not see."""

from collections.abc import Iterator

from ..schema import Run
from ..texts import clock_time, place
from ..types import Unseen
from .document import escape


def facts(run: Run, runs: int) -> str:
    """A section of HTML with everything about a run that is no segment.

    Args:
        runs: on the page.
    """
    question = f" of “{escape(run.question)}”" if runs > 1 else ""
    rows = "".join(
        f'<div><dt>{name}</dt><dd dir="auto">{escape(value)}</dd></div>'
        for name, value in _rows(run)
        if value
    )
    warnings = "".join(f'<li dir="auto">{escape(warning)}</li>' for warning in run.warnings)
    told = f"<h3>Warnings</h3><ul>{warnings}</ul>" if warnings else ""
    history = "".join(
        f'<li dir="auto">{escape(past.question)}<br>{escape(past.answer)}</li>' for past in run.history
    )
    earlier = f"<h3>Asked before</h3><ul>{history}</ul>" if history else ""
    return f'<section class="facts"><h2>Details{question}</h2>{told}{earlier}<dl>{rows}</dl></section>'


def unseen(lost: Unseen) -> str:
    """What the model was not shown, in words."""
    parts = [
        _tracks(lost.sound, "sound track"),
        _tracks(lost.texts, "text track"),
        "fields one after the other (interlaced)" * lost.interlaced,
        "transparency" * lost.alpha,
        "HDR" * lost.hdr,
        "the shape of pixels that are not square" * lost.shape,
    ]
    return ", ".join(part for part in parts if part)


def _tracks(count: int, name: str) -> str:
    return f"{count} {name}{'s' * (count != 1)}" if count else ""


def _rows(run: Run) -> Iterator[tuple[str, str]]:
    video, model, sampling, budget, timing = run.video, run.model, run.sampling, run.budget, run.timing
    yield (
        "Video",
        f"{video.codec}, {video.width}×{video.height}, {video.fps:.5g} frames/s, "
        f"{clock_time(video.duration)}",
    )
    yield "Not seen", unseen(video.unseen) if video.unseen else ""
    commit = f" ({model.revision[:12]})" if model.revision else ""
    where = place(model.device, model.dtype, model.quantization, model.decoder_device, model.decoder_dtype)
    yield "Model", f"{model.id}{commit} on {where}"
    yield "Its scope", model.scope or ""
    yield (
        "Sampling",
        f"{sampling.frames:,} frames at {sampling.fps:.3g}/s by {sampling.mode}, "
        f"{sampling.window} per segment",
    )
    limit = "no limit" if budget.limit is None else f"{budget.limit:,}"
    yield "Tokens", f"{budget.used:,} of {limit}, {budget.mode}"
    if run.evidence is not None and run.evidence.highest is not None:
        yield "Evidence", _evidence(run.evidence.highest, run.evidence.threshold)
    if run.generation is not None:
        seed = "" if run.generation.seed is None else f", seed {run.generation.seed}"
        most = f"at most {run.generation.max_new_tokens:,} tokens"
        yield "Answer", f"{most}, temperature {run.generation.temperature:g}{seed}"
    steps = f"load {timing.load:.1f}, compress {timing.compress:.1f}"
    steps += f", answer {timing.answer:.1f}" if run.answer is not None else ""
    yield "Seconds", f"{timing.total:.1f} for the question, with loading: {steps}"
    yield "Decoding", f"{timing.decode:.1f} s, beside the other steps; it begins before the question"
    peaks = (("host", run.memory.host_peak_bytes), ("device", run.memory.device_peak_bytes))
    yield "Peak memory", ", ".join(f"{name} {peak / 2**30:.1f} GiB" for name, peak in peaks if peak)
    yield "Made by", f"tempo {run.tempo}" if run.tempo else ""


def _evidence(highest: float, threshold: float | None) -> str:
    needed = "" if threshold is None else f"; one above {threshold:.2f} is needed"
    return f"highest relevance {highest:.3f}{needed}"
