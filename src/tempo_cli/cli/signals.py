"""Signals: the first one starts the way out, and the next ones do not disturb it. Imports nothing slow.

Python handles a signal in the main thread, between two of its steps, so a library that computes or loads for
long delays it. A watcher hears of the signal at once: where the main thread has not left in time, it ends the
process.
"""

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from ..errors import Interrupted

_CLEANUP = 3.0  # seconds that the way out may take before another signal counts as a first one
_AGAIN = 0.02  # seconds until a signal whose exception was lost is sent again
_GRACE = 0.7  # seconds for the main thread to leave
_WORDS = 0.1  # seconds for the last words of a process that is ended
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Patience:
    """What the first SIGINT does instead of ending the command, while `action` is set.

    Attributes:
        action: called once, in the watcher: the main thread may compute for long.
    """

    def __init__(self) -> None:
        self.action: Callable[[], object] | None = None
        self._taken = {"main": False, "watcher": False}

    def takes(self, number: int, thread: str) -> bool:
        """Whether a signal is no end yet; each of the two threads asks once for each signal."""
        action = self.action
        if number != signal.SIGINT or action is None or self._taken[thread]:
            return False
        self._taken[thread] = True
        if thread == "watcher":
            with suppress(Exception):
                action()
        return True


patience = Patience()  # of this process's command


class Signals:
    """Turns signals into exceptions in the main thread: `KeyboardInterrupt` for SIGINT, else `Interrupted`.

    Such an exception is lost where Python can't pass it on: in a finalizer or a callback of a weak reference,
    which run at any moment, and in a library that catches everything. In the first case the signal is sent
    again at once, in the second case the watcher ends the process.

    Attributes:
        last_words: called with the signal's number in the watcher before it ends the process.
        clean_up: called in the watcher, each, before it ends the process.
    """

    def __init__(self, last_words: Callable[[int], object] = lambda _: None) -> None:
        self.last_words = last_words
        self.clean_up: list[Callable[[], object]] = []
        self._first: float | None = None  # when the way out began
        self._ended = False
        self._code: int | None = None  # of a command that is over
        self._numbers: set[int] = set()
        self._hook = sys.unraisablehook
        self._in_hook = False  # where what is raised is lost

    def catch(self) -> None:
        """Handle signals from here on, except those that are ignored already, as under nohup."""
        sys.unraisablehook = self._unraisable
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._leave)
                self._numbers.add(int(number))

    def watch(self) -> None:
        """Let another thread see to it that the process ends in time."""
        theirs, ours = os.pipe()
        os.set_blocking(ours, False)
        signal.set_wakeup_fd(ours, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(theirs,), name="signals", daemon=True).start()

    def end(self) -> None:
        """The command has ended or its exception was caught: no signal matters any more."""
        self._ended = True

    def leave(self, code: int) -> NoReturn:
        """End the process with `code`.

        Of the interpreter's own teardown only the registered exit functions run: the rest restores
        the default action of signals on its way, and takes torch apart, which can last for seconds.
        """
        self._code = code
        self.end()
        if self._first is not None:
            for action in self.clean_up:
                action()
        try:
            atexit._run_exitfuncs()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def _leave(self, number: int, _: FrameType | None) -> None:
        if patience.takes(number, "main"):
            return
        if self._in_hook:
            _send_again(number)
            return
        now = time.monotonic()
        if self._ended or (self._first is not None and now - self._first < _CLEANUP):
            return
        self._first = now
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Interrupted(number)

    def _watch(self, pipe: int) -> None:
        while True:
            for number in os.read(pipe, 64):
                if patience.takes(number, "watcher"):
                    continue
                if number in self._numbers:
                    time.sleep(_GRACE)  # if the process is still here then, it is ended
                    self._exit(number)

    def _exit(self, number: int) -> None:
        try:
            for action in self.clean_up:
                with suppress(Exception):
                    action()
            if not self._ended:  # else the main thread has said them, or is about to
                words = threading.Thread(target=self._say, args=(number,), daemon=True)
                words.start()
                words.join(_WORDS)  # whoever reads them may have stopped to
        finally:
            os._exit(128 + number if self._code is None else self._code)

    def _say(self, number: int) -> None:
        with suppress(Exception):
            self.last_words(number)

    def _unraisable(self, lost: "sys.UnraisableHookArgs") -> None:
        error = lost.exc_value
        if not isinstance(error, (KeyboardInterrupt, Interrupted)):
            self._hook(lost)
            return
        number = error.signal_number if isinstance(error, Interrupted) else signal.SIGINT
        self._in_hook = True
        self._first = None
        _send_again(number)
        self._in_hook = False


def _send_again(number: int) -> None:
    """Send it a little later, because what it would raise here is lost."""
    again = threading.Timer(_AGAIN, _send, [number])
    again.daemon = True
    again.start()


def _send(number: int) -> None:
    """To the main thread, which wakes up from what it waits for."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        os.kill(os.getpid(), number)
