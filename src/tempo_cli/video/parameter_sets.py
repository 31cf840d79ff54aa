"""Parameter sets that change within a stream: decoding can then begin only with a packet that brings its own.

H.264 and HEVC keep them apart from the pictures. A key frame without them uses the last ones that came. A
decoder that begins there, or that got fewer packets, lacks them: its pictures are wrong without an error.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import av

from .keyframes import length_size, unit_places

_NEW_HEADER: Final = "new_extradata"  # side data: the container tells another header from this packet on


class _Units(NamedTuple):
    """How the units of a codec are told apart: `kind` of their first byte is `byte >> shift & mask`."""

    shift: int
    mask: int
    length_place: int
    slices: range
    sequence: int
    picture: int


_CODECS = {
    "h264": _Units(0, 0x1F, 4, range(1, 6), 7, 8),
    "hevc": _Units(1, 0x3F, 21, range(32), 33, 34),
}


class ParameterSets:
    """Looks at the packets of one stream, in their order.

    Args:
        codec: libav's canonical name.
        extradata: the stream's header.

    Attributes:
        changing: whether a packet brought sets that the stream's header lacks.
    """

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        self.changing = False
        self._most = 0  # sets that came with one packet
        self._units, self._header = _CODECS.get(codec), extradata or b""
        self._size = length_size(extradata, self._units.length_place) if self._units else None

    def look(self, packet: "av.Packet[Any]") -> tuple[bool, bool]:
        """Whether the packet brings sets, and whether these are all that its picture needs.

        They are where sets of both kinds come, and as many as with any packet before.
        """
        if packet.has_sidedata(_NEW_HEADER):
            self.changing = True
            return True, True
        if self._units is None:
            return False, False
        kinds, brought = set[int](), set[bytes]()
        data = memoryview(packet)
        for kind, begin, end in self._before_slices(data):
            if kind in (self._units.sequence, self._units.picture):
                kinds.add(kind)
                told = data[begin:end].tobytes().rstrip(b"\0")
                brought.add(told)
                if not self._header:
                    self._header = bytes(data)  # of the first packet with any
                self.changing = self.changing or told not in self._header
        self._most = max(self._most, len(brought))
        return len(brought) > 0, len(kinds) == 2 and len(brought) == self._most

    def _before_slices(self, data: memoryview) -> Iterator[tuple[int, int, int]]:
        """Kind, begin and end of the units that stand before the picture itself."""
        assert self._units is not None
        before = 3 if self._size is None else self._size  # bytes in front of a unit
        kind, begin = -1, 0
        for place in unit_places(data, self._size):
            if begin:
                yield kind, begin, place - before
            kind, begin = data[place] >> self._units.shift & self._units.mask, place
            if kind in self._units.slices:
                return
        if begin:
            yield kind, begin, len(data)
