"""Runs as tables, subtitles and chapters. Texts from outside are inert in each of them.

Each function takes runs, and the stretches of each (`plan.stretches`), and gives the whole text.
"""

import html
import itertools
import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ..errors import UsageError
from ..plan.stretches import Stretch
from ..schema import Run
from ..texts import clock_time, one_line
from .edl import edl
from .tables import escaped, separated, table_markdown

Found = Sequence[tuple[Run, Sequence[Stretch]]]

_COLUMNS = (
    "video", "question", "answer", "start", "end", "first_segment", "last_segment", "relevance", "tokens",
)  # fmt: skip
_OF_ONE_VIDEO = frozenset({"srt", "vtt", "ffmetadata", "youtube"})
_CHAPTER, _CHAPTERS = 10.0, 3  # seconds and number of chapters that YouTube asks for, at least


class Cue(NamedTuple):
    """A stretch with the question that it belongs to."""

    stretch: Stretch
    question: str

    @property
    def measures(self) -> str:
        """Relevance and tokens, on one line."""
        tokens = f"{self.stretch.tokens:,} token{'s' * (self.stretch.tokens != 1)}"
        score = self.stretch.relevance
        return tokens if score is None else f"relevance {score:.2f}, {tokens}"


def table(found: Found, separator: str) -> str:
    """CSV or TSV: one line for each stretch; seconds and probabilities as computed."""
    rows = []
    for run, stretches in found:
        texts = [run.video.path, run.question, run.answer.text if run.answer else ""]
        for part in stretches:
            score = "" if part.relevance is None else part.relevance
            rows.append([*texts, part.start, part.end, part.first + 1, part.last + 1, score, part.tokens])
    return separated(_COLUMNS, rows, separator)


def markdown(found: Found) -> str:
    """A heading, the answer as a quotation and a table for each run."""
    return "\n".join(_markdown_run(run, stretches) for run, stretches in found)


def _markdown_run(run: Run, stretches: Sequence[Stretch]) -> str:
    answer = ""
    if run.answer is not None:
        answer = "".join(f"> {escaped(line)}\n" for line in run.answer.text.splitlines() or [""]) + "\n"
    rows = [
        (_span(part), ("" if part.relevance is None else f"{part.relevance:.2f}"), part.tokens)
        for part in stretches
    ]
    table = table_markdown(("time", "relevance", "tokens"), rows) if rows else "No segment stands out.\n"
    used = f"{run.budget.used:,}" + ("" if run.budget.limit is None else f" of {run.budget.limit:,}")
    count = len(run.segments)
    facts = f"{count:,} segment{'' if count == 1 else 's'}, {used} tokens"
    video, model = escaped(run.video.path), escaped(run.model.id)
    return f"## {escaped(run.question)}\n\n{answer}{table}\n{video}, {model}, {facts}\n"


def srt(found: Found) -> str:
    """Subtitles: the question, and below it relevance and tokens, while a stretch is shown."""
    blocks = []
    for number, cue in enumerate(_cues(found, "srt"), 1):
        # tags in angle brackets or braces are styles, and there is no way to escape them
        text = one_line(cue.question).translate(str.maketrans("<>{}", "‹›()"))
        times = f"{_clock(cue.stretch.start, ',')} --> {_clock(cue.stretch.end, ',')}"
        blocks.append(f"{number}\n{times}\n{text}\n{cue.measures}\n")
    return "\n".join(blocks)


def vtt(found: Found) -> str:
    """Subtitles for the browser: as `srt`."""
    blocks = ["WEBVTT\n"]
    for cue in _cues(found, "vtt"):
        text = html.escape(one_line(cue.question), quote=False)
        times = f"{_clock(cue.stretch.start, '.')} --> {_clock(cue.stretch.end, '.')}"
        blocks.append(f"{times}\n{text}\n{cue.measures}\n")
    return "\n".join(blocks)


