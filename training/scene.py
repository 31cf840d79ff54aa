"""Synthetic video: coloured things that come, move and go over textured, noisy, drifting backgrounds.

A scene is a timeline of groups. The things of a group are seen together, each in a lane of its own, from
the group's start to its end; between groups the background is empty. What is seen at a time is exact:
`Scene.seen(t)` is the ground truth of `Scene.draw(t)`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Pixels = npt.NDArray[np.uint8]
Random = np.random.Generator

KINDS = ("ball", "boat", "car", "fish", "house", "plane", "star", "tree")
COLOURS = ("black", "blue", "green", "orange", "purple", "red", "white", "yellow")
MOTIONS = ("left", "right", "up", "down", "still")
RGB = np.array(
    [(18, 18, 20), (35, 80, 225), (30, 150, 50), (248, 135, 10),
     (145, 45, 185), (215, 30, 35), (246, 246, 244), (248, 228, 45)]
)  # fmt: skip
_SHAPE = {"ball": 1.0, "boat": 1.05, "car": 1.75, "fish": 1.6, "house": 1.0, "plane": 1.2, "star": 1.0,
          "tree": 0.8}  # width / height  # fmt: skip
_ACROSS, _UPRIGHT, _STILL = (0, 1), (2, 3), 4  # places in MOTIONS
_WIDE = 1.2  # aspect from which three columns fit
_SUPERSAMPLING = 4


@dataclass(frozen=True)
class Thing:
    """One thing from `start` to `end` (seconds); centre and size in units of the frame's width and height."""

    kind: int
    colour: int
    motion: int
    start: float
    end: float
    here: tuple[float, float]
    there: tuple[float, float]
    size: tuple[float, float]
    rgb: tuple[int, int, int]
    tilt: float

    def centre(self, t: float) -> tuple[float, float]:
        """Where it is at time t: a straight line at constant speed."""
        part = (t - self.start) / (self.end - self.start)
        return tuple(a + (b - a) * part for a, b in zip(self.here, self.there, strict=True))  # type: ignore


@dataclass(frozen=True)
class Sight:
    """A thing as seen at one moment: centre, size, and the part of it that is inside the frame."""

    kind: int
    colour: int
    motion: int
    group: int
    x: float
    y: float
    width: float
    height: float
    visible: float


@dataclass(frozen=True)
class Scene:
    """What happens: groups of things, and the shots (backgrounds) behind them, for `duration` seconds."""

    duration: float
    groups: tuple[tuple[Thing, ...], ...]
    cuts: tuple[float, ...]
    seed: int

    def seen(self, t: float) -> list[Sight]:
        """What is seen at time t, in the order of the groups."""
        found = []
        for number, group in enumerate(self.groups):
            for thing in group:
                if thing.start <= t < thing.end:
                    found.append(_sight(thing, number, t))
        return found

    def frames(self, rate: float, size: tuple[int, int]) -> Iterator[tuple[Pixels, list[Sight]]]:
        """Every frame at `rate` per second, (H, W, 3) uint8, with what is seen in it."""
        painter = Painter(self, size)
        for number in range(round(self.duration * rate)):
            t = number / rate
            yield painter.draw(t), self.seen(t)


def _sight(thing: Thing, group: int, t: float) -> Sight:
    x, y = thing.centre(t)
    width, height = thing.size
    inside_x = max(0.0, min(1.0, x + width / 2) - max(0.0, x - width / 2)) / width
    inside_y = max(0.0, min(1.0, y + height / 2) - max(0.0, y - height / 2)) / height
    return Sight(
        thing.kind, thing.colour, thing.motion, group, x, y, width, height, min(1.0, inside_x * inside_y)
    )


# --- planning ---------------------------------------------------------------------------------------------


def plan_scene(
    random: Random,
    duration: float,
    lasting: tuple[float, float] = (1.5, 8.0),
    pause: tuple[float, float] = (0.0, 6.0),
    aspect: float = 16 / 9,
) -> Scene:
    """A random scene: groups of one to three things, pauses between them.

    Args:
        lasting: seconds that a group is seen, from and to.
        pause: seconds between two groups, from and to.
        aspect: width / height of the frame, so that shapes keep theirs.
    """
    groups, cuts = [], [0.0]
    t = float(random.uniform(0.0, pause[1]))
    while t < duration - 0.5:
        end = min(t + float(random.uniform(*lasting)), duration)
        groups.append(plan_group(random, t, end, aspect))
        if random.random() < 0.5:
            cuts.append(t)
        t = end + float(random.uniform(*pause))
    return Scene(duration, tuple(groups), tuple(cuts), int(random.integers(2**31)))


