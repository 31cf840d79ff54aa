"""Running a generator ahead of its reader, in a thread, a bounded number of items at most."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

from ..scope import CancelScope

Item = TypeVar("Item")


class Prefetch(Generic[Item]):
    """Takes items from `source` in a thread that starts at once; its creator must `close` it.

    Args:
        depth: items that may wait for the reader.
        counts: whether an item counts for `depth`; call `wake` when one no longer does.
        interrupt: called by `close` first; must make a `source` that is waiting for something stop waiting.
    """

    def __init__(
        self,
        source: Generator[Item],
        depth: int,
        interrupt: Callable[[], None],
        counts: Callable[[Item], bool] = lambda _: True,
    ) -> None:
        self._source, self._depth, self._interrupt, self._counts = source, depth, interrupt, counts
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)
        self._thread.start()

    def take(self, scope: CancelScope | None = None) -> Item | None:
        """The next item, as soon as it is there; None at the end.

        Raises:
            CancelledError: `scope` was cancelled before an item came.
            BaseException: what `source` raised, after the items that came before.
        """
        scope = scope or CancelScope()
        with scope.on_cancel(self.wake), self._changed:
            self._changed.wait_for(lambda: self._items or self._ended or scope.cancelled)
            scope.check()
            if self._items:
                self._changed.notify_all()
                return self._items.popleft()
            if self._error is not None:
                raise self._error
            return None

    def __iter__(self) -> Iterator[Item]:
        while (item := self.take()) is not None:
            yield item

    def close(self) -> None:
        """End the thread and drop what waits; the reader is then at the end. From any thread, repeatable."""
        self.abandon()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def abandon(self) -> None:
        """As `close`, without waiting for the thread: also from a finalizer, which may run in any thread."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()
        self._interrupt()

    def wake(self) -> None:
        """Check again what is waiting."""
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._source:
                if not self._offer(item):
                    break
        except BaseException as raised:  # noqa: BLE001  handed to the reader, which raises it again
            error = raised
        finally:
            self._source.close()
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()

    def _offer(self, item: Item) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or sum(map(self._counts, self._items)) < self._depth)
            if not self._closed:
                self._items.append(item)
                self._changed.notify_all()
            return not self._closed
