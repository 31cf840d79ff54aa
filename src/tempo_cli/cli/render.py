"""A run as a table, a timeline and a summary line: values in, Rich renderables out, nothing printed."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..plan.stretches import chosen
from ..schema import Run, SegmentReport
from ..texts import place, round_steps
from .text import clock_time, duration, printable

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = " ▁▂▃▄▅▆▇█"
_BAR = 10  # cells
_LABEL = "relevance "
_TICK = 12  # cells from one time on the axis to the next, at least
_TOUCH = 1e-6  # of a cell: segments that only touch it, by rounding, are not in it
_HIGH, _MIDDLE = 0.5, 0.2  # relevance from which a bar is green, or not dimmed


def report(
    run: Run, top: int | None, width: int, least: float | None = None, sort: str = "time"
) -> RenderableType:
    """The table, a line where the evidence is weak, and the summary, in one block.

    Args:
        top: segments that stand out, at most; 0: no table; None: every segment.
        width: cells of the screen.
        least: relevance of a segment that is shown; None: any.
        sort: time, relevance or tokens: the order of the table.
    """
    number = len(str(len(run.segments)))
    layout = _layout(run, number, width)
    indent = " " * (number + layout.gap)
    parts: list[RenderableType] = [] if top == 0 else [table(run, top, width, least, sort)]
    weak = _weak_evidence(run)
    if weak:
        parts.append(Text(f"{indent}{weak}", style="yellow"))
    lines = summary(run, width - len(indent))
    return Group(*parts, Text("\n".join(f"{indent}{line}" for line in lines), style="dim"))


def table(
    run: Run, top: int | None, width: int, least: float | None = None, sort: str = "time"
) -> RenderableType:
    """The segments that stand out, in an order, and the others in one line. See `report`."""
    shown = _sorted(chosen(run.segments, top, least), sort)
    number = len(str(len(run.segments)))
    layout = _layout(run, number, width)
    grid = Table(box=None, padding=(0, layout.gap, 0, 0), header_style="dim", pad_edge=False)
    grid.add_column("#", justify="right", min_width=number)
    grid.add_column("time", no_wrap=True, min_width=layout.time)
    grid.add_column("relevance", no_wrap=True, min_width=layout.bar + 5)
    grid.add_column("tokens", justify="right", no_wrap=True)
    if layout.per_frame:
        grid.add_column("", justify="right", no_wrap=True, style="dim")
    for segment in shown:
        per_frame = [f"{segment.tokens / segment.frames:.1f}/frame"] if layout.per_frame else []
        grid.add_row(
            str(segment.index + 1),
            _span(segment),
            _relevance(segment.relevance, layout.bar),
            f"{segment.tokens:,}",
            *per_frame,
        )
    rest = _rest(run.segments, shown)
    others = [Text(f"{'…':>{number}}{' ' * layout.gap}{rest}", style="dim")] if rest else []
    return Group(*([grid] if shown else []), *others)


def _sorted(segments: list[SegmentReport], by: str) -> list[SegmentReport]:
    """Most relevant or most tokens first; equal ones in time order."""
    if by == "relevance":
        return sorted(segments, key=lambda part: -(part.relevance or 0.0))
    return sorted(segments, key=lambda part: -part.tokens) if by == "tokens" else segments


def summary(run: Run, width: int) -> list[str]:
    """What was spent, and on what: lines of at most `width` cells that break only between their parts."""
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
    return lines


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
    where = place(model.device, model.dtype, model.quantization, model.decoder_device, model.decoder_dtype)
    peak = run.memory.device_peak_bytes or run.memory.host_peak_bytes or 0
    frames = f"{run.sampling.frames} frame{'s' * (run.sampling.frames != 1)}"
    return (
        f"{model.id} on {where} · {video.codec} {video.width}x{video.height}, "
        f"{video.fps:.3g} frames/s, {duration(video.duration)} · {frames} at "
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
        tokens.append(_height(share), style="not dim")
    axis = Text(" " * len(_LABEL) + _axis(run.video.duration, cells), style="dim")
    return Group(
        *([relevance] if run.segments and run.segments[0].relevance is not None else []), tokens, axis
    )


class _Layout(NamedTuple):
    """How the table fits the screen, in cells: between columns, of the times and of a full bar."""

    gap: int
    time: int
    bar: int
    per_frame: bool


def _layout(run: Run, number: int, width: int) -> _Layout:
    """The most spacious layout that fits; on a narrow screen, tokens per frame and then the bar go."""
    spans = max((len(_span(segment)) for segment in run.segments), default=0)
    layouts = (_Layout(3, 15, _BAR, True), _Layout(2, 0, _BAR, True), _Layout(1, 0, _BAR, False))
    for layout in layouts:
        cells = number + max(layout.time, spans) + layout.bar + 5 + len("tokens")
        cells += layout.per_frame * len("128.0/frame") + layout.gap * (3 + layout.per_frame)
        if cells <= width:
            return layout
    return _Layout(1, 0, 0, False)


def _rest(segments: Sequence[SegmentReport], shown: Sequence[SegmentReport]) -> str:
    """What the segments have that the table does not show; nothing if it shows all."""
    seen = {segment.index for segment in shown}
    left = [segment.tokens for segment in segments if segment.index not in seen]
    if not left:
        return ""
    low, high = min(left), max(left)
    tokens = f"{low:,} token{'s' * (low != 1)}" if low == high else f"{low:,}-{high:,} tokens"
    return f"{len(left)} more at {tokens}" if shown else f"no segment stands out: {len(left)} at {tokens}"


def _weak_evidence(run: Run) -> str | None:
    """That no segment is relevant enough, by the checkpoint's own measure; None if it is, or is not known."""
    evidence = run.evidence
    if evidence is None or not evidence.weak or evidence.threshold is None:
        return None
    return f"weak evidence: no segment above {evidence.threshold:.2f}"


def _span(segment: SegmentReport) -> str:
    tenths = segment.end - segment.start < 10
    return f"{clock_time(segment.start, tenths)} - {clock_time(segment.end, tenths)}"


def _relevance(score: float | None, cells: int) -> Text:
    if score is None:
        return Text("-", style="dim")
    bar = f"{_bar(score, cells).ljust(cells)} " if cells else ""
    return Text.assemble((bar, _style(score)), f"{score:.2f}")


def _bar(share: float, cells: int) -> str:
    eighths = round(min(1.0, max(0.0, share)) * cells * 8)
    full, part = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[part] if part else "")


def _height(share: float) -> str:
    return _HEIGHTS[max(1, round(min(1.0, max(0.0, share)) * 8))]


def _style(score: float) -> str:
    if score >= _HIGH:
        return "green not dim"
    return "not dim" if score >= _MIDDLE else "dim"  # blue can't be read on black, nor yellow on white


def _columns(run: Run, cells: int) -> Iterator[list[SegmentReport]]:
    step = run.video.duration / cells
    for cell in range(cells):
        left, right = cell * step, (cell + 1) * step
        yield [s for s in run.segments if s.start < right - _TOUCH * step and s.end > left + _TOUCH * step]


def _axis(seconds: float, cells: int) -> str:
    """Times under the strip: round ones, each beginning at its own place, and the end."""
    step = next((step for step in round_steps() if step * cells >= seconds * _TICK), seconds)
    tenths = step < 1
    end = clock_time(seconds, tenths)
    line = ""
    for tick in range(int(seconds / step) + 1):
        place = round(tick * step * cells / (seconds or 1))
        label = clock_time(tick * step, tenths)
        if place + len(label) + 1 <= cells - len(end):
            line = line.ljust(place) + label
    return line.ljust(cells - len(end)) + end
