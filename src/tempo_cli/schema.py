"""A run and its JSON: schema `tempo.run/1`, to which fields are only added (docs/json.md)."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

from . import __version__
from .checked import checked, parse_json
from .errors import FailedRunError, TempoError, UsageError
from .types import BudgetMode, Evidence, Exchange, SamplingMode, Unseen

SCHEMA = "tempo.run/1"

FinishReason = Literal["stop", "length"]
PrefixTier = Literal["device", "host", "features"]
FrameTier = Literal["disk", "memory"]

_SAVE = "Save one with: tempo ask … --json"


@dataclass(frozen=True)
class Answer:
    """The decoder's answer; `tokens` counts generated tokens without the one that ended it."""

    text: str
    finish_reason: FinishReason
    tokens: int


@dataclass(frozen=True)
class DecoderSummary:
    """How the video has been decoded until the end of this question.

    Attributes:
        processes: the most ffmpeg processes that decoded at the same time.
        packets: from where decoding began to the last wanted frame, in all passes over the file.
        decoded: packets that reached a decoder; the others are needed by no wanted frame.
    """

    processes: int
    packets: int
    decoded: int


@dataclass(frozen=True)
class VideoSummary:
    """The video of a run.

    Attributes:
        duration: seconds; fps: average frame rate.
        width, height: pixels as shown.
        start, end: the sampled part, in seconds of the whole video.
        size, mtime: of the file, bytes and seconds since the epoch; None in runs saved by an older tempo.
        picture: auto or raw; None in runs saved by an older tempo.
        sample_aspect_ratio: width and height of a pixel as stored, such as `64:45`; None in such runs.
        color_transfer: libav's name, such as bt709 or smpte2084; None if not stated.
        decoder: None in runs saved by an older tempo.
        constant_rate: whether frames are evenly spaced; None in runs saved by an older tempo.
        unseen: what the model was not shown; None in runs saved by an older tempo.
    """

    path: str
    duration: float
    fps: float
    width: int
    height: int
    codec: str
    start: float
    end: float
    size: int | None = None
    mtime: float | None = None
    picture: str | None = None
    sample_aspect_ratio: str | None = None
    color_transfer: str | None = None
    decoder: DecoderSummary | None = None
    constant_rate: bool | None = None
    unseen: Unseen | None = None


@dataclass(frozen=True)
class SegmentReport:
    """One row of the result: `start` and `end` are true seconds, `time` is the second in the model's tag.

    `relevance` is None when ATA is off; `frames` is how many frames were read.
    """

    index: int
    start: float
    end: float
    time: float
    relevance: float | None
    tokens: int
    frames: int


@dataclass(frozen=True)
class ModelInfo:
    """Which model ran, and how.

    Attributes:
        revision: None for a folder.
        scope: what it can answer, from its own description; None: not given.
        device, dtype: of the compressor.
        decoder_device, decoder_dtype: None: it was not loaded, or by an older tempo.
    """

    id: str
    revision: str | None
    device: str
    dtype: str
    quantization: str | None = None
    scope: str | None = None
    decoder_device: str | None = None
    decoder_dtype: str | None = None


@dataclass(frozen=True)
class SamplingSummary:
    """How frames were sampled.

    Attributes:
        frames: number of frames read.
        fps: frames sampled per second; window: frames per segment.
        mode: whether they are evenly spaced over frames (`index`) or seconds (`time`).
    """

    frames: int
    fps: float
    window: int
    mode: SamplingMode = "index"


@dataclass(frozen=True)
class BudgetSummary:
    """Memory tokens allowed (None: no limit) and used, how they were shared, and the decoder's context."""

    limit: int | None
    used: int
    mode: BudgetMode
    context: int | None = None


@dataclass(frozen=True)
class GenerationSummary:
    """How the answer was generated.

    Attributes:
        max_new_tokens, temperature: as requested.
        seed: the given one, or a random one if one was needed; None: none was needed.
    """

    max_new_tokens: int
    temperature: float
    seed: int | None


@dataclass(frozen=True)
class Reused:
    """What was reused from earlier questions about the same video.

    Attributes:
        frames: where the frames of all segments that had to be read came from without decoding;
            None where a frame was decoded, or none was needed.
        prefix: where the segments' prefixes came from, the slowest tier where they differ; None where a
            segment was read from its frames.
    """

    frames: FrameTier | None = None
    prefix: PrefixTier | None = None


@dataclass(frozen=True)
class Timing:
    """Seconds.

    Attributes:
        load: loading the model, whenever it happened; grows when a network is loaded again.
        decode, compress: for this question; they overlap.
        answer: reading the decoder's input and generating.
        total: elapsed time since the question was asked, plus the time spent loading before.
    """

    load: float
    decode: float
    compress: float
    answer: float
    total: float


