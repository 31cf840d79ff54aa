"""How many frames a packet shows: in VP8, VP9 and AV1 some are only there for others to refer to.

An alternate reference frame (VP8, VP9) or a frame that is shown later (AV1) is decoded and not output. It may
be a packet of its own or share one with a shown frame. Only the first bits of each frame's header are read.
"""

from collections.abc import Iterator
from typing import Any

import av

from .av1 import AV1_CONFIGURATION, AV1_FRAMES, AV1_SEQUENCE, av1_units

_DIRAC_END = b"BBCD\x10"  # a packet that ends the stream


def shown_frames(codec: str, packet: "av.Packet[Any]", extradata: bytes | None) -> int:
    """How many frames a decoder outputs for a packet that is not empty; 1 where its headers can't be read.

    Args:
        codec: libav's canonical name.
        extradata: the stream's header.
    """
    if codec == "vp8":
        return _bit(memoryview(packet), 3)
    if codec == "vp9":
        return sum(_shows_vp9(frame) for frame in _vp9_frames(memoryview(packet)))
    if codec == "theora":  # the headers come again where files were joined
        return 1 - _bit(memoryview(packet), 0)
    if codec == "av1":
        return _av1_shown(memoryview(packet), memoryview(extradata or b"")[AV1_CONFIGURATION:])
    if codec == "dirac":
        return bytes(packet)[:5] != _DIRAC_END
    return 1


def _bit(data: memoryview, place: int) -> int:
    """Bit number `place`, counted from the most significant bit of the first byte; 1 beyond the end."""
    return data[place // 8] >> (7 - place % 8) & 1 if place < 8 * len(data) else 1


def _vp9_frames(packet: memoryview) -> Iterator[memoryview]:
    """The frames of a superframe, whose index is at its end, or the only frame."""
    marker = packet[-1]
    count, width = (marker & 7) + 1, (marker >> 3 & 3) + 1
    index = packet[-(2 + count * width) :]
    sizes = [int.from_bytes(index[1 + n * width :][:width], "little") for n in range(count)]
    if marker >> 5 != 0b110 or index[0] != marker or not 0 < sum(sizes) <= len(packet) - len(index):
        yield packet
        return
    place = 0
    for size in sizes:
        if size:
            yield packet[place : place + size]
        place += size


def _shows_vp9(frame: memoryview) -> bool:
    """`show_existing_frame` or `show_frame` of the uncompressed header."""
    if frame[0] >> 6 != 0b10:  # frame_marker
        return True
    place = 5 if frame[0] >> 4 & 3 == 3 else 4  # profile 3 has a reserved bit
    return bool(_bit(frame, place) or _bit(frame, place + 2))


def _av1_shown(packet: memoryview, configuration: memoryview) -> int:
    """Frames with `show_existing_frame` or `show_frame`; of several spatial layers one is output."""
    units = list(av1_units(packet))
    frames = [unit for unit in units if unit.kind in AV1_FRAMES]
    shown = [unit for unit in frames if _bit(unit.payload, 0) or _bit(unit.payload, 3)]
    if len(shown) < len(frames):
        for unit in (*units, *av1_units(configuration)):
            # with reduced_still_picture_header a frame's header has neither bit, and every frame is shown
            if unit.kind == AV1_SEQUENCE and _bit(unit.payload, 4):
                return len(frames)
    layered = any(unit.layer for unit in shown)
    return 1 if layered or not frames else len(shown)
