"""Where jobs come in: lines of JSON, a list in JSON or a table in CSV become checked jobs.

A line that is no job becomes a faulty one, which is reported in its place. Only what can't be read as lines
at all is an error.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..checked import parse_json
from ..config import BudgetOptions, GenerationOptions, SamplingOptions
from ..errors import UsageError
from ..plan.moments import parse_time
from ..plan.questions import checked_questions
from ..plan.schedule import Job, job_id, text_id
from ..plan.similar import similar

LARGEST = 256 * 2**20  # bytes of a file of jobs
LONGEST_LINE = 2**20  # bytes
_LONGEST_ID = 1000  # characters
_SHOWN = 40  # characters of a wrong value in a message
_ALIASES = {"video_path": "video", "query": "question"}
_OF_THE_COMMAND = {"model", "revision", "device", "devices", "decoder_device", "dtype", "quantize", "ffmpeg"}
_OF_THE_COMMAND |= {"output", "html"}
# lone surrogates but those of a file's name: other programs can't read lines that have them
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_FORMS = 'Write one object a line: {"video": "a.mp4", "question": "what happens?"}'


@dataclass(frozen=True)
class Defaults:
    """What a job has that says nothing else: the command's own options."""

    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    budget: BudgetOptions = field(default_factory=BudgetOptions)
    generation: GenerationOptions = field(default_factory=GenerationOptions)


def make_job(
    video: str, question: str, defaults: Defaults, id: str | None = None, **changes: dict[str, Any]
) -> Job:
    """A job that was not read from anywhere.

    Args:
        changes: fields of `sampling`, `budget` and `generation` that differ from `defaults`.

    Raises:
        UsageError: an option or the question makes no sense.
    """
    sampling = replace(defaults.sampling, **changes.get("sampling", {}))
    budget = replace(defaults.budget, **changes.get("budget", {}))
    generation = replace(defaults.generation, **changes.get("generation", {}))
    checked_questions([question])
    known = id or job_id(video, question, sampling.start, sampling.end)
    return Job(known, video, question, sampling, budget, generation)


def read_jobs(raw: bytes, source: str, defaults: Defaults) -> list[Job]:
    """The jobs of a whole file, in its order.

    Args:
        raw: JSON lines, a JSON list, or CSV with a header; the first character tells which.
        source: name for messages.

    Raises:
        UsageError: it is none of these, or too large.
    """
    if len(raw) > LARGEST:
        raise UsageError(f"{source} has more than {LARGEST:,} bytes", "Split it.")
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"[":
        return list(_of_list(raw, source, defaults))
    return list(stream_jobs(io.BytesIO(raw), source, defaults))


def stream_jobs(lines: Iterable[bytes], source: str, defaults: Defaults) -> Iterator[Job]:
    """The same for lines as they come: JSON lines or CSV."""
    numbered = ((number, _text(line, number, source)) for number, line in enumerate(lines, 1))
    full = ((number, text) for number, text in numbered if text.strip())
    first = next(full, None)
    if first is None:
        return
    if first[1].lstrip()[:1] == "[":
        raise UsageError(f"{source} is a list, which is read as a whole", "Write one object a line.")
    if first[1].lstrip()[:1] == "{":
        for number, text in _chain(first, full):
            yield _of_text(text, f"line {number}", defaults)
    else:
        yield from _of_table(first[1], numbered, source, defaults)


def _chain(first: tuple[int, str], rest: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from rest


def _text(line: bytes, number: int, source: str) -> str:
    if len(line) > LONGEST_LINE:
        raise UsageError(f"{source}, line {number} has more than {LONGEST_LINE:,} bytes", _FORMS)
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{source}, line {number} is not text in UTF-8", "Save it as UTF-8.") from None


def _of_list(raw: bytes, source: str, defaults: Defaults) -> Iterator[Job]:
    try:
        values = parse_json(raw.decode("utf-8-sig"))
    except ValueError as error:  # UnicodeDecodeError is one
        raise UsageError(f"{source} is not a list in JSON: {error}", _FORMS) from None
    if not isinstance(values, list):
        raise UsageError(f"{source} is not a list in JSON", _FORMS)
    for number, value in enumerate(values, 1):
        yield _of_value(value, json.dumps(value), f"job {number}", defaults)


def _of_text(text: str, place: str, defaults: Defaults) -> Job:
    try:
        value = parse_json(text)
    except ValueError as error:
        told = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        return _faulty({}, text, UsageError(f"{place} is not JSON: {told}", _FORMS), defaults)
    return _of_value(value, text, place, defaults)


def _of_table(header: str, rows: Iterable[tuple[int, str]], source: str, defaults: Defaults) -> Iterator[Job]:
    """CSV: the first line names the columns; an empty cell says nothing."""
    delimiter = next((mark for mark in ("\t", ";") if mark in header and "," not in header), ",")
    names = [_name(cell) for cell in next(csv.reader([header], delimiter=delimiter))]
    if not {"video", "question"} <= set(names):
        raise UsageError(f"{source} is neither JSON nor a table with the columns video and question", _FORMS)
    for name in names:
        if problem := _unknown(name):
            raise UsageError(f"{source}: {problem[0]}", problem[1])
        if names.count(name) > 1:
            raise UsageError(f"{source} has several columns for {name}", "Leave all but one out.")
    at = 1

    def lines() -> Iterator[str]:
        nonlocal at
        for number, text in rows:
            at = number
            yield text

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)  # else a lost quote swallows jobs
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            text = f"line {at}"
            yield _faulty({}, f"{text} {error}", UsageError(f"{text} is not CSV: {error}", _FORMS), defaults)
            continue
        if not cells:
            continue
        value = {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}
        if len(cells) > len(names):
            fault = UsageError(f"line {at} has {len(cells)} cells, the header {len(names)}", _FORMS)
            yield _faulty(value, repr(cells), fault, defaults)
        else:
            yield _of_value(value, repr(cells), f"line {at}", defaults)


