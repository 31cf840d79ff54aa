"""A run as a table, a timeline and a summary line: values in, Rich renderables out, nothing printed."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..schema import Run, SegmentReport
from .text import clock_time, duration, printable

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = " ▁▂▃▄▅▆▇█"
_BAR = 10  # cells
_LABEL = "relevance "
_TOUCH = 1e-6  # of a cell: segments that only touch it, by rounding, are not in it
_HIGH, _MIDDLE = 0.5, 0.2  # relevance from which a bar is green, or not dimmed


def table(run: Run, top: int | None) -> RenderableType:
    """The segments with most tokens, in time order, and the rest in one line.

    Args:
        top: rows at most; None for all.
    """
    shown = _most_tokens(run.segments, top)
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    grid.add_column("#", justify="right")
    grid.add_column("time", no_wrap=True)
    grid.add_column("relevance", no_wrap=True, min_width=_BAR + 5)
    grid.add_column("tokens", justify="right")
    grid.add_column("", no_wrap=True, style="dim")
    for segment in shown:
        per_frame = segment.tokens / segment.frames
        grid.add_row(
            str(segment.index + 1),
            _span(segment),
            _relevance(segment.relevance),
            str(segment.tokens),
            f"{per_frame:.1f}/frame",
        )
    rest = [segment.tokens for segment in run.segments if segment not in shown]
    if not rest:
        return grid
    low, high = min(rest), max(rest)
    tokens = f"{low} token{'s' * (low != 1)}" if low == high else f"{low}-{high} tokens"
    number = len(str(shown[-1].index + 1)) if shown else 1
    return Group(grid, Text(f"{'…':>{number}}  {len(rest)} more at {tokens}", style="dim"))


def summary(run: Run, width: int) -> Text:
    """The line below the table: what was spent, and on what. It breaks only between its parts."""
    limit = "" if run.budget.limit is None else f" of {run.budget.limit:,}"
    scores = [segment.relevance for segment in run.segments if segment.relevance is not None]
    parts = [
        f"{len(run.segments)} segment{'s' * (len(run.segments) != 1)}",
        f"{run.budget.used:,}{limit} tokens",
        f"highest relevance {max(scores):.2f}" if scores else "ATA off",
        f"decode {duration(run.timing.decode)}",
        f"compress {duration(run.timing.compress)}",
    ]
    if run.answer is not None and run.timing.answer > 0:
        parts.append(f"{run.answer.tokens / run.timing.answer:.0f} tokens/s")
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + 3 + len(part) > width:
            lines.append("")
        lines[-1] += f" · {part}" if lines[-1] else part
    return Text("\n".join(lines), style="dim")


def weak_evidence(run: Run) -> Text | None:
    """A line that says that no segment is relevant enough, by the checkpoint's own measure; else None."""
    evidence = run.evidence
    if evidence is None or not evidence.weak:
        return None
    return Text(f"weak evidence: no segment above {evidence.threshold:.2f}", style="yellow")


def heading(run: Run) -> Text:
    """The video and the question, for a run that is looked at on its own."""
    return Text.assemble((printable(run.video.path), "bold"), "  ", printable(run.question))


def answer(run: Run) -> Text:
    """The answer of a saved run, or nothing."""
    return Text(printable(run.answer.text, keep="\n\t") if run.answer else "")


def details(run: Run) -> str:
    """What `--verbose` adds, one line."""
    model, video, timing = run.model, run.video, run.timing
    by_time = " by time" if run.sampling.mode == "time" else ""
    peak = run.memory.device_peak_bytes or run.memory.host_peak_bytes or 0
    kind = f"{model.dtype}, weights in {model.quantization}" if model.quantization else model.dtype
    return (
        f"{model.id} on {model.device} in {kind} · {video.codec} {video.width}x{video.height}, "
        f"{video.fps:.3g} frames/s, {duration(video.duration)} · {run.sampling.frames} frames at "
        f"{run.sampling.fps:.3g}/s{by_time} · budget {run.budget.mode} · load {duration(timing.load)}, "
        f"answer {duration(timing.answer)}, total {duration(timing.total)} · peak {peak / 2**30:.1f} GiB"
    )


def timeline(run: Run, width: int) -> RenderableType:
    """Relevance and tokens over the whole video, one cell for each stretch of time, with an axis below.

    Args:
        width: cells of the screen.
    """
    cells = max(10, width - len(_LABEL))
    columns = list(_columns(run, cells))
    most = max((segment.tokens for segment in run.segments), default=0) or 1
    relevance, tokens = Text(_LABEL, style="dim"), Text("tokens".ljust(len(_LABEL)), style="dim")
    for here in columns:
        scores = [segment.relevance for segment in here if segment.relevance is not None]
        score = max(scores, default=0.0)
        relevance.append(_height(score), style=_style(score))
        share = max((segment.tokens for segment in here), default=0) / most
        tokens.append(_height(share), style="cyan not dim")
    axis = Text(" " * len(_LABEL) + _axis(run.video.duration, cells), style="dim")
    return Group(
        *([relevance] if run.segments and run.segments[0].relevance is not None else []), tokens, axis
    )


def _most_tokens(segments: tuple[SegmentReport, ...], top: int | None) -> list[SegmentReport]:
    ranked = sorted(segments, key=lambda s: (-s.tokens, -(s.relevance or 0.0), s.index))
    return sorted(ranked[:top], key=lambda s: s.index)


def _span(segment: SegmentReport) -> str:
    tenths = segment.end - segment.start < 10
    return f"{clock_time(segment.start, tenths)} - {clock_time(segment.end, tenths)}"


def _relevance(score: float | None) -> Text:
    if score is None:
        return Text("-", style="dim")
    return Text.assemble((_bar(score).ljust(_BAR), _style(score)), f" {score:.2f}")


def _bar(share: float) -> str:
    eighths = round(min(1.0, max(0.0, share)) * _BAR * 8)
    full, part = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[part] if part else "")


def _height(share: float) -> str:
    return _HEIGHTS[max(1, round(min(1.0, max(0.0, share)) * 8))]


def _style(score: float) -> str:
    if score >= _HIGH:
        return "green not dim"
    return "blue not dim" if score >= _MIDDLE else "dim"


def _columns(run: Run, cells: int) -> Iterator[list[SegmentReport]]:
    step = run.video.duration / cells
    for cell in range(cells):
        left, right = cell * step, (cell + 1) * step
        yield [s for s in run.segments if s.start < right - _TOUCH * step and s.end > left + _TOUCH * step]


def _axis(seconds: float, cells: int) -> str:
    """Times under the strip, each beginning at its own place."""
    labels = max(1, min(6, cells // 12))
    line = ""
    for mark in range(labels):
        line = line.ljust(round(mark * cells / labels)) + clock_time(
            mark * seconds / labels, seconds < 10 * labels
        )
    end = clock_time(seconds, seconds < 10 * labels)
    return line[: cells - len(end) - 1].ljust(cells - len(end)) + end
