"""Animated WebP: its frames and times, which PyAV's libav does not read (ffmpeg does, from 9 on)."""

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..types import VideoInfo

_ANIMATED = 2  # a flag in the file's first chunk
_SHORTEST, _INSTEAD = 10, 100  # ms; ffmpeg and browsers show a frame of less than the one for the other
_LONGEST = 1_000_000_000  # ms of all frames that are no mistake


def probe_animated_webp(path: Path, status: os.stat_result) -> VideoInfo | None:
    """What an animated WebP says of its frames; None for any other file.

    A frame that is cut off counts: that it is missing shows when it is decoded.
    """
    shown: list[int] = []
    with suppress(OSError), path.open("rb") as file:
        head = file.read(30)
        if head[:4] != b"RIFF" or head[8:16] != b"WEBPVP8X" or len(head) < 30 or not head[20] & _ANIMATED:
            return None
        place = 20 + int.from_bytes(head[16:20], "little") + (head[16] & 1)
        while place < status.st_size:
            file.seek(place)
            chunk = file.read(24)
            if chunk[:4] == b"ANMF" and len(chunk) == 24:
                milliseconds = int.from_bytes(chunk[20:23], "little")
                shown.append(milliseconds if milliseconds >= _SHORTEST else _INSTEAD)
            size = int.from_bytes(chunk[4:8], "little")
            place += 8 + size + size % 2
    if not shown or sum(shown) > _LONGEST:
        return None
    ends = np.cumsum(np.array(shown, np.int64))
    pts = ends - shown
    return VideoInfo(
        path=path,
        stream=0,
        codec="webp",
        width=1 + int.from_bytes(head[24:27], "little"),
        height=1 + int.from_bytes(head[27:30], "little"),
        rate=Fraction(1000 * len(shown), int(ends[-1])),
        times=pts / 1000,
        pts=pts,
        duration=float(ends[-1]) / 1000,
        size=status.st_size,
        mtime=status.st_mtime,
        ctime=status.st_ctime_ns,
        format="webp_anim",
    )
