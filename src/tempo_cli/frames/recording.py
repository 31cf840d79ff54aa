"""Segments in a file: written by a thread while they are decoded, read on demand."""

import os
import threading
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np

from ..types import Pixels, Segment, SegmentPlan
from .entry import MAGIC, Block, EntryError, Index, pack_index, read_block, read_part, write_all
from .folder import Part

_STEP = 1 << 24  # bytes that are written between two looks at the disk
_PATIENCE = 10.0  # seconds that closing waits for the disk
_MOST_WAITING = 32  # segments that may wait to be written; beyond, the disk is too slow to help


class FrameFile:
    """The frames of some segments of a video, in an open file.

    Attributes:
        blocks: where they are, by the segment's index.
        waiting: those that are still to be written.
    """

    def __init__(self, file: BinaryIO, blocks: Mapping[int, Block]) -> None:
        self.blocks = dict(blocks)
        self.waiting: dict[int, Segment] = {}
        self._file = file
        self._lock = threading.Lock()

    def __contains__(self, index: int) -> bool:
        return index in self.waiting or index in self.blocks

    def read(self, index: int) -> tuple[tuple[int, ...], Pixels] | None:
        """The positions in the plan and the frames of a segment, (T, H, W, 3).

        None where they are not there, or no longer as they were written.
        """
        segment = self.waiting.get(index)
        if segment is not None:
            return segment.plan.positions, segment.frames
        block = self.blocks.get(index)
        if block is None:
            return None
        try:
            with self._lock:
                return block.positions, read_block(self._file, block)
        except (OSError, ValueError, EntryError):
            self.blocks.pop(index, None)
            return None

    def facts(self, place: tuple[int, int, int]) -> bytes | None:
        """The packed facts at (offset, length, CRC-32); None where they are no longer as written."""
        try:
            with self._lock:
                return read_part(self._file, *place)
        except (OSError, EntryError):
            return None

    def close(self) -> None:
        """Nothing can be read any more. Repeatable."""
        with self._lock:
            self.blocks.clear()
            self.waiting.clear()
            self._file.close()


class Held:
    """A decoded segment on its way to its reader: in memory until it is written, then in the file."""

    def __init__(self, segment: Segment) -> None:
        self.plan: SegmentPlan = segment.plan
        self.segment: Segment | None = segment

    @property
    def in_memory(self) -> bool:
        """Whether it takes memory."""
        return self.segment is not None


class Recording:
    """The segments of one video, written to a file by a thread of its own. Its creator must `close` it.

    It ends where the disk is full or slow, or the folder's limit is reached: what comes then stays in memory.

    Attributes:
        file: what was written so far.
        ended: whether nothing more is written.
        failed: whether it ended before its time: not all segments are in the file.
    """

    def __init__(self, part: Part) -> None:
        self.file = FrameFile(part.reader, {})
        self.ended = self.failed = False
        self._part = part
        self._waiting: deque[Held] = deque()
        self._changed = threading.Condition()
        self._offset = self._room = 0
        self._finish: Callable[[], None] | None = None
        self._written: Callable[[], None] = _nothing
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)
        self._thread.start()

    def hold(self, segment: Segment) -> Held:
        """Have a segment written; from the decoding thread, which never waits for the disk."""
        held = Held(segment)
        with self._changed:
            if len(self._waiting) >= _MOST_WAITING:
                self.ended = self.failed = True
            if not self.ended:
                self._waiting.append(held)
                self.file.waiting[segment.plan.index] = segment
                self._changed.notify_all()
        return held

    def on_written(self, callback: Callable[[], None]) -> None:
        """Have `callback` called in the writing thread when segments have left the memory."""
        self._written = callback

    def keep(
        self, key: str, video: str, describe: Callable[[], tuple[bytes, Mapping[str, Any]] | None]
    ) -> None:
        """Make an entry of it once all is written. Nothing comes after it.

        Args:
            describe: gives the packed facts and the findings; None: the video has changed.
        """

        def finish() -> None:
            described = describe()
            if described is None:
                return
            facts, findings = described
            place = self._offset, len(facts), zlib.crc32(facts)
            self._append(facts)
            index = Index(key, video, dict(sorted(self.file.blocks.items())), place, findings)
            packed = pack_index(index, self._offset)
            if self._part.folder.make_room(len(packed)):
                self._append(packed)
                self._part.keep(key)

        with self._changed:
            if not self.ended:
                self._finish = finish
                self._changed.notify_all()

    def close(self) -> None:
        """Wait for what is being kept, then take the file away unless it was. Repeatable."""
        try:
            with self._changed:
                stuck = not self._changed.wait_for(lambda: self._finish is None, _PATIENCE)
        finally:
            self.abandon()
        if not stuck:
            self._thread.join()

    def abandon(self) -> None:
        """As `close`, but nothing is kept that is not yet, and no thread is waited for."""
        with self._changed:
            self._closed = self.ended = True
            self._waiting.clear()
            self.file.waiting.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        whole = False
        try:
            self._append(MAGIC)
            while self._step():
                pass
            whole = True
        except (OSError, ValueError):
            pass
        finally:  # also after an error of ours: nobody may wait for this thread in vain
            with self._changed:
                self.failed = self.failed or not whole
                self.ended, self._finish = True, None
                self._waiting.clear()
                self.file.waiting.clear()
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed)  # what was written can be read until then
            self.file.close()
            self._part.drop()

    def _step(self) -> bool:
        """Write one segment, or what makes it an entry; whether more may come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._finish or self._closed)
            if self._closed:
                return False
            held = self._waiting[0] if self._waiting else None
        if held is None:
            assert self._finish is not None
            self._finish()
            return False
        segment = held.segment
        assert segment is not None
        frames = np.ascontiguousarray(segment.frames)
        data = frames.reshape(-1).data
        offset = self._offset
        self._append(data)
        t, height, width, colors = frames.shape
        block = Block(segment.plan.positions, (t, height, width, colors), offset, zlib.crc32(data))
        self.file.blocks[segment.plan.index] = block
        with self._changed:
            if self._waiting and self._waiting[0] is held:
                self._waiting.popleft()
            held.segment = None
            self.file.waiting.pop(segment.plan.index, None)
        self._written()
        return True

    def _append(self, data: bytes | memoryview) -> None:
        while self._room < len(data):
            if not self._part.folder.make_room(_STEP, unseen=self._offset if self._part.hidden else 0):
                raise OSError("no room")
            self._room += _STEP
            with suppress(OSError, AttributeError):
                os.fdatasync(self._part.writer.fileno())  # so that little is left to do at the end
        write_all(self._part.writer, data)
        self._offset += len(data)
        self._room -= len(data)


def _nothing() -> None:
    pass