def plan_group(
    random: Random,
    start: float,
    end: float,
    aspect: float = 16 / 9,
    kinds: tuple[int, ...] | None = None,
    colours: tuple[int, ...] | None = None,
    motions: tuple[int, ...] | None = None,
) -> tuple[Thing, ...]:
    """One to three things of different kinds and colours, or those that are named, seen together.

    Raises:
        ValueError: some of the named motions are across the frame, others up or down.
    """
    if kinds is None:
        count = int(random.choice((1, 2, 3), p=(0.4, 0.35, 0.25)))
        kinds = tuple(random.choice(len(KINDS), count, replace=False).tolist())
    if colours is None:
        colours = tuple(random.choice(len(COLOURS), len(kinds), replace=False).tolist())
    if motions is None:
        narrow = (
            aspect < _WIDE and len(kinds) == 3
        )  # three columns would be too narrow to tell what is in them
        axis = _ACROSS if random.random() < 0.5 or narrow else _UPRIGHT
        motions = tuple(random.choice((*axis, _STILL), len(kinds), p=(0.4, 0.4, 0.2)).tolist())
    in_rows = not set(motions) & set(_UPRIGHT)
    if not in_rows and set(motions) & set(_ACROSS):
        raise ValueError("the things of a group move across the frame, or up and down, not both")
    lanes = random.permutation(len(kinds)).tolist()
    return tuple(
        _plan_thing(random, kind, colour, motion, start, end, aspect, in_rows, lane, len(kinds))
        for kind, colour, motion, lane in zip(kinds, colours, motions, lanes, strict=True)
    )


def _plan_thing(
    random: Random,
    kind: int,
    colour: int,
    motion: int,
    start: float,
    end: float,
    aspect: float,
    in_rows: bool,
    lane: int,
    lanes: int,
) -> Thing:
    width, height = _size(random, KINDS[kind], aspect, in_rows, lanes)
    across, along = (height, width) if in_rows else (width, height)
    low, high = lane / lanes, (lane + 1) / lanes
    slack = max(0.0, (high - low - across) / 2)
    side = (low + high) / 2 + float(random.uniform(-slack, slack))
    side = min(max(side, across / 2), 1 - across / 2)
    first, last = _way(random, along, end - start, MOTIONS[motion], lanes == 1)
    here, there = ((first, side), (last, side)) if in_rows else ((side, first), (side, last))
    rgb = np.clip(RGB[colour] * random.uniform(0.92, 1.06) + random.integers(-10, 11, 3), 0, 255)
    return Thing(
        kind, colour, motion, start, end, here, there, (width, height),
        (int(rgb[0]), int(rgb[1]), int(rgb[2])), float(random.uniform(-8, 8)),
    )  # fmt: skip


def _size(random: Random, kind: str, aspect: float, in_rows: bool, lanes: int) -> tuple[float, float]:
    """Width and height in frame units: never larger than the lane, so that nothing is covered."""
    shape = _SHAPE[kind] / aspect  # width / height in frame units
    lane = 1 / lanes if in_rows else 1 / lanes / shape
    least, most = (0.3, 0.55) if aspect >= 1 else (0.21, 0.385)
    largest = min(most, lane, 0.6 / shape)
    height = float(random.uniform(min(least, largest), largest))
    return height * shape, height


def _way(random: Random, along: float, seconds: float, motion: str, alone: bool) -> tuple[float, float]:
    """Centre at the start and at the end on the axis of motion."""
    low, high = along / 2, 1 - along / 2
    if motion == "still":
        place = float(random.uniform(low, high))
        return place, place
    if alone and random.random() < 0.3:
        first, last = -along / 2, 1 + along / 2  # in at one side, out at the other
    else:
        least = min(high - low, max(0.3, 0.09 * seconds))
        length = float(random.uniform(least, high - low))
        first = low + float(random.uniform(0, 1)) * (high - length - low)
        last = first + length
    return (last, first) if motion in ("left", "up") else (first, last)


# --- painting ---------------------------------------------------------------------------------------------


