"""`tempo inspect`: relevance and tokens without the answer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ..config import BudgetOptions, CacheOptions, LoadOptions, SamplingOptions
from ..errors import FailedRunError, UsageError
from ..events import Progress
from ..files import read_bytes, reason
from ..schema import Request, Run, run_from_json
from . import options as o
from . import render
from .console import Screen, expect
from .exports import Exports, Rows, chosen_format
from .opening import opened
from .questions import check_order, check_questions, read_questions
from .saved import is_saved_run

if TYPE_CHECKING:
    from ..video.opened import Video

_LARGEST_RUN = 64 * 2**20  # bytes; a saved run is some kilobytes


def inspect(
    command: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="VIDEO|RUN.json", help="A video file, or saved runs.", show_default=False, readable=False
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
    model: o.Model = o.MODEL,
    revision: o.Revision = None,
    offline: o.Offline = False,
    yes: o.Yes = False,
    device: o.Device = o.LOAD.device,
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
    no_cache: o.NoCache = False,
    cache_size: o.CacheSize = o.CACHE.limit,
    top: o.Top = o.TOP,
    min_relevance: o.MinRelevance = None,
    sort: o.SortBy = o.Sort.time,
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
) -> None:
    """Show the relevance and the tokens of every segment, without an answer.

    This needs no language model. A run saved with `tempo ask … -o RUN.json` needs no model at all. Several
    saved runs are shown one after another; a report shows them on one time axis.
    """
    question = " ".join(words or [])
    waiting = expect(command, Request(question or None, str(source), model))
    check_order(source, words or [], [])
    if words == ["-"]:
        (question,) = read_questions(words)
        check_questions([question], source)
        waiting = expect(command, Request(question, str(source), model))
    paths = [source, *map(Path, words or [])]
    together = not question.strip() or all(is_saved_run(path) for path in paths)
    if not together and is_saved_run(source):
        other = next(path for path in paths if not is_saved_run(path))
        raise UsageError(f"'{source}' is a saved run, and '{other}' is not", "Give only saved runs.")
    files = [(saved_runs(command, path), path) for path in paths] if together else []
    saved = [(run, path) for file, path in files for run in file.runs]
    if together:
        waiting = expect(command, *(Request(run.question, run.video.path, run.model.id) for run, _ in saved))
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
        inputs=paths if together else [source],
    )
    if together:
        exports.check_saved([run for run, _ in saved])
    with Screen(
        json=exports.json, quiet=quiet, verbose=verbose, color=color, waiting=waiting, silent=exports.silent
    ) as screen:
        load = LoadOptions(device=device, dtype=dtype, quantize=quantize)
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
        runs: list[tuple[Run, Path | None]] = [*saved]
        for file, _ in files:
            if file.warning is not None:
                screen.warn(file.warning)
        if not together:
            check_questions([question], source)
            cache = CacheOptions(limit=cache_size, keep=not no_cache)
            with opened(
                source, frames, model, revision, ffmpeg, cache, screen, yes=yes, offline=offline
            ) as decoding:
                exports.check_video(decoding.info)
                runs = [(measured(decoding, question, screen, model, revision, load, limits), None)]
        for number, (run, path) in enumerate(runs):
            if number and not (screen.json or screen.silent):
                screen.show("")
            _present(run, screen, Rows(rows, min_relevance, sort))
            exports.add(run, path)
        exports.write(screen)


def measured(
    video: "Video",
    question: str,
    screen: Screen,
    model: str,
    revision: str | None,
    load: LoadOptions,
    budget: BudgetOptions,
) -> Run:
    """The run of a video and a question, without an answer."""
    screen.on_event(Progress("load", 0, 1))
    from ..tempo import Tempo  # heavy: torch

    tempo = Tempo.load(model, revision=revision, options=load, decoder=False, on_event=screen.on_event)
    screen.introduce(tempo.info.scope)
    return tempo.inspect(video, question, budget=budget, on_event=screen.on_event)


class Saved(NamedTuple):
    """The runs of a file, and a warning where some of its lines are failures."""

    runs: list[Run]
    warning: str | None


def saved_runs(command: typer.Context, path: Path) -> Saved:
    """The runs in a file of `--json` lines, for a command that takes a video and a question as well.

    Where all have failed, the command is from here on about the first of them: its error names that run.

    Raises:
        UsageError: there is no such file, it is something else, or it has nothing but failures.
    """
    try:
        text = read_bytes(path, _LARGEST_RUN, whole=True).decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"'{path}' does not exist", "Check the path.") from None
    except (OSError, ValueError) as error:
        if is_saved_run(path):
            hint = f"Show a part of it: head -n 1000 '{path}' > part.jsonl"
            raise UsageError(f"'{path}' can't be read: {reason(error)}", hint) from None
        text = ""
    if not text.lstrip().startswith("{"):
        raise UsageError(
            f"there is no question for '{path}', and it is not a saved run",
            f'Put a question after the video: tempo {command.info_name} {path} "what happens?"',
        )
    runs, failures = list[Run](), list[FailedRunError]()
    for line in text.splitlines():
        if line.strip():
            try:
                runs.append(run_from_json(line))
            except FailedRunError as error:
                failures.append(error)
    if not failures:
        return Saved(runs, None)
    if not runs:
        first = failures[0]
        if first.video is not None:
            expect(command, Request(first.question, first.video, first.model))
        raise first
    return Saved(runs, f"{len(failures)} of {len(runs) + len(failures)} runs in '{path}' failed: left out")


def _present(run: Run, screen: Screen, rows: Rows) -> None:
    if screen.json:
        screen.result(run)
        return
    if screen.silent:
        screen.log(render.details(run))
        return
    screen.show(render.heading(run))
    if run.answer:
        screen.show(render.answer(run))
    screen.show(
        "",
        render.timeline(run, screen.width),
        "",
        render.report(run, rows.top, screen.width, rows.least, rows.sort),
    )
    screen.log(render.details(run))
