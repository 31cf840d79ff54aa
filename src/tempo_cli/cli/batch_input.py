"""What `tempo batch` is asked: from its arguments to jobs."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import BinaryIO

from ..batch.jobs import LARGEST, Defaults, make_job, read_jobs, stream_jobs
from ..errors import UsageError
from ..files import reason
from ..plan.schedule import Job, Shard
from .questions import is_video_name

_JOBS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
_EXAMPLE = "tempo batch jobs.jsonl -o results.jsonl"


def parse_shard(text: str | None) -> Shard | None:
    """`1/4` as the first of four parts.

    Raises:
        UsageError: it is something else.
    """
    if text is None:
        return None
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and len(text) < 20):
        raise UsageError(f"--shard is '{text}'", "Give 1/4 for the first of four parts.")
    return Shard(int(number), int(count))


def parse_devices(devices: str | None, workers: int | None, device: str) -> list[str]:
    """The device of each worker.

    Raises:
        UsageError: a name in `devices` is empty.
    """
    named = [device] if devices is None else [name.strip() for name in devices.split(",")]
    if not all(named):
        raise UsageError(f"--devices is '{devices}'", "Give names with commas between: cuda:0,cuda:1.")
    return [named[number % len(named)] for number in range(workers or len(named))]


def jobs_of_videos(
    places: Sequence[str], questions: Sequence[str], pattern: str | None, defaults: Defaults
) -> list[Job]:
    """Every question about every video; folders are searched.

    Raises:
        UsageError: an argument is a file of jobs, or a folder has no video.
    """
    videos = [video for place in places for video in _videos(place, pattern)]
    return [make_job(video, question, defaults) for video in videos for question in questions]


def jobs_of_file(place: str, defaults: Defaults) -> list[Job]:
    """The jobs in a file or, for `-`, on standard input, which is read to its end first.

    Raises:
        UsageError: it can't be read, or is no list of jobs.
    """
    if place == "-":
        return read_jobs(_stdin().read(LARGEST + 1), "standard input", defaults)
    if Path(place).is_dir() or is_video_name(place):
        raise UsageError(
            "there is no question", f'Try: tempo batch {place} -q "what happens?" -o results.jsonl'
        )
    try:
        with Path(place).open("rb") as file:
            raw = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the jobs in '{place}' can't be read: {reason(error)}", f"Try: {_EXAMPLE}"
        ) from None
    return read_jobs(raw, f"'{place}'", defaults)


def jobs_as_they_come(defaults: Defaults) -> Iterator[Job]:
    """The jobs on standard input, each as soon as its line is there."""
    return stream_jobs(iter(_stdin().readline, b""), "standard input", defaults)


def _stdin() -> BinaryIO:
    try:
        return sys.stdin.buffer
    except AttributeError:  # closed
        raise UsageError("standard input can't be read", f"Try: {_EXAMPLE}") from None


def _videos(place: str, pattern: str | None) -> Iterator[str]:
    """A video itself; of a folder, those in it and in its folders, by name."""
    if not Path(place).is_dir():
        if place == "-" or place.lower().endswith(_JOBS):
            raise UsageError(
                f"with -q every argument is a video or a folder, and '{place}' is neither",
                f"Put the questions into the jobs: {_EXAMPLE}",
            )
        yield place
        return
    found = sorted(_search(Path(place), pattern))
    if not found:
        what = f"nothing that matches '{pattern}'" if pattern else "no video"
        raise UsageError(
            f"there is {what} in '{place}'", "Name the files with --glob, such as --glob '*.mp4'."
        )
    yield from map(str, found)


def _search(folder: Path, pattern: str | None) -> Iterator[Path]:
    """Files whose names end like a video's, or match; hidden ones are left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            wanted = PurePath(path.relative_to(folder)).match(pattern) if pattern else is_video_name(name)
            if wanted and not name.startswith("."):
                yield path
