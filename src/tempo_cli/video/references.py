"""What other pictures need of a packet: whether decoding can begin with it, and whether any refers to it.

Read from the header of the packet's own picture; the containers' flags are missing or promise less. Where a
header makes no sense, or a codec's state passes on from picture to picture, the packet counts as needed.
"""

import re
from array import array
from collections.abc import Callable, Iterable
from typing import Any

import av
import numpy as np

from ..plan.packets import CUT, DISPOSABLE
from ..types import IntArray, Kinds
from .av1 import (
    AV1_CONFIGURATION,
    AV1_FRAMES,
    AV1_SEQUENCE,
    Sequence,
    Unit,
    av1_units,
    read_sequence,
    refreshes_nothing,
)
from .keyframes import length_size, unit_places

_LAYER, _LAYERS = 4, 7  # first of the bits that hold a picture's temporal layer, and the highest one
_BRINGS_SETS = 128  # all that decoding must have to begin with it, where that changes within the stream
_PASSES_ON, _RESETS = 4, 8  # the next picture goes on from its state; a picture that goes on from no other's
_H264_SLICES, _H264_IDR, _H264_LAYERS = range(1, 6), 5, {14, 20, 21}
_HEVC_SLICES, _HEVC_IDR = range(32), {19, 20}
_HEVC_UNREFERENCED = set(range(0, 16, 2))  # by pictures of the same temporal layer
_PICTURE, _EXTENSION = re.compile(rb"\x00\x00\x01\x00"), re.compile(rb"\x00\x00\x01\xb5[\x80-\x8f]")
_VOP = re.compile(rb"\x00\x00\x01\xb6")
_I, _B, _FRAME, _FIELDS = 1, 3, 3, [1, 2]  # MPEG-1 and MPEG-2: coding types, structures of pictures
_VOP_I, _VOP_B = 0, 2
_VP9_MARKER, _VP9_SUPERFRAME = 0b10, 0b110
_AV1_SHOWN_KEY = 0b0001  # show_existing_frame, frame_type, show_frame
_AV1_PLAIN = {
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    15,
}  # sequence, delimiter, frame header, tiles, metadata, frame, copy, padding
# PyAV generates presentation times that a file lacks, in all but these codecs; these containers lack none.
# What ffmpeg guesses instead depends on the packets before, so that none may be left out.
_NOT_GENERATED, _MATROSKA = {"h264", "hevc"}, "matroska,webm"
_EXACT = {"mov,mp4,m4a,3gp,3g2,mj2", _MATROSKA}

Reader = Callable[[memoryview, bytes | None], int]


class PacketKinds:
    """Collects what the packets of one stream are, 9 bytes each.

    Args:
        reader: libav's name of the container format.
        codec: libav's canonical name.
        extradata: the stream's header.
    """

    def __init__(self, reader: str, codec: str, extradata: bytes | None) -> None:
        old_style = codec == "mpeg4" and reader == _MATROSKA  # often as in AVI, with decoding times only
        safe = codec in _NOT_GENERATED or (reader in _EXACT and not old_style)
        self._read = (_Av1Reader() if codec == "av1" else _READERS.get(codec)) if safe else None
        self._extradata = extradata
        self._pts = array("q")
        self._kinds = bytearray()

    def add(self, packet: "av.Packet[Any]", random_access: bool, brought: tuple[bool, bool]) -> None:
        """Note the next packet.

        Args:
            random_access: whether decoding can begin with it, as far as the container tells.
            brought: what `ParameterSets.look` or `SequenceHeaders.look` says of it.
        """
        if self._read is None:
            return
        if packet.pts is None:
            self._read = None  # what can't be named can't be left out
            return
        kind = self._read(memoryview(packet), self._extradata)
        some, whole = brought
        kind = kind if random_access else kind & ~CUT
        kind = kind & ~DISPOSABLE if some else kind
        self._pts.append(packet.pts)
        self._kinds.append(kind | _BRINGS_SETS if whole else kind)

    def result(self, changing: bool) -> tuple[IntArray, Kinds] | None:
        """Presentation times (P,) int64 and kinds (P,) uint8 of all packets.

        Args:
            changing: whether parameter sets change within the stream.

        Returns:
            None where they don't tell for sure what may be left out.
        """
        pts, kinds = np.array(self._pts, np.int64), np.frombuffer(bytes(self._kinds), np.uint8)
        if self._read is None or not len(pts) or len(np.unique(pts)) < len(pts):
            return None
        resets = np.append(kinds[1:] & _RESETS, 1) > 0
        kinds = np.where((kinds & _PASSES_ON > 0) & ~resets, kinds & ~np.uint8(DISPOSABLE), kinds)
        if changing:
            kinds = np.where(kinds & _BRINGS_SETS > 0, kinds, kinds & ~np.uint8(CUT))
        layers = kinds >> _LAYER & _LAYERS
        highest = layers == layers.max()  # pictures of a higher layer may refer to any of a lower one
        kinds = np.where(highest, kinds, kinds & ~np.uint8(DISPOSABLE)) & np.uint8(DISPOSABLE | CUT)
        return pts, kinds.astype(np.uint8)


