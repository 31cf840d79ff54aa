"""Threads take turns: first come, first served."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import UsageError
from ..scope import CancelScope


class Turns:
    """A lock that goes to whoever waits longest, and whose waiting can be cancelled."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._owner: tuple[int, object] | None = None  # thread and ticket: one value, set at once

    @property
    def mine(self) -> bool:
        """Whether this thread has the turn."""
        return self._owner is not None and self._owner[0] == threading.get_ident()

    @contextmanager
    def taken(self, scope: CancelScope | None = None) -> Iterator[None]:
        """Wait for the turn and keep it for the block.

        Raises:
            CancelledError: `scope` was cancelled before the turn came.
            UsageError: this thread has the turn already, as in a callback.
        """
        if self.mine:
            raise UsageError("the model is busy in this thread", "Ask after the callback has returned.")
        scope, ticket = scope or CancelScope(), object()
        with scope.on_cancel(self._wake):
            try:
                with self._changed:
                    self._waiting.append(ticket)
                    self._changed.wait_for(lambda: scope.cancelled or self._is_next(ticket))
                    scope.check()
                    self._owner = threading.get_ident(), ticket
                    self._waiting.remove(ticket)
                yield
            finally:  # whatever an interrupt left half done
                with self._changed:
                    if ticket in self._waiting:
                        self._waiting.remove(ticket)
                    if self._owner is not None and self._owner[1] is ticket:
                        self._owner = None
                    self._changed.notify_all()

    def _is_next(self, ticket: object) -> bool:
        return self._owner is None and self._waiting[0] is ticket

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
