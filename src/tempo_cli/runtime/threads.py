"""torch's threads while it computes for us."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def computing_with(threads: int | None) -> Iterator[None]:
    """Have torch compute with so many threads in the block, in this thread; None: as it does.

    The number is this thread's. A thread that computes for the first time meanwhile starts with it, too.
    """
    if threads is None:
        yield
        return
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        yield
    finally:
        torch.set_num_threads(before)
