"""Opening a file with PyAV: only in formats that read nothing but this file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error
from av.container import InputContainer

from .formats import READER_OPTIONS, WITHOUT_INDEX
from .fragments import ends_in_description
from .refusal import MOTION_JPEG, is_motion_jpeg, refusal, refused_format

# microseconds and bytes that libav reads for the size of a picture that begins late; its own: 5 s and 5 MB
_PATIENCE = {"analyzeduration": "120000000", "probesize": "50000000"}


def open_demuxer(source: str | BinaryIO, path: Path) -> InputContainer:
    """A demuxer for `path`; the caller must close it.

    Args:
        source: what PyAV is given: a name or the open file.

    Raises:
        FFmpegError: libav finds no format that it knows, or can't read it.
        VideoError: it is in a format that tempo does not read.
    """
    options = READER_OPTIONS | (WITHOUT_INDEX if ends_in_description(path) else {})
    try:
        return _open(source, options)
    except av.error.ArgumentError:
        name = refused_format(source)
        if name is None:
            raise
        if is_motion_jpeg(path, name):
            return _open(source, options, MOTION_JPEG)
        raise refusal(path, name) from None


def packets_of(container: InputContainer, stream: av.VideoStream) -> "Iterator[av.Packet[Any]]":
    """The packets of a stream.

    Raises:
        FFmpegError: the rest can't be read.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except IndexError:
            return  # after the last one, PyAV stumbles over streams that began in mid-file
        yield packet


def _open(source: str | BinaryIO, options: dict[str, str], name: str | None = None) -> InputContainer:
    container = _try(source, options, name)
    if all(stream.codec_context is None or stream.width for stream in container.streams.video):
        return container
    container.close()
    return _try(source, options | _PATIENCE, name)


def _try(source: str | BinaryIO, options: dict[str, str], name: str | None) -> InputContainer:
    if not isinstance(source, str):
        source.seek(0)
    # tags may be in any encoding
    return av.open(source, "r", format=name, options=options, metadata_errors="replace")
