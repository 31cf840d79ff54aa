"""The boxes of an MP4 file, whose contents libav does not report."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MP4 = "mov,mp4,m4a,3gp,3g2,mj2"  # libav's name of the format
_MOST_BOXES = 200_000  # at the outermost level: 50 hours in fragments of 2 s
_LARGEST = 1 << 24  # bytes of a box that is read


class Box(NamedTuple):
    """A box in `data`; `data[start:end]` is what it holds."""

    kind: bytes
    data: memoryview
    start: int
    end: int

    def inside(self, skip: int = 0) -> Iterator["Box"]:
        """The boxes in it, after `skip` bytes. One that reaches beyond its end is the last and left out."""
        place = self.start + skip
        while place + 8 <= self.end:
            size, header = int.from_bytes(self.data[place : place + 4], "big"), 8
            if size == 1:
                size, header = int.from_bytes(self.data[place + 8 : place + 16], "big"), 16
            elif size == 0:
                size = self.end - place
            if size < header or place + size > self.end:
                return
            yield Box(bytes(self.data[place + 4 : place + 8]), self.data, place + header, place + size)
            place += size

    def find(self, *path: bytes) -> Iterator["Box"]:
        """All boxes at a path of kinds."""
        for box in self.inside():
            if box.kind == path[0]:
                if len(path) > 1:
                    yield from box.find(*path[1:])
                else:
                    yield box

    def number(self, offset: int, size: int = 4) -> int:
        """An unsigned number at `offset`; 0 beyond the end."""
        place = self.start + offset
        return int.from_bytes(self.data[place : place + size], "big") if place + size <= self.end else 0


class Place(NamedTuple):
    """Where a box of the outermost level says that it is: its first byte, what it holds, and its end."""

    kind: bytes
    start: int
    inside: int
    end: int


def places(file: BinaryIO) -> Iterator[Place]:
    """The boxes at the outermost level; the last one may reach beyond the end of the file."""
    size, place = file.seek(0, 2), 0
    for _ in range(_MOST_BOXES):
        file.seek(place)
        head = file.read(16)
        length, header = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, header = int.from_bytes(head[8:16], "big"), 16
        if len(head) < header or length < header:
            return
        yield Place(head[4:8], place, place + header, place + length)
        place += length
        if place >= size:
            return


def read_boxes(file: BinaryIO, *kinds: bytes) -> Iterator[Box]:
    """The whole boxes of these kinds at the outermost level, read one after the other."""
    for kind, _, inside, end in places(file):
        if kind in kinds and end - inside <= _LARGEST:
            file.seek(inside)
            data = memoryview(file.read(end - inside))
            if len(data) == end - inside:
                yield Box(kind, data, 0, len(data))


def track_of(moov: Box, track: int) -> Box | None:
    """The `trak` box of a track by its number; None where there is none."""
    for trak in moov.find(b"trak"):
        for tkhd in trak.find(b"tkhd"):
            if tkhd.number(20 if tkhd.number(0, 1) else 12) == track:
                return trak
    return None
