"""Relevance and tokens of a run over time, as SVG: widths in percent, so that it fills any screen."""

from collections.abc import Iterator

from ..schema import Run, SegmentReport
from ..texts import clock_time, round_steps
from .document import escape

_CURVE, _STRIP, _TOKENS = (14, 72), (94, 24), (142, 36)  # px: top and height of each band
HEIGHT = 180  # px
_TICKS = 6  # on the axis, at most


def chart(run: Run, number: int, seconds: float, shown: frozenset[SegmentReport]) -> str:
    """One run's curve and strip of relevance, and bars of tokens; each segment is a button.

    Args:
        number: of the run on its page.
        seconds: that the whole width stands for.
        shown: the segments that stand out.
    """
    most = max((part.tokens for part in run.segments), default=0) or 1
    has_relevance = any(part.relevance is not None for part in run.segments)
    parts = [_curve(run, seconds)] if has_relevance else []
    for at, part in enumerate(run.segments):
        shapes = _shapes(part, seconds, most, part in shown)
        parts.append(
            f'<g class="segment" role="button" tabindex="{-1 if at else 0}" data-run="{number}" '
            f'data-segment="{at}" aria-label="{spoken(part, part in shown)}">{shapes}</g>'
        )
    names = [("relevance", _CURVE[0] - 3)] if has_relevance else []
    words = "".join(
        f'<text class="name" x="0" y="{y}" aria-hidden="true">{name}</text>'
        for name, y in [*names, ("tokens", _TOKENS[0] - 6)]
    )
    label = f"Segments of “{escape(run.question)}”: the arrow keys go from one to the next."
    return (
        f'<svg class="chart" width="100%" height="{HEIGHT}" role="group" aria-label="{label}">'
        f"{''.join(parts)}{words}</svg>"
    )


def axis(seconds: float) -> str:
    """Round times below the charts."""
    step = next((step for step in round_steps() if seconds / step <= _TICKS), seconds or 1.0)
    texts = []
    for tick in range(int(seconds / step + 1e-9) + 1):
        share = 100 * tick * step / (seconds or 1.0)
        anchor = "start" if share < 4 else "end" if share > 96 else "middle"
        label = clock_time(tick * step, step < 1)
        texts.append(f'<line x1="{share:.3f}%" x2="{share:.3f}%" y1="0" y2="5"/>')
        texts.append(f'<text x="{share:.3f}%" y="18" text-anchor="{anchor}">{label}</text>')
    return f'<svg class="axis" width="100%" height="22" aria-hidden="true">{"".join(texts)}</svg>'


def spoken(part: SegmentReport, stands_out: bool) -> str:
    """A segment in words."""
    tenths = part.end - part.start < 10
    score = "" if part.relevance is None else f"relevance {part.relevance:.2f}, "
    tokens = f"{part.tokens:,} token{'s' * (part.tokens != 1)}"
    ending = ", stands out" if stands_out else ""
    return f"{clock_time(part.start, tenths)} to {clock_time(part.end, tenths)}, {score}{tokens}{ending}"


def _shapes(part: SegmentReport, seconds: float, most: int, stands_out: bool) -> str:
    place = f'x="{100 * part.start / seconds:.3f}%" width="{100 * (part.end - part.start) / seconds:.3f}%"'
    shapes = [f'<rect class="hit" {place} y="0" height="{HEIGHT}"/>']
    if part.relevance is not None:
        opacity = 0.06 + 0.94 * part.relevance
        shapes.append(
            f'<rect class="heat" {place} y="{_STRIP[0]}" height="{_STRIP[1]}" fill-opacity="{opacity:.3f}"/>'
        )
    height = max(1.0, _TOKENS[1] * part.tokens / most)
    top = _TOKENS[0] + _TOKENS[1] - height
    shapes.append(f'<rect class="tokens" {place} y="{top:.1f}" height="{height:.1f}"/>')
    if stands_out:  # told by more than color
        shapes.append(f'<rect class="mark" {place} y="{_STRIP[0] - 5}" height="3"/>')
    return "".join(shapes)


def _curve(run: Run, seconds: float) -> str:
    top, height = _CURVE
    steps = " ".join(_steps(run, seconds))
    threshold = run.evidence.threshold if run.evidence else None
    line = ""
    if threshold is not None:
        y = top + height * (1 - threshold)
        line = f'<line class="threshold" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
        line += (
            f'<text class="name" x="100%" y="{y - 4:.1f}" text-anchor="end">enough: {threshold:.2f}</text>'
        )
    return (
        f'<g aria-hidden="true"><svg x="0" y="{top}" width="100%" height="{height}" viewBox="0 0 1000 100" '
        f'preserveAspectRatio="none"><path class="area" d="M0 100 {steps} V100 Z"/></svg>'
        f'<line class="base" x1="0" x2="100%" y1="{top + height}" y2="{top + height}"/>{line}</g>'
    )


def _steps(run: Run, seconds: float) -> Iterator[str]:
    for part in run.segments:
        left, right = 1000 * part.start / seconds, 1000 * part.end / seconds
        yield f"H{left:.2f} V{100 - 100 * (part.relevance or 0):.2f} H{right:.2f}"
