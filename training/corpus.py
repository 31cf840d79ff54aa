"""The training frames: every one of them has been through a codec and through the tool's own decoder.

`python -m training.corpus FOLDER` writes one shard per video, then joins them. A shard that is there is not
made again, so an interrupted run goes on; a corpus that is there is left as it is.

| array | shape | what |
|---|---|---|
| frames | (N, 8, H, W, 3) uint8 | segments, by frame size |
| sights | (N, 8, 8, 9) float32 | what each frame shows: up to 8 rows of `Sight`; kind -1 is no thing |
| place | (N, 3) float32 | number of the video, of the segment in it, and seconds between two frames |
"""

import argparse
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tempo_cli.config import SamplingOptions

from .scene import Sight, plan_scene
from .shape import DIMENSIONS, WINDOW
from .video import random_encoding, read_segments, write_video

VIDEOS = 1000
MOST_SIGHTS = 8
_SEED = 20_000
_LENGTHS = ((1, 24), (2, 20), (4, 12), (12, 6))  # frames of the file per sampled one, and segments
_WHOLE = "whole"  # a file that says that all arrays are written


class Segments(NamedTuple):
    """Segments of one frame size, as in the table above."""

    frames: npt.NDArray[np.uint8]
    sights: npt.NDArray[np.float32]
    place: npt.NDArray[np.float32]


def table_of(seen: Iterable[list[Sight]]) -> npt.NDArray[np.float32]:
    """(frames, 8, 9): a row for each thing seen in each frame."""
    rows = []
    for sights in seen:
        table = np.full((MOST_SIGHTS, 9), -1, np.float32)
        for row, sight in zip(table, sights, strict=False):
            row[:] = astuple(sight)
        rows.append(table)
    return np.stack(rows)


def make_shard(folder: Path, number: int) -> None:
    """Plan, film, encode and read back video `number`."""
    target = folder / f"{number:05}.npz"
    if target.exists():
        return
    random = np.random.default_rng((_SEED, number))
    interval = float(random.choice((0.5, 1.0, 2.0, 4.0, 8.0), p=(0.62, 0.12, 0.1, 0.1, 0.06)))
    times, segments = _LENGTHS[int(random.choice(len(_LENGTHS), p=(0.7, 0.2, 0.07, 0.03)))]
    how = random_encoding(random, times / interval)
    seconds = segments * WINDOW * interval
    if interval <= 1:
        lasting, pause = (1.5, 8.0), (0.0, float(random.choice((1.5, 6.0))))
    else:
        lasting, pause = (1.5, 8 + 2 * interval), (2 * interval, 9 * interval)
    scene = plan_scene(random, seconds, lasting, pause, how.aspect)
    path = folder / f"{number:05}{how.suffix}"
    seen = write_video(scene, path, how)
    pairs = list(read_segments(path, DIMENSIONS, SamplingOptions(fps=1 / interval)))
    path.unlink()
    full = [(segment, indices) for segment, indices in pairs if len(indices) == WINDOW]
    found = Segments(
        np.stack([segment.frames for segment, _ in full]),
        np.stack([table_of(seen[index] for index in indices) for _, indices in full]),
        np.array([(number, segment.plan.index, interval) for segment, _ in full], np.float32),
    )
    partial_file = target.with_suffix(".part.npz")
    np.savez(partial_file, **found._asdict())
    partial_file.rename(target)


def join(folder: Path, videos: Sequence[int]) -> None:
    """One array per frame size from the shards of these videos."""
    shards = [np.load(folder / f"{number:05}.npz") for number in videos]
    sizes = [shard["frames"].shape[2:4] for shard in shards]
    for size in sorted(set(sizes)):
        members = [shard for shard, of in zip(shards, sizes, strict=True) if of == size]
        for name in Segments._fields:
            whole = np.concatenate([shard[name] for shard in members])
            np.save(folder / f"{name}-{size[0]}x{size[1]}.npy", whole)
            print(f"{name} {size[0]}x{size[1]}: {whole.shape}", flush=True)
    (folder / _WHOLE).touch()
    for number in videos:
        (folder / f"{number:05}.npz").unlink()


def is_whole(folder: Path) -> bool:
    """Whether all of its arrays are written."""
    return (folder / _WHOLE).exists()


def load(folder: Path) -> list[Segments]:
    """The joined arrays, one `Segments` per frame size; frames stay on the disk until they are read."""
    sizes = sorted(path.stem.removeprefix("frames-") for path in folder.glob("frames-*.npy"))
    return [
        Segments(
            np.load(folder / f"frames-{size}.npy", mmap_mode="r"),
            np.load(folder / f"sights-{size}.npy"),
            np.load(folder / f"place-{size}.npy"),
        )
        for size in sizes
    ]


def main() -> None:
    """Make what is missing of the corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--videos", type=int, default=VIDEOS)
    parser.add_argument("--first", type=int, default=0, help="number of the first video; it seeds the video")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if is_whole(options.folder):
        print("the corpus is there")
        return
    videos = range(options.first, options.first + options.videos)
    with ProcessPoolExecutor(options.workers) as pool:
        for done, _ in enumerate(pool.map(partial(make_shard, options.folder), videos), 1):
            if done % 100 == 0:
                print(f"{done} of {options.videos} videos", flush=True)
    join(options.folder, videos)


if __name__ == "__main__":
    main()
