"""The questions of one call."""

from collections.abc import Iterable

from ..errors import UsageError


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
