"""Typing errors in questions, which a small checkpoint's configuration may list: without torch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..types import Exchange

# A word, unless it is quoted, accented, or a part of a file name, an address or a tag.
_WORD = re.compile(r"(?<![\w./@#\"\u201c])[^\W\d_]+(?![\w/@\u0300-\u036f]|\.\w)")


def corrected(text: str, corrections: Mapping[str, str]) -> str:
    """The text with its typing errors corrected, and with what is in capitals in lowercase.

    Small checkpoints can't read capitals: their tokenizers know few words that are written like that.

    Args:
        corrections: errors and the words that replace them, in lowercase; without any, nothing changes.
    """
    if not corrections:
        return text
    text = text.lower() if text.isupper() else text
    return _WORD.sub(lambda match: _replacement(match[0], corrections), text)


def _replacement(word: str, corrections: Mapping[str, str]) -> str:
    meant = corrections.get(word.lower())
    if len(word) > 1 and word.isupper():
        return meant or word.lower()
    if meant is None:
        return word
    return meant.capitalize() if word[0].isupper() else meant


def correction_note(text: str, corrections: Mapping[str, str]) -> str | None:
    """What to tell the user about the corrections of a text; None if there are none."""
    found = {word: _replacement(word, corrections) for word in _WORD.findall(text)}
    pairs = [f'"{word}" as "{meant}"' for word, meant in found.items() if word.lower() != meant.lower()]
    if not pairs:
        return None
    return f"typing error{'s' if len(pairs) > 1 else ''}: read {', '.join(pairs)}"


def corrected_history(history: Sequence[Exchange], corrections: Mapping[str, str]) -> tuple[Exchange, ...]:
    """A conversation with its questions corrected; answers stay as they were written."""
    return tuple(
        replace(exchange, question=corrected(exchange.question, corrections)) for exchange in history
    )
