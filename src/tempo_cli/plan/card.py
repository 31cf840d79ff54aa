"""What a checkpoint says about itself in its configuration, under `tempo`: on plain JSON, without torch."""

from typing import Any

from ..config import ModelCard

Json = dict[str, Any]

KEYS = frozenset({"scope", "weak_relevance", "typing_errors"})
_LONGEST = 500  # characters of a sentence
_MOST_ERRORS, _LONGEST_WORD = 20_000, 40


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
    return ModelCard(scope and scope.strip(), weak, _corrections(own.get("typing_errors", {})))


def _corrections(table: Any) -> dict[str, str]:
    """Errors and the words that are meant, from words and their errors with spaces between them."""
    if not isinstance(table, dict) or not all(isinstance(errors, str) for errors in table.values()):
        raise ValueError("tempo.typing_errors")
    found = {error: word for word, errors in table.items() for error in errors.split()}
    if len(found) > _MOST_ERRORS or not all(map(_is_word, (*found, *table))):
        raise ValueError("tempo.typing_errors")
    return found


def _is_word(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_WORD and text.isalpha() and text == text.lower()


def _is_sentence(text: str) -> bool:
    return 0 < len(text.strip()) <= _LONGEST and len(text.strip().splitlines()) == 1
