"""Threads take turns: first come, first served."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import UsageError
from ..scope import CancelScope


class Turns:
    """A lock that goes to the thread that has waited longest; waiting can be cancelled."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._owner: tuple[int, object] | None = None  # thread and ticket: one value, set at once
        self._due: deque[Callable[[], None]] = deque()  # to be done while no question runs

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
            finally:
                self._end(ticket)

    def soon(self, work: Callable[[], None]) -> None:
        """Do `work` while no other work runs: now, or at the end of what runs, in its thread."""
        self._due.append(work)
        if not self.mine:
            self._do_due_if_free()

    def _end(self, ticket: object) -> None:
        """Give the turn on, whatever an interrupt left half done."""
        try:
            if self._owner is not None and self._owner[1] is ticket:
                self._do_due()
        finally:
            with self._changed:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                if self._owner is not None and self._owner[1] is ticket:
                    self._owner = None
                self._changed.notify_all()
        self._do_due_if_free()  # what came between

    def _do_due_if_free(self) -> None:
        ticket = object()
        try:
            with self._changed:
                if not self._due or self._owner is not None:
                    return  # nothing to do, or whoever has the turn does it
                self._owner = threading.get_ident(), ticket
            self._do_due()
        finally:
            with self._changed:
                if self._owner is not None and self._owner[1] is ticket:
                    self._owner = None
                    self._changed.notify_all()

    def _do_due(self) -> None:
        while self._due:
            self._due.popleft()()

    def _is_next(self, ticket: object) -> bool:
        return self._owner is None and self._waiting[0] is ticket

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
