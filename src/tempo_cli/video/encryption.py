"""Is the picture encrypted? libav reads such a file like any other, and its decoder makes noise of it.

Only the marks that containers have for it are read; nothing is decrypted.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from ..errors import VideoError
from .boxes import MP4, read_boxes, track_of
from .ebml import MATROSKA, SEGMENT, TRACK, TRACKS, elements, number

_LOCKED_ENTRIES = {b"encv", b"drmi"}  # MP4: kinds of sample entries
_SAMPLE_ENTRY = 78  # bytes of a video sample entry before its boxes
_COMMON = "Common Encryption"
_SCHEMES = {b"cenc", b"cens", b"cbc1", b"cbcs", b"piff"}
_ASF_MARKS = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),  # Content Encryption Object
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),  # Extended Content Encryption Object
)
_SAMPLE_AES = {0xDB, 0xDC}  # MPEG-TS: stream types
_PES_HEAD = re.compile(rb"\x00\x00\x01([\xe0-\xef])..([\x80-\xbf])", re.DOTALL)
_TS_SIZES = (188, 192, 204)  # bytes of a packet
_PARTS, _PART = 8, 1 << 20  # how much of a recording is looked at: parts, evenly spread, and bytes of each
_MARKED = 0.1  # of the packets of an encrypted stream; in a clear one only damage marks some
_HEADERS = 1 << 22  # bytes in which the headers of Matroska and ASF are looked for

_COPY = "Use a copy without copy protection."
_KEY = "Use a copy without DRM, or decrypt it: ffmpeg -decryption_key KEY -i VIDEO -c copy clear.mp4"


def refuse_encrypted(path: Path, container: str, stream: av.VideoStream) -> None:
    """Make sure that the pictures of a stream are stored in the clear; its sound may be encrypted.

    Args:
        container: libav's name of the format.

    Raises:
        VideoError: they are encrypted.
    """
    find = _FINDERS.get(container)
    if find is None:
        return
    with suppress(OSError), path.open("rb") as file:
        how = find(file, stream)
        if how is not None:
            raise VideoError(f"'{path}' is encrypted ({how})", _KEY if how.startswith(_COMMON) else _COPY)


def codec_tag(codec: av.VideoCodecContext) -> bytes:
    """The four bytes by which the container names the codec. PyAV gives only those that are ASCII."""
    try:
        return codec.codec_tag.encode("ascii")
    except UnicodeDecodeError as error:
        return error.object


def _in_mp4(file: BinaryIO, stream: av.VideoStream) -> str | None:
    """Common Encryption, or Apple's, by the kinds of the track's sample entries."""
    moov = next(read_boxes(file, b"moov"), None)
    trak = track_of(moov, stream.id) if moov is not None else None
    if trak is None:
        return None
    for stsd in trak.find(b"mdia", b"minf", b"stbl", b"stsd"):
        for entry in stsd.inside(skip=8):
            if entry.kind not in _LOCKED_ENTRIES:
                continue
            for sinf in entry.inside(skip=_SAMPLE_ENTRY):
                for schm in sinf.find(b"schm"):
                    scheme = schm.number(4).to_bytes(4, "big")
                    if scheme in _SCHEMES:
                        return f"{_COMMON}, {scheme.decode()}"
            return "FairPlay" if entry.kind == b"drmi" else "an unknown scheme"
    return None


def _in_matroska(file: BinaryIO, stream: av.VideoStream) -> str | None:
    """Encryption among the content encodings of the track."""
    head = memoryview(file.read(_HEADERS))
    tracks = (
        track
        for segment in elements(head, SEGMENT)
        for entries in elements(segment, TRACKS)
        for track in elements(entries, TRACK)
        if number(track, 0x83) == 1  # video
    )
    place = [other.index for other in stream.container.streams.video].index(stream.index)
    for track in islice(tracks, place, place + 1):
        for encodings in elements(track, 0x6D80):
            if any(number(encoding, 0x5033) == 1 for encoding in elements(encodings, 0x6240)):
                return "Matroska's content encryption"
    return None


def _in_asf(file: BinaryIO, _: av.VideoStream) -> str | None:
    """An object of the header that tells of a license."""
    head = file.read(30)
    place, end = 30, min(int.from_bytes(head[16:24], "little"), _HEADERS)
    while place + 24 <= end:
        file.seek(place)
        mark, size = file.read(16), int.from_bytes(file.read(8), "little")
        if mark in _ASF_MARKS:
            return "Windows Media DRM"
        if size < 24:
            return None
        place += size
    return None


def _in_transport_stream(file: BinaryIO, stream: av.VideoStream) -> str | None:
    """Scrambling bits in the headers of the stream's packets, or a stream type of HLS."""
    if stream.codec_context is not None and codec_tag(stream.codec_context)[0] in _SAMPLE_AES:
        return "SAMPLE-AES"
    packets = marked = 0
    for data in _parts(file):
        heads = _ts_heads(np.frombuffer(data, np.uint8))
        pids = (heads[:, 1].astype(np.int64) & 0x1F) << 8 | heads[:, 2]
        ours = heads[(pids == stream.id) & (heads[:, 3] & 0x10 != 0)]  # those with a payload
        packets += len(ours)
        marked += int(np.count_nonzero(ours[:, 3] & 0xC0))
    return "a scrambled stream" if marked > packets * _MARKED else None


def _ts_heads(data: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> np.ndarray:
    """The four bytes at the beginning of every packet."""
    best = np.empty((0, 4), np.uint8)
    for size in _TS_SIZES:
        starts = np.flatnonzero(data == 0x47)
        starts = starts[starts + 4 <= len(data)]
        counts = np.bincount(starts % size, minlength=size)
        found = starts[starts % size == int(counts.argmax())]
        if len(found) > len(best) and len(found) > 0.8 * (len(data) // size):
            best = data[found[:, None] + np.arange(4)]
    return best


def _in_program_stream(file: BinaryIO, stream: av.VideoStream) -> str | None:
    """Scrambling bits in the headers of the stream's packets, as on DVDs."""
    packets = marked = 0
    for data in _parts(file):
        for head in _PES_HEAD.finditer(data):
            if head[1][0] == stream.id & 0xFF:
                packets += 1
                marked += head[2][0] & 0x30 != 0
    return "as DVDs are" if marked > packets * _MARKED else None


def _parts(file: BinaryIO) -> Iterator[bytes]:
    size = file.seek(0, 2)
    for part in range(_PARTS):
        start = max(size - _PART, 0) * part // (_PARTS - 1)
        if part and size <= _PART:
            return
        file.seek(start)
        yield file.read(_PART)


_FINDERS: dict[str, Callable[[BinaryIO, av.VideoStream], str | None]] = {
    MP4: _in_mp4,
    MATROSKA: _in_matroska,
    "asf": _in_asf,
    "asf_o": _in_asf,
    "mpegts": _in_transport_stream,
    "mpeg": _in_program_stream,
}
