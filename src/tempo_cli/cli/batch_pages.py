"""The pages of a batch (`--html FOLDER`): one for each video, and an index that leads to them."""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from ..batch.results import ResultsFile
from ..checked import parse_object
from ..errors import SetupError, UsageError
from ..files import reason
from ..report import GENERATOR, Entry, index
from ..schema import Run, run_from_json
from ..written import write_whole
from .console import Screen

INDEX = "index.html"
_LONGEST_NAME = 60  # characters of a video's name in its page's
_HEAD = 4096  # bytes of a page in which its generator is named


@dataclass
class _Page:
    """A video's page: its name, and where the lines of its runs begin in the file of results."""

    name: str
    places: list[int] = field(default_factory=list)


def prepare_folder(folder: Path, results: ResultsFile) -> bool:
    """Create the folder if it is missing.

    Returns:
        Whether its pages show all results so far: nothing was added since the index was written.

    Raises:
        UsageError: it has an index that is not a page of tempo.
        SetupError: it can't be created, or it is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = folder / INDEX
        if present.exists() and not _is_ours(present):
            raise UsageError(f"'{present}' is not a page of tempo", "Name another folder with --html.")
        return present.exists() and results.path.stat().st_mtime_ns <= present.stat().st_mtime_ns
    except (OSError, ValueError) as error:
        raise SetupError(
            f"the folder '{folder}' can't be used: {reason(error)}", "Name another folder with --html."
        ) from None


def write_pages(
    folder: Path,
    results: ResultsFile,
    fresh: Collection[str],
    screen: Screen,
    ffmpeg: str | None = None,
    *,
    current: bool,
) -> None:
    """Write the pages of all results, those of earlier runs too.

    Args:
        fresh: videos of which a result is new.
        current: the pages of other videos show all of their results, and are left as they are.

    Raises:
        SetupError: a page can't be written; no page is then half written.
    """
    entries, pages = _entries(results)
    written = 0
    for video, page in pages.items():
        target = folder / page.name
        if current and video not in fresh and target.exists():
            continue
        runs = [_run_at(results, place) for place in page.places]
        _write(target, _page(runs, target, results.path, ffmpeg))
        written += 1
    _write(folder / INDEX, index(entries))
    count = f"{written} of {len(pages)}" if written < len(pages) else f"{written}"
    screen.print(f"wrote {folder / INDEX} and {count} page{'s' * (len(pages) != 1)}")


def _entries(results: ResultsFile) -> tuple[list[Entry], dict[str, _Page]]:
    entries: list[Entry] = []
    pages: dict[str, _Page] = {}
    for place, line in results.lines():
        value = parse_object(line)
        video, question = str(value["video"]["path"] or ""), str(value["question"] or "")
        if value["status"] == "error":
            entries.append(Entry(video, question, None, error=str(value["error"]["message"])))
            continue
        try:
            run = _run(line)
        except UsageError as error:  # a line that was changed by hand
            entries.append(Entry(video, question, None, error=error.message))
            continue
        page = pages.setdefault(video, _Page(_page_name(video)))
        page.places.append(place)
        highest = max((part.relevance or 0.0 for part in run.segments), default=None)
        entries.append(Entry(video, question, page.name, run.answer.text if run.answer else None, highest))
    return entries, pages


def _run_at(results: ResultsFile, place: int) -> Run:
    _, line = next(results.lines(place))
    return _run(line)


def _run(line: bytes) -> Run:
    """The run of a line; what other programs write, such as `jq -c`, is not always ASCII."""
    return run_from_json(line.decode("utf-8-sig"))


def _page(runs: list[Run], target: Path, results: Path, ffmpeg: str | None) -> str:
    from .reports import report  # ffmpeg and pictures

    return report(runs, target, saved=[results] * len(runs), ffmpeg=ffmpeg)


def _page_name(video: str) -> str:
    """The same for the same path, another for every other."""
    stem = re.sub(r"[^\w.-]+", "-", Path(video).stem, flags=re.ASCII).strip("-.")[:_LONGEST_NAME]
    digest = hashlib.sha256(video.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{stem or 'video'}-{digest}.html"


def _is_ours(page: Path) -> bool:
    with page.open("rb") as file:
        return GENERATOR.encode() in file.read(_HEAD)


def _write(target: Path, text: str) -> None:
    write_whole(target, text.encode("utf-8", "backslashreplace"), force=True)
