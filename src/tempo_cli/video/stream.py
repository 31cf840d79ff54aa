"""The segments that a running decoder gives, decoded ahead in a thread."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from ..errors import CancelledError
from ..frames.recording import Held, Recording
from ..scope import CancelScope
from ..types import Segment
from .prefetch import Prefetch

AHEAD = 16  # segments that may wait in memory for the model


def held(
    segments: Generator[Segment], recording: Recording | None, finish: Callable[[], None]
) -> Generator[Held]:
    """Segments as they are decoded, which also go into a recording; then `finish`."""
    with closing(segments):  # also after an error, whose traceback would keep it
        for segment in segments:
            yield Held(segment) if recording is None else recording.hold(segment)
    finish()


class SegmentStream:
    """Runs ahead of its reader: up to `AHEAD` segments in memory, and any number that was written to a file.

    Its creator must `close` it.

    Args:
        segments: indices of those that it will give, ascending; but for those that can't be decoded.
        interrupt: makes `source` stop waiting.

    Attributes:
        coming: those that it has still to give; none after an error or an interrupt.
    """

    def __init__(
        self, source: Generator[Held], segments: Sequence[int], interrupt: Callable[[], None]
    ) -> None:
        self.coming = list(segments)
        self._prefetch = Prefetch(source, AHEAD, interrupt, lambda held: held.in_memory)

    def take(self, scope: CancelScope | None = None) -> tuple[Held | None, list[int]]:
        """The next segment, None at the end; and the indices of those before it that can't be decoded.

        Raises:
            CancelledError: `scope` was cancelled; the next call continues from there.
        """
        coming, self.coming = self.coming, []
        try:
            held = self._prefetch.take(scope)
        except CancelledError:
            self.coming = coming
            raise
        if held is None:
            return None, coming
        passed = [index for index in coming if index < held.plan.index]
        self.coming = coming[len(passed) + 1 :]
        return held, passed

    def wake(self) -> None:
        """Segments have left the memory: there is room for more."""
        self._prefetch.wake()

    def close(self) -> None:
        """End the decoder; the reader is then at the end."""
        self._prefetch.close()

    def abandon(self) -> None:
        """As `close`, without waiting for the thread."""
        self._prefetch.abandon()
