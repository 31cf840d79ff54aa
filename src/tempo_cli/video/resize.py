"""The first two of three resizing steps; the third needs torch and is in `model.pixels`."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from PIL import Image

from ..config import FrameShape
from ..plan.pixels import Size, resized_sizes
from ..types import Frame, Pixels

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Iterator[Item], threads: int) -> Iterator[Result]:
    """`work` done on every item, in order, in so many threads, with at most two items for each at a time."""
    if threads < 2:
        yield from map(work, items)
        return
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, "resize")
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            while waiting and (len(waiting) == 2 * threads or waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def alike(sized: Iterator[tuple[Frame, Size]]) -> Iterator[tuple[list[Frame], Size]]:
    """Frames that follow each other with the same pixels and size, together."""
    group: list[Frame] = []
    common = 0, 0
    for frame, size in sized:
        if group and (frame.pixels is not group[0].pixels or size != common):
            yield group, common
            group = []
        group.append(frame)
        common = size
    if group:
        yield group, common


def shrink(pixels: Pixels, shape: FrameShape, shown: Size | None = None) -> Pixels:
    """Resize a decoded frame, (H0, W0, 3) to (H, W, 3), uint8: PIL bicubic twice (reference).

    Each step is a no-op where the size already fits.

    Args:
        shown: height and width with square pixels, which the steps start from; None: those of `pixels`.
            The first step that changes this size gives the picture its shape as well.
    """
    size = shown or (pixels.shape[0], pixels.shape[1])
    first, second, _ = resized_sizes(size, shape)
    image = Image.fromarray(pixels)
    for step in (second,) if first == size else (first, second):
        if (image.height, image.width) != step:
            image = image.resize(step[::-1], Image.Resampling.BICUBIC)
    return np.asarray(image)


def shrink_frames(shape: FrameShape, sized: tuple[list[Frame], Size]) -> list[Frame]:
    """`shrink` for frames with the same pixels and their size as shown, once for all."""
    frames, size = sized
    small = shrink(frames[0].pixels, shape, size)
    return [Frame(frame.position, small, frame.look) for frame in frames]