def _read_h264(packet: memoryview, extradata: bytes | None) -> int:
    slices, referenced, cut = 0, False, False
    for place in unit_places(packet, length_size(extradata, 4)):
        kind = packet[place] & 0x1F
        if kind in _H264_SLICES:
            slices += 1
            referenced = referenced or bool(packet[place] & 0x60)  # nal_ref_idc
            cut = cut or kind == _H264_IDR
        elif kind in _H264_LAYERS:
            referenced = True
    return (CUT if cut else 0) | (DISPOSABLE if slices and not referenced else 0)


def _read_hevc(packet: memoryview, extradata: bytes | None) -> int:
    slices, referenced, cut, temporal = 0, False, False, 0
    for place in unit_places(packet, length_size(extradata, 21)):
        kind = packet[place] >> 1 & 0x3F
        if kind not in _HEVC_SLICES or place + 1 >= len(packet):
            continue
        slices += 1
        layer = (packet[place] & 1) << 5 | packet[place + 1] >> 3
        temporal = max(temporal, (packet[place + 1] & 7) - 1)
        referenced = referenced or layer > 0 or kind not in _HEVC_UNREFERENCED
        cut = cut or kind in _HEVC_IDR
    return temporal << _LAYER | (CUT if cut else 0) | (DISPOSABLE if slices and not referenced else 0)


def _read_mpeg12(packet: memoryview, _: bytes | None) -> int:
    """A packet may hold two fields; that of an I-picture which is P refers to the other one only."""
    kinds, structures = [], []
    for match in _PICTURE.finditer(packet):
        if match.end() + 2 > len(packet):
            return 0
        kinds.append(packet[match.end() + 1] >> 3 & 7)
        extension = _EXTENSION.search(packet, match.end())
        place = extension.end() + 1 if extension else len(packet)
        structures.append(packet[place] & 3 if place < len(packet) else _FRAME)
    whole = structures == [_FRAME] or sorted(structures) == _FIELDS
    disposable = whole and set(kinds) == {_B}
    return (CUT if kinds[:1] == [_I] else 0) | (DISPOSABLE if disposable else 0)


def _read_mpeg4(packet: memoryview, _: bytes | None) -> int:
    kinds = [packet[match.end()] >> 6 for match in _VOP.finditer(packet) if match.end() < len(packet)]
    if len(kinds) != 1:
        return 0
    return (CUT if kinds[0] == _VOP_I else 0) | (DISPOSABLE if kinds[0] == _VOP_B else 0)


def _read_vp8(packet: memoryview, _: bytes | None) -> int:
    return 0 if packet[0] & 1 else CUT


def _read_vp9(packet: memoryview, _: bytes | None) -> int:
    """Motion vectors, probabilities and segments pass on to the next picture, unless that resets them."""
    begin = int.from_bytes(packet[:4].tobytes().ljust(4, b"\0"), "big")
    if packet[0] >> 4 & 3 == 3:  # profile 3 has a reserved bit
        begin = begin << 1
    existing, inter, shown, resilient = (begin >> place & 1 for place in (27, 26, 25, 24))
    if packet[0] >> 6 != _VP9_MARKER or existing:
        return 0
    if not inter:
        return CUT | _RESETS
    if not resilient:
        return 0
    alone = packet[-1] >> 5 != _VP9_SUPERFRAME
    refreshed = begin >> 16 & 0xFF
    return _RESETS | (DISPOSABLE | _PASSES_ON if shown and alone and not refreshed else 0)


class _Av1Reader:
    """Frames are read by the last sequence header."""

    def __init__(self) -> None:
        self._sequence: Sequence | None = None
        self._begun = False

    def __call__(self, packet: memoryview, extradata: bytes | None) -> int:
        if not self._begun:
            self._begun = True
            self._note(av1_units(memoryview(extradata or b"")[AV1_CONFIGURATION:]))
        units = list(av1_units(packet))
        begins = self._note(units)
        frames = [unit for unit in units if unit.kind in AV1_FRAMES]
        # only a key frame that is shown at once replaces everything that later ones may refer to
        cut = (
            begins
            and len(frames) > 0
            and len(frames[0].payload)
            and frames[0].payload[0] >> 4 == _AV1_SHOWN_KEY
        )
        plain = {unit.kind for unit in units} <= _AV1_PLAIN and not any(unit.layer for unit in units)
        sequence = self._sequence
        disposable = (
            sequence is not None
            and len(frames) > 0
            and plain
            and all(refreshes_nothing(sequence, unit.payload) for unit in frames)
        )
        return (CUT if cut else 0) | (DISPOSABLE if disposable else 0)

    def _note(self, units: Iterable[Unit]) -> bool:
        """Whether a sequence header is among these; it holds from now on."""
        headers = [unit.payload for unit in units if unit.kind == AV1_SEQUENCE]
        if headers:
            self._sequence = read_sequence(headers[-1])
        return len(headers) > 0


def _stands_alone(*_: object) -> int:
    return CUT


_READERS: dict[str, Reader] = {
    "h264": _read_h264,
    "hevc": _read_hevc,
    "mpeg1video": _read_mpeg12,
    "mpeg2video": _read_mpeg12,
    "mpeg4": _read_mpeg4,
    "vp8": _read_vp8,
    "vp9": _read_vp9,
    "mjpeg": _stands_alone,
    "prores": _stands_alone,
    "dnxhd": _stands_alone,
}
