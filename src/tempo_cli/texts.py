"""Text from files, names and models, made harmless; times and sizes as people write them. Pure."""

import math
import unicodedata
from collections.abc import Iterator

_HOSTILE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format, surrogate, line and paragraph separators
# letters that are blank
_FILLERS = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810)}
_JOINERS = "\u200c\u200d"  # within words of some scripts and within emoji
_TAGS = range(0xE0000, 0xE1000)


def printable(text: str, keep: str = "") -> str:
    """`text` with control and invisible characters escaped, but for those in `keep`.

    A joiner or variation selector stays after a character that it can change.
    """
    before = ["", *text]  # an answer comes in pieces: the first one may belong to the piece before
    return "".join(
        char if char in keep or _belongs(char, last) else _shown(char)
        for char, last in zip(text, before, strict=False)
    )


def _belongs(char: str, last: str) -> bool:
    """Whether `char` is invisible but a part of the visible character `last`."""
    if char in _JOINERS:
        return (not last.isascii() and (_is_selector(last) or not _is_hostile(last))) or not last
    return _is_selector(char) and not (_is_selector(last) or _is_hostile(last))


def _is_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _is_hostile(char: str) -> bool:
    if not char:
        return False
    code = ord(char)
    return unicodedata.category(char) in _HOSTILE or code in _FILLERS or code in _TAGS or _is_selector(char)


def _shown(char: str) -> str:
    if not _is_hostile(char):
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clock_time(seconds: float, tenths: bool = False) -> str:
    """`1:02:03`, `2:03` or, with tenths, `2:03.4`."""
    ticks = round(seconds * 10) if tenths else int(seconds) * 10
    whole, tenth = divmod(ticks, 10)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{text}.{tenth}" if tenths else text


def size(count: int) -> str:
    """`812 bytes`, `84.0 KB`, `12.1 GB`: in thousands, as the Hub shows it."""
    if count < 1000:
        return f"{count} bytes"
    power = min(4, int(math.log10(count)) // 3)
    return f"{count / 1000**power:.1f} {('KB', 'MB', 'GB', 'TB')[power - 1]}"


def one_line(text: str) -> str:
    """`text` on one line, harmless as `printable` makes it."""
    return printable(" ".join(text.split()))


def round_steps() -> Iterator[float]:
    """Round seconds, ascending: 0.1, 0.2, 0.5, …, 30, a minute, …, an hour, 2, 5, 10 hours and so on."""
    yield from (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
    yield from (60.0 * minutes for minutes in (1, 2, 5, 10, 15, 30))
    yield from (3600.0 * hours * power for power in (1, 10, 100, 1000) for hours in (1, 2, 5))


def place(
    device: str, dtype: str, bits: str | None, decoder_device: str | None, decoder_dtype: str | None
) -> str:
    """Where a model runs and how: `cuda:0 in bfloat16, its decoder on cpu in float32, weights in int4`.

    Args:
        device, dtype: of the compressor.
        bits: of quantized weights.
        decoder_device, decoder_dtype: of the decoder; None: there is none, or nothing is known of it.
    """
    apart = decoder_device is not None and (device, dtype) != (decoder_device, decoder_dtype)
    beside = f", its decoder on {decoder_device} in {decoder_dtype}" if apart else ""
    return f"{device} in {dtype}{beside}" + (f", weights in {bits}" if bits else "")
