"""H.264 whose pictures are stored as two fields (PAFF): what no encoder at hand writes. As in `fields`."""

import numpy as np

from .fields import COLUMNS, ROWS, Bits, Coded, Levels, random_levels, stored

_SEQUENCE, _PICTURE, _IDR, _SLICE = 7, 8, 5, 1
_MAIN, _LEVEL, _CAVLC = 77, 30, 0
_FRAME_BITS, _ORDER_BITS = 4, 6  # of numbers that wrap
_SLICE_TYPES = {"P": 5, "B": 6, "I": 7}
_RAW = {"I": 25, "P": 30, "B": 48}  # macroblock types: samples as they are
_FROM_BEFORE, _FROM_AFTER, _FROM_BOTH = 1, 2, 3  # of B-pictures
_INTER = 0  # of P-pictures, and the code for that nothing is added


def h264(kinds: str, seed: int, *, second: str = "P", lower_first: bool = False) -> list[Coded]:
    """Frames of H.264 in the order of decoding, with start codes.

    Args:
        kinds: I, P, B, and p for a P-picture that nothing refers to, of the frames as they are shown.
        second: what the second field of an I-frame is: I, or P, which refers to the first one.
        lower_first: whether the lower field comes first.
    """
    random, coded = np.random.default_rng(seed), list[Coded]()
    before = last = np.zeros((2, 3, ROWS, COLUMNS), np.int64)
    number, first_place, keys = 0, 0, 0
    for place, kind in stored(kinds):
        if kind == "I":
            number, first_place, keys = 0, place, keys + 1
        shown, data = np.zeros_like(last), []
        for field in range(2):
            parity = field ^ lower_first
            own = second if kind == "I" and field else kind.upper()
            header = parameter_sets() if kind == "I" and not field else b""
            slice_ = Bits().golomb(0, _SLICE_TYPES[own], 0).put((number % (1 << _FRAME_BITS), _FRAME_BITS))
            slice_.put((1, 1), (parity, 1))
            idr = kind == "I" and not field
            if idr:
                slice_.golomb(keys % 2)
            order = 2 * (place - first_place) + field
            slice_.put((order % (1 << _ORDER_BITS), _ORDER_BITS))
            # of one list: the field of the same parity of the last frame, then what is next to it
            fields = [last[parity], shown[1 - parity] if field and kind not in "Bp" else last[1 - parity]]
            if kind == "I" and field:
                fields = fields[1:]  # there is no other
            if own == "B":
                slice_.put((1, 1), (1, 1)).golomb(0, 0).put((0, 2))
            elif own == "P":
                slice_.put((1, 1)).golomb(len(fields) - 1).put((0, 1))
            if kind not in "Bp":
                slice_.put((0, 2) if idr else (0, 1))
            slice_.golomb(0, 1)  # quantizer; no smoothing across blocks
            shown[parity] = _macroblocks(slice_, random, own, fields, before[parity])
            unit = _IDR if idr else _SLICE
            data.append(header + _unit(0 if kind in "Bp" else 2, unit, slice_.code("1")))
        if kind not in "Bp":
            before, last = last, shown
            number += 1
        coded.append(Coded(place, kind, (data[0], data[1]), shown))
    return coded


def parameter_sets() -> bytes:
    """Of a sequence of fields and of its pictures, with start codes."""
    sequence = Bits().put((_MAIN, 8), (0, 8), (_LEVEL, 8)).golomb(0, _FRAME_BITS - 4, 0, _ORDER_BITS - 4, 2)
    sequence.put((0, 1)).golomb(COLUMNS - 1, ROWS - 1).put((0, 1), (0, 1), (1, 1), (0, 1))
    # one picture at most comes before another that is shown earlier
    sequence.put((1, 1), (0, 8), (1, 1), (0, 1)).golomb(0, 0, 10, 10, 1, 2)
    picture = Bits().golomb(0, 0).put((_CAVLC, 1), (0, 1)).golomb(0, 0, 0).put((0, 3)).golomb(0, 0, 0)
    picture.put((1, 1), (0, 2))
    return _unit(3, _SEQUENCE, sequence.code("1")) + _unit(3, _PICTURE, picture.code("1"))


def _unit(referred: int, kind: int, bits: Bits) -> bytes:
    data, zeros = bytearray(), 0
    for byte in bits.data():
        if zeros == 2 and byte <= 3:
            data.append(3)
            zeros = 0
        zeros = zeros + 1 if byte == 0 else 0
        data.append(byte)
    return b"\0\0\0\1" + bytes([referred << 5 | kind]) + data


def _macroblocks(
    bits: Bits, random: np.random.Generator, kind: str, fields: list[Levels], before: Levels
) -> Levels:
    """A field's macroblocks. P-pictures refer to `fields`, B-pictures to the first and to `before`."""
    levels, skipped = random_levels(random), 0
    levels[1:] = 128  # chroma from the other parity is moved by a quarter of a sample
    for row in range(ROWS):
        for column in range(COLUMNS):
            at = (slice(None), row, column)
            choice = int(random.integers(0, 5))
            if kind == "P" and choice == 0:
                levels[at] = fields[0][at]
                skipped += 1
                continue
            if kind != "I":
                bits.golomb(skipped)
                skipped = 0
            if kind == "I" or choice == 1:
                bits.golomb(_RAW[kind]).align()
                for plane, samples in enumerate((256, 64, 64)):
                    bits.code(format(levels[plane, row, column], "08b") * samples)
            elif kind == "P":
                field = int(random.integers(0, len(fields)))
                levels[at] = fields[field][at]
                bits.golomb(_INTER)
                if len(fields) > 1:
                    bits.put((1 - field, 1))
                bits.golomb(0, 0, _INTER)
            elif choice == 2:
                levels[at] = before[at]
                bits.golomb(_FROM_BEFORE, 0, 0, _INTER)
            elif choice == 3:
                levels[at] = fields[0][at]
                bits.golomb(_FROM_AFTER, 0, 0, _INTER)
            else:
                levels[at] = (before[at] + fields[0][at] + 1) // 2
                bits.golomb(_FROM_BOTH, 0, 0, 0, 0, _INTER)
    if skipped:
        bits.golomb(skipped)
    return levels
