"""Opening the next video while this one is answered, in a thread."""

import threading
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from ..errors import TempoError
from .outcome import as_ours


class Closable(Protocol):
    """What is opened ahead."""

    def close(self) -> None:
        """Let go of it."""


Task = TypeVar("Task")
Opened = TypeVar("Opened", bound=Closable)


class Ahead(Generic[Task, Opened]):
    """Goes through `tasks` and opens each, one ahead of its reader; whoever makes it must `close` it.

    What the reader takes belongs to the reader.

    Args:
        tasks: may wait, as for standard input; it is read in the thread.
        open_one: None where nothing is to be opened for a task.
    """

    def __init__(self, tasks: Iterator[Task], open_one: Callable[[Task], Opened | None]) -> None:
        self._tasks, self._open = tasks, open_one
        self._changed = threading.Condition()
        self._waiting: tuple[Task, Opened | TempoError | None] | None = None
        self._ended, self._closed = False, False
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="ahead", daemon=True).start()

    def __iter__(self) -> Iterator[tuple[Task, Opened | TempoError | None]]:
        """Each task with what was opened for it, or the error that it met.

        Raises:
            BaseException: what `tasks` raised, behind the tasks before.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._ended)
                if self._waiting is None:
                    if self._error is not None:
                        raise self._error
                    return
                found, self._waiting = self._waiting, None
                self._changed.notify_all()
            yield found

    def close(self) -> None:
        """Close what nobody has taken. The thread ends by itself: what it opens just now, it closes."""
        with self._changed:
            self._closed = True
            found, self._waiting = self._waiting, None
            self._changed.notify_all()
        if found is not None and found[1] is not None and not isinstance(found[1], TempoError):
            found[1].close()

    def __enter__(self) -> "Ahead[Task, Opened]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for task in self._tasks:
                if not self._offer(task, self._opened(task)):
                    break
        except BaseException as raised:  # noqa: BLE001  handed to the reader, which raises it again
            error = raised
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()

    def _opened(self, task: Task) -> Opened | TempoError | None:
        try:
            return self._open(task)
        except TempoError as error:
            return error
        except Exception as error:  # noqa: BLE001  a bug that one video meets is no end of the others
            return as_ours(error)

    def _offer(self, task: Task, opened: Opened | TempoError | None) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is None or self._closed)
            if not self._closed:
                self._waiting = (task, opened)
                self._changed.notify_all()
                return True
        if opened is not None and not isinstance(opened, TempoError):
            opened.close()
        return False
