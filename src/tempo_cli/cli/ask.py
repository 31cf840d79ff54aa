"""`tempo ask`: the main job."""

from pathlib import Path
from typing import Annotated

import typer

from ..batch.jobs import Defaults
from ..config import BudgetOptions, CacheOptions, GenerationOptions, LoadOptions, SamplingOptions
from ..events import Progress
from ..schema import Request, Run
from . import options as o
from . import render
from .batch_model import BatchModel
from .console import Screen, expect
from .exports import Exports, Rows, chosen_format
from .opening import opened
from .questions import check_order, check_questions, read_questions
from .several import ask_several


def ask(
    command: typer.Context,
    video: Annotated[
        Path,
        typer.Argument(
            metavar="VIDEO",
            help="A video file, or several with -q.",
            show_default=False,
            readable=False,
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUESTION",
            help="The question, quoted or not; - reads it from standard input.",
            show_default=False,
        ),
    ] = None,
    question: Annotated[
        list[str] | None,
        typer.Option(
            "--question",
            "-q",
            metavar="TEXT",
            help="A question, in place of QUESTION. Repeat it to ask several in one visual pass. "
            "@FILE reads it from a file, - from standard input; @@x means the question @x.",
        ),
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
    top: o.Top = o.TOP,
    min_relevance: o.MinRelevance = None,
    sort: o.SortBy = o.Sort.time,
    with_filename: o.WithFilename = False,
    json: o.Json = False,
    format: o.Format = None,
    output: o.Output = None,
    html: o.Html = None,
    png: o.Png = None,
    svg: o.Svg = None,
    force: o.Force = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    color: o.WhenColor = o.Color.auto,
) -> int | None:
    """Answer a question about a video, and show which segments the answer came from.

    tempo sees but does not hear: it ignores audio and subtitles.

    The table lists the segments that stand out. relevance: probability that a segment matters for the
    question. tokens: memory tokens that the segment keeps, in total and per frame (16.0/frame). The summary
    below shows the total and the budget: "25 of 8,192 tokens".

    Example: tempo ask movie.mp4 what color was the car

    Example: tempo ask *.mp4 -q "is there a car?"
    """
    videos = [video, *map(Path, words or [])] if question else [video]
    words = None if question else words
    given = ([" ".join(words)] if words else []) + list(question or [])
    waiting = _expect(command, given, videos, model)
    check_order(video, words or [], question or [])
    questions = read_questions(words or [], question or [])
    if len(videos) > 1:
        videos, questions = list(dict.fromkeys(videos)), list(dict.fromkeys(questions))
    waiting = _expect(command, questions, videos, model)
    rows = o.parse_top(top)
    exports = Exports(
        chosen_format(json, format),
        output,
        html,
        png,
        svg,
        force,
        rows,
        min_relevance,
        ffmpeg,
        inputs=videos,
    )
    with Screen(
        json=exports.json,
        quiet=quiet,
        verbose=verbose,
        color=color,
        waiting=waiting,
        with_filename=with_filename or len(videos) > 1,
        silent=exports.silent,
    ) as screen:

        def present(run: Run) -> None:
            _present(run, screen, Rows(rows, min_relevance, sort))
            exports.add(run)

        load = LoadOptions(device, dtype, quantize, decoder_device=decoder_device)
        frames = SamplingOptions(
            fps=fps,
            max_frames=max_frames,
            window=window,
            start=start,
            end=end,
            picture=picture,
            mode=sampling.value,
            max_pixels=max_pixels,
        )
        limits = BudgetOptions(budget=budget, context=context, ata=not no_ata)
        generation = GenerationOptions(max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
        check_questions(questions, video)
        cache = CacheOptions(limit=cache_size, keep=not no_cache)
        if len(videos) > 1:
            exports.check_videos(videos)
            running = BatchModel(model, revision, load, ffmpeg, cache, screen, yes=yes, offline=offline)
            defaults = Defaults(frames, limits, generation)
            code = ask_several(running, tuple(waiting), defaults, screen, present, exports.add_failure)
            exports.write(screen)
            return code
        with opened(
            video, frames, model, revision, ffmpeg, cache, screen, yes=yes, offline=offline
        ) as decoding:
            exports.check_video(decoding.info)
            screen.on_event(Progress("load", 0, 1))
            from ..tempo import Tempo  # heavy: torch

            tempo = Tempo.load(model, revision=revision, options=load, on_event=screen.on_event)
            screen.introduce(tempo.info.scope)
            runs = tempo.ask_many(
                decoding, questions, budget=limits, generation=generation, on_event=screen.on_event
            )
            for run in runs:
                present(run)
        exports.write(screen)
    return None


def _expect(command: typer.Context, questions: list[str], videos: list[Path], model: str) -> list[Request]:
    asked = [Request(text, str(video), model) for video in videos for text in questions]
    return expect(command, *(asked or [Request(None, str(video), model) for video in videos]))


def _present(run: Run, screen: Screen, rows: Rows) -> None:
    screen.result(run)
    if screen.terminal:
        screen.show(render.report(run, rows.top, screen.width, rows.least, rows.sort))
    screen.log(render.details(run))
