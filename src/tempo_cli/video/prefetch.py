"""Running a generator ahead of its reader, in a thread, a bounded number of items at most."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Ahead(Generic[Item]):
    def __init__(self, source: Iterator[Item], depth: int) -> None:
        self._source = source
        self._queue: queue.Queue[Item | _End] = queue.Queue(maxsize=depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        while True:
            item = self._queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    def stop(self, interrupt: Callable[[], None]) -> None:
        self._stop.set()
        interrupt()
        while self._thread.is_alive():
            with suppress(queue.Empty):
                self._queue.get(timeout=0.05)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._source:
                self._queue.put(item)
                if self._stop.is_set():
                    break
        except BaseException as raised:  # noqa: BLE001  handed to the reader, which raises it again
            error = raised
        self._queue.put(_End(error))


@contextmanager
def prefetch(source: Iterator[Item], depth: int, interrupt: Callable[[], None]) -> Iterator[Iterator[Item]]:
    """Iterate over `source` while a thread fills up to `depth` items ahead.

    An error in `source` is raised by the iteration. On leaving, the thread has ended; `interrupt` is
    called first and must make a `source` that is waiting for something stop waiting.
    """
    ahead = _Ahead(source, depth)
    try:
        yield iter(ahead)
    finally:
        ahead.stop(interrupt)
