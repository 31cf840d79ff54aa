"""`tempo batch`: many videos and questions with one model load."""

import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..batch.jobs import Defaults
from ..batch.outcome import Outcome, in_words
from ..batch.results import ResultsFile
from ..config import BudgetOptions, CacheOptions, GenerationOptions, LoadOptions, SamplingOptions
from ..errors import TempoError, UsageError
from ..plan.schedule import Job, Shard, schedule, unique
from . import options as o
from .batch_input import jobs_as_they_come, jobs_of_file, jobs_of_videos, parse_devices, parse_shard
from .batch_model import SOME_FAILED, BatchModel
from .batch_pages import prepare_folder, write_pages
from .batch_progress import BatchScreen, ProgressMode, Tracker, failures
from .console import Screen, expect
from .flags import in_flags
from .questions import check_questions, read_questions

if TYPE_CHECKING:  # numpy
    from ..batch.engine import Jobs

STOPPED = 130


def batch(
    command: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="JOBS",
            help="A file of jobs (JSON lines, a JSON list or CSV), or - for standard input. With -q: videos "
            "and folders of videos.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write results here, and resume: what is finished is not done again. Default: stdout.",
        ),
    ] = None,
    question: Annotated[
        list[str] | None,
        typer.Option(
            "--question", "-q", metavar="TEXT", help="A question about every video (repeatable; @FILE)."
        ),
    ] = None,
    glob: Annotated[
        str | None, typer.Option("--glob", metavar="PATTERN", help="Files to take from folders: '*.mp4'.")
    ] = None,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="Do each job of standard input as it comes; neighbors share a video."),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do the failed jobs in FILE again.")
    ] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failed job.")] = False,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Do only part I of N, for several machines; by video."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Do at most N jobs in this run.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", min=1, max=64, help="Processes, each with a model of its own."
        ),
    ] = None,
    devices: Annotated[
        str | None,
        typer.Option(
            "--devices",
            metavar="LIST",
            help="A worker on each of these, instead of --device: cuda:0,cuda:1.",
        ),
    ] = None,
    progress: Annotated[
        ProgressMode,
        typer.Option("--progress", metavar="MODE", help="auto: a bar on a terminal. json: lines on stderr."),
    ] = ProgressMode.auto,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FOLDER", help="Write a page for each video, and an index of all."),
    ] = None,
    model: o.Model = o.MODEL,
    revision: o.Revision = None,
    offline: o.Offline = False,
    yes: o.Yes = False,
    device: o.Device = o.LOAD.device,
    decoder_device: o.DecoderDevice = o.LOAD.decoder_device,
    dtype: o.Dtype = o.LOAD.dtype,
    quantize: o.Quantize = o.LOAD.quantize,
    fps: o.Fps = o.SAMPLING.fps,
    max_frames: o.MaxFrames = o.SAMPLING.max_frames,
    window: o.Window = o.SAMPLING.window,
    start: o.Start = None,
    end: o.End = None,
    picture: o.Picture = o.SAMPLING.picture,
    sampling: o.Sampling = o.SamplingMode.AUTO,
    max_pixels: o.MaxPixels = o.SAMPLING.max_pixels,
    ffmpeg: o.FFmpeg = None,
    budget: o.Budget = o.BUDGET.budget,
    context: o.Context = None,
    no_ata: o.NoAta = False,
    max_new_tokens: o.MaxNewTokens = o.GENERATION.max_new_tokens,
    temperature: o.Temperature = o.GENERATION.temperature,
    seed: o.Seed = None,
    no_cache: o.NoCache = False,
    cache_size: o.CacheSize = o.CACHE.limit,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    color: o.WhenColor = o.Color.auto,
) -> int:
    """Answer many questions about many videos with one model load: one JSON object per line and job.

    A job is {"video": "a.mp4", "question": "what happens?"}, with an id, start, end and other options if you
    like. A failed job gets a line with status "error" and never stops the others; the exit code is 7 then.
    Run the same command again to resume.

    Example: tempo batch jobs.jsonl -o results.jsonl

    Example: tempo batch videos/ -q "is there a car?" -o results.jsonl
    """
    expect(command)
    defaults = Defaults(
        SamplingOptions(
            fps=fps,
            max_frames=max_frames,
            window=window,
            start=start,
            end=end,
            picture=picture,
            mode=sampling.value,
            max_pixels=max_pixels,
        ),
        BudgetOptions(budget=budget, context=context, ata=not no_ata),
        GenerationOptions(max_new_tokens=max_new_tokens, temperature=temperature, seed=seed),
    )
    part, crew = parse_shard(shard), parse_devices(devices, workers, device)
    only_json = progress is ProgressMode.json  # on stderr
    with Screen(json=False, quiet=quiet or only_json, verbose=verbose, color=color, waiting=[]) as screen:
        jobs = _jobs(inputs, question or [], glob, defaults, stream=stream, whole=not (part or limit))
        if len(crew) > 1 and not isinstance(jobs, list):
            raise UsageError("--stream goes with one worker", "Leave out --workers and --devices.")
        load = LoadOptions(crew[0], dtype, quantize, decoder_device=decoder_device)
        cache = CacheOptions(limit=cache_size, keep=not no_cache)
        running = BatchModel(
            model, revision, load, ffmpeg, cache, screen, yes=yes, offline=offline, devices=crew
        )
        with _results(output, retry_failed) as results:
            current = False
            if html is not None:
                if results is None:
                    raise UsageError("--html goes with -o", "Name the file of results: -o results.jsonl")
                current = prepare_folder(html, results)
            run = Batch(running, results, screen, progress, fail_fast=fail_fast, retry=retry_failed)
            code = run.run(jobs, part, limit)
            if html is not None and results is not None and code != STOPPED:
                write_pages(html, results, run.videos, screen, ffmpeg, current=current)
            return code


