"""The file that holds the segments of one video.

| bytes | what |
|---|---|
| 16 | `MAGIC` |
| … | the frames of each segment, (T, H, W, 3) uint8, in a row; then the packed facts of the video |
| … | an index: JSON, ASCII |
| 28 | where the index begins, its length, its CRC-32, `END` |

Nothing in it can name a type or run code. No number in it is believed before it was compared with the file's
size, and no frame before its checksum was.
"""

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any, BinaryIO

import numpy as np

from ..checked import count, parse_json
from ..types import Pixels

FORMAT = 2  # raise it where sampling, resizing or this layout changes: older entries are then not found
MAGIC = b"tempo.frames/1\n\0"
END = b"TEMPOEND"
_FOOTER = struct.Struct("<QQI8s")
_MOST_INDEX = 1 << 26  # bytes of JSON


class EntryError(Exception):
    """The file is not what was written."""


@dataclass(frozen=True)
class Block:
    """Where a segment's frames are in the file.

    Attributes:
        positions: the sampled frames that it holds.
        shape: (T, H, W, 3).
        offset: bytes from the file's beginning.
        checksum: CRC-32 of its bytes.
    """

    positions: tuple[int, ...]
    shape: tuple[int, int, int, int]
    offset: int
    checksum: int

    @property
    def size(self) -> int:
        """Bytes."""
        return prod(self.shape)


@dataclass(frozen=True)
class Index:
    """What an entry holds.

    Attributes:
        key: digest of its `FrameKey`.
        video: path of the video, for people.
        blocks: by the segment's index, ascending.
        facts: offset, length and CRC-32 of the packed facts of the video.
        findings: what decoding found out, as plain JSON.
    """

    key: str
    video: str
    blocks: Mapping[int, Block]
    facts: tuple[int, int, int]
    findings: Mapping[str, Any]


def read_exactly(file: BinaryIO, offset: int, buffer: memoryview) -> None:
    """Fill `buffer` from `offset` on.

    Raises:
        EntryError: the file ends before.
    """
    file.seek(offset)
    done = 0
    while done < len(buffer):
        count = file.readinto(buffer[done:])  # type: ignore[attr-defined]
        if not count:
            raise EntryError("it ends early")
        done += count


def write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    """Write all of `data` where `file` stands: an unbuffered file may take a part of it."""
    view = memoryview(data)
    while len(view):
        view = view[file.write(view) :]


def read_block(file: BinaryIO, block: Block) -> Pixels:
    """The frames of a segment, (T, H, W, 3).

    Raises:
        EntryError: they are not those that were written.
    """
    frames = np.empty(block.shape, np.uint8)
    data = frames.reshape(-1).data
    read_exactly(file, block.offset, data)
    if zlib.crc32(data) != block.checksum:
        raise EntryError("its frames were changed")
    return frames


def read_part(file: BinaryIO, offset: int, length: int, checksum: int) -> bytes:
    """Some checked bytes."""
    data = read_slice(file, offset, length)
    if zlib.crc32(data) != checksum:
        raise EntryError("it was changed")
    return data


def pack_index(index: Index, offset: int) -> bytes:
    """The index and the file's last bytes.

    Args:
        offset: where they begin.
    """
    plain = asdict(index) | {
        "blocks": [[number, *asdict(block).values()] for number, block in index.blocks.items()]
    }
    text = json.dumps(plain, allow_nan=False).encode()
    return text + _FOOTER.pack(offset, len(text), zlib.crc32(text), END)


def read_index(file: BinaryIO, size: int) -> Index:
    """The index of an entry of `size` bytes.

    Raises:
        EntryError: it is none, or not whole.
    """
    if size < len(MAGIC) + _FOOTER.size:
        raise EntryError("it is too short")
    if read_slice(file, 0, len(MAGIC)) != MAGIC:
        raise EntryError("it begins otherwise")
    offset, length, checksum, end = _FOOTER.unpack(read_slice(file, size - _FOOTER.size, _FOOTER.size))
    if end != END or offset < len(MAGIC) or length > _MOST_INDEX or offset + length + _FOOTER.size != size:
        raise EntryError("it has no end")
    text = read_part(file, offset, length, checksum)
    try:
        return _index(parse_json(text), offset)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EntryError(f"{type(error).__name__}: {error}") from None


def read_slice(file: BinaryIO, offset: int, length: int) -> bytes:
    """`length` bytes from `offset` on."""
    data = bytearray(length)
    read_exactly(file, offset, memoryview(data))
    return bytes(data)


def _index(plain: Any, end: int) -> Index:
    blocks = {count(number): _block(rest, end) for number, *rest in plain["blocks"]}
    if list(blocks) != sorted(blocks) or len(blocks) != len(plain["blocks"]):
        raise ValueError("segments out of order")
    offset, length, checksum = map(count, plain["facts"])
    if not len(MAGIC) <= offset <= offset + length <= end:
        raise ValueError("facts beyond the end")
    findings = plain["findings"]
    if not isinstance(findings, dict):
        raise ValueError("no findings")
    return Index(str(plain["key"]), str(plain["video"]), blocks, (offset, length, checksum), findings)


def _block(plain: Sequence[Any], end: int) -> Block:
    positions, shape, offset, checksum = plain
    frames, height, width, colors = map(count, shape)
    block = Block(
        tuple(map(count, positions)), (frames, height, width, colors), count(offset), count(checksum)
    )
    if colors != 3 or not block.size or not block.positions:
        raise ValueError("a segment without pixels")
    if not len(MAGIC) <= block.offset <= block.offset + block.size <= end:
        raise ValueError("a segment beyond the end")
    return block
