"""`tempo clips`: the parts that stand out, as files."""

import json as jsonlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import __version__
from ..config import BudgetOptions, CacheOptions, LoadOptions, SamplingOptions
from ..errors import SetupError, UsageError, VideoError
from ..files import exists, reason
from ..plan.stretches import Stretch, padded, stretches
from ..schema import Request, Run
from ..texts import clock_time, one_line
from ..written import check_writable, write_whole
from . import options as o
from .console import Screen, expect
from .exports import check_output
from .inspect import measured, saved_runs
from .opening import opened
from .questions import check_order, check_questions, read_questions
from .text import printable

if TYPE_CHECKING:
    from ..types import VideoInfo
    from ..video.cutting import Cutter

Top = Annotated[
    str,
    typer.Option(
        "--top",
        envvar="TEMPO_TOP",
        show_envvar=False,
        metavar="N|all",
        help="Cut out up to N of the segments that stand out; all: every segment.",
    ),
]
SCHEMA = "tempo.clips/1"
MANIFEST = "clips.json"
_LONGEST_NAME = 80  # characters of the video's name in a clip's
_MOST_BYTES = 160  # of them; with the times they must fit into the 255 of most file systems
_UNWISE = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_"))  # in names, somewhere


def clips(
    command: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="VIDEO|RUN.json", help="A video file, or a saved run.", show_default=False, readable=False
        ),
    ],
    folder: o.Folder,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUESTION",
            help="One question, quoted or not; - reads it from standard input.",
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
    padding: o.Padding = 0.0,
    copy: o.Copy = False,
    dry_run: o.DryRun = False,
    top: Top = o.TOP,
    min_relevance: o.MinRelevance = None,
    force: o.Force = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    color: o.WhenColor = o.Color.auto,
) -> None:
    """Cut out the segments that stand out, neighbors joined, and write a clips.json next to them.

    Needs no language model; a run saved with `tempo ask … -o RUN.json` needs no model at all. Clips are
    encoded as H.264 and AAC and exact by picture. With --copy nothing is encoded, and a clip begins at the
    keyframe before; clips.json has the measured times.

    Example: tempo clips movie.mp4 what color was the car -o parts
    """
    question = " ".join(words or [])
    expect(command, Request(question or None, str(source), model))
    check_order(source, words or [], [])
    if words == ["-"]:
        (question,) = read_questions(words)
        check_questions([question], source)
    saved, warning = (None, None) if question.strip() else _saved_run(command, source)
    waiting = expect(
        command,
        Request(saved.question, saved.video.path, saved.model.id)
        if saved
        else Request(question, str(source), model),
    )
    with Screen(json=json, quiet=quiet, verbose=verbose, color=color, waiting=waiting) as screen:
        if warning is not None:
            screen.warn(warning)
        rows = o.parse_top(top)
        if not dry_run:
            with _folder(folder):  # said before the work
                check_output(folder / MANIFEST, [source], force, "Name another folder.")
        run = saved
        if run is None:
            check_questions([question], source)
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
            cache = CacheOptions(limit=cache_size, keep=not no_cache)
            limits = BudgetOptions(budget=budget, context=context, ata=not no_ata)
            with opened(
                source, frames, model, revision, ffmpeg, cache, screen, yes=yes, offline=offline
            ) as decoding:
                run = measured(decoding, question, screen, model, revision, load, limits)
        screen.stop_progress()
        info = _unchanged(run, source if saved else None, max_pixels)
        from ..video.cutting import Cutter

        parts = padded(stretches(run.segments, rows, min_relevance), padding, info.duration)
        if parts and run.evidence is not None and run.evidence.weak and run.evidence.threshold is not None:
            screen.warn(f"weak evidence: no segment above {run.evidence.threshold:.2f}")
        cutter = Cutter(info, copy, ffmpeg) if parts else None
        with nullcontext() if dry_run else _folder(folder):
            made = _cut(parts, cutter, info, folder, screen, force, dry_run)
            manifest = _manifest(run, made, copy, padding)
            if not dry_run:
                write_whole(folder / MANIFEST, (jsonlib.dumps(manifest, indent=2) + "\n").encode(), force)
        if json:
            screen.text(jsonlib.dumps(manifest) + "\n")
        elif not parts:
            screen.print("no segment stands out: there is nothing to cut")


