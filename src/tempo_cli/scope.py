"""Cancelling work from another thread: one scope for all the work of a question."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from .errors import CancelledError


class CancelScope:
    """Cancels work from any thread: pass it to `clip.ask(…, cancel=scope)`, then call `scope.cancel()`.

    The work stops at its next step (a micro-batch, a token, a wait) and raises `CancelledError`. A cancelled
    scope stays cancelled.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.RLock()  # a signal's handler may cancel in the thread that holds it
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Stop the work; calling it again changes nothing."""
        self._event.set()
        while True:
            with self._lock:
                if not self._callbacks:
                    return
                callback = self._callbacks.pop(0)
            callback()

    def check(self) -> None:
        """Raise `CancelledError` if `cancel` was called."""
        if self.cancelled:
            raise CancelledError("the work was cancelled", "Ask again.")

    @contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` once when the scope is cancelled; at once if it is already."""
        with self._lock:
            self._callbacks.append(callback)  # first: a signal's handler may cancel between any two steps
            missed = self.cancelled and callback in self._callbacks
            if missed:
                self._callbacks.remove(callback)
        if missed:
            callback()
        try:
            yield
        finally:
            with self._lock:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)


@contextmanager
def linked(*parents: CancelScope | None) -> Iterator[CancelScope]:
    """A scope that is cancelled as soon as one of `parents` is."""
    scope = CancelScope()
    with ExitStack() as stack:
        for parent in parents:
            if parent is not None:
                stack.enter_context(parent.on_cancel(scope.cancel))
        yield scope
