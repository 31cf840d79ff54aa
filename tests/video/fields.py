"""Videos whose pictures are stored as two fields: MPEG-2. No encoder at hand writes them.

Every macroblock has one color, so that what a decoder must show is known to the level. `fields_h264` makes
H.264 of the same kind.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer

Levels = npt.NDArray[np.int64]  # Y, Cb, Cr of a field's macroblocks, (3, rows, columns)

COLUMNS, ROWS = 4, 2  # macroblocks of a field
WIDTH, HEIGHT = 16 * COLUMNS, 32 * ROWS  # px of a frame
_TICK, _AHEAD = Fraction(1, 50), 2  # a field's time; fields that are decoded before the first one is shown
_FRAME_RATE, _BITS_PER_SECOND, _BUFFER = 3, 2500, 20  # 25 per second; in units of 400 and 2,048 bytes
_SEQUENCE, _GROUP, _PICTURE, _EXTENSION = 0xB3, 0xB8, 0x00, 0xB5
_PICTURE_TYPES = {"I": 1, "P": 2, "B": 3}
_LUMA_SIZES = ("100", "00", "01", "101", "110", "1110", "11110", "111110", "1111110")
_CHROMA_SIZES = ("00", "01", "10", "110", "1110", "11110", "111110", "1111110", "11111110")
_END_OF_BLOCK, _ESCAPE, _FIELD_MOTION, _NO_MOTION = "10", "000001", "01", "11"
_ALL_LUMA = "111"  # pattern of a macroblock whose four luma blocks are coded


class Coded(NamedTuple):
    """A frame: its bytes, one string for each field in the order stored, and what it must look like.

    Attributes:
        place: among the frames as they are shown.
        kind: I, P or B; p is a P-picture that nothing refers to.
        shown: levels of the upper and of the lower field, (2, 3, rows, columns).
    """

    place: int
    kind: str
    fields: tuple[bytes, bytes]
    shown: Levels


class Bits:
    """Writes numbers bit by bit."""

    def __init__(self) -> None:
        self._text: list[str] = []

    def put(self, *pairs: tuple[int, int]) -> "Bits":
        """Numbers, each in so many bits."""
        self._text += [format(value, f"0{width}b") for value, width in pairs]
        return self

    def code(self, *codes: str) -> "Bits":
        """Codes of "0" and "1"."""
        self._text += codes
        return self

    def golomb(self, *values: int) -> "Bits":
        """Unsigned numbers as Exp-Golomb codes."""
        return self.put(*((value + 1, 2 * (value + 1).bit_length() - 1) for value in values))

    def align(self) -> "Bits":
        """Zeros up to a whole byte."""
        return self.code("0" * (-sum(map(len, self._text)) % 8))

    def data(self) -> bytes:
        """All of it, with zeros up to a whole byte."""
        text = "".join(self.align()._text)
        return int(text or "0", 2).to_bytes(len(text) // 8)


def stored(kinds: str) -> Iterator[tuple[int, str]]:
    """Place and kind of frames `kinds`, given as they are shown, in the order of decoding."""
    waiting: list[int] = []
    for place, kind in enumerate(kinds):
        if kind == "B":
            waiting.append(place)
            continue
        yield place, kind
        yield from ((one, "B") for one in waiting)
        waiting = []
    assert not waiting, "a B-picture needs a later one to refer to"


def yuv420p(coded: list[Coded]) -> bytes:
    """All frames as they are shown."""
    planes = []
    for one in sorted(coded, key=lambda frame: frame.place):
        for plane, size in enumerate((16, 8, 8)):
            fields = one.shown[:, plane].repeat(size, axis=1).repeat(size, axis=2)
            planes.append(fields.transpose(1, 0, 2).astype(np.uint8).tobytes())
    return b"".join(planes)


def random_levels(random: np.random.Generator) -> Levels:
    """Colors of a field."""
    return random.integers(40, 200, (3, ROWS, COLUMNS))


def mpeg2(kinds: str, seed: int, *, second: str = "P", lower_first: bool = False) -> list[Coded]:
    """Frames of MPEG-2 in the order of decoding.

    Args:
        kinds: I, P and B of the frames as they are shown.
        second: what the second field of an I-frame is: I, or P, which refers to the first one.
        lower_first: whether the lower field comes first.
    """
    random, coded = np.random.default_rng(seed), list[Coded]()
    before = last = np.zeros((2, 3, ROWS, COLUMNS), np.int64)
    group = 0
    for place, kind in stored(kinds):
        if kind == "I":
            leading = kinds[:place].rpartition("P")[2].count("B")  # shown before it
            group = place - leading
        shown = np.zeros_like(last)
        data = []
        for number in range(2):
            parity = number ^ lower_first
            header = _headers(kinds, place, group) if kind == "I" and number == 0 else b""
            own = second if kind == "I" and number else kind
            header += _picture_header(place - group, own, parity)
            known = last.copy()
            if own == "P" and number:
                known[1 - parity] = shown[1 - parity]
            usable = (1 - parity,) if own != kind else (0, 1)  # nothing goes back beyond an I-frame
            body, shown[parity] = _slices(random, own, parity, before, known, usable)
            data.append(header + body)
        if kind != "B":
            before, last = last, shown
        coded.append(Coded(place, kind, (data[0], data[1]), shown))
    return coded


def _start(code: int, bits: Bits) -> bytes:
    return b"\0\0\1" + bytes([code]) + bits.data()


def _headers(kinds: str, place: int, group: int) -> bytes:
    size, flags = ((WIDTH, 12), (HEIGHT, 12), (1, 4)), ((1, 1), (_BUFFER, 10), (0, 3))
    sequence = Bits().put(*size, (_FRAME_RATE, 4), (_BITS_PER_SECOND, 18), *flags)
    # main profile and level, not progressive, 4:2:0
    extension = Bits().put((1, 4), (0x48, 8), (0, 1), (1, 2), (0, 16), (1, 1), (0, 8), (0, 1), (0, 7))
    closed = "B" not in kinds[group:place]
    time = Bits().put((0, 12), (1, 1), (group // 25, 6), (group % 25, 6), (closed, 1), (0, 1))
    return _start(_SEQUENCE, sequence) + _start(_EXTENSION, extension) + _start(_GROUP, time)


def _picture_header(reference: int, kind: str, parity: int) -> bytes:
    picture = Bits().put((reference, 10), (_PICTURE_TYPES[kind], 3), (0xFFFF, 16))
    for _ in range("IPB".index(kind)):
        picture.put((0, 1), (7, 3))
    codes = {"I": (15, 15), "P": (1, 15), "B": (1, 1)}[kind]
    coding = Bits().put((8, 4), *((code, 4) for code in codes for _ in range(2)), (0, 2), (1 + parity, 2))
    coding.put((0, 10))
    return _start(_PICTURE, picture.put((0, 1))) + _start(_EXTENSION, coding)


def _slices(
    random: np.random.Generator,
    kind: str,
    parity: int,
    before: Levels,
    last: Levels,
    usable: tuple[int, ...],
) -> tuple[bytes, Levels]:
    """A field's macroblocks, and their levels.

    Args:
        before, last: frames that B-pictures refer to; P-pictures refer to the fields `usable` of `last`.
    """
    levels, data = random_levels(random), b""
    for row in range(ROWS):
        bits, known = Bits().put((1, 5), (0, 1)), np.full(3, 128)  # quantizer; what levels are told against
        skipped = 0
        for column in range(COLUMNS):
            at = (slice(None), row, column)
            choice = int(random.integers(0, 5))
            if kind == "P" and choice == 0 and 0 < column < COLUMNS - 1 and parity in usable:
                levels[at] = last[parity][at]
                skipped += 1
                known = np.full(3, 128)
                continue
            bits.code("1" if not skipped else ("011", "010")[skipped - 1])
            skipped = 0
            if kind == "I" or choice == 1:
                bits.code({"I": "1", "P": "00011", "B": "00011"}[kind])
                _intra(bits, levels[at], known)
                known = levels[at]
                continue
            known = np.full(3, 128)
            field, other = (int(one) for one in random.choice(usable, 2))
            if kind == "P":
                change = int(random.integers(-9, 10)) or 1
                levels[at] = last[field][at]
                levels[0, row, column] += change
                bits.code("1", _FIELD_MOTION, str(field), _NO_MOTION, _ALL_LUMA)
                _changes(bits, change)
            elif choice == 2:
                levels[at] = before[field][at]
                bits.code("0010", _FIELD_MOTION, str(field), _NO_MOTION)
            elif choice == 3:
                levels[at] = last[other][at]
                bits.code("010", _FIELD_MOTION, str(other), _NO_MOTION)
            else:
                levels[at] = (before[field][at] + last[other][at] + 1) // 2
                bits.code("10", _FIELD_MOTION, str(field), _NO_MOTION, str(other), _NO_MOTION)
        data += _start(row + 1, bits)
    return data, levels


def _intra(bits: Bits, levels: Levels, known: Levels) -> None:
    """Blocks of one level each, told as its difference to the one before."""
    for plane, blocks, sizes in ((0, 4, _LUMA_SIZES), (1, 1, _CHROMA_SIZES), (2, 1, _CHROMA_SIZES)):
        difference = int(levels[plane] - known[plane])
        size = abs(difference).bit_length()
        bits.code(sizes[size])
        if size:
            bits.put((difference if difference > 0 else difference + (1 << size) - 1, size))
        bits.code(_END_OF_BLOCK, *(sizes[0] + _END_OF_BLOCK for _ in range(blocks - 1)))


def _changes(bits: Bits, change: int) -> None:
    """The four luma blocks, each brighter by `change`."""
    for _ in range(4):
        bits.code(_ESCAPE).put((0, 6), (4 * change & 0xFFF, 12)).code(_END_OF_BLOCK)


def write(path: Path, coded: list[Coded], codec: str, *, apart: bool = False) -> Path:
    """Put frames at 25 per second into the container that the file's name tells; raw streams as they are.

    Args:
        codec: libav's name.
        apart: whether each field is a packet, with a time of its own, or both are one.
    """
    if path.suffix in {".m2v", ".h264"}:
        path.write_bytes(b"".join(b"".join(one.fields) for one in coded))
        return path
    if path.suffix == ".ts":
        with av.open(str(path), "w", container_options={"muxdelay": "0"}) as output:
            stream = output.add_mux_stream(codec, rate=25, width=WIDTH, height=HEIGHT)
            _mux(output, stream, coded, apart)
        return path
    plain = write(path.with_suffix(".header.ts"), coded, codec)  # from it libav knows the stream's header
    with av.open(str(plain)) as source, av.open(str(path), "w") as output:
        _mux(output, output.add_stream_from_template(source.streams.video[0]), coded, apart)
    return path


def _mux(output: OutputContainer, stream: av.VideoStream, coded: list[Coded], apart: bool) -> None:
    stream.time_base = _TICK
    for number, one in enumerate(coded):
        for field, data in enumerate(one.fields if apart else [b"".join(one.fields)]):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, _TICK
            packet.pts = 2 * one.place + field + _AHEAD
            packet.dts = 2 * number + field
            packet.duration = 1 if apart else 2
            packet.is_keyframe = one.kind == "I" and not field
            output.mux(packet)
