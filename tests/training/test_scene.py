"""Scenes: what is seen is what is drawn, and plans keep to their bounds."""

from dataclasses import replace

import numpy as np
import pytest

from training import films
from training.scene import (
    COLOURS,
    KINDS,
    MOTIONS,
    Painter,
    Pixels,
    Scene,
    Thing,
    draw_sprite,
    plan_group,
    plan_scene,
)

SIZE = (180, 320)
FULL = {"boat": 0.3}  # heights below its centre where it has its colour; the others have it in the centre
WAYS = {"left": ((0.7, 0.4), (0.3, 0.4)), "right": ((0.2, 0.4), (0.8, 0.4)), "up": ((0.5, 0.7), (0.5, 0.3)),
        "down": ((0.4, 0.3), (0.4, 0.7)), "still": ((0.5, 0.5), (0.5, 0.5))}  # fmt: skip
ASPECTS = (16 / 9, 4 / 3, 1.0, 9 / 16)


def thing(kind: str = "ball", motion: str = "right", colour: str = "red", rgb=(200, 30, 40)) -> Thing:
    """Seen from 1 s to 5 s, upright, at WAYS."""
    here, there = WAYS[motion]
    numbers = KINDS.index(kind), COLOURS.index(colour), MOTIONS.index(motion)
    return Thing(*numbers, 1.0, 5.0, here, there, (0.25, 0.4), rgb, 0.0)


def scene_of(*things: Thing, seed: int = 3) -> Scene:
    return Scene(6.0, (things,) if things else (), (0.0, 2.5), seed)


def changed(scene: Scene, t: float) -> np.ndarray:
    """Which pixels differ from the bare background."""
    bare = replace(scene, groups=())
    pairs = Painter(scene, SIZE).draw(t) != Painter(bare, SIZE).draw(t)
    return pairs.any(-1)


def middle_of(mask: np.ndarray) -> tuple[float, float]:
    """Mean x and y, px."""
    y, x = np.nonzero(mask)
    return float(x.mean()), float(y.mean())


# --- what is seen is what is drawn --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("t", [1.0, 2.7, 4.9])
def test_a_thing_has_its_colour_where_it_is_seen(kind, t):
    scene = scene_of(thing(kind))
    (sight,) = scene.seen(t)
    x, y = sight.x * SIZE[1], (sight.y + FULL.get(kind, 0) * sight.height) * SIZE[0]
    pixel = Painter(scene, SIZE).draw(t)[int(y), int(x)]
    assert np.abs(pixel.astype(int) - (200, 30, 40)).max() <= 2
    assert (KINDS[sight.kind], COLOURS[sight.colour], sight.visible) == (kind, "red", 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_drawn_outside_the_box_of_what_is_seen(kind):
    scene = scene_of(thing(kind, "down"))
    (sight,) = scene.seen(2.0)
    y, x = np.nonzero(changed(scene, 2.0))
    for pixels, centre, length, edge in (
        (x, sight.x, sight.width, SIZE[1]),
        (y, sight.y, sight.height, SIZE[0]),
    ):
        low, high = (centre - length / 2) * edge, (centre + length / 2) * edge
        assert low - 1.5 <= pixels.min() <= low + 0.07 * length * edge + 1.5
        assert high - 0.07 * length * edge - 1.5 <= pixels.max() + 1 <= high + 1.5


@pytest.mark.parametrize(("motion", "way"), [("left", (-0.2, 0)), ("right", (0.3, 0)), ("up", (0, -0.2)),
                                             ("down", (0, 0.2)), ("still", (0, 0))])  # fmt: skip
def test_in_half_its_time_it_moves_half_its_way(motion, way):
    scene = scene_of(thing("car", motion))
    before, after = (middle_of(changed(scene, t)) for t in (1.0, 3.0))
    moved = after[0] - before[0], after[1] - before[1]
    assert moved == pytest.approx((way[0] * SIZE[1], way[1] * SIZE[0]), abs=1.1)
    first, last = scene.seen(1.0)[0], scene.seen(3.0)[0]
    assert (last.x - first.x, last.y - first.y) == pytest.approx(way)


@pytest.mark.parametrize(
    ("t", "there"), [(0.0, False), (0.999, False), (1.0, True), (4.999, True), (5.0, False)]
)
def test_it_is_there_from_its_start_until_just_before_its_end(t, there):
    scene = scene_of(thing())
    assert len(scene.seen(t)) == there
    assert changed(scene, t).any() == there


@pytest.mark.parametrize(
    ("here", "visible"),
    [((0.5, 0.5), 1), ((0, 0.5), 0.5), ((1, 1), 0.25), ((0.5, 1.2), 0), ((0.0625, 0.5), 0.75)],
)
def test_the_visible_part_is_what_is_inside_the_frame(here, visible):
    (sight,) = scene_of(replace(thing(), here=here, there=here)).seen(3.0)
    assert sight.visible == pytest.approx(visible)


def test_things_are_seen_in_the_order_of_their_groups():
    first, second = thing("car", "left"), thing("fish", "right", "blue")
    scene = Scene(6.0, ((first,), (second, replace(first, kind=KINDS.index("star")))), (0.0,), 3)
    told = [(KINDS[sight.kind], sight.group) for sight in scene.seen(3.0)]
    assert told == [("car", 0), ("fish", 1), ("star", 1)]


def test_a_mover_to_the_left_looks_to_the_left():
    right, left = (
        draw_sprite(replace(thing("plane"), motion=MOTIONS.index(way)), SIZE) for way in ("right", "left")
    )
    assert np.array_equal(right[:, ::-1], left)
    tail, nose = (right[:, edge, 3].sum() for edge in (slice(0, 8), slice(-8, None)))
    assert tail > 1.5 * nose


def test_frames_are_drawn_at_the_rate_with_what_is_seen_in_them():
    scene = scene_of(thing())
    found = list(scene.frames(2.0, (48, 64)))
    assert len(found) == 12
    for number in (0, 2, 9, 10):
        assert np.array_equal(found[number][0], Painter(scene, (48, 64)).draw(number / 2))
        assert found[number][1] == scene.seen(number / 2)


def test_the_same_seed_gives_the_same_pixels_in_any_order():
    def drawn(seed: int, *times: float) -> Pixels:
        painter = Painter(scene_of(thing(), seed=seed), SIZE)
        return [painter.draw(t) for t in times][-1]

    assert np.array_equal(drawn(3, 1.5), drawn(3, 4.0, 0.0, 1.5))
    assert not np.array_equal(drawn(3, 1.5), drawn(4, 1.5))


def test_a_cut_changes_the_background():
    painter = Painter(scene_of(), SIZE)
    before, after, later = (painter.draw(t).astype(int) for t in (2.45, 2.5, 2.55))
    assert np.abs(after - before).mean() > 5 * np.abs(later - after).mean() + 1


# --- plans --------------------------------------------------------------------------------------------------


def test_a_plan_is_decided_by_its_randomness():
    plans = [plan_scene(np.random.default_rng(seed), 60.0) for seed in (5, 5, 6)]
    assert plans[0] == plans[1] != plans[2]


def test_groups_follow_each_other_and_end_with_the_video():
    scene = plan_scene(np.random.default_rng(5), 60.0, lasting=(1.5, 8.0), pause=(1.0, 6.0))
    spans = [{(thing.start, thing.end) for thing in group} for group in scene.groups]
    assert all(len(span) == 1 for span in spans)
    ((starts, ends),) = [zip(*(span.pop() for span in spans), strict=True)]
    assert all(1.0 <= start - end <= 6.0 for start, end in zip(starts[1:], ends[:-1], strict=True))
    assert ends[-1] <= 60.0
    assert set(scene.cuts) <= {0.0, *starts}


@pytest.mark.parametrize("aspect", ASPECTS)
def test_every_thing_fits_the_frame_and_moves_as_its_name_says(aspect):
    random, sizes, entered = np.random.default_rng(2), set(), 0
    for _ in range(300):
        group = plan_group(random, 0.0, 4.0, aspect)
        sizes.add(len(group))
        assert len({one.kind for one in group}) == len({one.colour for one in group}) == len(group)
        for one in group:
            assert max(one.size) <= 0.6
            way = tuple(b - a for a, b in zip(one.here, one.there, strict=True))
            sign = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1), "still": (0, 0)}
            assert tuple(np.sign(way)) == sign[MOTIONS[one.motion]]
            if way != (0, 0):
                room = 1 - one.size[0 if way[0] else 1]
                assert max(map(abs, way)) >= min(room, 0.36) - 1e-9
            seen = [sight.visible for sight in Scene(4.0, ((one,),), (0.0,), 0).seen(0.0)]
            entered += seen[0] < 0.99
            assert seen[0] == pytest.approx(1.0) or (
                len(group) == 1 and seen[0] == pytest.approx(0, abs=1e-9)
            )
    assert sizes == {1, 2, 3}
    assert entered


