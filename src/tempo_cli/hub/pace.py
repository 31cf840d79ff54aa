"""A lower limit on the speed of an answer: a server that drips bytes would hold a download for days."""

import time
from collections import deque
from collections.abc import Iterable, Iterator

from httpx2 import ReadTimeout

WINDOW = 30.0  # seconds over which the speed is measured


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
