"""The questions of one call."""

from collections.abc import Iterable

from ..errors import UsageError
from ..types import Exchange


def checked_questions(questions: object) -> tuple[str, ...]:
    """`questions` in their order: texts, none of them blank, at least one.

    Raises:
        TypeError: it is no list of texts.
        UsageError: nothing is asked.
    """
    kind = type(questions).__name__
    if isinstance(questions, str | bytes):
        raise TypeError(f"questions must be a list of str, not {kind}: use ask for one question")
    if not isinstance(questions, Iterable):
        raise TypeError(f"questions must be a list of str, not {kind}")
    checked = tuple(questions)
    for question in checked:
        if not isinstance(question, str):
            more = ": use ask_many for several" if isinstance(question, list | tuple) else ""
            raise TypeError(f"a question must be a str, not {type(question).__name__}{more}")
    if not all(question.strip() for question in checked) or not checked:
        raise UsageError("there is no question", "Ask something, for example: what happens?")
    return checked


def checked_history(history: object) -> tuple[Exchange, ...]:
    """The earlier exchanges of a conversation, in their order.

    Raises:
        TypeError: it is no list of `Exchange`.
        UsageError: one of their questions is blank.
    """
    if not isinstance(history, Iterable) or isinstance(history, str | bytes | Exchange):
        raise TypeError(f"history must be a list of Exchange, not {type(history).__name__}")
    checked = tuple(history)
    for exchange in checked:
        if not isinstance(exchange, Exchange):
            raise TypeError(f"history must be a list of Exchange, not of {type(exchange).__name__}")
    if not all(exchange.question.strip() for exchange in checked):
        raise UsageError("a question in the history is blank", "Leave it out.")
    return checked