@pytest.mark.parametrize("aspect", ASPECTS)
def test_the_things_of_a_group_keep_to_lanes(aspect):
    """Nothing leaves its lane, so nothing covers anything."""
    random = np.random.default_rng(4)
    for _ in range(300):
        group = plan_group(random, 0.0, 4.0, aspect)
        axis = 0 if any(MOTIONS[one.motion] in ("up", "down") for one in group) else 1
        for one in group:
            assert one.here[axis] == one.there[axis]
            low, high = (one.here[axis] + side * one.size[axis] / 2 for side in (-1, 1))
            lane = int(one.here[axis] * len(group))
            assert lane / len(group) - 1e-9 <= low < high <= (lane + 1) / len(group) + 1e-9
        assert len({int(one.here[axis] * len(group)) for one in group}) == len(group)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_three_things_stand_side_by_side_only_where_they_can_be_told(aspect):
    random = np.random.default_rng(4)
    groups = [plan_group(random, 0.0, 4.0, aspect) for _ in range(300)]
    upright = [len(group) for group in groups if {MOTIONS[one.motion] for one in group} & {"up", "down"}]
    assert set(upright) == ({1, 2, 3} if aspect > 1.2 else {1, 2})


def test_motions_of_both_axes_can_t_be_planned_together():
    with pytest.raises(ValueError, match="not both"):
        plan_group(np.random.default_rng(0), 0.0, 4.0, kinds=(0, 1), colours=(0, 1), motions=(0, 2))


def test_named_things_are_planned_as_named():
    group = plan_group(np.random.default_rng(0), 2.0, 6.0, kinds=(2, 7), colours=(0, 6), motions=(1, 4))
    assert [(one.kind, one.colour, one.motion, one.start, one.end) for one in group] == [
        (2, 0, 1, 2.0, 6.0),
        (7, 6, 4, 2.0, 6.0),
    ]


@pytest.mark.parametrize("name", films.FILMS)
def test_a_film_shows_its_acts_and_nothing_else(name):
    scene, (seconds, _, acts) = films.scene(name), films.FILMS[name]

    def told(t: float) -> set[str]:
        return {f"{COLOURS[one.colour]} {KINDS[one.kind]} {MOTIONS[one.motion]}" for one in scene.seen(t)}

    for start, end, text in acts:
        assert told(start) == told(end - 0.01) == set(text.split(", "))
        assert told(start - 0.01) == told(end) == set()
    assert scene.duration == seconds
