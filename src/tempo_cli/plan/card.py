"""What a checkpoint says about itself in its configuration, under `tempo`: on plain JSON, without torch."""

from typing import Any

from ..config import ModelCard

Json = dict[str, Any]

KEYS = frozenset({"scope", "weak_relevance"})
_LONGEST = 500  # characters of a sentence


def model_card(config: Json) -> ModelCard:
    """The scope and the threshold that a checkpoint may give.

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
    return ModelCard(scope and scope.strip(), weak)


def _is_sentence(text: str) -> bool:
    return 0 < len(text.strip()) <= _LONGEST and len(text.strip().splitlines()) == 1
