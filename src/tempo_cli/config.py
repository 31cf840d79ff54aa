"""Every default, defined once, with its unit and source.

What the user wants (`*Options`) and what the weights are (`ModelDimensions`, `PixelLimits`) are kept apart.
If no source is named, it is the released code and its published settings ("reference").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TypeVar

from .errors import UsageError

DEFAULT_MODEL = "Vision-CAIR/Tempo-6B"

MIN_FRAMES = 4  # frames; a shorter sampling repeats frames (reference)
UNEVEN_SAMPLES = 16  # a video with fewer is never sampled by time unasked
UNEVEN_GAP = 4  # mean distances of samples; a longer one makes `auto` sample by time
MIN_TOKENS = 4  # tokens per segment: the temporal anchors (paper, ATA)
CONTEXT = 16_384  # tokens, where a checkpoint does not say (reference: its scripts)
CONTEXT_MARGIN = 16  # tokens of the context that the decoder's input leaves free (reference)
MIN_RATE = 1000  # bytes per second from the Hub; less counts as a lost connection

MODEL_FRAME_EDGE = 512  # px, longest edge after the first resizing step
FIRST_GRID = 16  # px, the first step rounds edges to this
SECOND_GRID = 64  # px, the second step's
SECOND_MIN_CELLS = 4  # of that grid, in a frame
SECOND_MAX_CELLS = 16_384
MIN_PIXELS = 128 * 32**2  # px per frame after the last step: 128 merged tokens
MAX_PIXELS = 768 * 32**2  # px per frame after the last step: 768 merged tokens

FLOAT32_WEIGHTS = 100_000_000  # weights; a smaller model computes in float32 everywhere: half the bits make
# it no faster, but less exact (nano in bfloat16 on an H100: relevance off by up to 0.026)

MOST_FRAMES = 10**6  # of an option; 139 hours at 2 frames per second
MOST_TOKENS = 10**9  # of an option; models have far less


Options = TypeVar("Options")


def checked_options(options: object, kind: type[Options]) -> Options:
    """`options`, which must be of `kind`; None: all defaults.

    Raises:
        TypeError: they are something else, such as a dictionary or options for another purpose.
    """
    if options is None:
        return kind()
    if not isinstance(options, kind):
        raise TypeError(f"expected {kind.__name__}, not {type(options).__name__}")
    return options


def _require(condition: bool, message: str, hint: str) -> None:
    if not condition:
        raise UsageError(message, hint)


def _require_number(name: str, value: float, low: float, high: float, hint: str) -> None:
    if not low <= value <= high:  # NaN is not either
        limits = f"{low:,} to {high:,}" if isinstance(low, int) else f"{low:g} to {high:,}"
        raise UsageError(f"{name} is {_shown(value)}; it can be from {limits}", hint)


def _shown(value: float) -> str:
    """A number that may have thousands of digits."""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if abs(value) < 2**70 else "a number with too many digits"


@dataclass(frozen=True)
class SamplingOptions:
    """Which frames are sampled, and how.

    Attributes:
        fps: frames per second of video.
        max_frames: maximum number of frames; longer videos are sampled more sparsely.
        window: frames per segment (= stride).
        start, end: seconds of the whole video as a player counts them, `start <= t < end`; None: the video's
            own.
        picture: auto: as a player shows it, with square pixels and HDR as SDR; raw: as it is stored
            (reference).
        mode: `index` spreads the samples evenly over the frames (reference), `time` over the seconds; `auto`
            is `index` unless that would leave long gaps (`plan.sampling`).
        max_pixels: maximum pixels of a stored picture; a video with larger ones is refused.
    """

    fps: float = 2.0
    max_frames: int = 1024
    window: int = 8
    start: float | None = None
    end: float | None = None
    picture: str = "auto"
    mode: str = "auto"
    max_pixels: int = 36_000_000

    def __post_init__(self) -> None:
        _require_number("fps", self.fps, 1e-6, 1000, "2 is usual.")
        _require_number("max_frames", self.max_frames, 1, MOST_FRAMES, "1024 is usual.")
        _require_number("window", self.window, 1, MOST_FRAMES, "8 is usual.")
        _require_number("max_pixels", self.max_pixels, 1, 10**10, "36000000 is usual: 8K and more.")
        _require(self.picture in ("auto", "raw"), f"picture is {self.picture}", "Known: auto, raw.")
        for name, value in (("start", self.start), ("end", self.end)):
            ok = value is None or (isfinite(value) and value >= 0)
            _require(ok, f"{name} is {value}", "Give a time in seconds or as HH:MM:SS.")
        _require(self.end != 0, "end is 0, so no frame is left", "Give a later time, or no `end`.")
        if self.start is not None and self.end is not None:
            _require(
                self.start < self.end,
                f"start ({self.start:g} s) is not before end ({self.end:g} s)",
                "Swap them.",
            )
        known = self.mode in ("auto", "index", "time")
        _require(known, f"mode is {self.mode}", "Known: auto, index, time.")


@dataclass(frozen=True)
class CacheOptions:
    """Where decoded frames are kept on disk.

    Attributes:
        folder: folder of the files; None: tempo's folder in the user's cache.
        limit: maximum bytes; the least recently used files are removed first.
        keep: whether later runs can use them; False removes them when the video is closed.
    """

    folder: Path | None = None
    limit: int = 5_000_000_000
    keep: bool = True

    def __post_init__(self) -> None:
        _require(self.limit >= 0, f"limit is {self.limit}", "Give a number of bytes; 0 keeps nothing.")


@dataclass(frozen=True)
class BudgetOptions:
    """How many memory tokens the decoder may read.

    Attributes:
        budget: maximum number of memory tokens for the whole video.
        context: maximum number of tokens in the decoder's input; None: the checkpoint's own (16,384).
        ata: False keeps every memory token of every segment (no budget).
    """

    budget: int = 8192
    context: int | None = None
    ata: bool = True

    def __post_init__(self) -> None:
        _require_number("budget", self.budget, 1, MOST_TOKENS, "8192 is usual.")
        if self.context is not None:
            hint = "Leave it out to use the checkpoint's own."
            _require_number("context", self.context, CONTEXT_MARGIN + 1, MOST_TOKENS, hint)


@dataclass(frozen=True)
class GenerationOptions:
    """How the answer is generated.

    Attributes:
        max_new_tokens: maximum number of tokens.
        temperature: 0 is greedy; above 0 samples with the checkpoint's own top-p and top-k.
        seed: seed for sampling; None: a random one, recorded in the run.
    """

    max_new_tokens: int = 1024
    temperature: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        _require_number("max_new_tokens", self.max_new_tokens, 1, MOST_TOKENS, "1024 is usual.")
        if self.temperature != 0:
            hint = "0 always takes the most likely token; 0.7 is usual for variety."
            _require_number("temperature", self.temperature, 0.001, 100, hint)
        if self.seed is not None:
            _require_number("seed", self.seed, 0, 2**64 - 1, "Any number in this range will do.")


@dataclass(frozen=True)
class LoadOptions:
    """Where and how the model runs.

    Attributes:
        device: auto, cpu, cuda, cuda:N or mps.
        decoder_device: where the decoder runs, in the same words; None: on `device` too.
        dtype: float32, bfloat16, float16, or auto: bfloat16 on CUDA where it has it, else float16;
            float32 on a CPU, and for models with fewer than 100 million weights. By device where there are
            two.
        quantize: none, or int8 or int4 for the linear layers of the decoder and the compressor.
        micro_batch: maximum number of segments compressed at once; affects results only by rounding. None: as
            many as pay on the device.
    """

    device: str = "auto"
    dtype: str = "auto"
    quantize: str = "none"
    micro_batch: int | None = None
    decoder_device: str | None = None

    def __post_init__(self) -> None:
        known = self.quantize in ("none", "int8", "int4")
        _require(known, f"quantize is {self.quantize}", "Known: none, int8, int4.")
        _require(
            self.micro_batch is None or self.micro_batch >= 1,
            f"micro_batch is {self.micro_batch}",
            "Give at least 1.",
        )


@dataclass(frozen=True)
class KeepOptions:
    """What an opened clip keeps of its segments for later questions.

    Attributes:
        tier: the best tier that is used: `device` (keys and values on the device), `host` (the same in host
            memory), `features` (of the vision tower), `frames` (resized), or `none`.
        device_bytes, host_bytes: maximum for all clips of a model; None: planned from the free memory, on the
            host at most a quarter of its memory.
    """

    tier: str = "device"
    device_bytes: int | None = None
    host_bytes: int | None = None

    def __post_init__(self) -> None:
        known = ("device", "host", "features", "frames", "none")
        _require(self.tier in known, f"tier is {self.tier}", f"Known: {', '.join(known)}.")
        for name, value in (("device_bytes", self.device_bytes), ("host_bytes", self.host_bytes)):
            _require(value is None or value >= 0, f"{name} is {value}", "Give a number of bytes, or None.")


@dataclass(frozen=True)
class PixelLimits:
    """The limits of the three resizing steps, in pixels: the reference's, unless the checkpoint has its own.

    Attributes:
        longest_edge: after the first step.
        grid: edges are multiples of it after the second step.
        min_pixels, max_pixels: of a frame after the third step.
    """

    longest_edge: int = MODEL_FRAME_EDGE
    grid: int = SECOND_GRID
    min_pixels: int = MIN_PIXELS
    max_pixels: int = MAX_PIXELS


@dataclass(frozen=True)
class FrameShape:
    """The frame shape that a model needs: everything that decoding and resizing must know about it.

    Attributes:
        token_edge: px, edge of the square that becomes one visual token (patch * merge).
        temporal_patch: frames per visual token.
    """

    limits: PixelLimits = field(default_factory=PixelLimits)
    token_edge: int = 32
    temporal_patch: int = 2


@dataclass(frozen=True)
class ModelCard:
    """A checkpoint's description of itself.

    Attributes:
        scope: what it can answer, in one sentence; None: not given.
        weak_relevance: if no segment's relevance exceeds it, the evidence is weak; measured on held-out
            videos, in (0, 1). None: not measured.
        corrections: typing errors in questions, and the words that replace them; in lowercase.
    """

    scope: str | None = None
    weak_relevance: float | None = None
    corrections: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelDimensions:
    """What the weights are. No vocabulary size or token id is defined anywhere else in the code.

    Attributes:
        memory_tokens: M, memory tokens per segment.
        min_tokens: tokens that ATA leaves an irrelevant segment.
        projector: linear, mlpNx_gelu or identity.
        compressor_width, decoder_width: D of both language models.
        context: tokens that the decoder was trained to read.
        max_positions: tokens that the decoder can address at all.
        patch: px edge of a vision patch; merge: patches per token edge; temporal_patch: frames per patch.
    """

    memory_tokens: int
    projector: str
    compressor_width: int
    decoder_width: int
    context: int
    max_positions: int
    patch: int
    merge: int
    temporal_patch: int
    min_tokens: int = MIN_TOKENS
    pixels: PixelLimits = field(default_factory=PixelLimits)

    @property
    def shape(self) -> FrameShape:
        """The frame shape that the weights need."""
        return FrameShape(self.pixels, self.patch * self.merge, self.temporal_patch)
