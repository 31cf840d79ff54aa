"""A shelf of plainly painted segments and a new small model: no corpus on the disk, no codec."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.corpus import Segments, table_of
from training.scene import RGB, Pixels, Scene, Sight, plan_scene
from training.stories import Shelf
from training.vocabulary import learn_tokenizer

if TYPE_CHECKING:
    from training.network import Nano

LANDSCAPE, PORTRAIT, SQUARE = (64, 96), (96, 64), (64, 64)
GREY = 110


def painted(sights: Sequence[Sight], size: tuple[int, int]) -> Pixels:
    """A grey frame with a box of its colour for each thing."""
    frame = np.full((*size, 3), GREY, np.uint8)
    for sight in sights:
        x0, x1 = (round((sight.x + side * sight.width / 2) * size[1]) for side in (-1, 1))
        y0, y1 = (round((sight.y + side * sight.height / 2) * size[0]) for side in (-1, 1))
        frame[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = RGB[sight.colour]
    return frame


def filmed(scenes: Sequence[Scene], size: tuple[int, int], interval: float = 0.5) -> Segments:
    """Scene number n as the segments of video n."""
    frames, sights, place = [], [], []
    for number, scene in enumerate(scenes):
        for index in range(int(scene.duration / interval) // 8):
            seen = [scene.seen((index * 8 + frame) * interval) for frame in range(8)]
            frames.append(np.stack([painted(own, size) for own in seen]))
            sights.append(table_of(seen))
            place.append((number, index, interval))
    return Segments(np.stack(frames), np.stack(sights), np.array(place, np.float32))


@pytest.fixture(scope="session")
def segments() -> Segments:
    """Twenty videos of six segments."""
    random = np.random.default_rng(1)
    return filmed([plan_scene(random, 24.0, pause=(0.0, 5.0)) for _ in range(20)], LANDSCAPE)


@pytest.fixture(scope="session")
def shelf(segments: Segments) -> Shelf:
    """All of them."""
    return Shelf(segments, (0, 20))


@pytest.fixture(scope="session")
def tokenizer_json() -> str:
    """The tokenizer, learned once for all tests."""
    learned = learn_tokenizer()
    assert json.loads(learned)["model"]["type"] == "BPE"
    return learned


@pytest.fixture(scope="session")
def nano(tokenizer_json: str) -> "Nano":
    """A new model that no test changes."""
    return new_model(tokenizer_json)


@pytest.fixture
def fresh(tokenizer_json: str) -> "Nano":
    """The same one, to be changed."""
    return new_model(tokenizer_json)


def new_model(tokenizer_json: str) -> "Nano":
    import torch

    from training.network import Nano

    torch.manual_seed(0)
    return Nano(tokenizer_json)
