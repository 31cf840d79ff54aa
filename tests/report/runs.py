"""Made-up runs for reports and formats."""

from collections.abc import Sequence

from tempo_cli.schema import (
    Answer,
    BudgetSummary,
    Memory,
    ModelInfo,
    Run,
    SamplingSummary,
    SegmentReport,
    Timing,
    VideoSummary,
    build_run,
)

# what a terminal, a spreadsheet, a browser, a player or Rich would act on
HOSTILE = (
    "=1+1\x1b[31mred\x1b[0m \u202eevil\u202c [bold]b[/bold] </script><script>alert(1)</script>"
    "<b onclick=x>&amp; {\\an8}\n00:00:01,000 --> 00:00:02,000\n"
    "| `x` [l](javascript:x) http://e.com\ud800 ;#=\\"
)
Row = tuple[float, float, float | None, int]  # start, end, relevance, tokens


def made_up(
    rows: Sequence[Row],
    question: str = "what?",
    answer: str | None = "A car.",
    path: str = "movie.mp4",
    fps: float = 25.0,
    constant_rate: bool | None = True,
    duration: float | None = None,
) -> Run:
    """A run with segments of these times, relevance and tokens."""
    end = duration or rows[-1][1]
    segments = tuple(
        SegmentReport(number, start, stop, start, score, tokens, 8)
        for number, (start, stop, score, tokens) in enumerate(rows)
    )
    return build_run(
        None if answer is None else Answer(answer, "stop", 3),
        video=VideoSummary(
            path, end, fps, 640, 272, "h264", 0.0, end, size=9, mtime=1.0, constant_rate=constant_rate
        ),
        question=question,
        model=ModelInfo("nano", None, "cpu", "float32"),
        sampling=SamplingSummary(8 * len(rows), 2.0, 8),
        budget=BudgetSummary(8192, sum(part.tokens for part in segments), "linear"),
        segments=segments,
        timing=Timing(0.0, 1.0, 1.0, 1.0, 3.0),
        memory=Memory(1000, None),
    )


# segments 2 and 3 stand out together, and 6 on its own
ROWS: tuple[Row, ...] = (
    (0.0, 20.0, 0.0, 4),
    (20.0, 40.0, 0.9, 100),
    (40.0, 60.5, 0.75, 60),
    (60.5, 80.0, 0.1, 8),
    (80.0, 100.0, 0.0, 4),
    (100.0, 120.0, 0.5, 40),
)
RUN = made_up(ROWS)
