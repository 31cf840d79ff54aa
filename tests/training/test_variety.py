"""Windows that start later, and frames that are shown a little otherwise."""

import numpy as np
import pytest

from training import variety
from training.corpus import Segments
from training.scene import RGB
from training.variety import later, varied

from .conftest import GREY


def numbered() -> Segments:
    """Two videos of three and two segments, whose frames and sights count on."""
    place = [(4, 0, 0.5), (4, 1, 0.5), (4, 2, 0.5), (9, 0, 1.0), (9, 1, 1.0), (9, 3, 1.0)]
    counts = np.arange(48).reshape(6, 8)
    frames = np.broadcast_to(counts[..., None, None, None], (6, 8, 64, 96, 3)).astype(np.uint8)
    sights = np.broadcast_to(counts[..., None, None], (6, 8, 8, 9)).astype(np.float32)
    return Segments(frames, sights, np.array(place, np.float32))


@pytest.mark.parametrize("late", [1, 6])
def test_a_later_window_goes_on_into_the_next_segment_of_its_video(late):
    found = later(numbered(), late)
    assert found.place.tolist() == [[4, 0, 0.5], [4, 1, 0.5], [9, 0, 1.0]]
    expected = [[first + late + frame for frame in range(8)] for first in (0, 8, 24)]
    assert found.sights[..., 0, 0].tolist() == expected
    assert found.frames.shape == (3, 8, 64, 96, 3)
    assert len(found.frames) == 3
    assert found.frames[np.array([2, 0])][..., 5, 7, 1].tolist() == [expected[2], expected[0]]


@pytest.mark.parametrize("late", [0, 8])
def test_a_window_starts_inside_a_segment(late):
    with pytest.raises(ValueError, match=f"1 to 7 frames later, not {late}"):
        later(numbered(), late)


@pytest.fixture
def boxes() -> np.ndarray:
    """A segment for each color: a box of it on grey."""
    frames = np.full((len(RGB), 8, 64, 96, 3), GREY, np.uint8)
    frames[:, :, 20:40, 30:60] = np.array(RGB, np.uint8)[:, None, None, None]
    return frames


def test_what_varies_is_small_and_colors_stay_the_nearest(boxes):
    before = boxes.copy()
    random = np.random.default_rng(1)
    looks = [varied(random, boxes) for _ in range(20)]
    assert np.array_equal(boxes, before)
    for frames in looks:
        inside = frames[:, :, 26:34, 36:54].astype(float).mean((1, 2, 3))
        far = np.linalg.norm(inside[:, None] - np.array(RGB, float)[None], axis=-1)
        assert far.argmin(1).tolist() == list(range(len(RGB)))
        assert np.abs(inside - np.array(RGB, float)).max() < 45
    assert len({frames.tobytes() for frames in looks}) == 20


def test_a_shift_moves_all_frames_alike(boxes, monkeypatch):
    for name in ("_LIT", "_NOISY", "_SOFT"):
        monkeypatch.setattr(variety, name, 0.0)
    moved = set()
    for seed in range(40):
        (frames,) = varied(np.random.default_rng(seed), boxes[:1])
        box = np.argwhere((frames != GREY).any(-1))
        (_, top, left), (_, bottom, right) = box.min(0), box.max(0)
        assert len(box) == 8 * 20 * 30
        assert (bottom - top, right - left) == (19, 29)
        moved.add((int(top) - 20, int(left) - 30))
    assert len(moved) > 10
    assert {max(map(abs, one)) for one in moved} == {0, 1, 2, 3}


def test_softening_keeps_plain_areas_and_spreads_edges():
    frames = np.zeros((1, 6, 6, 3), np.uint8)
    frames[:, :, 3:] = 200
    soft = variety._soft(frames)
    assert soft[0, 2, :, 0].tolist() == [0, 0, 50, 150, 200, 200]
