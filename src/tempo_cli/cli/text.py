"""Making text from files, names and models harmless to a terminal."""

import math
import unicodedata

_BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}
_LONGEST = 1000  # characters of a message
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


def shortened(text: str) -> str:
    """`text` without its middle where it is very long, as names and values from outside can be."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 4 :]}"


def clock_time(seconds: float, tenths: bool = False) -> str:
    """`1:02:03`, `2:03` or, with tenths, `2:03.4`."""
    ticks = round(seconds * 10) if tenths else int(seconds) * 10
    whole, tenth = divmod(ticks, 10)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{text}.{tenth}" if tenths else text


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
