"""The elements of a Matroska file, whose contents libav does not report."""

from collections.abc import Iterator
from typing import NamedTuple

MATROSKA = "matroska,webm"  # libav's name of the format
EBML, SEGMENT, TRACKS, TRACK = 0x1A45DFA3, 0x18538067, 0x1654AE6B, 0xAE
HEAD = 12  # bytes of an element's id and size at most


class Head(NamedTuple):
    """An element's id, where what it holds begins, and where that ends; None: where its parent ends."""

    identity: int
    begin: int
    end: int | None


def read_head(data: memoryview | bytes, place: int = 0) -> Head | None:
    """The head of the element at `place`; None where there is none in `data`."""
    if place >= len(data):
        return None
    width = 9 - data[place].bit_length()
    identity = int.from_bytes(data[place : place + width], "big")
    place += width
    if place >= len(data) or width > 4 or data[place] == 0:
        return None
    width = 9 - data[place].bit_length()
    unknown = (1 << 7 * width) - 1
    size = int.from_bytes(data[place : place + width], "big") & unknown
    place += width
    return Head(identity, place, None if size == unknown else place + size)


def elements(data: memoryview, wanted: int) -> Iterator[memoryview]:
    """What the elements of an id hold, as far as it is in `data`."""
    place = 0
    while head := read_head(data, place):
        place = len(data) if head.end is None else head.end
        if head.identity == wanted:
            yield data[head.begin : place]


def number(data: memoryview, wanted: int) -> int | None:
    """The number in the first element of an id; None where there is none."""
    return next((int.from_bytes(value, "big") for value in elements(data, wanted)), None)
