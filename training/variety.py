"""More variety from the footage at hand, without filming more.

The sampler's windows start every eight frames. Windows that start in between show the same things at other
places of the window and in other company: `later` makes segments of them. `varied` shows segments
a little shifted, lighter, darker, noisier or softer than they were filmed.
"""

import numpy as np
import numpy.typing as npt

from .corpus import Segments
from .scene import Random
from .shape import WINDOW

Pixels = npt.NDArray[np.uint8]
_SHIFT = 3  # pixels, of 64 to 96
_LIGHT, _CONTRAST, _GAMMA, _NOISE = 10, 0.1, 0.12, 7  # at most; colors keep their names
_SHIFTED, _LIT, _NOISY, _SOFT = 0.6, 0.6, 0.2, 0.15  # chances


class Later:
    """Frames of the windows that start `late` frames after these segments; the next segment follows each."""

    def __init__(self, own: Pixels, rows: npt.NDArray[np.int64], late: int) -> None:
        self._own, self._rows, self._late = own, rows, late
        self.shape = (len(rows), *own.shape[1:])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> Pixels:
        own = self._rows[rows]
        return np.concatenate([self._own[own][:, self._late :], self._own[own + 1][:, : self._late]], axis=1)


def later(segments: Segments, late: int) -> Segments:
    """The windows of the same videos that start `late` frames after the sampler's."""
    numbers, indices = segments.place[:, 0], segments.place[:, 1]
    rows = np.flatnonzero((np.diff(numbers) == 0) & (np.diff(indices) == 1))
    if not 0 < late < WINDOW:
        raise ValueError(f"a window starts 1 to {WINDOW - 1} frames later, not {late}")
    sights = np.concatenate([segments.sights[rows, late:], segments.sights[rows + 1, :late]], axis=1)
    return Segments(Later(segments.frames, rows, late), sights, segments.place[rows])  # type: ignore[arg-type]


def varied(random: Random, frames: Pixels) -> Pixels:
    """Segments (S, T, H, W, 3), each a little otherwise; all frames of one alike, but for their noise."""
    frames = frames.copy()
    for own in frames:
        if random.random() < _SHIFTED:
            own[:] = _shifted(own, *(int(n) for n in random.integers(-_SHIFT, _SHIFT + 1, 2)))
        if random.random() < _SOFT:
            own[:] = _soft(own)
        if random.random() < _LIT:
            own[:] = _curve(random)[own]
        if random.random() < _NOISY:
            most = int(random.integers(2, _NOISE + 1))
            noise = random.integers(-most, most + 1, own.shape, dtype=np.int16)
            own[:] = np.clip(own + noise, 0, 255).astype(np.uint8)
    return frames


def _shifted(frames: Pixels, down: int, right: int) -> Pixels:
    """Moved by so many pixels; the edge is repeated."""
    _, height, width, _ = frames.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    moved: Pixels = frames[:, rows[:, None], columns]
    return moved


def _soft(frames: Pixels) -> Pixels:
    """Each pixel half itself, half its neighbors to the left and right, then above and below."""
    wide = frames.astype(np.uint16)
    for axis in (1, 2):
        padded = np.concatenate([wide.take([0], axis), wide, wide.take([-1], axis)], axis)
        before, after = (padded.take(range(at, at + wide.shape[axis]), axis) for at in (0, 2))
        wide = (before + 2 * wide + after + 2) // 4
    return wide.astype(np.uint8)


def _curve(random: Random) -> Pixels:
    """Brightness, contrast and gamma as a table of 256 values."""
    values = np.linspace(0, 1, 256) ** np.exp(random.uniform(-_GAMMA, _GAMMA))
    values = 128 + (255 * values - 128) * (1 + random.uniform(-_CONTRAST, _CONTRAST))
    return np.clip(np.round(values + random.uniform(-_LIGHT, _LIGHT)), 0, 255).astype(np.uint8)
