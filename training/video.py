"""Real files: a scene is encoded by ffmpeg, then read back through the tool's own decoding and resizing."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from tempo_cli.config import ModelDimensions, SamplingOptions
from tempo_cli.model.pixels import fit
from tempo_cli.types import Segment
from tempo_cli.video.opened import open_video

from .scene import Pixels, Random, Scene, Sight

FFMPEG: str = imageio_ffmpeg.get_ffmpeg_exe()
_ENCODERS = {
    "h264": ("mp4", "-c:v libx264 -preset veryfast -threads 1", (20, 34)),
    "hevc": ("mkv", "-c:v libx265 -preset ultrafast -x265-params log-level=error:pools=1", (22, 34)),
    "vp9": ("webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 0 -threads 1", (28, 44)),
}
_SIZES = {  # width and height as filmed, and as encoded, from usual to rare
    (320, 180): ((320, 180), (426, 240), (640, 360), (1280, 720)),
    (320, 240): ((320, 240), (640, 480)),
    (240, 240): ((240, 240), (480, 480)),
    (180, 320): ((180, 320), (360, 640)),
}
_FILMED = (((320, 180), 0.7), ((320, 240), 0.12), ((240, 240), 0.08), ((180, 320), 0.1))


@dataclass(frozen=True)
class Encoding:
    """How a scene becomes a file: sizes in px (width, height), frames per second, noise in grey levels."""

    filmed: tuple[int, int]
    encoded: tuple[int, int]
    codec: str
    quality: int
    rate: float
    noise: int

    @property
    def suffix(self) -> str:
        """Of the file."""
        return "." + _ENCODERS[self.codec][0]

    @property
    def aspect(self) -> float:
        """Width / height."""
        return self.filmed[0] / self.filmed[1]


def random_encoding(random: Random, rate: float) -> Encoding:
    """Any codec, quality and size, at `rate` frames per second."""
    filmed = _FILMED[int(random.choice(len(_FILMED), p=[chance for _, chance in _FILMED]))][0]
    rarity = min(int(random.geometric(0.7)), len(_SIZES[filmed])) - 1
    encoded = _SIZES[filmed][rarity]
    codec = str(random.choice(list(_ENCODERS), p=(0.6, 0.2, 0.2)))
    low, high = _ENCODERS[codec][2]
    return Encoding(
        filmed, encoded, codec, int(random.integers(low, high + 1)), rate, int(random.integers(0, 13))
    )


def write_video(scene: Scene, path: Path, how: Encoding) -> list[list[Sight]]:
    """Encode a scene; gives what is seen in each of the file's frames.

    Raises:
        RuntimeError: ffmpeg failed.
    """
    seen: list[list[Sight]] = []

    def frames() -> Iterator[Pixels]:
        for pixels, sights in scene.frames(how.rate, how.filmed[::-1]):
            yield pixels
            seen.append(sights)

    encode(frames(), path, how)
    return seen


def encode(frames: Iterable[Pixels], path: Path, how: Encoding) -> None:
    """Write frames of the filmed size as a file.

    Raises:
        RuntimeError: ffmpeg failed.
    """
    width, height = how.filmed
    filters = [f"noise=alls={how.noise}:allf=t"] if how.noise else []
    filters += [f"scale={how.encoded[0]}:{how.encoded[1]}"] if how.encoded != how.filmed else []
    arguments = [
        *f"{FFMPEG} -y -v error -f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {how.rate} -i -".split(),
        *(["-vf", ",".join(filters)] if filters else []),
        *_ENCODERS[how.codec][1].split(), "-crf", str(how.quality), "-pix_fmt", "yuv420p", str(path),
    ]  # fmt: skip
    with subprocess.Popen(arguments, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # ffmpeg is gone: its exit status tells
            for pixels in frames:
                process.stdin.write(pixels.tobytes())
            process.stdin.close()
        if process.wait():
            raise RuntimeError(f"ffmpeg could not write {path}")


def read_segments(
    path: Path, dimensions: ModelDimensions, sampling: SamplingOptions
) -> Iterator[tuple[Segment, list[int]]]:
    """The file's segments as the tool reads them, each with the indices of its frames in the file.

    Raises:
        RuntimeError: a frame can't be decoded.
    """
    with open_video(path, sampling, dimensions.shape, ffmpeg=FFMPEG) as video:
        for segment in video.read(range(video.total)):
            fitted = replace(segment, frames=fit(segment.frames, dimensions.shape))
            yield fitted, video.plan.indices[np.array(segment.plan.positions)].tolist()
        if video.warnings:
            raise RuntimeError(video.warnings[0])
