"""What is kept of the segments of all opened clips: one store for a model, least recently used out first.

| tier | what | where |
|---|---|---|
| device | keys and values of the prefix | beside the model |
| host | the same | the host's memory, pinned for a CUDA device |
| features | of the vision tower | the host's memory, pinned for a CUDA device |
| frames | resized frames | the host's memory |
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from ..model.compressor import (
    Features,
    Prefix,
    SegmentFeatures,
    SegmentPrefix,
    features_shape,
    prefix_shape,
    segment_features,
    segment_prefix,
)
from ..model.device import is_out_of_memory
from ..plan.keep import KeepLimits, Tier
from ..system_memory import trim_heap
from ..types import Segment
from .arena import HostArena, rounded

Value = SegmentPrefix | SegmentFeatures | Segment


@dataclass(frozen=True)
class Kept:
    """One segment as it is kept; `size` in bytes."""

    tier: Tier
    value: Value
    size: int


class PrefixStore:
    """Keeps segments within byte limits. Belongs to a model; its clips have a `Shelf` each.

    Only the least recently used segments of other clips make room: a clip that does not fit keeps what came
    first, because it will be read from its beginning again.

    Attributes:
        device: where the model runs.
        limits: set before each question, from what is free.
        device_bytes: taken by kept segments on the device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.limits = KeepLimits(0, 0, "none")
        self._arena = HostArena(pinned=device.type == "cuda")
        self._kept: OrderedDict[tuple[int, int], Kept] = OrderedDict()  # by (clip, segment), oldest use first
        self._shelves = 0
        self._abandoned: list[Shelf] = []
        self._frame_bytes = 0
        self.device_bytes = 0

    @property
    def host_bytes(self) -> int:
        """Taken on the host, with what is reserved for more."""
        return self._frame_bytes + self._arena.reserved

    def shelf(self) -> "Shelf":
        """A new clip's part of the store."""
        self._shelves += 1
        return Shelf(self, self._shelves)

    def set_limits(self, limits: KeepLimits) -> None:
        """Keep within `limits` from here on; what is beyond them goes, and what abandoned clips kept."""
        while self._abandoned:
            self._abandoned.pop().close()
        self.limits = limits
        while self.device_bytes > limits.device and self._drop_oldest(on_device=True):
            pass
        if self.host_bytes > limits.host:
            self._arena.release_unused()
        while self.host_bytes > limits.host and self._drop_oldest(on_device=False):
            pass

    def release(self, *, host: bool, device: bool = True) -> bool:
        """Drop everything on the device, on the host, or on both; False if there was nothing."""
        gone = [key for key, kept in self._kept.items() if (device if kept.tier == "device" else host)]
        for key in gone:
            self._drop(key)
        return bool(gone)

    def _drop_oldest(self, *, on_device: bool, keep: int | None = None) -> bool:
        """Drop the least recently used segment there, but none of clip `keep`; False if there is none."""
        for key, kept in self._kept.items():
            if (kept.tier == "device") == on_device and key[0] != keep:
                self._drop(key)
                return True
        return False

    def _drop(self, key: tuple[int, int]) -> None:
        kept = self._kept.pop(key)
        self._count(kept.tier, -kept.size)
        if kept.tier in ("host", "features"):
            assert isinstance(kept.value, (SegmentPrefix, SegmentFeatures))
            self._arena.give_back(kept.value.values)

    @contextmanager
    def _given_back_on_error(self, tier: Tier, memory: torch.Tensor) -> Iterator[None]:
        """Return what was taken from the arena if filling it fails or is interrupted."""
        try:
            yield
        except BaseException:
            if tier != "device":
                self._arena.give_back(memory)
            raise

    def _put(self, key: tuple[int, int], kept: Kept) -> None:
        self._kept[key] = kept
        self._count(kept.tier, kept.size)

    def _count(self, tier: Tier, size: int) -> None:
        if tier == "device":
            self.device_bytes += size
        elif tier == "frames":
            self._frame_bytes += size

    def _take(self, tier: Tier, clip: int, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor | None:
        """Memory for a clip's segment; others make room for it. None where there is none."""
        size = rounded(torch.Size(shape).numel() * dtype.itemsize)
        if tier == "device":
            while self.device_bytes + size > self.limits.device:
                if not self._drop_oldest(on_device=True, keep=clip):
                    return None
            try:
                return torch.empty(shape, dtype=dtype, device=self.device)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                return None
        while True:
            self._arena.limit = self.limits.host - self._frame_bytes
            tensor = self._arena.take(shape, dtype)
            if tensor is not None or not self._drop_oldest(on_device=False, keep=clip):
                return tensor


class Shelf:
    """One clip's segments in a store."""

    def __init__(self, store: PrefixStore, clip: int) -> None:
        self._store, self._clip = store, clip

    def __contains__(self, index: int) -> bool:
        return (self._clip, index) in self._store._kept

    @property
    def limits(self) -> KeepLimits:
        """Of the store, over all clips."""
        return self._store.limits

    def tier(self, index: int) -> Tier | None:
        """In which tier a segment is kept; None: in none."""
        kept = self._store._kept.get((self._clip, index))
        return None if kept is None else kept.tier

    def get(self, index: int) -> Kept | None:
        """What is kept of a segment; this counts as a use."""
        kept = self._store._kept.get((self._clip, index))
        if kept is not None:
            self._store._kept.move_to_end((self._clip, index))
        return kept

    def reserve(self, tiers: list[Tier | None], prefix: int, features: int) -> None:
        """Reserve host memory for planned tiers at once; `prefix` and `features` are bytes of one segment."""
        arena = self._store._arena
        arena.limit = self._store.limits.host - self._store._frame_bytes
        arena.reserve_pieces(
            [(rounded(prefix), tiers.count("host")), (rounded(features), tiers.count("features"))]
        )

    def keep_prefix(self, index: int, prefix: Prefix, row: int, tier: Tier) -> bool:
        """Keep keys and values on the device or on the host; False where there is no room."""
        shape, dtype = prefix_shape(prefix), prefix.cache.values.dtype
        memory = self._replace(index, tier, shape, dtype)
        if memory is None:
            return False
        with self._store._given_back_on_error(tier, memory):
            value = segment_prefix(prefix, row, memory)
        self.drop(index)
        self._store._put((self._clip, index), Kept(tier, value, rounded(memory.nbytes)))
        return True

    def keep_features(self, index: int, features: Features, row: int) -> bool:
        """Keep the vision tower's features on the host; False where there is no room."""
        memory = self._replace(index, "features", features_shape(features), features.merged.dtype)
        if memory is None:
            return False
        with self._store._given_back_on_error("features", memory):
            value = segment_features(features, row, memory)
        self.drop(index)
        self._store._put((self._clip, index), Kept("features", value, rounded(memory.nbytes)))
        return True

    def keep_frames(self, index: int, segment: Segment) -> bool:
        """Keep the resized frames; False where there is no room."""
        store, size = self._store, segment.frames.nbytes
        self.drop(index)
        while store.host_bytes + size > store.limits.host:
            if not store._drop_oldest(on_device=False, keep=self._clip):
                return False
        store._put((self._clip, index), Kept("frames", segment, size))
        return True

    def _replace(
        self, index: int, tier: Tier, shape: tuple[int, ...], dtype: torch.dtype
    ) -> torch.Tensor | None:
        """Memory for a segment that may be kept already: beside a worse tier, or else in its place."""
        kept = self._store._kept.get((self._clip, index))
        if kept is not None and kept.tier == tier:
            self.drop(index)
        store = self._store
        memory = store._take(tier, self._clip, shape, dtype)
        if memory is None and kept is not None and tier != "device":
            size = rounded(torch.Size(shape).numel() * dtype.itemsize)
            if store.host_bytes - kept.size + size > store.limits.host:
                return None
            self.drop(index)
            memory = store._take(tier, self._clip, shape, dtype)
        return memory

    def drop(self, index: int) -> None:
        """Keep a segment no longer."""
        if (self._clip, index) in self._store._kept:
            self._store._drop((self._clip, index))

    def abandon(self) -> None:
        """Have it closed when the store is next used."""
        self._store._abandoned.append(self)

    def close(self) -> None:
        """Drop everything of this clip, and hand its memory back."""
        mine = [index for clip, index in self._store._kept if clip == self._clip]
        for index in mine:
            self.drop(index)
        if mine and self._store.device.type == "cpu":
            trim_heap()
