"""The values passed from one step to the next: frozen, and checked on creation.

Letters: S segments, T frames, M memory tokens per segment, L sequence, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]
Kinds = npt.NDArray[np.uint8]
BudgetMode = Literal["linear", "rescaled", "uniform", "off"]
SamplingMode = Literal["index", "time"]


@dataclass(frozen=True)
class Colors:
    """A picture's color properties, with libav's names.

    Attributes:
        transfer: such as bt709, smpte2084 (PQ) or arib-std-b67 (HLG); None if not stated.
        untold: which of `matrix`, `primaries` and `range` are not stated.
        dolby: whether they are Dolby Vision's own, which can't be converted.
    """

    transfer: str | None = None
    untold: frozenset[str] = frozenset()
    dolby: bool = False


@dataclass(frozen=True)
class Look:
    """How a decoded picture should be shown.

    Attributes:
        height, width: px as decoded, after rotation.
        aspect: width of a pixel divided by its height; 1 if not stated.
    """

    height: int
    width: int
    aspect: Fraction
    colors: Colors


@dataclass(frozen=True)
class Tracks:
    """The parts of a file that the model is not shown, according to the file.

    Attributes:
        sound, texts: number of tracks of each kind; subtitles are texts. texts_on: whether a player shows one
            of the texts by default.
        interlaced: whether a picture has two fields, of two moments.
        alpha: whether the pictures are transparent in places.
    """

    sound: int = 0
    texts: int = 0
    texts_on: bool = False
    interlaced: bool = False
    alpha: bool = False


@dataclass(frozen=True)
class VideoInfo:
    """The properties of a file's video stream, read without decoding.

    Attributes:
        stream: index of the video stream in the file.
        width, height: px as stored, before rotation.
        rate: average frames per second as libav reports it.
        times: presentation time of every announced frame, seconds as a player counts them, ascending, (N,):
            the file begins at 0, the picture possibly later. Frames that are announced but not in the file
            continue at the average rate.
        duration: seconds, from the file's beginning to the end of the last frame.
        size, mtime: of the file when it was probed, bytes and seconds since the epoch.
        ctime: nanoseconds since the epoch of the last change to content, name or permissions; None: not
            known.
        pts: the times in the stream's own ticks, strictly ascending, for the frames in the file; None if it
            has no times, so that frames can only be counted.
        keyframes: where decoding can begin: (frame index, seconds in the file's own time).
        sample_aspect_ratio: width of a pixel divided by its height, before rotation; 1 if not stated.
        colors: as stated by the container or the codec; a frame may state others.
        format: libav's name of the container's format, if a reader would mistake it for another.
        without_index: the file can only be read from its beginning on, without an index of its fragments.
        restarting: the times in ticks of the frames in the file, if its clock restarts; otherwise None.
        restarts: seconds at which the file's clock restarts, as in joined files; `times` continue through it.
        packet_pts: presentation times of all packets in the order of the file, in ticks, unique, (P,) int64;
            None if it is not certain which packets need not be decoded.
        packet_kinds: bits of `plan.packets` for these packets, (P,) uint8.
        needs_beginning: whether a decoder needs the first packet to decode any other correctly.
        tracks: the parts of the file that the model is not shown.
    """

    path: Path
    stream: int
    codec: str
    width: int
    height: int
    rate: Fraction
    times: FloatArray
    duration: float
    size: int
    mtime: float
    pts: IntArray | None = None
    keyframes: tuple[tuple[int, float], ...] = ()
    sample_aspect_ratio: Fraction = Fraction(1)
    colors: Colors = Colors()
    format: str | None = None
    without_index: bool = False
    restarting: IntArray | None = None
    restarts: tuple[float, ...] = ()
    packet_pts: IntArray | None = None
    packet_kinds: Kinds | None = None
    needs_beginning: bool = False
    ctime: int | None = None
    tracks: Tracks = Tracks()

    def __post_init__(self) -> None:
        if self.pts is not None and (len(self.pts) > len(self.times) or (np.diff(self.pts) <= 0).any()):
            raise ValueError("timestamps must be one strictly ascending row")
        packets = self.packet_pts, self.packet_kinds
        if [one is None for one in packets] not in ([True, True], [False, False]):
            raise ValueError("packets have a time and a kind, or are not known")
        if packets[0] is not None and packets[1] is not None and packets[0].shape != packets[1].shape:
            raise ValueError("each packet has a time and a kind")
        if self.times.ndim != 1 or len(self.times) < 1 or (np.diff(self.times) < 0).any():
            raise ValueError("frame times must be one ascending row")
        if self.rate <= 0 or self.width < 1 or self.height < 1:
            raise ValueError(f"a stream of {self.width}x{self.height} at {self.rate} frames per second")

    @property
    def frames(self) -> int:
        """N, the number of frames that the file announces."""
        return len(self.times)

    @property
    def constant_rate(self) -> bool:
        """Whether every frame is within a quarter of a frame of its time at the average rate."""
        places = (self.times - self.times[0]) * float(self.rate)
        return bool((np.abs(places - np.arange(self.frames)) <= 0.25 + 1e-3 * float(self.rate)).all())


@dataclass(frozen=True)
class FramePlan:
    """The frames to decode.

    Attributes:
        indices: frame indices in the whole video, ascending, repeats allowed, (T,).
        fps: sampled frames per second of video.
        origin: seconds, the model's time of the beginning of what is sampled. By index it counts from the
            first picture (reference), by time from the file's beginning, as a player does.
        mode: `index`: the model takes position j to be at j / fps, wherever the frame is (reference);
            `time`: the frame is the one shown at (j + 0.5) / fps, and the model is given that time.
    """

    indices: IntArray
    fps: float
    origin: float = 0.0
    mode: SamplingMode = "index"

    def __post_init__(self) -> None:
        if self.indices.ndim != 1 or len(self.indices) < 1 or (np.diff(self.indices) < 0).any():
            raise ValueError("frame indices must be one ascending row")

    def mean_time(self, positions: Sequence[int]) -> float:
        """The model's time of some positions in `indices`, seconds."""
        shift = 0.5 if self.mode == "time" else 0.0
        return self.origin + sum((position + shift) / self.fps for position in positions) / len(positions)


@dataclass(frozen=True)
class Frame:
    """A decoded frame: `pixels` is RGB, uint8, (height, width, 3); `position` counts in the plan.

    `look` is how it should be shown; None: as it is.
    """

    position: int
    pixels: Pixels
    look: Look | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(f"a frame of shape {self.pixels.shape}, {self.pixels.dtype}")


@dataclass(frozen=True)
class SegmentPlan:
    """One segment before decoding.

    Attributes:
        index: from 0.
        positions: which of the sampled frames; one that could not be decoded is not among them.
        patch_times: seconds given to the compressor, one for each temporal patch.
        time: seconds in the tag that the decoder reads.
    """

    index: int
    positions: tuple[int, ...]
    patch_times: tuple[float, ...]
    time: float


@dataclass(frozen=True)
class Segment:
    """One segment, decoded and resized: `frames` is RGB, uint8, (T, H, W, 3), T fills its last patch.

    `stored` says whether they were decoded for an earlier question and kept in a file since.
    """

    plan: SegmentPlan
    frames: Pixels
    stored: bool = False

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or self.frames.shape[3] != 3 or self.frames.dtype != np.uint8:
            raise ValueError(f"a segment of shape {self.frames.shape}, {self.frames.dtype}")
        if len(self.frames) % len(self.plan.patch_times):
            raise ValueError(f"{len(self.frames)} frames for {len(self.plan.patch_times)} patches")


@dataclass(frozen=True)
class MemoryTokens:
    """The compressor's output for S segments: `tokens` (S, M, D), `relevance` float32 (S,)."""

    tokens: "torch.Tensor"
    relevance: FloatArray

    def __post_init__(self) -> None:
        if self.tokens.ndim != 3 or self.relevance.shape != (self.tokens.shape[0],):
            raise ValueError(f"{tuple(self.tokens.shape)} memory tokens for {self.relevance.shape} scores")

    def on(self, device: "torch.device", dtype: "torch.dtype") -> "MemoryTokens":
        """The same on a device and in a type: the tokens of all segments are copied at once."""
        return MemoryTokens(self.tokens.to(device, dtype), self.relevance)


@dataclass(frozen=True)
class Allocation:
    """How many memory tokens each segment keeps: `tokens` int64 (S,), `limit` tokens in all (None: no limit).

    `mode` is how they were allocated: linear (by relevance, within budget), rescaled (shares of the budget),
    uniform (all equally relevant), off (every token kept).
    """

    tokens: IntArray
    limit: int | None
    mode: BudgetMode

    def __post_init__(self) -> None:
        if (self.tokens < 0).any() or (self.limit is not None and self.used > self.limit):
            raise ValueError(f"{self.used} tokens allocated of {self.limit}")

    @property
    def used(self) -> int:
        """Tokens in all."""
        return int(self.tokens.sum())


@dataclass(frozen=True)
class Evidence:
    """The evidence for an answer.

    Attributes:
        highest: relevance of the most relevant segment; None when ATA is off.
        segments: indices of those that stand out by their tokens, in time order (`plan.evidence`).
        threshold: relevance that one of them should exceed; None: not measured for this model.
        weak: whether none does; None: unknown.
    """

    highest: float | None
    segments: tuple[int, ...]
    threshold: float | None
    weak: bool | None


@dataclass(frozen=True)
class Unseen:
    """What a player shows of the video and the model does not see.

    Attributes:
        sound, texts: tracks of either kind: subtitles are texts.
        interlaced: whether pictures have two fields, which the model sees woven into one.
        alpha: whether pictures are transparent in places, which the model sees opaque.
        hdr: whether HDR was left as it is stored (`picture` is raw).
        shape: whether pixels that are not square were left as they are stored (`picture` is raw).
    """

    sound: int
    texts: int
    interlaced: bool
    alpha: bool
    hdr: bool
    shape: bool


@dataclass(frozen=True)
class Exchange:
    """An earlier question of a conversation about a video, and its answer."""

    question: str
    answer: str

    def __post_init__(self) -> None:
        if not isinstance(self.question, str) or not isinstance(self.answer, str):
            raise TypeError("an exchange has a question and an answer, both str")