@dataclass(frozen=True)
class Memory:
    """Peak bytes of the process and, on an accelerator, of the device; and how the work was made to fit.

    Attributes:
        micro_batch: segments compressed at once at the end.
        together: whether both networks were held at the same time.
        steps: steps taken because memory was short, in order: `in_turn`, `micro_batch=N`.
    """

    host_peak_bytes: int | None
    device_peak_bytes: int | None
    micro_batch: int | None = None
    together: bool | None = None
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Run:
    """Everything about one question; its fields are those of `--json`.

    `answer` is None after `inspect`, `evidence` in runs saved by an older tempo.
    """

    video: VideoSummary
    question: str
    answer: Answer | None
    model: ModelInfo
    sampling: SamplingSummary
    budget: BudgetSummary
    segments: tuple[SegmentReport, ...]
    timing: Timing
    memory: Memory
    warnings: tuple[str, ...] = ()
    generation: GenerationSummary | None = None
    reused: Reused = field(default_factory=Reused)
    history: tuple[Exchange, ...] = ()
    tempo: str | None = __version__
    evidence: Evidence | None = None

    def __post_init__(self) -> None:
        if sum(segment.tokens for segment in self.segments) != self.budget.used:
            raise ValueError("segments and budget disagree")

    def to_dict(self) -> dict[str, Any]:
        """The object of `--json`: plain dictionaries, lists, numbers and strings."""
        plain: dict[str, Any] = json.loads(self.to_json())
        return plain

    def to_json(self) -> str:
        """The run as one line of JSON. Numbers keep their full precision; non-ASCII text is escaped."""
        return _line({"schema": SCHEMA, "status": "ok", "id": None, **asdict(self)})

    def __repr__(self) -> str:
        scores = [segment.relevance for segment in self.segments if segment.relevance is not None]
        highest = f", highest relevance {max(scores):.2f}" if scores else ""
        told = f"answer={self.answer.text!r}, " if self.answer else ""
        return (
            f"{type(self).__name__}(video={self.video.path!r}, question={self.question!r}, {told}"
            f"{len(self.segments)} segments, {self.budget.used:,} tokens{highest})"
        )


@dataclass(frozen=True, repr=False)
class AnsweredRun(Run):
    """A run with an answer: what `ask` returns."""

    answer: Answer

    @property
    def exchange(self) -> Exchange:
        """The question and its answer, for the `history` of a follow-up question."""
        return Exchange(self.question, self.answer.text)


def build_run(answer: Answer | None, **fields: Any) -> Run:
    """An `AnsweredRun` if there is an answer, otherwise a `Run`."""
    return Run(answer=None, **fields) if answer is None else AnsweredRun(answer=answer, **fields)


class Request(NamedTuple):
    """What was requested, as far as known when it fails: `video` is a path, `model` is as given."""

    question: str | None = None
    video: str | None = None
    model: str | None = None


def error_to_json(error: TempoError, request: Request | None = None) -> str:
    """One line for a question that could not be answered."""
    request = request or Request()
    facts = {"code": error.code, "message": error.message, "hint": error.hint}
    head = {"schema": SCHEMA, "status": "error", "id": None, "video": {"path": request.video}}
    asked = {"question": request.question, "model": {"id": request.model}, "tempo": __version__}
    return _line({**head, **asked, "error": facts})


def run_from_json(line: str) -> Run:
    """Read a line written by `Run.to_json`; unknown fields of a newer tempo are ignored.

    Raises:
        FailedRunError: it ended with an error.
        UsageError: it is not a run.
    """
    value = _object(line)
    if value.get("status") == "error":
        raise FailedRunError.of(value)
    if value.get("status") != "ok":
        raise UsageError("the saved run's status is neither 'ok' nor 'error'", _SAVE)
    older = {"tempo": None, "warnings": value.get("warnings")}
    newer = {name: value[name] for name in ("generation", "reused") if value.get(name) is not None}
    known = {name: item for name, item in value.items() if name not in ("generation", "reused")}
    try:
        run = checked(Run if value.get("answer") is None else AnsweredRun, older | known | newer)
        _check_numbers(run)
    except ValueError as error:
        raise UsageError(f"the saved run can't be used: {error}", _SAVE) from error
    return run


def _check_numbers(run: Run) -> None:
    """Raise ValueError for impossible values, which would break a table or a timeline."""
    video = run.video
    seconds = [video.duration, video.start, video.end, *vars(run.timing).values()]
    for segment in run.segments:
        seconds += [segment.start, segment.end, segment.time]
        if (
            min(segment.index, segment.tokens) < 0
            or not 1 <= segment.frames <= 2**31
            or segment.tokens > 2**31
        ):
            raise ValueError("a segment's numbers are out of range")
    scores = [segment.relevance for segment in run.segments]
    scores += [run.evidence.highest, run.evidence.threshold] if run.evidence else []
    if not all(score is None or 0 <= score <= 1 for score in scores):
        raise ValueError("a relevance is not between 0 and 1")
    if not all(-1e9 <= second <= 1e9 for second in seconds):
        raise ValueError("a time is out of range")
    if video.end < video.start or any(segment.end < segment.start for segment in run.segments):
        raise ValueError("an end is before its start")


def _object(line: str) -> dict[str, Any]:
    try:
        value = parse_json(line)
    except ValueError as error:
        raise UsageError(f"the saved run is not JSON: {error}", _SAVE) from error
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise UsageError(f"this is not a saved run (schema {SCHEMA})", _SAVE)
    return value


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
