"""The story: path, frames, segments, memory tokens, allocation, decoder input, answer.

`Tempo` holds a loaded model and answers questions. It prints nothing: events go to a listener.
"""

import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from .config import (
    DEFAULT_MODEL,
    BudgetOptions,
    GenerationOptions,
    LoadOptions,
    SamplingOptions,
    checked_options,
)
from .errors import ModelError, OutOfMemoryError, UsageError
from .events import AnswerText, Event, Listener, Progress, Warned
from .hub.locations import find_base, find_model
from .model.checkpoint import Checkpoint
from .model.compressor import Batch
from .model.device import cpu_speed, device_peak_bytes, is_out_of_memory, release_memory
from .model.loading import choose_target
from .model.memory_estimate import compressor_parameters
from .model.pixels import resize, resized_sizes
from .model.tokenizer import TextStream
from .plan import prompts
from .plan.budget import context_room, fit_budget
from .plan.memory import Work, expected_work
from .plan.questions import checked_questions
from .plan.sampling import frames_between, plan_frames
from .plan.segments import cut_segments
from .runtime.networks import Networks, with_room
from .schema import (
    Answer,
    AnsweredRun,
    BudgetSummary,
    FinishReason,
    GenerationSummary,
    Memory,
    ModelInfo,
    Run,
    SamplingSummary,
    SegmentReport,
    Timing,
    VideoSummary,
    build_run,
)
from .system_memory import host_peak_bytes
from .types import (
    Allocation,
    FramePlan,
    MemoryTokens,
    Pixels,
    Segment,
    SegmentPlan,
    VideoInfo,
)
from .video.decode import FrameDecoder
from .video.ffmpeg import find_ffmpeg
from .video.prefetch import prefetch
from .video.probe import probe

_TOKENS_PER_FRAME = 70  # that the compressor reads: 128 for two frames, and their times
_TOKENS_PER_SEGMENT = 250  # prompt, question and memory tokens
_IN_TURN = "both networks do not fit together; they are loaded in turn"
_SLOW_PARAMETERS = 1e9  # on a CPU, more than this deserves a word before the wait

Item = TypeVar("Item")


