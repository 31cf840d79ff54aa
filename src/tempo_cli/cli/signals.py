"""Signals: the first one starts the way out, and the next ones do not disturb it. Imports nothing slow."""

import os
import signal
import sys
import threading
import time
from types import FrameType

from ..errors import Interrupted

_CLEANUP = 3.0  # seconds that the way out may take before another signal counts as a first one
_AGAIN = 0.02  # seconds until a signal whose exception was lost is sent again


class Signals:
    """Turns signals into exceptions in the main thread: `KeyboardInterrupt` for SIGINT, else `Interrupted`.

    Such an exception is lost where Python can't pass it on: in a finalizer or a callback of a weak reference,
    which run at any moment, and in a library that catches everything. In the first case the signal is sent
    again at once, in the second case the next one is no longer ignored after a few seconds.
    """

    def __init__(self) -> None:
        self._first: float | None = None  # when the way out began
        self._ended = False
        self._hook = sys.unraisablehook

    def catch(self) -> None:
        """Handle signals from here on, except those that are ignored already, as under nohup."""
        sys.unraisablehook = self._unraisable
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._leave)

    def end(self) -> None:
        """The command has ended or its exception was caught: no signal matters any more."""
        self._ended = True

    def _leave(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self._ended or (self._first is not None and now - self._first < _CLEANUP):
            return
        self._first = now
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Interrupted(number)

    def _unraisable(self, lost: "sys.UnraisableHookArgs") -> None:
        error = lost.exc_value
        if not isinstance(error, (KeyboardInterrupt, Interrupted)):
            self._hook(lost)
            return
        number = error.signal_number if isinstance(error, Interrupted) else signal.SIGINT
        self._first = None
        again = threading.Timer(_AGAIN, _send, [number])  # here it would be lost again
        again.daemon = True
        again.start()


def _send(number: int) -> None:
    """To the main thread, which wakes up from what it waits for."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        os.kill(os.getpid(), number)
