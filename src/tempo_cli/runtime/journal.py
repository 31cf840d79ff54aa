"""What happens on the way to one answer: emitted as it happens, and written into the run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..events import Event, Listener, Warned


class Journal:
    """One question's, or that of several which share a visual pass.

    Attributes:
        warnings: in order.
        steps: what was given up for want of memory, in order.
        compress_seconds: spent in the compressor.
    """

    def __init__(self, on_event: Listener | None) -> None:
        self._on_event = on_event
        self.warnings: list[str] = []
        self.steps: list[str] = []
        self.compress_seconds = 0.0
        self.started = time.perf_counter()

    def emit(self, event: Event) -> None:
        """Tell the listener, if there is one."""
        if self._on_event is not None:
            self._on_event(event)

    def warn(self, message: str) -> None:
        """Something the user should know."""
        self.warnings.append(message)
        self.emit(Warned(message))

    def fall_back(self, step: str, message: str) -> None:
        """Something was dropped because memory was short."""
        self.steps.append(step)
        self.warn(message)

    @contextmanager
    def compressing(self) -> Iterator[None]:
        """Time what the block takes."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.compress_seconds += time.perf_counter() - started
