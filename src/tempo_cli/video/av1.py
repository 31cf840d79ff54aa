"""The units of AV1, and which of its frames replace no reference: headers, read as far as that takes.

What a frame passes on (pictures, motion vectors, probabilities, segments, film grain) goes through the
reference slots that it refreshes. So nothing depends on one that refreshes none.
"""

from collections.abc import Iterator
from typing import NamedTuple

from .bits import Bits

AV1_SEQUENCE, AV1_FRAMES = 1, (3, 6)  # types of OBUs: sequence header; frame header, and frame
AV1_CONFIGURATION = 4  # bytes in front of the OBUs in the stream's header
_KEY, _SWITCH = 0, 3
_CHOSEN_BY_FRAME = 2  # of a tool: each frame's header says whether it is used
_PRIMARY_REFERENCE = 3  # bits


class Unit(NamedTuple):
    """An AV1 OBU: its type, spatial layer and payload."""

    kind: int
    layer: int
    payload: memoryview


def av1_units(data: memoryview) -> Iterator[Unit]:
    """The OBUs of a packet."""
    place = 0
    while place < len(data):
        header = data[place]
        kind, extended, sized = header >> 3 & 15, header >> 2 & 1, header >> 1 & 1
        place += 1 + extended
        layer = data[place - 1] >> 3 & 3 if extended and place <= len(data) else 0
        size, shift = 0, 0
        while sized and place < len(data):  # leb128
            byte = data[place]
            size |= (byte & 0x7F) << shift
            place, shift = place + 1, shift + 7
            sized = byte >> 7
        if not header >> 1 & 1:
            size = len(data) - place
        yield Unit(kind, layer, data[place : place + size])
        place += size


class Sequence(NamedTuple):
    """What of a sequence header decides where things stand in frame headers; False and 0: not there."""

    screen_content: int
    integer_motion: int
    order_hint_bits: int
    frame_id_bits: int


def read_sequence(payload: memoryview) -> Sequence | None:
    """A sequence header; None where its frames are read no further, or it is cut off."""
    bits = Bits(payload[:64])
    try:
        bits.take(4)  # profile, still_picture
        if bits.take(1):  # reduced_still_picture_header
            return None
        if not _skip_timing(bits):
            return None
        delays = bits.take(1)
        for _ in range(bits.take(5) + 1):  # operating points
            bits.take(12)
            if bits.take(5) > 7:
                bits.take(1)
            if delays and bits.take(1):
                bits.take(4)
        width, height = bits.take(4) + 1, bits.take(4) + 1
        bits.take(width)
        bits.take(height)
        frame_id_bits = 0
        if bits.take(1):
            delta = bits.take(4) + 2
            frame_id_bits = bits.take(3) + 1 + delta
        bits.take(
            7
        )  # 128x128, filter_intra, intra_edge_filter; interintra, masked_compound, warped, dual_filter
        ordered = bits.take(1)
        bits.take(2 * ordered)
        screen_content = _CHOSEN_BY_FRAME if bits.take(1) else bits.take(1)
        integer_motion = _CHOSEN_BY_FRAME
        if screen_content:
            integer_motion = _CHOSEN_BY_FRAME if bits.take(1) else bits.take(1)
        return Sequence(screen_content, integer_motion, bits.take(3) + 1 if ordered else 0, frame_id_bits)
    except ValueError:
        return None


def _skip_timing(bits: Bits) -> bool:
    """False where frames tell when they are decoded."""
    if not bits.take(1):
        return True
    bits.take(64)
    if bits.take(1):  # a number of ticks, whose length is that of the zeros before it
        zeros = 0
        while not bits.take(1):
            zeros += 1
        bits.take(min(zeros, 32))
    return not bits.take(1)


def refreshes_nothing(sequence: Sequence, payload: memoryview) -> bool:
    """Whether a frame replaces no reference; False where its header does not tell for sure."""
    bits = Bits(payload[:32])
    try:
        if bits.take(1):  # show_existing_frame: that of a key frame replaces all
            return False
        kind, shown = bits.take(2), bits.take(1)
        if not shown:
            bits.take(1)
        if kind == _SWITCH or (kind == _KEY and shown):
            return False
        resilient, _ = bits.take(1), bits.take(1)
        screen_content = sequence.screen_content
        if screen_content == _CHOSEN_BY_FRAME:
            screen_content = bits.take(1)
        if screen_content and sequence.integer_motion == _CHOSEN_BY_FRAME:
            bits.take(1)
        bits.take(sequence.frame_id_bits + 1 + sequence.order_hint_bits)
        intra = kind in (_KEY, 2)
        if not intra and not resilient:
            bits.take(_PRIMARY_REFERENCE)
        return bits.take(8) == 0
    except ValueError:
        return False
