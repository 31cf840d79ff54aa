"""Limits on slow answers: a server that drips bytes would hold a download for days."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future

from httpx2 import ReadTimeout, Response

WINDOW = 30.0  # seconds over which the speed is measured, and within which an answer must begin


def begun(action: Callable[[], Response], seconds: float) -> Response:
    """The answer that `action` waits for, redirects included: its headers can come byte by byte too.

    Args:
        seconds: that it may take. A later answer is closed when it comes.

    Raises:
        ReadTimeout: it took longer.
    """
    answer: Future[Response] = Future()
    threading.Thread(target=_fulfill, args=(answer, action), daemon=True).start()
    try:
        return answer.result(seconds)
    except BaseException as error:
        late = isinstance(error, TimeoutError) and not answer.done()
        answer.add_done_callback(_close)
        if late:
            raise ReadTimeout(f"no answer within {seconds:g} s") from None
        raise


def paced(pieces: Iterable[bytes], rate: float) -> Iterator[bytes]:
    """`pieces`, as they come.

    Args:
        rate: bytes per second that must come in every 30 s; 0: any.

    Raises:
        ReadTimeout: fewer came.
    """
    began = time.monotonic()
    arrived: deque[tuple[float, int]] = deque()
    total = 0
    for piece in pieces:
        now = time.monotonic()
        arrived.append((now, len(piece)))
        total += len(piece)
        while arrived and arrived[0][0] < now - WINDOW:
            total -= arrived.popleft()[1]
        if now - began >= WINDOW and total < rate * WINDOW:
            raise ReadTimeout(f"less than {rate:g} bytes per second")
        yield piece


def _fulfill(answer: "Future[Response]", action: Callable[[], Response]) -> None:
    try:
        answer.set_result(action())
    except BaseException as error:  # noqa: BLE001  whoever waits gets it
        answer.set_exception(error)


def _close(answer: "Future[Response]") -> None:
    if answer.exception() is None:
        answer.result().close()
