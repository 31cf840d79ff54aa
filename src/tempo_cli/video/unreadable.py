"""Where reading a file fails: a disk or a network that fails is no fault of the video."""

from pathlib import Path
from typing import BinaryIO, cast

from ..errors import VideoError

_NEAR, _AHEAD = 1 << 20, 4 << 20  # bytes before and after a place that are tried


def refuse_unreadable(path: Path, reached: int) -> None:
    """Read the file's beginning, its end, and what follows the last bytes that libav got.

    libav takes an error of the system for the end of the file, or for damage, in many formats.

    Args:
        reached: bytes from the file's beginning.

    Raises:
        VideoError: the system can't read them.
    """
    place = 0
    try:
        with opened(path) as file:
            size = file.seek(0, 2)
            for first in (0, max(0, reached - _NEAR), max(0, size - _NEAR)):
                place = first
                file.seek(first)
                while place < first + _NEAR + _AHEAD and (read := len(file.read(_NEAR))):
                    place += read
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise VideoError(
            f"'{path}' can't be read beyond {place / 1e6:.0f} MB: {reason}",
            "The disk or network failed: try again, or copy the file to another disk.",
        ) from None


def opened(path: Path) -> BinaryIO:
    """The file, without a buffer that would read further than asked."""
    return cast("BinaryIO", path.open("rb", buffering=0))
