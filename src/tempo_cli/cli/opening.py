"""Opening the video of a command: its errors are reported before the model is needed."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..config import CacheOptions, FrameShape, SamplingOptions
from ..errors import TempoError
from .console import Screen
from .pull import ensure
from .saved import refuse_saved_run

if TYPE_CHECKING:
    from ..video.opened import Video


def opened(
    video: Path,
    sampling: SamplingOptions,
    model: str,
    revision: str | None,
    ffmpeg: str | None,
    cache: CacheOptions,
    screen: Screen,
    *,
    yes: bool,
    offline: bool,
) -> "Video":
    """The video, decoding while torch is imported and the model is loaded; and the model, downloaded.

    Where the model is here already, frames that an earlier run has kept are found without reading the video.
    """
    from ..hub.locations import read_shape
    from ..video.ffmpeg import find_ffmpeg
    from ..video.isolated import probe
    from ..video.opened import open_video

    refuse_saved_run(video)
    shape = _known_shape(model, revision)
    if shape is None:
        find_ffmpeg(ffmpeg)
        info = probe(video, sampling.max_pixels)
        ensure(model, revision, screen, yes=yes, offline=offline)
        return open_video(info, sampling, read_shape(model, revision), ffmpeg=ffmpeg, cache=cache)
    found = open_video(video, sampling, shape, ffmpeg=ffmpeg, cache=cache)
    try:
        ensure(model, revision, screen, yes=yes, offline=offline)
    except BaseException:
        found.close()
        raise
    return found


def _known_shape(model: str, revision: str | None) -> FrameShape | None:
    """What the model asks of the frames; None where it is not here, or not what it should be."""
    from ..hub.locations import read_shape

    try:
        return read_shape(model, revision)
    except TempoError:
        return None