def _saved_run(command: typer.Context, path: Path) -> tuple[Run, str | None]:
    runs, warning = saved_runs(command, path)
    if len(runs) != 1:
        raise UsageError(
            f"'{path}' has {len(runs)} runs, and clips are cut for one",
            f"Save one in a file of its own: sed -n 1p '{path}' > run.json",
        )
    return runs[0], warning


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """The folder, created with those above it that are missing; what was created and stays empty goes again.

    Raises:
        SetupError: it can't be created.
    """
    missing = [path for path in (folder, *folder.parents) if not exists(path)]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            message = f"'{folder}' can't be created: {reason(error)}"
            raise SetupError(message, "Name another folder.") from None
        yield
    finally:
        with suppress(OSError, ValueError):  # the first one that is not empty ends this
            for path in missing:
                path.rmdir()


def _unchanged(run: Run, saved: Path | None, max_pixels: int) -> "VideoInfo":
    """The video of a run, if it is still the one that the run saw."""
    from ..video.isolated import probe
    from .reports import located

    path = located(run.video.path, saved)
    info = probe(path, max_pixels)
    if run.video.size is None or run.video.mtime is None:
        raise VideoError(
            f"the run does not identify its '{path}', because an older tempo saved it", "Ask again, then cut."
        )
    if (info.size, info.mtime) != (run.video.size, run.video.mtime):
        raise VideoError(f"'{path}' has changed since the run", "Ask again, then cut.")
    return info


def _cut(
    parts: Sequence[Stretch],
    cutter: "Cutter | None",
    info: "VideoInfo",
    folder: Path,
    screen: Screen,
    force: bool,
    dry_run: bool,
) -> list[dict[str, Any]]:
    """Write each part, and list for each its file, the planned times and the measured ones."""
    made: list[dict[str, Any]] = []
    if cutter is None:
        return made
    planned, ending = [cutter.planned(part.start, part.end) for part in parts], cutter.ending

    def named(begins: float, ends: float) -> Path:
        return folder / f"{_stem(info.path)}_{_time(begins)}_{_time(ends)}{ending}"

    if not dry_run:
        for begins, ends in planned:
            check_writable(named(begins, ends), force)
    for number, (part, (begins, ends)) in enumerate(zip(parts, planned, strict=True), 1):
        path = named(begins, ends)
        fact: dict[str, Any] = {"file": path.name, "start": part.start, "end": part.end}
        if dry_run:
            fact |= {"begins": begins, "ends": ends}
        else:
            screen.log(f"clip {number} of {len(parts)}")
            clip = cutter.cut(part.start, part.end, path, force, partial(named, ends=ends))
            path = named(clip.begins, ends)
            fact |= {"file": path.name, "begins": clip.begins, "ends": clip.ends, "pictures": clip.pictures}
        fact |= {
            "earlier": max(0.0, part.start - fact["begins"]),
            "segments": [part.first, part.last],
            "relevance": part.relevance,
            "tokens": part.tokens,
        }
        made.append(fact)
        if not screen.json:
            screen.line(_told(path, fact, screen.terminal))
    return made


def _told(path: Path, fact: dict[str, Any], terminal: bool) -> str:
    """A line for a clip: its path and, on a terminal, its times."""
    if not terminal:
        return printable(str(path))
    score = "" if fact["relevance"] is None else f"  {fact['relevance']:.2f}"
    early = f"  {fact['earlier']:.1f} s earlier" if fact["earlier"] >= 0.05 else ""
    times = f"{clock_time(fact['begins'], True)} - {clock_time(fact['ends'], True)}"
    return f"{times}{score}{early}  {printable(str(path))}"


def _manifest(run: Run, made: list[dict[str, Any]], copy: bool, padding: float) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "video": {"path": run.video.path, "size": run.video.size, "mtime": run.video.mtime},
        "question": run.question,
        "answer": run.answer.text if run.answer else None,
        "model": {"id": run.model.id, "revision": run.model.revision},
        "copied": copy,
        "padding": padding,
        "tempo": __version__,
        "clips": made,
    }


def _stem(path: Path) -> str:
    """The video's name, such that every file system takes it and no shell mistakes it."""
    name = one_line(path.stem).translate(_UNWISE)[:_LONGEST_NAME]
    name = name.encode()[:_MOST_BYTES].decode(errors="ignore")
    return f"_{name}" if name.startswith(("-", ".")) else name


def _time(seconds: float) -> str:
    """`01h02m03.400s`: it sorts, and is valid in a file name."""
    thousandths = round(seconds * 1000)
    whole, rest = divmod(thousandths, 1000)
    return f"{whole // 3600:02}h{whole // 60 % 60:02}m{whole % 60:02}.{rest:03}s"