class Painter:
    """Draws a scene at one frame size."""

    def __init__(self, scene: Scene, size: tuple[int, int]) -> None:
        self.scene, self.size = scene, size
        self._shots: dict[int, _Shot] = {}
        self._sprites: dict[Thing, npt.NDArray[np.float32]] = {}

    def draw(self, t: float) -> Pixels:
        """The frame at time t, (H, W, 3)."""
        number = sum(cut <= t for cut in self.scene.cuts) - 1
        if number not in self._shots:
            self._shots = {number: _Shot(np.random.default_rng((self.scene.seed, number)), self.size)}
        frame = self._shots[number].at(t - self.scene.cuts[number])
        for group in self.scene.groups:
            for thing in group:
                if thing.start <= t < thing.end:
                    self._paste(frame, thing, t)
        return frame

    def _paste(self, frame: Pixels, thing: Thing, t: float) -> None:
        if thing not in self._sprites:
            self._sprites = {old: s for old, s in self._sprites.items() if old.end > t}
            self._sprites[thing] = draw_sprite(thing, self.size)
        sprite = self._sprites[thing]
        (x, y), (height, width) = thing.centre(t), sprite.shape[:2]
        left = round(x * self.size[1] - width / 2)
        top = round(y * self.size[0] - height / 2)
        y0, y1 = max(top, 0), min(top + height, self.size[0])
        x0, x1 = max(left, 0), min(left + width, self.size[1])
        if y0 >= y1 or x0 >= x1:
            return
        part = sprite[y0 - top : y1 - top, x0 - left : x1 - left]
        place = frame[y0:y1, x0:x1]
        alpha = part[..., 3:]
        place[:] = (place * (1 - alpha) + part[..., :3] * alpha).astype(np.uint8)


