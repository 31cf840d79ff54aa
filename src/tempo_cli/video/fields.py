"""Pictures that are stored as two fields, each a packet of its own: the second one is no frame.

H.264 and MPEG-2 may store the lines of a frame as two pictures. Most files hold both in one packet. In the
others, headers tell which packets belong together, as they tell decoders.
"""

import re
from typing import Any, NamedTuple

import av

from .bits import Bits
from .keyframes import length_size, unit_places

_SLICES, _SEQUENCE, _PICTURE = range(1, 6), 7, 8  # H.264: types of units
_HIGH = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244}  # profiles that tell their chroma
_WHOLE_CHROMA = 3
_MOST_BYTES, _MOST_SET_BYTES = 32, 1024  # of a slice's header, of a set
_MPEG2_PICTURE = re.compile(rb"\x00\x00\x01\x00")
_MPEG2_EXTENSION = re.compile(rb"\x00\x00\x01\xb5[\x80-\x8f]", re.DOTALL)
_UPPER, _LOWER = 1, 2  # MPEG-2: picture structures


class _Field(NamedTuple):
    """A picture that is one field of a frame.

    Attributes:
        lower: whether it is the lower field.
        frame: what both fields of a frame have in common.
    """

    lower: bool
    frame: tuple[int, ...] = ()


class _Sequence(NamedTuple):
    """What of an H.264 sequence parameter set decides where things stand in slice headers."""

    planes: bool  # three color planes, each coded by itself
    number_bits: int
    fields: bool


class Fields:
    """Looks at the packets of one stream, in their order.

    Args:
        codec: libav's canonical name.
        extradata: the stream's header.

    Attributes:
        apart: whether fields of a frame were packets of their own.
    """

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        self.apart = False
        self._first: _Field | None = None  # whose second one may come next
        self._mpeg2 = codec == "mpeg2video"
        self._h264 = _H264(extradata) if codec == "h264" else None

    def is_second(self, packet: "av.Packet[Any]") -> bool:
        """Whether the packet is the second field of the frame whose first one is the packet before."""
        field = None
        if self._mpeg2:
            field = _mpeg2_field(memoryview(packet))
        elif self._h264 is not None:
            field = self._h264.field(memoryview(packet))
        first, self._first = self._first, field
        if field is None or first is None or first.lower == field.lower or first.frame != field.frame:
            return False
        self._first, self.apart = None, True
        return True


def _mpeg2_field(packet: memoryview) -> _Field | None:
    """None: a whole frame, or no header of a picture."""
    picture = _MPEG2_PICTURE.search(packet)
    extension = _MPEG2_EXTENSION.search(packet, picture.end()) if picture else None
    if extension is None or extension.end() + 1 >= len(packet):
        return None
    structure = packet[extension.end() + 1] & 3
    if structure not in (_UPPER, _LOWER) or _MPEG2_PICTURE.search(packet, extension.end()):
        return None
    return _Field(structure == _LOWER)


class _H264:
    def __init__(self, extradata: bytes | None) -> None:
        self._size, self._interlaced = length_size(extradata, 4), False
        self._sequences: dict[int, _Sequence] = {}
        self._pictures: dict[int, int] = {}  # which sequence's set they go by
        header = memoryview(extradata or b"")
        if self._size is None:
            self._note(header, list(unit_places(header, None)))
        else:
            self._note(header, list(_configured(header)))

    def field(self, packet: memoryview) -> _Field | None:
        """None: a whole frame, or no header of a picture."""
        first = None
        for place in unit_places(packet, self._size):
            kind = packet[place] & 0x1F
            if kind in (_SEQUENCE, _PICTURE):
                self._note(packet, [place])
            elif kind in _SLICES:
                field = self._slice(packet[place:]) if self._interlaced else None
                if field is None or (first is not None and first.lower != field.lower):
                    return None  # both fields are here
                first = field
        return first

    def _note(self, data: memoryview, places: list[int]) -> None:
        for place in places:
            unit = data[place : place + _MOST_SET_BYTES]
            try:
                if unit[0] & 0x1F == _SEQUENCE:
                    number, sequence = _read_sequence(Bits(_payload(unit)))
                    self._sequences[number] = sequence
                    self._interlaced = self._interlaced or sequence.fields
                elif unit[0] & 0x1F == _PICTURE:
                    bits = Bits(_payload(unit))
                    self._pictures[bits.golomb()] = bits.golomb()
            except (ValueError, IndexError):
                continue

    def _slice(self, unit: memoryview) -> _Field | None:
        bits = Bits(_payload(unit[:_MOST_BYTES]))
        try:
            bits.golomb()
            bits.golomb()
            sequence = self._sequences.get(self._pictures.get(bits.golomb(), -1))
            if sequence is None or not sequence.fields:
                return None
            bits.take(2 * sequence.planes)
            number = bits.take(sequence.number_bits)
            if not bits.take(1):
                return None
            return _Field(bool(bits.take(1)), (number, unit[0] & 0x60 > 0))
        except ValueError:
            return None


def _configured(header: memoryview) -> list[int]:
    """Where the parameter sets in MP4's kind of header begin."""
    places, place = [], 5
    for mask in (0x1F, 0xFF):
        count = header[place] & mask if place < len(header) else 0
        place += 1
        for _ in range(count):
            places.append(place + 2)
            place += 2 + int.from_bytes(header[place : place + 2])
    return [place for place in places if place < len(header)]


def _payload(unit: memoryview) -> bytes:
    """A unit without its first byte and without the bytes that keep it from looking like a start code."""
    return bytes(unit[1:]).replace(b"\0\0\3", b"\0\0")


def _read_sequence(bits: Bits) -> tuple[int, _Sequence]:
    """A sequence parameter set and its number."""
    profile = bits.take(8)
    bits.take(16)
    number, planes = bits.golomb(), False
    if profile in _HIGH:
        chroma = bits.golomb()
        planes = chroma == _WHOLE_CHROMA and bool(bits.take(1))
        bits.golomb()
        bits.golomb()
        bits.take(1)
        if bits.take(1):
            for one in range(12 if chroma == _WHOLE_CHROMA else 8):
                if bits.take(1):
                    _skip_scaling(bits, 16 if one < 6 else 64)
    number_bits = bits.golomb() + 4
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()
    bits.golomb()
    bits.take(1)
    bits.golomb()
    bits.golomb()
    return number, _Sequence(planes, number_bits, not bits.take(1))


def _skip_scaling(bits: Bits, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            following = (last + (code + 1) // 2 * (1 if code % 2 else -1)) % 256
        last = following or last
