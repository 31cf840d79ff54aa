"""Making text from files, names and models harmless to a terminal."""

import math

from ..texts import clock_time, printable

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


def size(count: int) -> str:
    """`812 bytes`, `84.0 KB`, `12.1 GB`: in thousands, as the Hub shows it."""
    if count < 1000:
        return f"{count} bytes"
    power = min(4, int(math.log10(count)) // 3)
    return f"{count / 1000**power:.1f} {('KB', 'MB', 'GB', 'TB')[power - 1]}"
