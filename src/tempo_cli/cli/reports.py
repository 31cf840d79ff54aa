"""Reports in HTML with what belongs to them: the pictures of a run's video, and the path to it."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from ..config import SamplingOptions
from ..errors import TempoError
from ..report import Source, page
from ..schema import Run

# a name with a scheme, or of another machine, is a text: nothing here or in a browser opens it
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]+:|[\\/]{2}", re.IGNORECASE)


def report(
    runs: Sequence[Run],
    target: Path,
    top: int | None = 10,
    least: float | None = None,
    *,
    saved: Sequence[Path | None] = (),
    ffmpeg: str | None = None,
) -> str:
    """A page about runs, with pictures where the video is still the one that the run saw.

    Args:
        target: where the page will be: its path to the video is relative to it.
        top, least: which segments stand out.
        saved: the file that each run was read from: a video is looked for next to it too; empty: none was.
    """
    sources: dict[tuple[object, ...], Source] = {}
    found = []
    for run, file in zip(runs, saved or [None] * len(runs), strict=True):
        key = (run.video.path, file, run.video.size, run.video.mtime, tuple(_middles(run)))
        if key not in sources:
            sources[key] = _source(run, target, file, ffmpeg)
        found.append(sources[key])
    return page(runs, found, top, least)


def _source(run: Run, target: Path, saved: Path | None, ffmpeg: str | None) -> Source:
    video = run.video
    if _ELSEWHERE.match(video.path):
        return Source(None, (), f"“{video.path}” is not a file of this machine: no pictures.")
    path = located(video.path, saved)
    url = _url(path, target)
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return Source(url, (), f"“{video.path}” was not there when this page was made: no pictures.")
    if video.size is None or video.mtime is None:
        note = "The run does not identify its file, because an older tempo saved it: no pictures."
        return Source(url, (), note)
    if (facts.st_size, facts.st_mtime) != (video.size, video.mtime):
        return Source(None, (), f"“{video.path}” has changed since: no pictures, and nothing to play.")
    try:
        return Source(url, _pictures(run, path, ffmpeg), None)
    except TempoError as error:
        return Source(url, (), f"No pictures: {error.message}.")


def _pictures(run: Run, path: Path, ffmpeg: str | None) -> tuple[bytes | None, ...]:
    from ..video.ffmpeg import find_ffmpeg
    from ..video.isolated import probe
    from ..video.thumbnails import thumbnails

    most = max(SamplingOptions.max_pixels, run.video.width * run.video.height)
    return tuple(thumbnails(probe(path, most), _middles(run), find_ffmpeg(ffmpeg), most))


def _middles(run: Run) -> list[float]:
    return [(part.start + part.end) / 2 for part in run.segments]


def located(name: str, saved: Path | None) -> Path:
    """The file of a run: from the working folder or, where it is not there, next to the saved run."""
    path = Path(name)
    if saved is None or path.is_absolute():
        return path
    neighbor = saved.parent / path
    try:
        return neighbor if neighbor.exists() and not path.exists() else path
    except (OSError, ValueError):
        return path


def _url(path: Path, target: Path) -> str | None:
    """The relative URL from a page to a file; an absolute one where there is none, as between drives."""
    try:
        relative = os.path.relpath(path, target.parent).replace(os.sep, "/")
        return f"./{quote(os.fsencode(relative), safe='/')}"
    except ValueError:
        pass
    try:
        return path.absolute().as_uri()
    except ValueError:
        return None
