"""What a segment shows: how much of a thing must be seen, how often, and how closely in time."""

import numpy as np
import pytest

from training.contents import content_of
from training.corpus import MOST_SIGHTS, table_of
from training.scene import Sight
from training.words import Content, Seen


def sight(visible: float = 1.0, kind: int = 2, colour: int = 5, motion: int = 1, group: int = 0) -> Sight:
    return Sight(kind, colour, motion, group, 0.5, 0.5, 0.3, 0.4, visible)


def table(*frames: list[Sight]) -> np.ndarray:
    """Eight frames, the last of them empty."""
    return table_of([*frames, *[[]] * (8 - len(frames))])


@pytest.mark.parametrize(
    ("visible", "clear", "unclear"),
    [(1, 1, 0), (0.8, 1, 0), (0.79, 0, 1), (0.02, 0, 1), (0.019, 0, 0), (0, 0, 0)],
)
def test_the_best_view_decides_whether_a_thing_is_clear(visible, clear, unclear):
    content = content_of(table([sight(0.01)], [sight(visible)], [sight(0)]), 0.5)
    assert (len(content.clear), len(content.unclear)) == (clear, unclear)


@pytest.mark.parametrize(("interval", "motion"), [(0.5, 1), (1.0, 1), (1.01, None), (7.0, None)])
def test_motion_can_not_be_told_from_frames_far_apart(interval, motion):
    content = content_of(table(*[[sight()]] * 8), interval)
    assert content == Content((Seen(2, 5, motion, 0),))


@pytest.mark.parametrize(
    ("visible", "motion"),
    [((1, 1), 1), ((1,), None), ((1, 0.5), 1), ((1, 0.49, 0.49), None), ((0, 1, 0, 0, 0, 0.6), 1)],
)
def test_motion_can_not_be_told_from_less_than_two_frames(visible, motion):
    content = content_of(table(*[[sight(part)] for part in visible]), 0.5)
    assert content.clear == (Seen(2, 5, motion, 0),)


def test_every_thing_is_told_once_in_the_order_of_kinds():
    frames = [[sight(kind=7), sight(kind=1, colour=0)], [sight(kind=7), sight(0.3, kind=4)]]
    content = content_of(table(*frames), 0.5)
    assert content == Content((Seen(1, 0, None, 0), Seen(7, 5, 1, 0)), (Seen(4, 5, None, 0),))


def test_groups_and_videos_stay_apart():
    frames = [[sight(group=3)]] * 4 + [[sight(group=4)]]
    content = content_of(table(*frames), 0.5, video=12)
    assert content.clear == (Seen(2, 5, 1, 12_003), Seen(2, 5, None, 12_004))


def test_an_empty_segment_shows_nothing():
    assert content_of(table(), 0.5) == Content()


def test_a_table_has_a_row_for_each_thing_of_each_frame():
    found = table_of([[sight(0.25, kind=3)], [], [sight()] * (MOST_SIGHTS + 1)])
    assert found.shape == (3, 8, 9)
    assert found[0, 0].tolist() == pytest.approx([3, 5, 1, 0, 0.5, 0.5, 0.3, 0.4, 0.25])
    assert (found[0, 1:] == -1).all()
    assert (found[1] == -1).all()
    assert (found[2, :, 0] == 2).all()


@pytest.mark.parametrize(("visible", "partly"), [(0.39, False), (0.4, True), (0.79, True)])
def test_two_fifths_of_a_thing_are_enough_to_name_it(visible, partly):
    (thing,) = content_of(table([sight(visible)]), 0.5).unclear
    assert thing.partly == partly
    assert not content_of(table([sight(0.8)]), 0.5).clear[0].partly
