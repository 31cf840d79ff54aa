"""Typing errors in questions, as a small checkpoint's configuration may list them: without torch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..types import Exchange

_WORD = re.compile(r"(?<!\w)[^\W\d_]+(?!\w)")


def corrected(text: str, corrections: Mapping[str, str]) -> str:
    """The text with its typing errors corrected, in the case in which they were written.

    Args:
        corrections: errors and the words that are meant, in small letters.
    """

    def read(match: re.Match[str]) -> str:
        written = match[0]
        meant = corrections.get(written.lower())
        if meant is None:
            return written
        if written.isupper():
            return meant.upper()
        return meant.capitalize() if written[0].isupper() else meant

    return _WORD.sub(read, text) if corrections else text


def note_of(text: str, read: str) -> str | None:
    """What the user should know about a text and its corrected form; None if they are the same."""
    pairs = zip(_WORD.findall(text), _WORD.findall(read), strict=True)
    told = dict.fromkeys(f'"{written}" was read as "{meant}"' for written, meant in pairs if written != meant)
    return ", ".join(told) or None


def corrected_history(history: Sequence[Exchange], corrections: Mapping[str, str]) -> tuple[Exchange, ...]:
    """The same of the questions of a conversation; answers stay as they were written."""
    return tuple(
        replace(exchange, question=corrected(exchange.question, corrections)) for exchange in history
    )