class _Option(NamedTuple):
    """Where a field of a job belongs, and how its value is made."""

    part: str
    name: str
    convert: Callable[[Any], Any]


def _number(value: Any) -> float:
    if isinstance(value, str):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("it is not a number")
    return value if isinstance(value, float) or abs(value) < 2**63 else float("inf")


def _whole(value: Any) -> int:
    if isinstance(value, str):
        value = int(value[:25])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("it is not a whole number")
    return value


def _time(value: Any) -> float:
    return parse_time(value) if isinstance(value, str) else _number(value)


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("it is not text")
    return value.strip()


def _mode(value: Any) -> str:
    name = _word(value)
    if name not in ("auto", "index", "time"):
        raise ValueError("it is not auto, index or time")
    return name


def _allocates(value: Any) -> bool:
    """`no_ata` as `ata`."""
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    value = words.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(value, bool):
        raise ValueError("it is not true or false")
    return not value


_OPTIONS = {
    "fps": _Option("sampling", "fps", _number),
    "max_frames": _Option("sampling", "max_frames", _whole),
    "window": _Option("sampling", "window", _whole),
    "start": _Option("sampling", "start", _time),
    "end": _Option("sampling", "end", _time),
    "picture": _Option("sampling", "picture", _word),
    "sampling": _Option("sampling", "mode", _mode),
    "budget": _Option("budget", "budget", _whole),
    "context": _Option("budget", "context", _whole),
    "no_ata": _Option("budget", "ata", _allocates),
    "max_new_tokens": _Option("generation", "max_new_tokens", _whole),
    "temperature": _Option("generation", "temperature", _number),
    "seed": _Option("generation", "seed", _whole),
}
_NAMES = ("video", "question", "id", *_OPTIONS)


def _name(text: Any) -> str:
    name = str(text).strip().replace("-", "_")
    return _ALIASES.get(name, name)


def _unknown(name: str) -> tuple[str, str] | None:
    """What is wrong with a field that no job has."""
    if name in _NAMES:
        return None
    if name in _OF_THE_COMMAND:
        return f"a job can't set '{name}'", f"Give it to the command: --{name.replace('_', '-')}"
    meant = similar(name, _NAMES)
    told = f"Did you mean {meant}? " if meant else ""
    return f"a job has no field {_shown(name)}", f"{told}Known: {', '.join(_NAMES)}."


def _of_value(value: Any, text: str, place: str, defaults: Defaults) -> Job:
    """The job of one JSON value or row; whatever is wrong with it makes it a faulty one."""
    if not isinstance(value, dict):
        return _faulty({}, text, UsageError(f"{place} is not an object", _FORMS), defaults)
    given = [(_name(name), item) for name, item in value.items() if item is not None]
    named = dict(given)
    try:
        if len(named) < len(given):
            raise UsageError("a field is given under two names", "Leave one of them out.")
        return _checked(named, defaults)
    except UsageError as error:
        return _faulty(named, text, UsageError(f"{place}: {error.message}", error.hint), defaults)


def _checked(named: dict[str, Any], defaults: Defaults) -> Job:
    for name in named:
        if problem := _unknown(name):
            raise UsageError(*problem)
    for name in ("video", "question"):
        if not isinstance(named.get(name), str) or not named[name].strip():
            wrong = named.get(name)
            told = f"{name} is {_shown(wrong)}: it is not text" if wrong else f"there is no {name}"
            raise UsageError(told, _FORMS)
        if _HALF.search(named[name]):
            raise UsageError(f"{name} is {_shown(named[name])}: it has half a character", "Correct it.")
    changes: dict[str, dict[str, Any]] = {}
    for name in _OPTIONS.keys() & named.keys():
        option = _OPTIONS[name]
        try:
            converted = option.convert(named[name])
        except (ValueError, OverflowError) as error:
            told = f"it is not {_KINDS[option.convert]}" if option.convert in _KINDS else str(error)
            raise UsageError(f"{name} is {_shown(named[name])}: {told}", "Correct it.") from None
        changes.setdefault(option.part, {})[option.name] = converted
    return make_job(named["video"], named["question"], defaults, _own_id(named), **changes)


_KINDS: dict[Callable[[Any], Any], str] = {_number: "a number", _whole: "a whole number"}


def _own_id(named: dict[str, Any]) -> str | None:
    found = named.get("id")
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, str | int) or not str(found).strip():
        raise UsageError("id is neither text nor a whole number", "Correct it, or leave it out.")
    if _HALF.search(str(found)):
        raise UsageError(f"id is {_shown(found)}: it has half a character", "Correct it, or leave it out.")
    if len(str(found)) > _LONGEST_ID:
        raise UsageError(f"id has more than {_LONGEST_ID:,} characters", "Shorten it, or leave it out.")
    return str(found)


def _faulty(named: dict[str, Any], text: str, fault: UsageError, defaults: Defaults) -> Job:
    """What is known of a job that can't be asked."""
    video, question = (named.get(name) for name in ("video", "question"))
    try:
        known = _own_id(named)
    except UsageError:
        known = None
    return Job(
        known or text_id(text.strip()),
        _HALF.sub("\ufffd", video) if isinstance(video, str) else None,
        _HALF.sub("\ufffd", question) if isinstance(question, str) else None,
        defaults.sampling,
        defaults.budget,
        defaults.generation,
        fault,
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
