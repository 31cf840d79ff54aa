"""Text from files, names and models, made harmless; and times as people write them. Pure."""

import unicodedata
from collections.abc import Iterator

_BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}
_BREAKS = {0x2028, 0x2029}


def printable(text: str, keep: str = "") -> str:
    """`text` with control, bidi and surrogate characters escaped, but for those in `keep`."""
    return "".join(char if char in keep else _shown(char) for char in text)


def _shown(char: str) -> str:
    code = ord(char)
    hostile = unicodedata.category(char) in ("Cc", "Cs") or code in _BIDI or code in _BREAKS
    if not hostile:
        return char
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def clock_time(seconds: float, tenths: bool = False) -> str:
    """`1:02:03`, `2:03` or, with tenths, `2:03.4`."""
    ticks = round(seconds * 10) if tenths else int(seconds) * 10
    whole, tenth = divmod(ticks, 10)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{text}.{tenth}" if tenths else text


def one_line(text: str) -> str:
    """`text` on one line, harmless as `printable` makes it."""
    return printable(" ".join(text.split()))


def round_steps() -> Iterator[float]:
    """Round seconds, ascending: 0.1, 0.2, 0.5, …, 30, a minute, …, an hour, 2, 5, 10 hours and so on."""
    yield from (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
    yield from (60.0 * minutes for minutes in (1, 2, 5, 10, 15, 30))
    yield from (3600.0 * hours * power for power in (1, 10, 100, 1000) for hours in (1, 2, 5))
