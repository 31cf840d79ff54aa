"""Runs as a picture for a paper or a chat, by matplotlib, which is an extra (`tempo-cli[plot]`)."""

import io
import textwrap
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import SetupError
from ..plan.stretches import chosen
from ..schema import Run
from ..texts import clock_time, one_line, round_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACCENT, _INK, _SOFT = "#0b6e5a", "#1d1d1f", "#5f6066"
_WIDTH, _ROW = 9.0, 2.3  # inches: of the picture, and the height of a run in it
_LINE, _LINES = 100, 3  # characters of a line above a run, and lines
_TICKS = 8
_DOTS = 200  # per inch


def plot(runs: Sequence[Run], kind: str, top: int | None = 10, least: float | None = None) -> bytes:
    """Relevance and tokens of each run over time, one above the other on one axis.

    Args:
        kind: png or svg.
        top, least: which segments stand out (`plan.stretches.chosen`).

    Raises:
        SetupError: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise SetupError(
            f"matplotlib, which draws the {kind.upper()}, is not installed",
            "Run: pip install 'tempo-cli[plot]' (or write `html`, which needs nothing)",
        ) from None
    seconds = max([run.video.duration for run in runs] + [part.end for run in runs for part in run.segments])
    with (
        rc_context({"svg.hashsalt": "tempo", "font.size": 9, "axes.edgecolor": _SOFT}),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of characters that the font lacks
        figure = Figure((_WIDTH, _ROW * len(runs) + 0.4), layout="constrained")
        grid: Any = figure.subplots(
            2 * len(runs), 1, sharex=True, squeeze=False, height_ratios=[3, 1] * len(runs)
        )
        for number, run in enumerate(runs):
            _draw(run, grid[2 * number, 0], grid[2 * number + 1, 0], top, least)
        axis = grid[-1, 0]
        axis.set_xlim(0, seconds or 1.0)
        step = next((step for step in round_steps() if seconds / step <= _TICKS), seconds or 1.0)
        ticks = [tick * step for tick in range(int(seconds / step + 1e-9) + 1)]
        axis.set_xticks(ticks, [clock_time(tick, step < 1) for tick in ticks])
        written = io.BytesIO()
        figure.savefig(written, format=kind, dpi=_DOTS, metadata={"Date": None} if kind == "svg" else None)
    return written.getvalue()


def _draw(run: Run, curve: "Axes", bars: "Axes", top: int | None, least: float | None) -> None:
    starts = [part.start for part in run.segments]
    widths = [part.end - part.start for part in run.segments]
    scores = [part.relevance or 0.0 for part in run.segments]
    lines = textwrap.wrap(one_line(run.question), _LINE, max_lines=_LINES, placeholder=" …")
    title = curve.set_title("\n".join(lines), loc="left", fontsize=10, color=_INK)
    title.set_parse_math(False)  # a question may have dollars in it
    curve.bar(starts, scores, widths, align="edge", color=_ACCENT, alpha=0.3, linewidth=0)
    shown = chosen(run.segments, top, least)
    curve.hlines(
        [-0.05] * len(shown), [p.start for p in shown], [p.end for p in shown], colors=_INK, linewidth=2.5
    )
    if run.evidence is not None and run.evidence.threshold is not None:
        curve.axhline(run.evidence.threshold, color=_SOFT, linewidth=0.8, linestyle=(0, (3, 4)))
    curve.set_ylim(-0.1, 1.02)
    curve.set_yticks([0, 0.5, 1])
    curve.set_ylabel("relevance")
    bars.bar(starts, [part.tokens for part in run.segments], widths, align="edge", color=_ACCENT, linewidth=0)
    bars.set_ylabel("tokens")
    for axes in (curve, bars):
        axes.spines[["top", "right"]].set_visible(False)
