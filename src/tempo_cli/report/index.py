"""A page that lists other pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from .document import document, escape


@dataclass(frozen=True)
class Entry:
    """A question about a video, and its page.

    Attributes:
        file: name of the page, relative to the index, with `/` between folders; None: there is no page.
        answer: None after `inspect`, or where it failed.
        highest: the most relevant segment's relevance.
        error: why there is no answer.
    """

    video: str
    question: str
    file: str | None
    answer: str | None = None
    highest: float | None = None
    error: str | None = None


def index(entries: Sequence[Entry], title: str = "Questions about videos") -> str:
    """A table of entries that leads to their pages."""
    rows = "".join(_row(entry) for entry in entries)
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("video", "question", "answer", "relevance"))
    body = f'<table class="index"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return document(title, f"<main><header><h1>{escape(title)}</h1></header>{body}</main>")


def _row(entry: Entry) -> str:
    question = escape(entry.question)
    if entry.file is not None:
        # behind ./ no name is taken for a scheme or a host
        link = quote(entry.file.encode("utf-8", "surrogateescape"), safe="/")
        question = f'<a href="./{link}">{question}</a>'
    told = escape(entry.answer or "")
    if entry.error is not None:
        told = f'<span class="weak">{escape(entry.error)}</span>'
    score = "" if entry.highest is None else f"{entry.highest:.2f}"
    return (
        f'<tr><td dir="auto">{escape(entry.video)}</td><td dir="auto">{question}</td>'
        f'<td dir="auto">{told}</td><td>{score}</td></tr>'
    )
