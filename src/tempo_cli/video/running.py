"""What runs for one decoder, so that another thread can end all of it at any moment."""

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar


class Runner(Protocol):
    """A process, or several."""

    def kill(self) -> None:
        """End it at once, from any thread."""

    def close(self) -> None:
        """End it and let go of all that it holds."""


Started = TypeVar("Started", bound=Runner)


class Running:
    """The runners of one decoder. Nothing starts any more after `kill`.

    Attributes:
        killed: whether `kill` or `stop` was called.
        started: how many have started.
    """

    def __init__(self) -> None:
        self.killed, self.started = False, 0
        self._lock = threading.RLock()  # it may be killed in the thread that holds it
        self._runners: list[Runner] = []

    def start(self, make: Callable[[], Started]) -> Started | None:
        """What `make` starts; None where nothing starts any more."""
        with self._lock:
            if self.killed:
                return None
            runner = make()
            self._runners.append(runner)
            self.started += 1
        if self.killed:  # meanwhile: `kill` waits for no lock
            runner.kill()
        return runner

    def close(self, *runners: Runner | None) -> None:
        """Close these."""
        with self._lock:
            held = [runner for runner in runners if runner is not None and runner in self._runners]
            for runner in held:
                self._runners.remove(runner)
        for runner in held:  # whoever it waits for may want to start or kill something
            runner.close()

    def kill(self) -> None:
        """End all of them at once, from any thread, also from one of theirs: it waits for nothing."""
        self.killed = True
        for runner in tuple(self._runners):
            runner.kill()

    def stop(self) -> None:
        """Close all of them."""
        self.killed = True
        self.close(*tuple(self._runners))
