"""Progress on a terminal: bars for what can be counted, a spinner with words for what can't."""

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text


def stages(console: Console) -> Progress:
    """One line for each stage: a bar with what is done and the time left; without a total, a spinner."""
    return Progress(
        TextColumn("{task.description}"),
        _Counted(BarColumn(), SpinnerColumn()),
        _Counted(MofNCompleteColumn()),
        _Counted(TimeRemainingColumn()),
        console=console,
        transient=True,
    )


def transfer(console: Console) -> Progress:
    """One line for bytes: bar, amount, speed and time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


class _Counted(ProgressColumn):
    """A column of tasks with a total; the others show something else, or nothing."""

    def __init__(self, column: ProgressColumn, other: ProgressColumn | None = None) -> None:
        super().__init__()
        self._column, self._other = column, other

    def render(self, task: Task) -> RenderableType:
        if task.total is not None:
            return self._column(task)
        return self._other(task) if self._other is not None else Text()
