"""Footage that is not of nano's world: photographs that are panned and zoomed, drawings, textures, screens.

`python -m training.foreign FOLDER --sources SOURCES` writes clips through the encoders and the decoder that
the corpus goes through; a clip that is there is not made again. Without sources there are textures and
screens only.
Every question about such a clip is beyond what nano knows.
"""

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tempo_cli.config import SamplingOptions

from . import corpus, sources
from .corpus import MOST_SIGHTS, Segments
from .scene import Pixels, Random
from .shape import DIMENSIONS, WINDOW
from .video import Encoding, encode, random_encoding, read_segments

FOREIGN = 1_000_000  # number of the first of these videos
CLIPS = 240
SEGMENTS = 4  # of each clip
_SEED = 40_000
_LINE = [
    "The",
    "quick",
    "brown",
    "fox",
    "12:30",
    "menu",
    "file",
    "edit",
    "view",
    "OK",
    "cancel",
    "42",
    "%",
    "search",
    "settings",
    "price",
    "total",
    "hello",
]
Size = tuple[int, int]  # height, width


def film(random: Random, size: Size, pictures: Sequence[Path], frames: int) -> Iterator[Pixels]:
    """Frames (H, W, 3) of a clip: one picture after another, or a texture that moves."""
    cuts = 1 if random.random() < 0.6 else int(random.integers(2, 5))
    for part in np.array_split(np.arange(frames), cuts):
        if pictures and random.random() < 0.8:
            image = picture(random, pictures[int(random.integers(len(pictures)))])
            yield from panned(random, image, size, len(part))
        else:
            make = (_noise, _waves, _screen, _shapes, _ramp)[
                int(random.choice(5, p=(0.2, 0.25, 0.3, 0.15, 0.1)))
            ]
            yield from make(random, size, len(part))


def picture(random: Random, path: Path) -> Image.Image:
    """A photograph; a cut-out stands on a plain or a blurred ground."""
    image = Image.open(path).convert("RGBA")
    ground = Image.new("RGBA", image.size, (*(int(v) for v in random.integers(0, 256, 3)), 255))
    if random.random() < 0.3:
        texture = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        ground = Image.fromarray(texture).resize(image.size, Image.Resampling.BICUBIC).convert("RGBA")
    return Image.alpha_composite(ground, image).convert("RGB")


def panned(random: Random, image: Image.Image, size: Size, frames: int) -> Iterator[Pixels]:
    """Frames of a camera that moves over the picture, or not."""
    aspect = size[1] / size[0]
    width, height = image.size
    most = min(width, height * aspect)
    still = random.random() < 0.25
    first = float(random.uniform(0.45, 1.0)) * most
    last = first if still or random.random() < 0.4 else float(random.uniform(0.45, 1.0)) * most
    ends = []
    for edge in (first, last):
        ends.append(
            (random.uniform(0, width - edge), random.uniform(0, max(0.0, height - edge / aspect)), edge)
        )
    if still:
        ends[1] = ends[0]
    flip = random.random() < 0.5
    for part in np.linspace(0, 1, frames):
        x, y, edge = (float(a + (b - a) * part) for a, b in zip(*ends, strict=True))
        box = (x, y, x + edge, y + edge / aspect)
        frame = image.resize(size[::-1], Image.Resampling.BILINEAR, box)
        yield np.asarray(frame)[:, ::-1] if flip else np.asarray(frame)


def _noise(random: Random, size: Size, frames: int) -> Iterator[Pixels]:
    cells = int(random.choice((2, 4, 8, 16, 64)))
    grey = random.random() < 0.3
    moving = random.random() < 0.6
    grid = random.integers(0, 256, (cells, cells * 2, 1 if grey else 3), dtype=np.uint8)
    way = Image.Resampling.NEAREST if random.random() < 0.5 else Image.Resampling.BICUBIC
    for _ in range(frames):
        if moving:
            grid = random.integers(0, 256, grid.shape, dtype=np.uint8)
        yield np.asarray(
            Image.fromarray(np.broadcast_to(grid, (*grid.shape[:2], 3)).copy()).resize(size[::-1], way)
        )


def _waves(random: Random, size: Size, frames: int) -> Iterator[Pixels]:
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / size[0]
    angle, count, speed = random.uniform(0, 6.3), random.uniform(1, 14), random.uniform(-0.5, 0.5)
    low, high = random.integers(0, 256, (2, 3))
    hard, both = random.random() < 0.5, random.random() < 0.4
    for number in range(frames):
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * count * 6.3 + number * speed)
        if both:
            wave = wave * np.sin((y * np.cos(angle) - x * np.sin(angle)) * count * 6.3)
        mix = ((wave > 0) if hard else (wave + 1) / 2)[..., None]
        yield (low + (high - low) * mix).astype(np.uint8)


