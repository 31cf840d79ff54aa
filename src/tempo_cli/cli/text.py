"""Making text from files, names and models harmless to a terminal."""

from ..texts import clock_time, printable, size

__all__ = ["clock_time", "duration", "printable", "shortened", "size"]

_LONGEST = 1000  # characters of a message


def shortened(text: str) -> str:
    """`text` without its middle where it is very long, as names and values from outside can be."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 4 :]}"


def duration(seconds: float) -> str:
    """`0.4 s`, `48 s`, `3 min 20 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
