"""Times as users write them."""

import re

_NUMBER = r"\d{1,9}(?:\.\d{0,9})?"
_PLAIN = re.compile(rf"({_NUMBER})s?")
_CLOCK = re.compile(rf"(?:(\d{{1,6}}):)?(\d{{1,6}}):({_NUMBER})")
_UNITS = re.compile(rf"(?:(\d{{1,6}})h)?(?:(\d{{1,6}})m(?:in)?)?(?:({_NUMBER})s)?")


def parse_time(text: str) -> float:
    """Seconds of `90`, `90s`, `1:30`, `0:01:30.5` or `1m30s`.

    Raises:
        ValueError: it is none of these.
    """
    written = text.strip().lower()
    if match := _PLAIN.fullmatch(written):
        return float(match[1])
    match = _CLOCK.fullmatch(written)
    if match and (float(match[3]) >= 60 or (match[1] and int(match[2]) >= 60)):
        raise ValueError(f"'{text}' has a minute or second above 59; write it as HH:MM:SS")
    match = match or (_UNITS.fullmatch(written) if written else None)
    if match is None:
        raise ValueError(f"'{text}' is not a time; write seconds, HH:MM:SS or 1m30s")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0)