class Batch:
    """One run of the command: does jobs, writes their lines, and gives the exit code.

    Attributes:
        videos: those of which it has written a line.
    """

    def __init__(
        self,
        model: BatchModel,
        results: ResultsFile | None,
        screen: Screen,
        progress: ProgressMode,
        *,
        fail_fast: bool,
        retry: bool,
    ) -> None:
        self._model, self._results, self._screen = model, results, screen
        self._mode, self._fail_fast, self._retry = progress, fail_fast, retry
        self._failed: dict[str, TempoError] = {}
        self.videos: set[str] = set()

    def run(self, jobs: list[Job] | Iterator[Job], shard: Shard | None, limit: int | None) -> int:
        """Do what is not done yet; `jobs` is an iterator where they are done as they come."""
        if self._results is not None:
            self._results.check_model(self._model.name)
        if isinstance(jobs, list):
            known = list(unique(jobs))
            if (more := len(jobs) - len(known)) > 0:
                told = "1 job is" if more == 1 else f"{more} jobs are"
                self._screen.print(f"{told} given twice, and done once")
            again = {job.id for job in known if self._is_retried(job)}
            done = self._recorded(known)
            groups = schedule(known, done, shard, limit)
            if self._results is not None:
                again &= {job.id for group in groups for job in group.jobs}
                self._results.replace(again)
                self._note_failures(known)
            if not groups:
                self._summarize("nothing is left to do: the jobs have their lines in")
                code = self._end(len(known))
                BatchScreen(Tracker([]), self._screen, self._mode, bar=False).close(code=code)
                return code
            tracker = Tracker(groups)
            return self._do(groups, tracker, len(known))
        from ..batch.live import live_groups

        tracker = Tracker(None)
        return self._do(live_groups(self._new(unique(jobs))), tracker, None)

    def _is_retried(self, job: Job) -> bool:
        """Whether the job has failed, and failed jobs are done again."""
        found = self._results.recorded.get(job.id) if self._retry and self._results is not None else None
        return found is not None and found.error is not None

    def _recorded(self, jobs: list[Job]) -> set[str]:
        """Ids of jobs that have a line, and are not done again."""
        if self._results is None:
            return set()
        kept = [job for job in jobs if not self._is_retried(job)]
        self._results.check(kept)
        return {job.id for job in kept if job.id in self._results.recorded}

    def _note_failures(self, jobs: list[Job]) -> None:
        """Those that are not done again in this run."""
        recorded = self._results.recorded if self._results is not None else {}
        for job in jobs:
            if job.id in recorded and (error := recorded[job.id].error) is not None:
                self._failed[job.id] = error

    def _new(self, jobs: Iterable[Job]) -> Iterator[Job]:
        for job in jobs:
            if self._recorded([job]):
                self._note_failures([job])
                continue
            if self._results is not None and self._is_retried(job):
                self._results.replace([job.id])
            yield job

    def _do(self, groups: "Iterable[Jobs]", tracker: Tracker, total: int | None) -> int:
        shown = BatchScreen(
            tracker, self._screen, self._mode, bar=self._results is not None or not sys.stdout.isatty()
        )
        code = 1
        try:
            for outcome in self._model.outcomes(groups, shown.on_event):
                self._write(outcome)
                shown.ended(outcome)
                if tracker.stopping.is_set() or (self._fail_fast and outcome.error is not None):
                    break
            code = STOPPED if tracker.stopping.is_set() else SOME_FAILED if self._failed else 0
        finally:
            shown.close(code=code)
        self._summarize(f"wrote {tracker.done} line{'s' * (tracker.done != 1)} to")
        self._end(total or tracker.done)
        return code

    def _write(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._failed[outcome.job.id] = outcome.error
            if os.environ.get("TEMPO_DEBUG") and outcome.error.__cause__ is not None:
                traceback.print_exception(outcome.error.__cause__)
        line = in_words(outcome, in_flags).to_json(self._model.name)
        if self._results is None:
            self._screen.text(line + "\n")
        else:
            self._results.append(line)
            self.videos.add(outcome.job.video or "")

    def _summarize(self, what: str) -> None:
        """On a terminal, so that the bar does not vanish without a word; from cron, success is silent."""
        if self._results is not None and self._mode is ProgressMode.auto and sys.stderr.isatty():
            self._screen.print(f"{what} {self._results.path}")

    def _end(self, total: int) -> int:
        rows = [(name, error.code, in_flags(error.message)) for name, error in self._failed.items()]
        for line in failures(rows, total):
            self._screen.print(line)
        return SOME_FAILED if rows else 0


def _jobs(
    inputs: list[str],
    questions: list[str],
    pattern: str | None,
    defaults: Defaults,
    *,
    stream: bool,
    whole: bool,
) -> list[Job] | Iterator[Job]:
    if stream and (inputs != ["-"] or questions or not whole):
        raise UsageError(
            "--stream goes with jobs on standard input, without --shard and --limit",
            "Try: producer | tempo batch - --stream",
        )
    if questions:
        texts = read_questions([], questions)
        check_questions(texts, Path(inputs[0]))
        return jobs_of_videos(inputs, texts, pattern, defaults)
    if pattern is not None:
        raise UsageError(
            "--glob goes with folders and -q", f'Try: tempo batch {inputs[0]} -q "what happens?"'
        )
    if len(inputs) > 1:
        raise UsageError(
            f"{len(inputs)} files of jobs were given", "Join them: cat a.jsonl b.jsonl | tempo batch -"
        )
    return jobs_as_they_come(defaults) if stream else jobs_of_file(inputs[0], defaults)


def _results(output: str | None, retry: bool) -> AbstractContextManager[ResultsFile | None]:
    if output is None or output == "-":
        if retry:
            raise UsageError("--retry-failed goes with -o", "Name the file of results: -o results.jsonl")
        return nullcontext()
    return ResultsFile(Path(output))
