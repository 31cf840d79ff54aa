"""The sizes that a frame takes in the three resizing steps: pure arithmetic (reference)."""

from math import ceil, floor, sqrt

from ..config import FIRST_GRID, SECOND_MAX_CELLS, SECOND_MIN_CELLS, FrameShape

Size = tuple[int, int]  # height, width in px


def cap_longest_edge(size: Size, longest: int) -> Size:
    """First step: shrink to `longest` px at most, edges rounded to 16."""
    if max(size) <= longest:
        return size
    ratio = longest / max(size)
    height, width = (max(FIRST_GRID, round(edge * ratio / FIRST_GRID) * FIRST_GRID) for edge in size)
    return height, width


def snap_to_grid(size: Size, grid: int, min_pixels: int, max_pixels: int) -> Size:
    """Second and third step: edges to the nearest multiple of `grid`, then scale into the bounds."""
    height, width = (max(grid, round(edge / grid) * grid) for edge in size)
    area = size[0] * size[1]
    if height * width > max_pixels:
        scale = sqrt(area / max_pixels)
        height, width = (max(grid, floor(edge / scale / grid) * grid) for edge in size)
    elif height * width < min_pixels:
        scale = sqrt(min_pixels / area)
        height, width = (ceil(edge * scale / grid) * grid for edge in size)
    return height, width


def resized_sizes(size: Size, shape: FrameShape) -> tuple[Size, Size, Size]:
    """The size after each of the three steps."""
    limits = shape.limits
    first = cap_longest_edge(size, limits.longest_edge)
    cell = limits.grid**2
    second = snap_to_grid(first, limits.grid, SECOND_MIN_CELLS * cell, SECOND_MAX_CELLS * cell)
    return first, second, fitted_size(second, shape)


def fitted_size(size: Size, shape: FrameShape) -> Size:
    """The size after the third step, from the one after the second."""
    return snap_to_grid(size, shape.token_edge, shape.limits.min_pixels, shape.limits.max_pixels)
