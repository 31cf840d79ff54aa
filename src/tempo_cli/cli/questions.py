"""From the words of the command line to a video and its questions."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..files import exists, read_bytes, reason
from ..plan.questions import checked_questions
from .saved import refuse_saved_run

LONGEST = 2**18  # bytes of a question from a file or from standard input

# an argument that ends in one of these and exists is a video, not a word of a question
_SUFFIXES = {
    ".264", ".265", ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264", ".h265",
    ".hevc", ".ivf", ".m2t", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf",
    ".nut", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m",
}  # fmt: skip


def check_order(video: Path, words: Sequence[str], asked: Sequence[str]) -> None:
    """Refuse arguments that look like a mix-up of videos and questions.

    Args:
        video: the first argument.
        words: the other arguments.
        asked: what `-q` gave; with it every argument is a video.

    Raises:
        UsageError: several videos, or a video among the words of a question.
    """
    if asked:
        return
    found = next((word for word in words if _names_video(word)), None)
    if found is None:
        return
    if not exists(video) and not is_video_name(str(video)):
        raise UsageError("the video comes first, then the question", f'Try: tempo ask {found} "{video}"')
    raise UsageError(
        f"'{found}' is a video, not a word of the question",
        f'Ask about several videos with -q: tempo ask {video} {found} -q "what happens?"',
    )


def read_questions(words: Sequence[str], asked: Sequence[str] = ()) -> list[str]:
    """The questions: the words after the video as one, then one for each `-q`.

    `-` stands for standard input. With `-q`, `@FILE` stands for a file's text, and `@@x` for the text `@x`.

    Raises:
        UsageError: a file or standard input can't be read, is too long, or is named twice.
    """
    given = ([" ".join(words)] if words else []) + list(asked)
    if given.count("-") > 1:
        raise UsageError("standard input (-) can be only one question", "Put the others into files: -q @FILE")
    own = given[: len(given) - len(asked)]
    texts = [_from_stdin() if text == "-" else text for text in own]
    return texts + [_resolved(text) for text in asked]


def check_questions(questions: Sequence[str], video: Path) -> None:
    """Raise UsageError if there is no question, or one without a letter or digit."""
    if not questions or not all(text.strip() for text in questions):
        refuse_saved_run(video)
        hint = f'Put it after the video: tempo ask {video} "what happens?"'
        raise UsageError("there is no question", hint)
    checked_questions(questions)


def _resolved(text: str) -> str:
    if text == "-":
        return _from_stdin()
    if text.startswith("@@"):
        return text[1:]
    if text.startswith("@"):
        return _from_file(text[1:])
    return text


def _from_stdin() -> str:
    what = "the question on standard input"
    try:
        raw = sys.stdin.buffer.read(LONGEST + 1)
    except (AttributeError, OSError, ValueError):  # closed
        raise UsageError(
            f"{what} can't be read", "Pipe it in: echo 'what happens?' | tempo ask movie.mp4 -"
        ) from None
    return _text(raw, what)


def _from_file(name: str) -> str:
    if not name:
        raise UsageError("there is no file name after @", "Write -q @FILE, or -q @@ for the question @.")
    try:
        raw = read_bytes(Path(name), LONGEST + 1)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the question's file '{name}' can't be read: {reason(error)}",
            "Write @@ for a question that begins with @.",
        ) from None
    return _text(raw, f"the question in '{name}'")


def _text(raw: bytes, what: str) -> str:
    if len(raw) > LONGEST:
        raise UsageError(f"{what} has more than {LONGEST:,} bytes", "Ask a shorter question.")
    try:
        return raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UsageError(f"{what} is not text in UTF-8", "Save it as UTF-8.") from None


def _names_video(word: str) -> bool:
    return is_video_name(word) and exists(Path(word))


def is_video_name(word: str) -> bool:
    """Whether it ends like a video's name."""
    return Path(word).suffix.lower() in _SUFFIXES