class _Shot:
    """A background: muted, textured, drifting slowly."""

    def __init__(self, random: Random, size: tuple[int, int]) -> None:
        self.size = size
        self.margin = (size[0] // 4, size[1] // 4)
        self.drift = random.uniform(-0.012, 0.012, 2) if random.random() < 0.6 else np.zeros(2)
        whole = size[0] + self.margin[0], size[1] + self.margin[1]
        tone = random.uniform(70, 175)
        tint = tone + random.uniform(-16, 16, 3)
        image = np.empty((*whole, 3), np.float32)
        image[:] = tint
        for cells, strength in ((3, 26), (8, 13), (28, 8)):
            image += _clouds(random, whole, cells) * float(random.uniform(0.2, 1.0) * strength)
        if random.random() < 0.4:
            image += _blocks(random, whole)
        self.image = np.clip(image, 30, 225).astype(np.uint8)

    def at(self, seconds: float) -> Pixels:
        """The part of the background that is in view."""
        shift = [
            round(m / 2 + m / 2 * np.sin(d * seconds * 4))
            for m, d in zip(self.margin, self.drift, strict=True)
        ]
        return self.image[shift[0] : shift[0] + self.size[0], shift[1] : shift[1] + self.size[1]].copy()


def _clouds(random: Random, size: tuple[int, int], cells: int) -> npt.NDArray[np.float32]:
    grey = random.random() < 0.6
    grid = random.uniform(-1, 1, (cells, cells, 1 if grey else 3)).astype(np.float32)
    layers = [
        np.asarray(Image.fromarray(grid[..., c]).resize(size[::-1], Image.Resampling.BICUBIC))
        for c in range(grid.shape[2])
    ]
    return np.stack(layers, -1)


def _blocks(random: Random, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Faint upright and flat blocks, as of walls and streets."""
    image = Image.new("F", size[::-1], 0)
    draw = ImageDraw.Draw(image)
    for _ in range(int(random.integers(2, 8))):
        x, y = random.uniform(0, size[1]), random.uniform(0, size[0])
        w, h = random.uniform(0.05, 0.5) * size[1], random.uniform(0.05, 0.4) * size[0]
        draw.rectangle((x, y, x + w, y + h), fill=float(random.uniform(-22, 22)))
    return np.asarray(image, np.float32)[..., None]


def draw_sprite(thing: Thing, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """The thing as RGBA, (h, w, 4): colour in 0..255, alpha in 0..1, drawn large and shrunk."""
    height = max(4, round(thing.size[1] * size[0]))
    width = max(4, round(thing.size[0] * size[1]))
    big = (width * _SUPERSAMPLING, height * _SUPERSAMPLING)
    image = Image.new("RGBA", big, (*thing.rgb, 0))
    _SHAPES[KINDS[thing.kind]](_Pen(image, thing.rgb))
    if MOTIONS[thing.motion] == "left":
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = image.rotate(thing.tilt, Image.Resampling.BILINEAR)
    image = image.filter(ImageFilter.BoxBlur(1)).resize((width, height), Image.Resampling.BOX)
    sprite = np.asarray(image).astype(np.float32)
    sprite[..., 3] /= 255
    return sprite


class _Pen:
    """Draws shapes in units of the sprite's box: body in the thing's colour, details in greys beside it."""

    def __init__(self, image: Image.Image, rgb: tuple[int, int, int]) -> None:
        self.draw, self.box, self.body = ImageDraw.Draw(image), image.size, rgb
        light = sum(rgb) / 3
        self.dark = (40, 40, 44) if light > 70 else (120, 120, 124)
        self.pale = (225, 228, 232) if light < 200 else (150, 155, 160)

    def polygon(self, *points: tuple[float, float], fill: tuple[int, int, int]) -> None:
        self.draw.polygon([(x * self.box[0], y * self.box[1]) for x, y in points], fill=(*fill, 255))

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: tuple[int, int, int]) -> None:
        w, h = self.box
        self.draw.ellipse(((x - rx) * w, (y - ry) * h, (x + rx) * w, (y + ry) * h), fill=(*fill, 255))

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, fill: tuple[int, int, int]) -> None:
        w, h = self.box
        self.draw.rectangle((x0 * w, y0 * h, x1 * w, y1 * h), fill=(*fill, 255))


def _ball(pen: _Pen) -> None:
    pen.ellipse(0.5, 0.5, 0.49, 0.49, pen.body)
    pen.ellipse(0.36, 0.34, 0.1, 0.1, pen.pale)


def _boat(pen: _Pen) -> None:
    pen.polygon((0.0, 0.66), (1.0, 0.66), (0.82, 1.0), (0.18, 1.0), fill=pen.body)
    pen.rectangle(0.47, 0.0, 0.52, 0.66, pen.dark)
    pen.polygon((0.55, 0.03), (0.95, 0.58), (0.55, 0.58), fill=pen.body)
    pen.polygon((0.44, 0.12), (0.44, 0.58), (0.12, 0.58), fill=pen.pale)


def _car(pen: _Pen) -> None:
    pen.rectangle(0.0, 0.4, 1.0, 0.8, pen.body)
    pen.polygon((0.18, 0.42), (0.32, 0.06), (0.7, 0.06), (0.86, 0.42), fill=pen.body)
    pen.polygon((0.29, 0.4), (0.37, 0.15), (0.49, 0.15), (0.49, 0.4), fill=pen.pale)
    pen.polygon((0.54, 0.4), (0.54, 0.15), (0.66, 0.15), (0.75, 0.4), fill=pen.pale)
    for x in (0.24, 0.76):
        pen.ellipse(x, 0.8, 0.12, 0.2, pen.dark)


def _fish(pen: _Pen) -> None:
    pen.ellipse(0.6, 0.5, 0.4, 0.42, pen.body)
    pen.polygon((0.28, 0.5), (0.0, 0.1), (0.0, 0.9), fill=pen.body)
    pen.ellipse(0.8, 0.4, 0.06, 0.1, pen.pale)
    pen.ellipse(0.81, 0.4, 0.025, 0.045, pen.dark)


def _house(pen: _Pen) -> None:
    pen.polygon((0.0, 0.45), (0.5, 0.0), (1.0, 0.45), fill=pen.dark)
    pen.rectangle(0.1, 0.45, 0.9, 1.0, pen.body)
    pen.rectangle(0.42, 0.66, 0.6, 1.0, pen.dark)
    pen.rectangle(0.2, 0.55, 0.35, 0.72, pen.pale)


def _plane(pen: _Pen) -> None:
    pen.ellipse(0.5, 0.5, 0.5, 0.11, pen.body)
    pen.polygon((0.62, 0.5), (0.3, 0.0), (0.44, 0.0), (0.74, 0.5), fill=pen.body)
    pen.polygon((0.62, 0.5), (0.3, 1.0), (0.44, 1.0), (0.74, 0.5), fill=pen.body)
    pen.polygon((0.14, 0.5), (0.0, 0.22), (0.1, 0.22), (0.24, 0.5), fill=pen.body)
    pen.polygon((0.14, 0.5), (0.0, 0.78), (0.1, 0.78), (0.24, 0.5), fill=pen.body)
    pen.ellipse(0.86, 0.5, 0.06, 0.06, pen.pale)


def _star(pen: _Pen) -> None:
    turns = np.arange(10) * np.pi / 5 - np.pi / 2
    radii = np.where(np.arange(10) % 2 == 0, 0.5, 0.21)
    points = [(0.5 + r * np.cos(a), 0.52 + r * np.sin(a)) for r, a in zip(radii, turns, strict=True)]
    pen.polygon(*points, fill=pen.body)


def _tree(pen: _Pen) -> None:
    pen.rectangle(0.42, 0.6, 0.58, 1.0, pen.dark)
    for x, y, r in ((0.5, 0.25, 0.25), (0.26, 0.45, 0.25), (0.74, 0.45, 0.25), (0.5, 0.5, 0.25)):
        pen.ellipse(x, y, r * 1.05, r, pen.body)


_SHAPES = {
    "ball": _ball, "boat": _boat, "car": _car, "fish": _fish, "house": _house, "plane": _plane, "star": _star,
    "tree": _tree,
}  # fmt: skip
