"""MPEG's sequence headers that change within a stream. As in `parameter_sets`, decoding begins with one.

They hold the size and the matrices that coefficients are scaled with. MPEG-2 may also bring matrices with a
picture, for all that follow.
"""

import re
from typing import Any, Final, NamedTuple

import av

_NEW_HEADER: Final = "new_extradata"  # side data: the container tells another header from this packet on


class _Codes(NamedTuple):
    """Start codes of what makes up a header, of the first that stands behind it, and of later changes."""

    header: "re.Pattern[bytes]"
    picture: bytes
    changes: "re.Pattern[bytes] | None"


_START = re.compile(rb"\x00\x00\x01")
_SEQUENCE_OR_EXTENSION = re.compile(rb"\x00\x00\x01(?:\xb3|\xb5[\x10-\x1f])", re.DOTALL)
_MATRICES = re.compile(rb"\x00\x00\x01\xb5[\x30-\x3f]", re.DOTALL)
_CODECS = {
    "mpeg1video": _Codes(_SEQUENCE_OR_EXTENSION, b"\0\0\1\0", None),
    "mpeg2video": _Codes(_SEQUENCE_OR_EXTENSION, b"\0\0\1\0", _MATRICES),
    "mpeg4": _Codes(re.compile(rb"\x00\x00\x01[\x20-\x2f]", re.DOTALL), b"\0\0\1\xb6", None),
}


def has_sequence_headers(codec: str) -> bool:
    """Whether `SequenceHeaders` knows the codec (libav's canonical name)."""
    return codec in _CODECS


class SequenceHeaders:
    """Looks at the packets of one stream, in their order.

    Args:
        codec: libav's canonical name.
        extradata: the stream's header.

    Attributes:
        changing: whether a packet brought what the stream's header lacks.
    """

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        self.changing = False
        self._codes, self._header = _CODECS[codec], extradata or b""

    def look(self, packet: "av.Packet[Any]") -> tuple[bool, bool]:
        """Whether the packet brings any of it, and whether that is all that its picture needs."""
        if packet.has_sidedata(_NEW_HEADER):
            self.changing = True
            return True, True
        data = bytes(packet)
        picture = data.find(self._codes.picture)
        before = data[:picture] if picture >= 0 else data
        found = self._codes.header.finditer(before)
        units = [before[match.start() : _end(before, match.end())] for match in found]
        if units and not self._header:
            self._header = before  # of the first packet with one
        self.changing = self.changing or any(unit.rstrip(b"\0") not in self._header for unit in units)
        later = self._codes.changes is not None and self._codes.changes.search(data) is not None
        self.changing = self.changing or later
        return bool(units) or later, bool(units)


def _end(data: bytes, place: int) -> int:
    match = _START.search(data, place)
    return match.start() if match else len(data)
