"""Host memory for kept segments: reserved in large blocks, pinned where a CUDA device copies from it."""

from collections.abc import Iterator, Sequence
from math import prod

import torch

_ALIGNMENT = 256  # bytes
_BLOCK = 256_000_000  # bytes; larger ones would be pinned no faster, and return to the system later


class _Block:
    """One reserved piece of memory, and the places in it that are free: (start, end), ascending."""

    def __init__(self, size: int, pinned: bool) -> None:
        self.memory = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
        self.free = [(0, size)]

    @property
    def is_empty(self) -> bool:
        return self.free == [(0, len(self.memory))]

    def take(self, size: int) -> int | None:
        for number, (start, end) in enumerate(self.free):
            if end - start >= size:
                self.free[number : number + 1] = [(start + size, end)] if end - start > size else []
                return start
        return None

    def give_back(self, start: int, size: int) -> None:
        merged: list[tuple[int, int]] = []
        for place in sorted([*self.free, (start, start + size)]):
            if merged and merged[-1][1] == place[0]:
                merged[-1] = (merged[-1][0], place[1])
            else:
                merged.append(place)
        self.free = merged


class HostArena:
    """Bytes on the host. Pinning is slow, so a block is reserved for several segments.

    Attributes:
        limit: bytes that are reserved at most.
    """

    def __init__(self, pinned: bool) -> None:
        self.limit = 0
        self._pinned = pinned
        self._blocks: list[_Block] = []
        self._taken: dict[int, tuple[_Block, int, int]] = {}  # by the address of the piece

    @property
    def reserved(self) -> int:
        """Bytes of all blocks."""
        return sum(len(block.memory) for block in self._blocks)

    def reserve(self, size: int) -> bool:
        """Have `size` bytes free in one piece; False where the limit or the system forbids it."""
        if any(end - start >= size for start, end in self._free()):
            return True
        return self._add(size)

    def reserve_pieces(self, pieces: Sequence[tuple[int, int]]) -> None:
        """Have room for pieces, (bytes of one, how many), as far as the limit and the system allow."""
        free = [end - start for start, end in self._free()]
        for size, count in pieces:
            left = count
            for place, room in enumerate(free):
                fitting = min(left, room // size)
                free[place] -= fitting * size
                left -= fitting
            while left > 0:
                fitting = min(left, max(1, _BLOCK // size), (self.limit - self.reserved) // size)
                if fitting < 1 or not self._add(fitting * size):
                    break
                left -= fitting

    def release_unused(self) -> None:
        """Return blocks in which nothing was taken to the system."""
        self._blocks = [block for block in self._blocks if not block.is_empty]

    def take(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor | None:
        """An uninitialized tensor in the arena; None where there is no room."""
        count = prod(shape) * dtype.itemsize
        size = rounded(count)
        if not self.reserve(size):
            return None
        places = ((block, block.take(size)) for block in self._blocks)
        block, start = next((block, start) for block, start in places if start is not None)
        piece = block.memory[start : start + count]
        self._taken[piece.data_ptr()] = block, start, size
        return piece.view(dtype).view(shape)

    def give_back(self, tensor: torch.Tensor) -> None:
        """Free what `take` gave. A block with nothing in it returns to the system."""
        block, start, size = self._taken.pop(tensor.data_ptr())
        block.give_back(start, size)
        if block.is_empty:
            self._blocks.remove(block)

    def _add(self, size: int) -> bool:
        """One more block."""
        if self.reserved + size > self.limit:
            return False
        try:
            self._blocks.append(_Block(size, self._pinned))
        except (RuntimeError, MemoryError):  # the system pins no more
            self.limit = self.reserved
            return False
        return True

    def _free(self) -> Iterator[tuple[int, int]]:
        for block in self._blocks:
            yield from block.free


def rounded(size: int) -> int:
    """Bytes that a piece of `size` bytes takes in the arena."""
    return -(-max(1, size) // _ALIGNMENT) * _ALIGNMENT
