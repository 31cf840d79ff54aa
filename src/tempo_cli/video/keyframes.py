"""At which packets decoding can begin and give exactly the frames that decoding from the start gives.

A container's "key frame" flag promises less in H.264: with intra refresh it marks where refreshing begins.
There, and in HEVC, the packet itself is asked; no other is read, for all of them may be key frames and large.
"""

import re
from collections.abc import Iterator
from typing import Any

import av

_START_CODE = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)
_IDR = 5  # H.264: nothing after it refers to anything before it
_IRAP = range(16, 22)  # HEVC: nothing shown after it does

_X264 = re.compile(rb"x264 - core (\d+)")
_RIGHT_SINCE = 151  # of x264, in pictures with whole chroma

_OPEN = {16, 17, 18, 21}  # HEVC: frames stored after it and shown before it may refer to what came before

# readers whose seeking lands where their index says
_SEEKABLE = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts", "mpeg", "avi", "flv", "ogg", "asf"}


def is_random_access(reader: str, codec: str, packet: "av.Packet[Any]", extradata: bytes | None) -> bool:
    """Whether decoding can begin at a packet that the container calls a key frame.

    Args:
        reader: libav's name of the container format.
        extradata: the stream's header; it says how the units in a packet are framed.
    """
    if reader not in _SEEKABLE:
        return False
    if codec == "h264":
        data = memoryview(packet)
        return any(data[place] & 0x1F == _IDR for place in unit_places(data, length_size(extradata, 4)))
    if codec == "hevc":
        return any(kind in _IRAP for kind in _hevc_kinds(packet, extradata))
    return True


def drops_leading_pictures(codec: str, packet: "av.Packet[Any]", extradata: bytes | None) -> bool:
    """Whether a stream that begins with this key frame loses the frames that are shown before it."""
    return codec == "hevc" and any(kind in _OPEN for kind in _hevc_kinds(packet, extradata))


def _hevc_kinds(packet: "av.Packet[Any]", extradata: bytes | None) -> Iterator[int]:
    data = memoryview(packet)
    return (data[place] >> 1 & 0x3F for place in unit_places(data, length_size(extradata, 21)))


def length_size(extradata: bytes | None, place: int) -> int | None:
    """Bytes of the length in front of every unit; None where start codes part them."""
    if extradata is None or len(extradata) <= place or extradata[0] != 1:
        return None
    return (extradata[place] & 3) + 1


def needs_beginning(codec: str, pixel_format: str | None, first: "av.Packet[Any]") -> bool:
    """Whether a decoder must have seen the first packet to decode any other rightly.

    Older x264 wrote 4:4:4 in a way of its own. Decoders know it by the version, which only that packet names.

    Args:
        first: the stream's first packet.
    """
    if codec != "h264" or "444" not in (pixel_format or ""):
        return False
    match = _X264.search(memoryview(first))
    return match is not None and int(match[1]) < _RIGHT_SINCE


def unit_places(packet: memoryview, size: int | None) -> Iterator[int]:
    """Where each unit of H.264 or HEVC begins in a packet.

    Args:
        size: of the length in front of every unit, bytes; None: start codes part them.
    """
    if size is None:
        yield from (match.end() - 1 for match in _START_CODE.finditer(packet))
        return
    place = 0
    while place + size < len(packet):
        yield place + size
        place += size + int.from_bytes(packet[place : place + size])
