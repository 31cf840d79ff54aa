"""One video and its questions. It is decoded once; what does not depend on the question is computed once.

video → segments → prefix → memory tokens and relevance → allocation → decoder input → answer → run
"""

import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .config import BudgetOptions, GenerationOptions, checked_options
from .errors import UsageError
from .events import AnswerText, Listener, Warned, ignore
from .model.device import current
from .plan import prompts
from .plan.budget import context_room, fit_budget
from .plan.corrections import corrected, corrected_history, correction_note
from .plan.questions import checked_history, checked_questions
from .runtime.answering import with_seed, write_answer
from .runtime.fallbacks import IN_TURN, Fallbacks
from .runtime.journal import Journal
from .runtime.round import Question, Round
from .runtime.segments import ClipSegments
from .runtime.summary import summarize
from .runtime.threads import computing_with
from .runtime.visual_pass import VisualPass
from .schema import Answer, AnsweredRun, Run
from .scope import CancelScope, linked
from .types import Allocation, Exchange
from .video.opened import Video

if TYPE_CHECKING:
    from .tempo import Tempo


class Clip:
    """An opened video with a model to answer questions. `Tempo.open` creates it; it is a context manager.

    Several threads may ask questions: they run one at a time, first come, first served.

    Attributes:
        video: the opened video; `video.info` describes it.
    """

    def __init__(self, tempo: "Tempo", video: Video, *, keep: bool) -> None:
        self.video = video
        self._tempo = tempo
        self._segments = ClipSegments(video, tempo.networks.store.shelf() if keep else None)
        self._closing = CancelScope()
        self._emitted: set[str] = set()  # warnings about the video
        self._decode_seconds = 0.0  # reported by now
        self._changed = threading.Condition()
        self._running = 0  # questions, with those that wait for their turn
        # a forgotten clip leaves no process behind, and its place to others
        self._finalizer = weakref.finalize(self, self._segments.abandon)

    def ask(
        self,
        question: str,
        *,
        history: Sequence[Exchange] = (),
        budget: BudgetOptions | None = None,
        generation: GenerationOptions | None = None,
        on_event: Listener | None = None,
        cancel: CancelScope | None = None,
    ) -> AnsweredRun:
        """Answer one question. See `ask_many`."""
        (run,) = self.ask_many(
            [question],
            history=history,
            budget=budget,
            generation=generation,
            on_event=on_event,
            cancel=cancel,
        )
        return run

    def ask_many(
        self,
        questions: Sequence[str],
        *,
        history: Sequence[Exchange] = (),
        budget: BudgetOptions | None = None,
        generation: GenerationOptions | None = None,
        on_event: Listener | None = None,
        cancel: CancelScope | None = None,
    ) -> Iterator[AnsweredRun]:
        """Answer questions in order, with one visual pass for all of them.

        Args:
            questions: at least one; none may be blank. Special tokens in them are plain text.
            history: earlier questions and answers of the conversation that each question continues;
                `run.exchange` is one of them.
            on_event: called in this thread with progress, the answers' text as it is generated, and warnings.
            cancel: stops the work at its next step; the clip stays usable and keeps what is complete.

        Yields:
            one run for each question, as soon as its answer is complete.

        Raises:
            CancelledError: `cancel` was cancelled, or the clip was closed.
            TempoError: see its subclasses.
        """
        self._tempo.require_decoder()
        texts, earlier = checked_questions(questions), checked_history(history)
        options = with_seed(checked_options(generation, GenerationOptions))
        limits = checked_options(budget, BudgetOptions)
        return self._answers(texts, earlier, limits, options, Journal(on_event), cancel)

    def inspect(
        self,
        question: str,
        *,
        history: Sequence[Exchange] = (),
        budget: BudgetOptions | None = None,
        on_event: Listener | None = None,
        cancel: CancelScope | None = None,
    ) -> Run:
        """Compute the relevance and tokens of every segment, without an answer. Needs no decoder LLM."""
        texts, earlier = checked_questions([question]), checked_history(history)
        journal = Journal(on_event)
        limits = checked_options(budget, BudgetOptions)
        with self._turn(journal, cancel) as scope:
            asked = self._compress(texts, earlier, limits, None, journal, scope)
            return self._report(asked, 0, self._allocate(asked, 0), None, 0.0)

    def close(self) -> None:
        """Stop the clip's questions, and release its processes, files and memory. May be called again.

        If another clip's question is running, or in a callback, memory is released when that question ends.
        """
        turns = self._tempo.turns
        self._closing.cancel()
        self._finalizer.detach()
        self.video.close()
        turns.soon(self._segments.close)
        if not turns.mine:
            with self._changed:
                self._changed.wait_for(lambda: self._running == 0)

    def __enter__(self) -> "Clip":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        info = self.video.info
        return f"Clip({str(info.path)!r}, {info.duration:.1f} s, {self.video.total} segments)"

    def _answers(
        self,
        texts: Sequence[str],
        history: tuple[Exchange, ...],
        budget: BudgetOptions,
        generation: GenerationOptions,
        journal: Journal,
        cancel: CancelScope | None,
    ) -> Iterator[AnsweredRun]:
        """The model is held while work runs, and not while the caller has a run."""
        with self._turn(journal, cancel) as scope:
            asked = self._compress(texts, history, budget, generation, journal, scope)
            run = self._answer(asked, 0, generation, scope)
        yield run
        for number in range(1, len(texts)):
            with self._turn(journal, cancel) as scope:
                run = self._answer(asked, number, generation, scope)
            yield run

    @contextmanager
    def _turn(self, journal: Journal, cancel: CancelScope | None) -> Iterator[CancelScope]:
        """The model for this thread alone, with a scope that ends on `cancel` and on closing."""
        tempo = self._tempo
        if self._closing.cancelled:
            raise UsageError("the clip is closed", "Open the video again.")
        tempo.require_open()
        with (
            self._counted(),
            linked(cancel, self._closing, tempo.closing) as scope,
            tempo.turns.taken(scope),
            computing_with(tempo.networks.effort.threads),
            current(tempo.networks.target.device),
        ):
            tempo.networks.emit = journal.emit
            try:
                yield scope
            finally:
                tempo.networks.emit = ignore

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """One more running question for the block."""
        with self._changed:
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _compress(
        self,
        texts: Sequence[str],
        history: tuple[Exchange, ...],
        budget: BudgetOptions,
        generation: GenerationOptions | None,
        journal: Journal,
        scope: CancelScope,
    ) -> Round:
        """Plan the memory, then read every segment for all questions."""
        tempo, networks, video = self._tempo, self._tempo.networks, self.video
        loaded = networks.seconds
        journal.warnings += tempo.checkpoint.warnings  # emitted when it was loaded
        questions = [self._question(text, history, budget) for text in texts]
        lengths = [len(question.before) + len(question.after) for question in questions]
        work = tempo.work(video.shown, len(video.plan.indices), video.sampling, budget, lengths)
        plan = networks.plan(work, tempo.options.micro_batch)
        networks.store.set_limits(networks.keep_limits(plan, tempo.keep))
        if not self._segments.plans:
            slow = networks.effort.warning(len(video.plan.indices), video.sampling.window, work)
            if slow:
                journal.warn(slow)
        if networks.has_decoder and not (networks.resident and plan.resident):
            networks.offload()
            journal.fall_back("in_turn", IN_TURN)
        limit = budget.budget if budget.ata else None
        fallbacks = Fallbacks(networks, journal, work, plan.micro_batch, limit)
        queries = [question.query for question in questions]
        compressed = VisualPass(self._segments, queries, networks, fallbacks, journal, scope).run()
        self._warn_of_video(journal)
        tokenizer = tempo.checkpoint.decoder_tokenizer
        tags = [tokenizer.encode(prompts.time_tag(plan.time)) for plan in compressed.plans]
        return Round(questions, budget, generation, journal, fallbacks, compressed, tags, loaded)

    def _question(self, text: str, history: tuple[Exchange, ...], budget: BudgetOptions) -> Question:
        checkpoint = self._tempo.checkpoint
        corrections = checkpoint.card.corrections
        asked, earlier = corrected(text, corrections), corrected_history(history, corrections)
        before, after = prompts.decoder_prompt(checkpoint.decoder_tokenizer, asked, earlier)
        room = context_room(len(before) + len(after), budget, checkpoint.dimensions)
        query, note = prompts.compressor_query(asked, earlier), correction_note(text, corrections)
        return Question(text, query, history, before, after, room, [note] if note else [])

    def _answer(
        self, asked: Round, number: int, generation: GenerationOptions, scope: CancelScope
    ) -> AnsweredRun:
        tempo, question = self._tempo, asked.questions[number]
        allocation = self._allocate(asked, number)
        started = time.perf_counter()

        def warn(message: str) -> None:
            question.warnings.append(message)
            asked.journal.emit(Warned(message))

        def write() -> Answer:
            networks = tempo.networks
            decoder, target = networks.decoder(), networks.decoder_target
            memory = asked.compressed.memories[number].on(target.device, target.dtype)
            with current(target.device):
                return write_answer(
                    decoder,
                    tempo.checkpoint,
                    question,
                    asked.tags,
                    memory,
                    allocation,
                    generation,
                    lambda text: asked.journal.emit(AnswerText(number, text)),
                    warn,
                    scope,
                )

        answer = asked.fallbacks.answering(write, lambda: question.begun)
        run = self._report(asked, number, allocation, answer, time.perf_counter() - started)
        assert isinstance(run, AnsweredRun)
        return run

    def _allocate(self, asked: Round, number: int) -> Allocation:
        question, lengths = asked.questions[number], [len(tag) for tag in asked.tags]
        relevance = asked.compressed.memories[number].relevance
        dimensions = self._tempo.checkpoint.dimensions
        fitted = fit_budget(relevance, lengths, question.room, asked.budget, dimensions)
        question.warnings += fitted.warnings
        for warning in question.warnings:
            asked.journal.emit(Warned(warning))
        return fitted.allocation

    def _report(
        self, asked: Round, number: int, allocation: Allocation, answer: Answer | None, seconds: float
    ) -> Run:
        tempo, decoded = self._tempo, self.video.findings.decode_seconds - self._decode_seconds
        if number == len(asked.questions) - 1:
            self._decode_seconds = self.video.findings.decode_seconds
        return summarize(
            self.video, tempo.info, tempo.networks, asked, number, allocation, answer, seconds, decoded
        )

    def _warn_of_video(self, journal: Journal) -> None:
        """What was left out is recorded in every run, and emitted once."""
        for message in self.video.warnings:
            journal.warnings.append(message)
            if message not in self._emitted:
                journal.emit(Warned(message))
        self._emitted.update(self.video.warnings)
