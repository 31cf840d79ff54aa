"""What a checkpoint says about itself in its configuration, under `tempo`: on plain JSON, without torch."""

from typing import Any

from ..config import ModelCard

Json = dict[str, Any]

KEYS = frozenset({"scope", "weak_relevance", "typing_errors"})
_LONGEST = 500  # characters of a sentence
_MAX_WORDS, _LONGEST_WORD = 20_000, 40


def model_card(config: Json) -> ModelCard:
    """The scope, the threshold and the typing errors that a checkpoint may give.

    Raises:
        ValueError: one of them makes no sense; the message is its name.
    """
    own = config.get("tempo", {})
    if not isinstance(own, dict):
        raise ValueError("tempo")
    scope, weak = own.get("scope"), own.get("weak_relevance")
    if scope is not None and not (isinstance(scope, str) and _is_sentence(scope)):
        raise ValueError("tempo.scope")
    if weak is not None and not (type(weak) in (int, float) and 0 < weak < 1):
        raise ValueError("tempo.weak_relevance")
    return ModelCard(scope and scope.strip(), weak, _corrections(own.get("typing_errors")))


def _corrections(table: Any) -> dict[str, str]:
    """Errors and the words that replace them, from words with their errors, which spaces separate."""
    rows = {} if table is None else table
    if not isinstance(rows, dict) or not all(isinstance(errors, str) for errors in rows.values()):
        raise ValueError("tempo.typing_errors")
    pairs = [(error, word) for word, errors in rows.items() for error in errors.split()]
    words = (*(error for error, _ in pairs), *rows)
    if len(words) > _MAX_WORDS or len({*words}) < len(words) or not all(map(_is_word, words)):
        raise ValueError("tempo.typing_errors")
    return dict(pairs)


def _is_word(text: str) -> bool:
    return len(text) <= _LONGEST_WORD and text.isascii() and text.isalpha() and text.islower()


def _is_sentence(text: str) -> bool:
    return 0 < len(text.strip()) <= _LONGEST and len(text.strip().splitlines()) == 1
