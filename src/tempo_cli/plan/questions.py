"""Questions as they are given, checked before anything is done for them."""

from ..errors import UsageError


def checked_questions(questions: object) -> tuple[str, ...]:
    """The questions, in order.

    Raises:
        UsageError: there is none, or one is blank.
    """
    texts: tuple[str, ...] = tuple(questions)  # type: ignore[arg-type]
    if not texts or any(not text.strip() for text in texts):
        raise UsageError(
            "there is no question", 'Put it after the video: tempo ask movie.mp4 "what happens?"'
        )
    return texts