def ffmetadata(found: Found) -> str:
    """Chapters that ffmpeg puts into a file: `ffmpeg -i VIDEO -i CHAPTERS -map_metadata 1 -c copy OUT`."""
    lines = [";FFMETADATA1"]
    for cue in _cues(found, "ffmetadata"):
        title = re.sub(r"([=;#\\])", r"\\\1", f"{one_line(cue.question)} ({cue.measures})")
        start, end = _milliseconds(cue.stretch.start), _milliseconds(cue.stretch.end)
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={start}", f"END={end}", f"title={title}"]
    return "\n".join(lines) + "\n"


def youtube(found: Found) -> str:
    """Chapters for a description on YouTube: from 0:00 on, at least three, of at least 10 s each.

    Raises:
        UsageError: the video is too short for three.
    """
    cues = _cues(found, "youtube")
    video = found[0][0].video
    check_chapters(video.path, video.duration)
    starts = _chapters(cues, int(video.duration))
    return "".join(f"{clock_time(start)} {title}\n" for start, title in sorted(starts.items()))


def check_chapters(path: str, seconds: float) -> None:
    """Raise UsageError if a video is too short for the chapters that YouTube asks for."""
    if seconds < _CHAPTER * _CHAPTERS:
        raise UsageError(
            f"'{path}' is shorter than {_CHAPTER * _CHAPTERS:.0f} s, and YouTube shows "
            f"chapters only where there are {_CHAPTERS} of {_CHAPTER:.0f} s",
            "Give another `format`, such as ffmetadata.",
        )


def check_one_video(name: str, paths: Collection[str]) -> None:
    """Raise UsageError if a format is for one video, and these are several."""
    if name in _OF_ONE_VIDEO and len(set(paths)) > 1:
        raise UsageError(
            f"`format='{name}'` is for one video, and these runs are about several",
            "Write one file for each video.",
        )


def _chapters(cues: Sequence[Cue], seconds: int) -> dict[int, str]:
    """Where each begins, whole seconds, at least `_CHAPTER` apart, and its title."""
    least = int(_CHAPTER)
    starts: dict[int, str] = {}
    last = -least

    def add(start: int, title: str) -> int:
        """Not before the one that is there has its length, nor where too little would be left."""
        place = max(start, last + least)
        if place > seconds - least:
            return last
        starts[place] = title
        return place

    for cue in cues:
        start, end = int(cue.stretch.start), int(cue.stretch.end)
        if start - max(last, 0) >= least and not starts:
            last = add(0, "…")
        elif not starts:
            start = 0  # what is before it is too short for a chapter of its own
        last = add(start, f"{_title(cue.question)} ({cue.measures})")
        after = max(end, last + least)
        following = min(
            (int(other.stretch.start) for other in cues if other.stretch.start >= end), default=seconds
        )
        if following - after >= least:
            last = add(after, "…")
    starts.setdefault(0, "…")
    while len(starts) < _CHAPTERS:  # the longest one in two
        edges = sorted([*starts, seconds])
        length, start = max((after - before, before) for before, after in itertools.pairwise(edges))
        starts[start + length // 2] = "…"
    return starts


def _title(text: str) -> str:
    return one_line(text).translate(str.maketrans("<>", "‹›"))  # which YouTube refuses


def _cues(found: Found, name: str) -> list[Cue]:
    """The stretches of all runs, in time order.

    Raises:
        UsageError: the runs are about several videos.
    """
    check_one_video(name, {run.video.path for run, _ in found})
    cues = [Cue(part, run.question) for run, stretches in found for part in stretches]
    return sorted(cues, key=lambda cue: (cue.stretch.start, cue.stretch.end))


def _span(part: Stretch) -> str:
    tenths = part.end - part.start < 10
    return f"{clock_time(part.start, tenths)} - {clock_time(part.end, tenths)}"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _clock(seconds: float, point: str) -> str:
    whole, thousandths = divmod(_milliseconds(max(0.0, seconds)), 1000)
    minutes, second = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}{point}{thousandths:03}"


FORMATS: dict[str, Callable[[Found], str]] = {
    "csv": lambda found: table(found, ","),
    "tsv": lambda found: table(found, "\t"),
    "md": markdown,
    "srt": srt,
    "vtt": vtt,
    "ffmetadata": ffmetadata,
    "youtube": youtube,
    "edl": edl,
}
