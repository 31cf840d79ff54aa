"""`Tempo`: a loaded model. Load once, open videos, ask."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from .clip import Clip
from .config import (
    DEFAULT_MODEL,
    BudgetOptions,
    CacheOptions,
    FrameShape,
    GenerationOptions,
    KeepOptions,
    LoadOptions,
    SamplingOptions,
    checked_options,
)
from .errors import UsageError
from .events import Listener, Progress, Warned, ignore
from .hub.locations import find_base, find_model
from .model.checkpoint import Checkpoint
from .model.device import Target
from .model.loading import choose_targets
from .plan.memory import Work, expected_work
from .plan.pixels import Size, resized_sizes
from .plan.questions import checked_questions
from .runtime.networks import Networks
from .runtime.threads import computing_with
from .runtime.turns import Turns
from .schema import AnsweredRun, ModelInfo, Run
from .scope import CancelScope
from .texts import place
from .types import VideoInfo
from .video.opened import Video, open_video


class Tempo:
    """A loaded model. `load` creates it; it is also a context manager.

    Threads can share it: their calls run one at a time, first come, first served.

    Attributes:
        info: which model runs, and how.
        checkpoint: what the weights are.
        networks: both networks, and the kept segments.
        options, keep: the options that it was loaded with.
        turns: the queue of threads; closing: stops all work.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        networks: Networks,
        info: ModelInfo,
        options: LoadOptions,
        keep: KeepOptions,
    ) -> None:
        self.checkpoint, self.networks = checkpoint, networks
        self.info, self.options, self.keep = info, options, keep
        self._process = os.getpid()
        self.turns = Turns()
        self.closing = CancelScope()

    @classmethod
    def load(
        cls,
        model: str | Path = DEFAULT_MODEL,
        *,
        revision: str | None = None,
        options: LoadOptions | None = None,
        keep: KeepOptions | None = None,
        decoder: bool = True,
        on_event: Listener | None = None,
    ) -> "Tempo":
        """Load a model from a folder or from the Hub's cache.

        Args:
            model: `nano`, a folder in the released layout, or a Hub repository that is already downloaded.
            revision: of the Hub repository.
            keep: what opened clips keep for later questions.
            decoder: False does not load the decoder LLM; then only `inspect` works.

        Raises:
            ModelError, SetupError, UsageError, OutOfMemoryError: all are subclasses of `TempoError`.
        """
        options, keep = checked_options(options, LoadOptions), checked_options(keep, KeepOptions)
        emit = on_event or ignore
        started = time.perf_counter()
        emit(Progress("load", 0, 1))
        choose_targets(options)  # what is not there is refused before files are read
        location = find_model(str(model), revision)
        base = find_base(location, Checkpoint.base_name(location.path))
        checkpoint = Checkpoint.open(location.path, base.path, base.router)
        for warning in checkpoint.warnings:
            emit(Warned(warning))
        targets = choose_targets(options, checkpoint.files.weights)
        networks = Networks(
            checkpoint, targets.compressor, decoder=decoder, emit=emit, decoder_target=targets.decoder
        )
        (device, kind), beside = map(_told, targets)
        info = ModelInfo(
            location.id,
            location.revision,
            device,
            kind,
            targets.compressor.bits,
            checkpoint.card.scope,
            *(beside if decoder else ()),
        )
        tempo = cls(checkpoint, networks, info, options, keep)
        networks.seconds = time.perf_counter() - started
        with computing_with(networks.effort.threads):
            networks.ensure_loaded(tempo.usual_work(), options.micro_batch)
        return tempo

    @property
    def shape(self) -> FrameShape:
        """The frame shape that the model needs, for `open_video`."""
        return self.checkpoint.dimensions.shape

    def open(
        self,
        video: str | Path | VideoInfo | Video,
        *,
        sampling: SamplingOptions | None = None,
        ffmpeg: str | None = None,
        cache: CacheOptions | None = None,
        keep: bool = True,
    ) -> Clip:
        """Open a video for questions. Later questions reuse everything that does not depend on the question.

        Args:
            video: a file, the result of `probe`, or a `Video` from `open_video`, which the clip then closes.
            sampling: which frames to sample; a `Video` has its own.
            ffmpeg: path of the binary; None: search for one.
            cache: where decoded frames are kept on disk; None: not at all. A `Video` has its own.
            keep: whether segments are kept for later questions.

        Raises:
            UsageError, VideoError, SetupError: see `open_video`; or a `Video` does not fit the model.
        """
        return self._open(video, sampling, ffmpeg, cache, keep=keep)

    def ask(
        self,
        video: str | Path | VideoInfo | Video,
        question: str,
        *,
        sampling: SamplingOptions | None = None,
        budget: BudgetOptions | None = None,
        generation: GenerationOptions | None = None,
        ffmpeg: str | None = None,
        on_event: Listener | None = None,
        cancel: CancelScope | None = None,
    ) -> AnsweredRun:
        """Answer one question about a video: `open` and `Clip.ask` in one call, with nothing kept."""
        (run,) = self.ask_many(
            video,
            [question],
            sampling=sampling,
            budget=budget,
            generation=generation,
            ffmpeg=ffmpeg,
            on_event=on_event,
            cancel=cancel,
        )
        return run

    def ask_many(
        self,
        video: str | Path | VideoInfo | Video,
        questions: Sequence[str],
        *,
        sampling: SamplingOptions | None = None,
        budget: BudgetOptions | None = None,
        generation: GenerationOptions | None = None,
        ffmpeg: str | None = None,
        on_event: Listener | None = None,
        cancel: CancelScope | None = None,
    ) -> Iterator[AnsweredRun]:
        """Answer questions in order, with one decode and one visual pass. See `Clip.ask_many`."""
        self.require_decoder()
        texts = checked_questions(questions)

        def runs() -> Iterator[AnsweredRun]:
            with self._open(video, sampling, ffmpeg, keep=False) as clip:
                yield from clip.ask_many(
                    texts, budget=budget, generation=generation, on_event=on_event, cancel=cancel
                )

        return runs()

    def inspect(
        self,
        video: str | Path | VideoInfo | Video,
        question: str,
        *,
        sampling: SamplingOptions | None = None,
        budget: BudgetOptions | None = None,
        ffmpeg: str | None = None,
        on_event: Listener | None = None,
        cancel: CancelScope | None = None,
    ) -> Run:
        """Compute the relevance and tokens of every segment, without an answer. Needs no decoder LLM."""
        checked_questions([question])
        with self._open(video, sampling, ffmpeg, keep=False) as clip:
            return clip.inspect(question, budget=budget, on_event=on_event, cancel=cancel)

    def close(self) -> None:
        """Stop running questions, and release the model and everything that is kept. May be called again.

        If called in a callback, memory is released when its question ends.
        """
        self.closing.cancel()
        if self.turns.mine:
            self.turns.soon(self.networks.close)
        else:
            with self.turns.taken():
                self.networks.close()

    def __enter__(self) -> "Tempo":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        model = self.info
        where = place(
            model.device, model.dtype, model.quantization, model.decoder_device, model.decoder_dtype
        )
        return f"Tempo({model.id!r} on {where})"

    def require_open(self) -> None:
        """Raise UsageError if the model was closed, or this process was forked from its own."""
        if os.getpid() != self._process:
            hint = "Start processes with the spawn method, and load the model in each one."
            raise UsageError("a forked process can't use its parent's model", hint)
        if self.closing.cancelled:
            raise UsageError("the model is closed", "Load it again.")

    def require_decoder(self) -> None:
        """Raise UsageError if the model was loaded without its decoder LLM."""
        if not self.networks.has_decoder:
            raise UsageError("this model was loaded without its decoder", "Load it with `decoder=True`.")

    def usual_work(self) -> Work:
        """What one question with the published settings takes; the plan for loading is made for it."""
        sampling = SamplingOptions()
        return self.work((1080, 1920), sampling.max_frames, sampling, BudgetOptions(), [0])

    def work(
        self,
        size: Size,
        frames: int,
        sampling: SamplingOptions,
        budget: BudgetOptions,
        texts: Sequence[int],
    ) -> Work:
        """What questions about a video take.

        Args:
            size: height and width of its pictures as shown, px.
            texts: tokens of each question's prompt around the video.
        """
        dimensions = self.checkpoint.dimensions
        _, _, shown = resized_sizes(size, dimensions.shape)
        limit = budget.budget if budget.ata else None
        return expected_work(shown, frames, sampling.window, len(texts), limit, max(texts), dimensions)

    def _open(
        self,
        video: str | Path | VideoInfo | Video,
        sampling: SamplingOptions | None,
        ffmpeg: str | None,
        cache: CacheOptions | None = None,
        *,
        keep: bool,
    ) -> Clip:
        self.require_open()
        if not isinstance(video, Video):
            return Clip(self, open_video(video, sampling, self.shape, ffmpeg=ffmpeg, cache=cache), keep=keep)
        if video.shape != self.shape:
            raise UsageError(
                "the video was opened for a model with other frame sizes",
                "Open it with this model's frame shape, or give its path.",
            )
        if sampling is not None and sampling != video.sampling:
            raise UsageError("the video was opened with other sampling", "Pass it only to open_video.")
        return Clip(self, video, keep=keep)


def _told(target: Target) -> tuple[str, str]:
    """Device and type by their names."""
    return str(target.device), str(target.dtype).removeprefix("torch.")
