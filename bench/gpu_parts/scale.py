"""What differs between the real measurement and its rehearsal on a CPU. Imports no torch."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from common import loop_clip, make_clip

from .results import Recorder

ROOT = Path(__file__).resolve().parents[2]
WINDOW = 8  # frames per segment
FRAME = (256, 512)  # height and width as the compressor reads them, px
QUESTION = "What color was the car?"
QUESTIONS = (
    QUESTION,
    "What happens in this video?",
    "When does somebody enter the room?",
    "How many people are there?",
)
NEW_TOKENS = 64  # of an answer by random weights, which would not end by itself
_CLIP_SECONDS = 8
_CLIP_SIZE = "640x360"  # is read as 512x256


@dataclass(frozen=True)
class Scale:
    """Sizes of everything that is measured.

    Attributes:
        size: of the random checkpoint, a key of `checkpoints.SIZES`.
        questions: to nano, at least.
        clip_loops: how often the clip of 8 s is repeated.
        segments: of one video; micro_batches: in which it is compressed.
        prefills: tokens that the decoder reads; positions: after which it writes `steps` tokens.
        matmul: rows and columns of the matrix product that gives the ceiling; copy: bytes of the copies.
        asks: (segments, budget) of whole questions; all but the first only with unquantized weights.
        limits: bytes of a card's memory; ladder_segments: of the video that must run within them.
        film: seconds of the H.264 film that is decoded with and without NVDEC.
    """

    size: str
    device: str
    questions: int
    clip_loops: int
    segments: int
    micro_batches: tuple[int, ...]
    prefills: tuple[int, ...]
    positions: tuple[int, ...]
    steps: int
    matmul: int
    copy: int
    asks: tuple[tuple[int, int], ...]
    limits: tuple[float, ...]
    ladder_segments: int
    film: int

    def clip(self) -> Path:
        """The clip that whole questions are about."""
        return loop_clip(make_clip(_CLIP_SECONDS, _CLIP_SIZE, 8), self.clip_loops)

    def fps(self, segments: int) -> float:
        """Frames per second that make so many segments of the clip."""
        return segments * WINDOW / (_CLIP_SECONDS * self.clip_loops)


GIB = 2**30
FULL = Scale(
    size="full",
    device="cuda",
    questions=50,
    clip_loops=64,
    segments=128,
    micro_batches=(16, 1, 32, 8, 4, 2),  # the default first
    prefills=(8192, 4096, 12288),
    positions=(1024, 9400),
    steps=64,
    matmul=8192,
    copy=4 * GIB,
    asks=((128, 8192), (256, 12288)),
    limits=tuple(n * GIB for n in (24, 16, 12, 8)),
    ladder_segments=64,
    film=60,
)
SMALL = Scale(
    size="small",
    device="cpu",
    questions=9,
    clip_loops=1,
    segments=4,
    micro_batches=(2, 1, 4),
    prefills=(256, 128),
    positions=(64, 300),
    steps=8,
    matmul=256,
    copy=2**22,
    asks=((4, 256), (8, 384)),
    limits=(20e6, 0.6e6),
    ladder_segments=4,
    film=2,
)


@dataclass(frozen=True)
class Bench:
    """What a part is given.

    Attributes:
        folder: for checkpoints and films, shared by all parts.
        runs: medians are of so many.
    """

    scale: Scale
    folder: Path
    record: Recorder
    runs: int
    options: Namespace

    @property
    def device(self) -> str:
        """`cuda` or `cpu`."""
        return self.scale.device

    @property
    def hollow(self) -> Path:
        """Where the checkpoint without numbers lies."""
        return self.folder / "hollow"

    @property
    def whole(self) -> Path:
        """Where the checkpoint with all its numbers lies, once `correctness` or `speed` wrote it."""
        return self.folder / "whole"
