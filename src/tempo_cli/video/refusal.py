"""Why a file that libav can name is not read, and what to do about it."""

import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import av.logging

from ..errors import VideoError
from .formats import READER_OPTIONS

MOTION_JPEG = "mjpeg"
_NAMING_OTHERS = {
    "hls": "an HLS playlist",
    "dash": "a DASH manifest",
    "webm_dash_manifest": "a DASH manifest",
    "concat": "a list of files for ffmpeg",
    "imf": "an IMF playlist",
    "sdp": "a description of a network stream",
    "avisynth": "an AviSynth script",
    "mlv": "a Magic Lantern video, which may go on in other files",
}
_HEADERLESS = {"rawvideo", "bitpacked", "v210", "v210x"}
_PICTURES = {"image2", "image2pipe", "ico", "fits", "iff", "frm", "txd", "dds", "mca"}
_TEXT = {
    "aqtitle", "ass", "ffmetadata", "jacosub", "lrc", "mcc", "microdvd", "mpl2", "mpsub", "pjs", "realtext",
    "sami", "sbg", "scc", "srt", "stl", "subviewer", "subviewer1", "sup", "tedcaptions", "tty", "vobsub",
    "vplayer", "webvtt",
}  # fmt: skip
_SOUND = {
    "aac", "ac3", "ac4", "aiff", "amr", "ape", "au", "caf", "dsf", "dts", "dtshd", "eac3", "flac", "gsm",
    "loas", "mlp", "mp3", "mpc", "mpc8", "oma", "qcp", "sbc", "shn", "tak", "truehd", "tta", "voc", "w64",
    "wav", "wv", "xwma",
}  # fmt: skip
_REFUSED = "Format not on whitelist"
_START, _END = b"\xff\xd8", 0xD9  # of a JPEG picture
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")  # with a length behind it, or the end
_MANY = 4  # pictures that a camera does not put into one JPEG file
_MOST_BYTES = 1 << 24  # in which they are looked for
_NOT_VIDEO = "Give a video file, for example an MP4, MKV, WebM or MOV."
_lock = threading.Lock()


def refused_format(source: str | BinaryIO) -> str | None:
    """libav's name of the format of a file that is not on the whitelist; None where it is none of these."""
    with _lock:
        level, skipping = av.logging.get_level(), av.logging.get_skip_repeated()
        av.logging.set_level(av.logging.ERROR)
        av.logging.set_skip_repeated(False)  # else the second refused file is not named
        try:
            if not isinstance(source, str):
                source.seek(0)
            # the log of all threads, so that nothing of another one is printed
            with av.logging.Capture(local=False) as lines, suppress(av.error.FFmpegError):
                av.open(source, "r", options=READER_OPTIONS).close()
        finally:
            av.logging.set_level(level)
            av.logging.set_skip_repeated(skipping)
    return next((name for _, name, message in lines if message.startswith(_REFUSED)), None)


def refusal(path: Path, name: str) -> VideoError:
    """The error that says what a file is.

    Args:
        name: libav's name of a format that is not on the whitelist.
    """
    if name in _NAMING_OTHERS:
        return VideoError(
            f"'{path}' is {_NAMING_OTHERS[name]}; tempo opens only the file it is given",
            "If you trust it, convert it to a single video: ffmpeg -i FILE -c copy video.mp4",
        )
    if name in _HEADERLESS:
        return VideoError(
            f"'{path}' has no header with the size and format of its pictures ({name})",
            f"Specify them: ffmpeg -f {name} -video_size 1280x720 -pixel_format yuv420p -i FILE video.mp4",
        )
    if name in _PICTURES or name.endswith("_pipe"):
        return VideoError(f"'{path}' is a picture, not a video", _NOT_VIDEO)
    if name in _TEXT:
        return VideoError(f"'{path}' is text, not a video", _NOT_VIDEO)
    if name in _SOUND:
        return VideoError(f"'{path}' has no video stream", "tempo looks at pictures only: give a video.")
    return VideoError(
        f"'{path}' is in a format that tempo does not read ({name})",
        "If it is a video, convert it: ffmpeg -i FILE video.mp4",
    )


def is_motion_jpeg(path: Path, name: str) -> bool:
    """Whether a file that libav takes for a picture is JPEG pictures one after the other: a video.

    Args:
        name: libav's name of the format.
    """
    if name not in ("jpeg_pipe", "image2"):
        return False
    with suppress(OSError), path.open("rb") as file:
        enough = 1 if path.suffix.lower() in (".mjpeg", ".mjpg") else _MANY
        return sum(1 for _, _ in zip(_pictures(file), range(enough), strict=False)) == enough
    return False


def _pictures(file: BinaryIO) -> Iterator[int]:
    """Where each JPEG picture ends, as long as the next one follows. Pictures inside one are its own."""
    data, place = file.read(_MOST_BYTES), 0
    while data.startswith(_START, place):
        place += len(_START)
        while True:
            marker = _MARKER.search(data, place)
            if marker is None:
                return
            kind, place = marker[1][0], marker.end()
            if kind == _END:
                break
            place += int.from_bytes(data[place : place + 2], "big")
        yield place
        while data.startswith(b"\0", place):
            place += 1