def _ramp(random: Random, size: Size, frames: int) -> Iterator[Pixels]:
    """A gradient between strong colors, or a screen of one color."""
    corners = random.integers(0, 256, (2, 2, 3), dtype=np.uint8)
    if random.random() < 0.4:
        corners[:] = corners[0, 0]
    frame = np.asarray(Image.fromarray(corners).resize(size[::-1], Image.Resampling.BICUBIC))
    for _ in range(frames):
        yield frame


def _screen(random: Random, size: Size, frames: int) -> Iterator[Pixels]:
    """Windows, buttons and lines of text, which scroll."""
    ground, ink = (int(v) for v in random.choice((12, 40, 230, 250), 2, replace=False))
    tall = size[0] * 3
    image = Image.new("RGB", (size[1], tall), (ground, ground, ground))
    draw = ImageDraw.Draw(image)
    for _ in range(int(random.integers(2, 30))):
        x, y = random.uniform(0, size[1]), random.uniform(0, tall)
        w, h = random.uniform(0.05, 0.6) * size[1], random.uniform(0.02, 0.2) * size[0]
        draw.rectangle((x, y, x + w, y + h), fill=tuple(int(v) for v in random.integers(0, 256, 3)))
    for y in range(4, tall, int(random.integers(14, 34))):
        if random.random() < 0.7:
            words = " ".join(random.choice(_LINE, int(random.integers(1, 9))))
            draw.text(
                (int(random.integers(2, 60)), y),
                words,
                fill=(ink, ink, ink),
                font_size=int(random.integers(9, 26)),
            )
    speed = float(random.choice((0.0, 0.5, 2.0, 6.0)))
    whole = np.asarray(image)
    for number in range(frames):
        top = int(number * speed) % (tall - size[0])
        yield whole[top : top + size[0]]


def _shapes(random: Random, size: Size, frames: int) -> Iterator[Pixels]:
    """Flat shapes that are none of the known things, many at once, on strong grounds."""
    ground = tuple(int(v) for v in random.integers(0, 256, 3))
    count = int(random.integers(3, 14))
    places, speeds = random.uniform(0, 1, (count, 2)), random.uniform(-0.02, 0.02, (count, 2))
    sides, edges = random.integers(3, 8, count), random.uniform(0.05, 0.25, count)
    tints = random.integers(0, 256, (count, 3))
    for number in range(frames):
        image = Image.new("RGB", size[::-1], ground)
        draw = ImageDraw.Draw(image)
        for place, speed, corners, edge, tint in zip(places, speeds, sides, edges, tints, strict=True):
            x, y = (place + speed * number) % 1 * (size[1], size[0])
            draw.regular_polygon(
                (x, y, edge * size[0]), int(corners), int(x) % 90, fill=tuple(int(v) for v in tint)
            )
        yield np.asarray(image.filter(ImageFilter.BoxBlur(1)))


def make_shard(folder: Path, found: Path | None, number: int) -> None:
    """Film, encode and read back clip `number`."""
    target = folder / f"{number:05}.npz"
    if target.exists():
        return
    random = np.random.default_rng((_SEED, number))
    how = random_encoding(random, 2.0 * int(random.choice((1, 2))))
    path = folder / f"{number:05}{how.suffix}"
    encode(_frames(random, how, found), path, how)
    pairs = list(read_segments(path, DIMENSIONS, SamplingOptions()))
    path.unlink()
    full = [segment for segment, indices in pairs if len(indices) == WINDOW]
    shard = Segments(
        np.stack([segment.frames for segment in full]),
        np.full((len(full), WINDOW, MOST_SIGHTS, 9), -1, np.float32),
        np.array([(FOREIGN + number, segment.plan.index, 0.5) for segment in full], np.float32),
    )
    partial_file = target.with_suffix(".part.npz")
    np.savez(partial_file, **shard._asdict())
    partial_file.rename(target)


def _frames(random: Random, how: Encoding, found: Path | None) -> Iterator[Pixels]:
    pictures = sources.files(found, "train") if found else []
    return film(random, how.filmed[::-1], pictures, round(SEGMENTS * WINDOW / 2 * how.rate))


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sources", type=Path, help="what training.sources fetched")
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if corpus.is_whole(options.folder):
        print("the clips are there")
        return
    with ProcessPoolExecutor(options.workers) as pool:
        for done, _ in enumerate(
            pool.map(partial(make_shard, options.folder, options.sources), range(options.clips)), 1
        ):
            if done % 100 == 0:
                print(f"{done} of {options.clips} clips", flush=True)
    corpus.join(options.folder, range(options.clips))


if __name__ == "__main__":
    main()
