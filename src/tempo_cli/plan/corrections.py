"""Typing errors in questions, which a small checkpoint's configuration may list: without torch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..types import Exchange

# A word, unless it is quoted, accented, or a part of a file name, an address or a tag.
_WORD = re.compile(r"(?<![\w./@#\"\u201c])[^\W\d_]+(?![\w/@\u0300-\u036f]|\.\w)")


def corrected(text: str, corrections: Mapping[str, str]) -> str:
    """The text with its typing errors corrected, and with capitals inside a sentence in lowercase.

    Small checkpoints can't read capitals: their tokenizers know few words that are written like that.

    Args:
        corrections: errors and the words that replace them, in lowercase; without any, nothing changes.
    """
    if not corrections:
        return text
    text = text.lower() if text.isupper() else text
    return _WORD.sub(lambda match: _read(match, corrections), text)


def correction_note(text: str, corrections: Mapping[str, str]) -> str | None:
    """What to tell the user about the corrections of a text; None if there are none."""
    found = {match[0]: _read(match, corrections) for match in _WORD.finditer(text)}
    pairs = [f'"{word}" as "{meant}"' for word, meant in found.items() if word.lower() != meant.lower()]
    if not pairs:
        return None
    return f"typing error{'s' if len(pairs) > 1 else ''}: read {', '.join(pairs)}"


def _read(match: re.Match[str], corrections: Mapping[str, str]) -> str:
    word = match[0]
    meant = corrections.get(word.lower(), word)
    if word == "I" or not word[0].isupper():
        return meant
    inside = _is_inside(match.string, match.start())
    if (len(word) > 1 and word.isupper()) or (inside and (len(word) > 1 or word == "A")):
        return meant.lower()
    return meant[0].upper() + meant[1:]


def _is_inside(text: str, start: int) -> bool:
    """Whether only spaces separate the word that starts here from another one."""
    end = start
    while end and text[end - 1] == " ":
        end -= 1
    return 0 < end < start and text[end - 1].isalnum()


def corrected_history(history: Sequence[Exchange], corrections: Mapping[str, str]) -> tuple[Exchange, ...]:
    """A conversation with its questions corrected; answers stay as they were written."""
    return tuple(
        replace(exchange, question=corrected(exchange.question, corrections)) for exchange in history
    )
