"""Films the videos in examples/: `python -m training.films examples`. What happens in them stands here."""

import argparse
from pathlib import Path

import numpy as np

from .scene import COLOURS, KINDS, MOTIONS, Scene, plan_group
from .video import Encoding, write_video

Act = tuple[float, float, str]  # from, to (seconds), what is seen: "red car right, white plane right"

FILMS: dict[str, tuple[float, Encoding, list[Act]]] = {
    "chase": (
        48.0,
        Encoding((320, 180), (640, 360), "h264", 27, 12.0, 3),
        [
            (3, 8, "green tree still"),
            (12, 16, "yellow fish left"),
            (22, 28, "red car right, white plane right"),
            (33, 38, "blue boat left"),
            (41, 46, "purple house still, orange ball up"),
        ],
    ),
    "harbour": (
        90.0,
        Encoding((320, 240), (320, 240), "vp9", 36, 10.0, 3),
        [
            (5, 12, "white boat left"),
            (20, 25, "black fish down"),
            (38, 44, "orange boat right, green house still, purple star still"),
            (58, 63, "yellow ball up"),
            (75, 82, "blue tree still, red plane left"),
        ],
    ),
    "sky": (
        20.0,
        Encoding((180, 320), (360, 640), "hevc", 28, 15.0, 3),
        [(4, 9, "purple plane up"), (12, 17, "yellow star down")],
    ),
    "long-walk": (
        180.0,
        Encoding((320, 180), (426, 240), "h264", 29, 10.0, 2),
        [
            (10, 15, "green ball right"),
            (34, 38, "white house still"),
            (57, 63, "black car left"),
            (88, 94, "yellow tree still, blue fish right, red star left"),
            (121, 126, "orange plane up"),
            (140, 146, "purple boat right"),
            (165, 171, "white star down"),
        ],
    ),
}


def scene(name: str) -> Scene:
    """The scene of a film."""
    seconds, how, acts = FILMS[name]
    random = np.random.default_rng(list(name.encode()))
    groups = []
    for start, end, text in acts:
        things = [thing.split() for thing in text.split(", ")]
        colours, kinds, motions = (
            tuple(names.index(thing[place]) for thing in things)
            for place, names in enumerate((COLOURS, KINDS, MOTIONS))
        )
        groups.append(plan_group(random, start, end, how.aspect, kinds, colours, motions))
    cuts = (0.0, *(start - 1.0 for start, _, _ in acts[2::2]))
    return Scene(seconds, tuple(groups), cuts, int(random.integers(2**31)))


def main() -> None:
    """Film all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    for name, (_, how, _) in FILMS.items():
        path = folder / (name + how.suffix)
        write_video(scene(name), path, how)
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
