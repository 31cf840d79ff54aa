"""Small pictures of a video, for a report."""

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
from PIL import Image

from ..plan.picture import shown_size
from ..types import Frame, FramePlan, VideoInfo
from .decode import FrameDecoder

_EDGE = 240  # px, the longer one
_QUALITIES = (72, 55, 40, 25)  # of JPEG
_LARGEST = 16_000  # bytes of a picture, at most
_ALL = 1_900_000  # bytes of all of them: a page's pictures are text, a third longer


def thumbnails(info: VideoInfo, seconds: Sequence[float], binary: str, max_pixels: int) -> list[bytes | None]:
    """The picture that a player shows at each of `seconds`, as JPEG; None if it can't be decoded.

    Raises:
        VideoError: nothing can be decoded, a picture is too large, or ffmpeg hung.
        SetupError: ffmpeg does not start.
    """
    if not seconds:
        return []
    places = np.clip(np.searchsorted(info.times, seconds, side="right") - 1, 0, info.frames - 1)
    wanted = np.unique(places)
    plan = FramePlan(wanted.astype(np.int64), float(info.rate))
    most = min(_LARGEST, _ALL // len(wanted))
    with (
        FrameDecoder(info, plan, binary, _unsaid, max_pixels=max_pixels, differs=_unsaid) as decoder,
        ThreadPoolExecutor(1, "thumbnails") as pool,
    ):

        def work() -> dict[int, bytes]:
            return {int(wanted[frame.position]): _small(frame, most) for frame in decoder.frames()}

        made = pool.submit(work)
        try:
            found = made.result()
        except BaseException:
            decoder.kill()
            raise
    return [found.get(int(place)) for place in places]


def _unsaid(_: str) -> None:
    """The run has said it."""


def _small(frame: Frame, most: int) -> bytes:
    """A frame as a JPEG of at most about `most` bytes, in the shape that a player shows."""
    height, width = shown_size(frame.pixels.shape[:2], frame.look.aspect if frame.look else Fraction(1))
    data = b""
    for edge in (_EDGE, _EDGE // 2):
        scale = min(1.0, edge / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = Image.fromarray(frame.pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        for quality in _QUALITIES:
            written = io.BytesIO()
            small.save(written, "JPEG", quality=quality, optimize=True)
            data = written.getvalue()
            if len(data) <= most:
                return data
    return data