class Tempo:
    """A loaded model: load once, ask many. `load` builds it.

    Attributes:
        info: which model runs, and how.
        checkpoint: what the weights are.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        networks: Networks,
        info: ModelInfo,
        options: LoadOptions,
        open_seconds: float,
    ) -> None:
        self.checkpoint = checkpoint
        self.info = info
        self._networks = networks
        self._options = options
        self._open_seconds = open_seconds

    @classmethod
    def load(
        cls,
        model: str | Path = DEFAULT_MODEL,
        *,
        revision: str | None = None,
        options: LoadOptions | None = None,
        decoder: bool = True,
        on_event: Listener | None = None,
    ) -> "Tempo":
        """Load a model from a folder or from the Hub's cache.

        Args:
            model: `nano`, a folder in the released layout, or a Hub repository that is downloaded already.
            revision: of the Hub repository.
            decoder: False leaves the language model out; then only `inspect` works.

        Raises:
            ModelError, SetupError, UsageError, OutOfMemoryError: all of them `TempoError`.
        """
        options = checked_options(options, LoadOptions)
        tell = on_event or _ignore
        started = time.perf_counter()
        tell(Progress("load", 0, 1))
        target = choose_target(options)
        location = find_model(str(model), revision)
        base = find_base(location, Checkpoint.base_name(location.path))
        checkpoint = Checkpoint.open(location.path, base.path, base.router)
        networks = Networks(checkpoint, target, decoder=decoder, tell=tell)
        kind = str(target.dtype).removeprefix("torch.")
        info = ModelInfo(location.id, location.revision, str(target.device), kind, target.bits)
        tempo = cls(checkpoint, networks, info, options, time.perf_counter() - started)
        networks.hold(tempo._usual_work(), options.micro_batch)
        return tempo

    def ask(
        self,
        video: str | Path | VideoInfo,
        question: str,
        *,
        sampling: SamplingOptions | None = None,
        budget: BudgetOptions | None = None,
        generation: GenerationOptions | None = None,
        ffmpeg: str | None = None,
        on_event: Listener | None = None,
    ) -> AnsweredRun:
        """Answer one question about a video. See `ask_many`."""
        runs = self.ask_many(
            video,
            [question],
            sampling=sampling,
            budget=budget,
            generation=generation,
            ffmpeg=ffmpeg,
            on_event=on_event,
        )
        (run,) = runs
        return run

    def ask_many(
        self,
        video: str | Path | VideoInfo,
        questions: Sequence[str],
        *,
        sampling: SamplingOptions | None = None,
        budget: BudgetOptions | None = None,
        generation: GenerationOptions | None = None,
        ffmpeg: str | None = None,
        on_event: Listener | None = None,
    ) -> Iterator[AnsweredRun]:
        """Answer questions about a video, in order, with one decode and one visual pass.

        Args:
            video: a file, or what `probe` said of it.
            questions: a list of at least one, none of them blank. Special tokens in them are plain text.
            ffmpeg: path of the binary; None finds one.
            on_event: hears of progress, of the answer's text as it comes, and of warnings.

        Yields:
            one `AnsweredRun` for each question, as soon as its answer is complete.

        Raises:
            TempoError: see its subclasses for what and when.
            TypeError: an argument is not what it should be, such as one text in place of a list of questions.
        """
        if not self._networks.has_decoder:
            raise UsageError("this model was loaded without its decoder", "Load it with `decoder=True`.")
        generation = _seeded(checked_options(generation, GenerationOptions))
        job = self._job(video, questions, sampling, budget, ffmpeg, on_event)
        memories = self._compress(job)
        for number, memory in enumerate(memories):
            yield self._answer(job, number, memory, generation)

    def inspect(
        self,
        video: str | Path | VideoInfo,
        question: str,
        *,
        sampling: SamplingOptions | None = None,
        budget: BudgetOptions | None = None,
        ffmpeg: str | None = None,
        on_event: Listener | None = None,
    ) -> Run:
        """Relevance and allocation of every segment, without an answer: needs no decoder."""
        job = self._job(video, [question], sampling, budget, ffmpeg, on_event)
        (memory,) = self._compress(job)
        allocation = self._allocate(job, 0, memory, self._tags(job))
        return self._report(job, 0, memory, allocation, None, 0.0)

    def _usual_work(self) -> Work:
        """What one question with the published settings takes; the plan for loading is made for it."""
        sampling = SamplingOptions()
        return self._work((1080, 1920), sampling.max_frames, sampling, BudgetOptions(), [0])

    def _work(
        self,
        size: tuple[int, int],
        frames: int,
        sampling: SamplingOptions,
        budget: BudgetOptions,
        texts: Sequence[int],
    ) -> Work:
        dimensions = self.checkpoint.dimensions
        _, _, shown = resized_sizes(size, dimensions.patch * dimensions.merge, dimensions.pixels)
        limit = budget.budget if budget.ata else None
        return expected_work(shown, frames, sampling.window, len(texts), limit, max(texts), dimensions)

    def _job(
        self,
        video: str | Path | VideoInfo,
        questions: Sequence[str],
        sampling: SamplingOptions | None,
        budget: BudgetOptions | None,
        ffmpeg: str | None,
        on_event: Listener | None,
    ) -> "_Job":
        """Everything that can be known, and can be wrong, before the first frame is decoded."""
        started = time.perf_counter()
        sampling, budget = checked_options(sampling, SamplingOptions), checked_options(budget, BudgetOptions)
        questions = checked_questions(questions)
        tokenizer, dimensions = self.checkpoint.decoder_tokenizer, self.checkpoint.dimensions
        texts = [prompts.decoder_prompt(tokenizer, question) for question in questions]
        rooms = [context_room(len(before) + len(after), budget, dimensions) for before, after in texts]
        binary = find_ffmpeg(ffmpeg)
        info = video if isinstance(video, VideoInfo) else probe(video)
        first, last = frames_between(info.times, sampling.start, sampling.end)
        if first >= last:
            begin, end = sampling.start or 0.0, sampling.end or info.duration
            raise UsageError(
                f"the video has no frame between {begin:g} s and {end:g} s",
                f"It lasts {info.duration:.1f} s.",
            )
        plan = plan_frames(last - first, float(info.rate), sampling, first, float(info.times[first]))
        lengths = [len(before) + len(after) for before, after in texts]
        work = self._work((info.height, info.width), len(plan.indices), sampling, budget, lengths)
        room = self._networks.plan(work, self._options.micro_batch)
        job = _Job(
            work=work,
            micro_batch=room.micro_batch,
            loaded=self._open_seconds + self._networks.seconds,
            questions=questions,
            texts=texts,
            rooms=rooms,
            budget=budget,
            info=info,
            plan=plan,
            sampling=sampling,
            last=last,
            binary=binary,
            tell=on_event or _ignore,
            started=started,
        )
        self._networks.tell = job.tell
        self._warn_if_slow(job)
        if self._networks.has_decoder and not (self._networks.together and room.together):
            self._networks.part()
            job.give_up("in_turn", _IN_TURN)
        return job

    def _compress(self, job: "_Job") -> list[MemoryTokens]:
        """Decode and compress the video as a stream: one value for each question."""
        parts: list[list[MemoryTokens]] = [[] for _ in job.questions]
        dimensions = self.checkpoint.dimensions
        total = -(-len(job.plan.indices) // job.sampling.window)
        with (
            FrameDecoder(job.info, job.plan, job.binary, job.warn) as decoder,
            _memory_errors("Close other programs, or give fewer `max_frames`."),
        ):
            segments = cut_segments(
                decoder.frames(),
                job.plan,
                job.sampling.window,
                dimensions.temporal_patch,
                partial(self._shape, job),
            )
            timed = job.clock.each("decode", segments)
            with prefetch(timed, 2 * self._options.micro_batch, decoder.kill) as ahead:
                for batch in self._networks.compressor().batches(job.count(ahead, total), job.micro_batch):
                    with job.clock.of("compress"):
                        found = with_room(partial(self._read, job, batch), partial(self._make_room, job))
                    for part, memory in zip(parts, found, strict=True):
                        part.append(memory)
                    job.done += len(batch.ids)
                    job.tell(Progress("compress", job.done, total))
        return [_joined(part) for part in parts]

    def _read(self, job: "_Job", batch: Batch) -> list[MemoryTokens]:
        """Compress some segments for each question, as many at once as memory allows by now."""
        compressor = self._networks.compressor()
        parts: list[list[MemoryTokens]] = [[] for _ in job.questions]
        for piece in batch.split(job.micro_batch):
            prefix = compressor.read(piece)
            for part, question in zip(parts, job.questions, strict=True):
                part.append(compressor.compress(prefix, question))
        return [_joined(part) for part in parts]

    def _make_room(self, job: "_Job", number: int | None = None) -> None:
        """Memory ran out: give up one more thing, or give up.

        Args:
            number: of the question that was being answered; None while compressing.
        """
        if number is None and job.micro_batch > 1:
            job.micro_batch //= 2
            words = f"memory ran out: {job.micro_batch} segments are compressed at once from here on"
            job.give_up(f"micro_batch={job.micro_batch}", words)
        elif number not in job.begun and self._networks.has_decoder and self._networks.part():
            job.give_up("in_turn", f"memory ran out: {_IN_TURN}")
        else:
            doing = "compress one segment" if number is None else "read the video's tokens"
            budget = job.budget.budget if job.budget.ata else None
            hint = self._networks.advice("compress" if number is None else "answer", job.work, budget)
            raise OutOfMemoryError(f"the memory does not suffice to {doing}", hint)
        release_memory(self._networks.target.device)

    def _shape(self, job: "_Job", pixels: Pixels) -> Pixels:
        job.see(pixels)
        return resize(pixels, self.checkpoint.dimensions)

    def _allocate(
        self, job: "_Job", number: int, memory: MemoryTokens, tags: Sequence[Sequence[int]]
    ) -> Allocation:
        lengths, dimensions = [len(tag) for tag in tags], self.checkpoint.dimensions
        fitted = fit_budget(memory.relevance, lengths, job.rooms[number], job.budget, dimensions)
        for warning in fitted.warnings:
            job.warn(warning, number)
        return fitted.allocation

    def _answer(
        self, job: "_Job", number: int, memory: MemoryTokens, generation: GenerationOptions
    ) -> AnsweredRun:
        tags = self._tags(job)
        allocation = self._allocate(job, number, memory, tags)
        started = time.perf_counter()
        before, after = job.texts[number]

        def write() -> Answer:
            decoder = self._networks.decoder()
            embeds = decoder.splice(before, tags, memory, allocation, after)
            longest = self.checkpoint.dimensions.max_positions - len(embeds)
            most = min(generation.max_new_tokens, longest)
            tokens = decoder.generate(embeds, self.checkpoint.rule, replace(generation, max_new_tokens=most))
            return self._write(job, number, (token.id for token in tokens), most)

        answer = with_room(write, partial(self._make_room, job, number))
        seconds = time.perf_counter() - started
        run = self._report(job, number, memory, allocation, answer, seconds, generation)
        assert isinstance(run, AnsweredRun)
        return run

    def _write(self, job: "_Job", number: int, tokens: Iterable[int], most: int) -> Answer:
        stream, count = TextStream(self.checkpoint.decoder_tokenizer), 0
        for token in tokens:
            job.begun.add(number)
            count += 1
            if piece := stream.push(token):
                job.tell(AnswerText(number, piece))
        if piece := stream.finish():
            job.tell(AnswerText(number, piece))
        reason: FinishReason = "length" if count == most else "stop"
        return Answer(stream.text, reason, count)

    def _tags(self, job: "_Job") -> list[list[int]]:
        tokenizer = self.checkpoint.decoder_tokenizer
        return [tokenizer.encode(prompts.time_tag(plan.time)) for plan in job.segments]

    def _report(
        self,
        job: "_Job",
        number: int,
        memory: MemoryTokens,
        allocation: Allocation,
        answer: Answer | None,
        answer_seconds: float,
        generation: GenerationOptions | None = None,
    ) -> Run:
        seconds = job.clock.seconds
        return build_run(
            answer,
            video=job.summary(),
            question=job.questions[number],
            model=self.info,
            sampling=SamplingSummary(
                sum(len(plan.positions) for plan in job.segments), job.plan.fps, job.sampling.window
            ),
            budget=BudgetSummary(
                allocation.limit,
                allocation.used,
                allocation.mode,
                job.budget.context or self.checkpoint.dimensions.context,
            ),
            segments=tuple(_segment_reports(job, memory, allocation)),
            timing=Timing(
                load=self._open_seconds + self._networks.seconds,
                decode=seconds["decode"],
                compress=seconds["compress"],
                answer=answer_seconds,
                total=job.loaded + time.perf_counter() - job.started,
            ),
            memory=Memory(
                host_peak_bytes=host_peak_bytes(),
                device_peak_bytes=device_peak_bytes(self._networks.target.device),
                micro_batch=job.micro_batch,
                together=self._networks.together,
                steps=tuple(job.steps),
            ),
            warnings=tuple(message for of, message in job.warnings if of in (None, number)),
            generation=generation
            and GenerationSummary(generation.max_new_tokens, generation.temperature, generation.seed),
        )

    def _warn_if_slow(self, job: "_Job") -> None:
        parameters = compressor_parameters(self.checkpoint) if self.info.device == "cpu" else 0
        if parameters < _SLOW_PARAMETERS:
            return
        frames = len(job.plan.indices)
        tokens = frames * _TOKENS_PER_FRAME + frames / job.sampling.window * _TOKENS_PER_SEGMENT
        minutes = parameters * tokens / cpu_speed() / 60
        size = f"{parameters / 1e9:.1f} billion weights"
        job.warn(f"{size} on a CPU: expect about {minutes:.0f} minutes before the answer begins")


class _Clock:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self.seconds = {"decode": 0.0, "compress": 0.0}

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started

    def each(self, stage: str, items: Iterator[Item]) -> Iterator[Item]:
        """Time what producing each item takes."""
        while True:
            with self.of(stage):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item


@dataclass
class _Job:
    """One video with its questions on the way through the pipeline.

    Attributes:
        texts: ids before and after the video in the decoder's input, for each question.
        rooms: tokens that each question leaves to the video.
        last: one past the last frame that may be looked at.
        warnings: (question's number or None for all, message).
        done: segments compressed; segments: those decoded, as they passed.
        work: what it will take; micro_batch: segments compressed at once.
        loaded: seconds spent on loading before it came.
        steps: what was given up for want of memory; begun: questions whose answer was told in part.
    """

    work: Work
    micro_batch: int
    loaded: float
    questions: Sequence[str]
    texts: list[tuple[list[int], list[int]]]
    rooms: list[int]
    budget: BudgetOptions
    info: VideoInfo
    plan: FramePlan
    sampling: SamplingOptions
    last: int
    binary: str
    tell: Listener
    started: float
    clock: _Clock = field(default_factory=_Clock)
    warnings: list[tuple[int | None, str]] = field(default_factory=list)
    done: int = 0
    segments: list[SegmentPlan] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    begun: set[int | None] = field(default_factory=set)

    @property
    def end(self) -> float:
        """Seconds at which the part that was looked at ends."""
        return float(self.info.times[self.last]) if self.last < self.info.frames else self.info.duration

    def summary(self) -> VideoSummary:
        """What a run says of the video."""
        info = self.info
        return VideoSummary(
            path=str(info.path),
            duration=info.duration,
            fps=float(info.rate),
            width=info.width,
            height=info.height,
            codec=info.codec,
            start=self.plan.origin,
            end=self.end,
            size=info.size,
            mtime=info.mtime,
        )

    def warn(self, message: str, question: int | None = None) -> None:
        self.warnings.append((question, message))
        self.tell(Warned(message))

    def give_up(self, step: str, message: str) -> None:
        """Note a step that memory made necessary."""
        self.steps.append(step)
        self.warn(message)

    def see(self, pixels: Pixels) -> None:
        """Learn the shown size, which rotation may have turned, from a decoded frame."""
        height, width = pixels.shape[:2]
        if (height, width) != (self.info.height, self.info.width):
            self.info = replace(self.info, height=height, width=width)

    def count(self, segments: Iterator[Segment], total: int) -> Iterator[Segment]:
        """Note every segment as it passes."""
        for segment in segments:
            self.segments.append(segment.plan)
            self.tell(Progress("decode", segment.plan.index + 1, total))
            yield segment


def _segment_reports(job: _Job, memory: MemoryTokens, allocation: Allocation) -> Iterator[SegmentReport]:
    times, indices, window = job.info.times, job.plan.indices, job.sampling.window
    for plan, score, tokens in zip(job.segments, memory.relevance, allocation.tokens.tolist(), strict=True):
        after = (plan.index + 1) * window
        yield SegmentReport(
            index=plan.index,
            start=float(times[indices[plan.index * window]]),
            end=float(times[indices[after]]) if after < len(indices) else job.end,
            time=float(f"{plan.time:.1f}"),
            relevance=float(score) if job.budget.ata else None,
            tokens=tokens,
            frames=len(plan.positions),
        )


def _joined(parts: Sequence[MemoryTokens]) -> MemoryTokens:
    relevance = np.concatenate([part.relevance for part in parts])
    if not np.isfinite(relevance).all():
        raise ModelError("the compressor gives no numbers (NaN)", "Try `dtype='float32'`.")
    return MemoryTokens(torch.cat([part.tokens for part in parts]), relevance)


def _seeded(generation: GenerationOptions) -> GenerationOptions:
    """With a seed wherever something is drawn, so that every run can be repeated."""
    if generation.temperature == 0 or generation.seed is not None:
        return generation
    return replace(generation, seed=secrets.randbits(32))


@contextmanager
def _memory_errors(hint: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError("the memory does not suffice", hint) from error


def _ignore(_: Event) -> None:
    pass
