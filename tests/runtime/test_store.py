"""Arena and store: exact bytes, who makes room for whom, and nothing left."""

import weakref
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tempo_cli.model.compressor import Features, Prefix, stack_features, stack_prefixes
from tempo_cli.model.transformer import KVCache
from tempo_cli.plan.keep import KeepLimits
from tempo_cli.runtime.arena import HostArena, rounded
from tempo_cli.runtime.store import PrefixStore, Shelf
from tempo_cli.types import Segment, SegmentPlan

CPU = torch.device("cpu")
LAYERS, HEADS, LENGTH, SIZE = 3, 2, 8, 16
ONE = LAYERS * 2 * HEADS * LENGTH * SIZE * 4  # bytes of a segment's keys and values: 6,144, whole pieces
VISUAL = 3 * 5 * 64 * 4  # 3 parts of 5 tokens: 3,840


def prefix(seed: int, rows: int = 2) -> Prefix:
    random = torch.Generator().manual_seed(seed)
    values = torch.randn(LAYERS, 2, rows, HEADS, LENGTH + 3, SIZE, generator=random)
    return Prefix(KVCache(values, LENGTH), next_position=LENGTH)


def features(seed: int, rows: int = 2) -> Features:
    random = torch.Generator().manual_seed(seed)
    parts = [torch.randn(rows * 5, 64, generator=random) for _ in range(3)]
    ids, visual = np.arange(rows * 7).reshape(rows, 7), np.array([False, *[True] * 5, False])
    return Features(parts[0], tuple(parts[1:]), ids, visual, (1, 2, 10))


def segment(index: int) -> Segment:
    return Segment(SegmentPlan(index, (0, 1), (0.25,), 0.5), np.full((2, 4, 4, 3), index, np.uint8))


def store(device: int = 0, host: int = 0, tier: str = "device") -> PrefixStore:
    found = PrefixStore(CPU)
    found.set_limits(KeepLimits(device, host, tier))  # type: ignore[arg-type]
    return found


# the arena


def test_a_block_is_reserved_once_and_returned_when_it_is_empty():
    arena = HostArena(pinned=False)
    arena.limit = 4096
    assert arena.reserve(2048)
    pieces = [arena.take((16, 16), torch.float32) for _ in range(2)]  # 1,024 bytes each
    assert arena.reserved == 2048
    assert all(piece is not None and piece.shape == (16, 16) for piece in pieces)
    pieces[0].fill_(1)
    pieces[1].fill_(2)
    assert pieces[0].unique().tolist() == [1.0]
    arena.give_back(pieces[0])
    assert arena.reserved == 2048
    arena.give_back(pieces[1])
    assert arena.reserved == 0


def test_the_arena_never_reserves_more_than_its_limit():
    arena = HostArena(pinned=False)
    arena.limit = 1000
    assert arena.take((1001,), torch.uint8) is None
    assert not arena.reserve(1001)
    piece = arena.take((700,), torch.uint8)  # a piece of 768
    assert arena.take((300,), torch.uint8) is None
    arena.give_back(piece)
    assert arena.take((300,), torch.uint8) is not None


@pytest.mark.parametrize("error", [RuntimeError("CUDA error: out of memory"), MemoryError()])
def test_memory_that_the_system_does_not_pin_ends_the_arena_s_growth(error, monkeypatch):
    arena = HostArena(pinned=True)
    arena.limit = 10**6

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "empty", refuse)
    assert arena.take((100,), torch.uint8) is None
    assert arena.limit == 0


@pytest.mark.parametrize(("device", "pinned"), [("cpu", False), ("cuda", True)])
def test_memory_is_pinned_where_a_cuda_device_copies_from_it(device, pinned, monkeypatch):
    arena, asked, empty = PrefixStore(torch.device(device))._arena, [], torch.empty

    def noted(size: int, *, dtype: torch.dtype, pin_memory: bool = False) -> torch.Tensor:
        asked.append(pin_memory)
        return empty(size, dtype=dtype)

    monkeypatch.setattr(torch, "empty", noted)
    arena.limit = 256
    assert arena.reserve(256)
    assert asked == [pinned]


def test_a_returned_block_is_held_by_nothing():
    arena = HostArena(pinned=False)
    arena.limit = 256
    piece = arena.take((10,), torch.uint8)
    block = weakref.ref(arena._blocks[0])
    arena.give_back(piece)
    assert block() is None


@pytest.mark.parametrize(("size", "taken"), [(0, 256), (1, 256), (256, 256), (257, 512)])
def test_a_piece_takes_whole_units(size, taken):
    arena = HostArena(pinned=False)
    arena.limit = 512
    assert arena.take((size,), torch.uint8) is not None
    assert (rounded(size), arena.reserved) == (taken, taken)


@given(st.lists(st.tuples(st.integers(1, 2000), st.booleans(), st.integers(0, 100)), max_size=60))
def test_pieces_never_overlap_and_freed_places_are_used_again(steps):
    arena = HostArena(pinned=False)
    arena.limit = 20_000
    arena.reserve(10_000)
    held: list[tuple[torch.Tensor, int]] = []
    for number, (size, free, which) in enumerate(steps):
        if free and held:
            arena.give_back(held.pop(which % len(held))[0])
        piece = arena.take((size,), torch.uint8)
        if piece is not None:
            piece.fill_(number % 256)
            held.append((piece, number % 256))
        assert arena.reserved <= 20_000
        assert all((piece == value).all() for piece, value in held)
    for piece, _ in held:
        arena.give_back(piece)
    assert arena.reserved in (0, 10_000)  # the first block, if nothing was ever put into it
    assert rounded(1) == 256


# the store


@pytest.mark.parametrize("tier", ["device", "host"])
def test_prefixes_come_back_bit_for_bit(tier):
    found, shelf = prefix(1, rows=3), store(10 * ONE, 10 * ONE).shelf()
    assert all(shelf.keep_prefix(row, found, row, tier) for row in range(3))
    kept = [shelf.get(row) for row in range(3)]
    assert [one.tier for one in kept] == [tier] * 3
    again = stack_prefixes([one.value for one in kept], CPU, room=5)
    assert (again.next_position, again.cache.capacity) == (LENGTH, LENGTH + 5)
    assert torch.equal(again.cache.filled, found.cache.filled)


def test_features_come_back_bit_for_bit():
    found, shelf = features(1, rows=3), store(0, 10 * VISUAL).shelf()
    assert all(shelf.keep_features(row, found, row) for row in range(3))
    again = stack_features([shelf.get(row).value for row in range(3)], CPU)
    assert torch.equal(again.merged, found.merged)
    assert all(torch.equal(a, b) for a, b in zip(again.deepstack, found.deepstack, strict=True))
    assert again.ids.tolist() == found.ids.tolist()
    assert (again.visual.tolist(), again.grid) == (found.visual.tolist(), found.grid)


def test_bytes_are_counted_exactly():
    found = store(2 * ONE, ONE + VISUAL + 96)
    shelf = found.shelf()
    assert shelf.keep_prefix(0, prefix(0), 0, "device")
    assert shelf.keep_prefix(1, prefix(0), 1, "host")
    assert shelf.keep_features(2, features(0), 0)
    assert shelf.keep_frames(3, segment(3))
    assert (found.device_bytes, found.host_bytes) == (ONE, ONE + VISUAL + 96)
    assert not shelf.keep_frames(4, segment(4))
    assert shelf.keep_frames(3, segment(3))  # in its own place
    assert shelf.keep_prefix(0, prefix(1), 0, "device")
    assert (found.device_bytes, found.host_bytes) == (ONE, ONE + VISUAL + 96)
    shelf.close()
    assert (found.device_bytes, found.host_bytes) == (0, 0)


def test_a_clip_never_makes_room_for_itself():
    found = store(3 * ONE)
    shelf = found.shelf()
    assert [shelf.keep_prefix(index, prefix(0), 0, "device") for index in range(5)] == [True] * 3 + [
        False
    ] * 2
    assert [index in shelf for index in range(5)] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("tier", ["device", "host"])
def test_the_least_recently_used_segments_of_other_clips_make_room(tier):
    found = store(4 * ONE, 4 * ONE)
    one, two = found.shelf(), found.shelf()
    for index in range(4):
        assert one.keep_prefix(index, prefix(0), 0, tier)
    assert one.get(0) is not None  # a use: now 1 is the oldest
    assert two.keep_prefix(0, prefix(0), 0, tier)
    assert two.keep_prefix(1, prefix(0), 0, tier)
    assert [index in one for index in range(4)] == [True, False, False, True]
    assert max(found.device_bytes, found.host_bytes) == 4 * ONE


def test_lower_limits_drop_the_oldest():
    found = store(4 * ONE, 4 * ONE)
    shelf = found.shelf()
    for index in range(4):
        shelf.keep_prefix(index, prefix(0), 0, "device")
        shelf.keep_frames(10 + index, segment(index))
    found.set_limits(KeepLimits(2 * ONE, 96))
    assert [index in shelf for index in range(4)] == [False, False, True, True]
    assert [index in shelf for index in range(10, 14)] == [False, False, False, True]


def test_releasing_the_device_leaves_the_host():
    found = store(4 * ONE, 4 * ONE)
    shelf: Shelf = found.shelf()
    shelf.keep_prefix(0, prefix(0), 0, "device")
    shelf.keep_prefix(1, prefix(0), 1, "host")
    assert found.release(host=False)
    assert (0 in shelf, 1 in shelf) == (False, True)
    assert not found.release(host=False)
    assert found.release(host=True)
    assert (found.device_bytes, found.host_bytes) == (0, 0)


def test_a_device_that_is_full_all_the_same_is_no_error(monkeypatch):
    shelf = store(10 * ONE, 10 * ONE).shelf()

    @dataclass
    class Full:
        def __call__(self, *_: object, **__: object) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("tempo_cli.runtime.store.torch.empty", Full())
    assert not shelf.keep_prefix(0, prefix(0), 0, "device")


def test_planned_memory_is_reserved_at_once(monkeypatch):
    found = store(0, 10 * ONE)
    shelf = found.shelf()
    shelf.reserve(["host"] * 4 + ["features"] * 2 + [None], ONE, VISUAL)
    assert [len(block.memory) for block in found._arena._blocks] == [4 * ONE, 2 * VISUAL]
    monkeypatch.setattr(HostArena, "_add", None)
    for index in range(4):
        assert shelf.keep_prefix(index, prefix(0), 0, "host")
    for index in range(4, 6):
        assert shelf.keep_features(index, features(0), 0)
    shelf.close()
    assert found.host_bytes == 0


def test_blocks_are_of_a_moderate_size(monkeypatch):
    monkeypatch.setattr("tempo_cli.runtime.arena._BLOCK", 3 * ONE - 1)
    found = store(0, 10 * ONE)
    found.shelf().reserve(["host"] * 5, ONE, VISUAL)
    assert [len(block.memory) for block in found._arena._blocks] == [2 * ONE, 2 * ONE, ONE]
    monkeypatch.setattr("tempo_cli.runtime.arena._BLOCK", ONE // 2)
    found.shelf().reserve(["host"] * 7, ONE, VISUAL)
    assert [len(block.memory) for block in found._arena._blocks[3:]] == [ONE, ONE]  # room for five was there


def test_a_lower_limit_costs_the_oldest_blocks_and_unused_ones_first(monkeypatch):
    monkeypatch.setattr("tempo_cli.runtime.arena._BLOCK", 2 * ONE)
    found = store(0, 6 * ONE)
    shelf = found.shelf()
    shelf.reserve(["host"] * 6, ONE, VISUAL)
    for index in range(4):
        assert shelf.keep_prefix(index, prefix(0), 0, "host")
    found.set_limits(KeepLimits(0, 6 * ONE - 1))
    assert ([index in shelf for index in range(4)], found.host_bytes) == ([True] * 4, 4 * ONE)
    found.set_limits(KeepLimits(0, 4 * ONE - 1))
    assert ([index in shelf for index in range(4)], found.host_bytes) == ([False, False, True, True], 2 * ONE)


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt()])
def test_a_copy_that_fails_leaves_nothing_reserved(error, monkeypatch):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("tempo_cli.runtime.store.segment_prefix", fail)
    found = store(0, 10 * ONE)
    with pytest.raises(type(error)):
        found.shelf().keep_prefix(0, prefix(0), 0, "host")
    assert found.host_bytes == 0


def test_an_upgrade_without_room_keeps_what_there_is():
    found = store(0, VISUAL + 100)
    shelf = found.shelf()
    assert shelf.keep_features(0, features(0), 0)
    assert not shelf.keep_prefix(0, prefix(0), 0, "host")
    assert shelf.get(0).tier == "features"


def test_an_upgrade_takes_the_place_of_what_it_replaces():
    found = store(0, ONE)
    shelf = found.shelf()
    assert shelf.keep_features(0, features(0), 0)
    assert shelf.keep_prefix(0, prefix(0), 0, "host")
    assert (shelf.tier(0), found.host_bytes) == ("host", ONE)


def test_more_than_the_limit_is_reserved_up_to_it():
    found = store(0, 3 * ONE)
    found.shelf().reserve(["host"] * 4, ONE, VISUAL)
    assert found.host_bytes == 3 * ONE


def test_frames_and_prefixes_share_the_host_s_limit():
    found = store(0, ONE + 95)
    shelf = found.shelf()
    assert shelf.keep_frames(0, segment(0))  # 96 bytes
    assert not shelf.keep_prefix(1, prefix(0), 0, "host")
    assert found.host_bytes <= ONE + 95


def test_another_error_of_the_device_is_none_of_memory(monkeypatch):
    shelf = store(10 * ONE).shelf()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr("tempo_cli.runtime.store.torch.empty", broken)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        shelf.keep_prefix(0, prefix(0), 0, "device")


def test_a_small_prefix_counts_as_a_whole_piece_on_the_device():
    found = store(2 * 256)
    shelf = found.shelf()
    small = Prefix(KVCache(torch.zeros(1, 2, 1, 1, 1, 4), 1), next_position=1)  # 32 bytes
    assert [shelf.keep_prefix(index, small, 0, "device") for index in range(3)] == [True, True, False]
    assert found.device_bytes == 512


def test_keeping_again_takes_the_place_of_the_old():
    found = store(0, 2 * VISUAL)
    shelf = found.shelf()
    for seed in (1, 2):
        assert shelf.keep_features(0, features(seed), 1)
        assert found.host_bytes == VISUAL
    assert torch.equal(shelf.get(0).value.values[0], features(2).merged[5:])
    shelf.close()
    assert found.host_bytes == 0


def test_closing_one_clip_leaves_the_others(monkeypatch):
    trims = []
    monkeypatch.setattr("tempo_cli.runtime.store.trim_heap", lambda: trims.append(1))
    found = store(4 * ONE, 4 * ONE)
    one, two, empty = found.shelf(), found.shelf(), found.shelf()
    one.keep_prefix(0, prefix(0), 0, "device")
    two.keep_prefix(0, prefix(0), 0, "host")
    two.keep_prefix(1, prefix(0), 0, "host")
    empty.close()
    assert trims == []
    one.close()
    assert (0 in one, 0 in two, 1 in two) == (False, True, True)
    assert (found.device_bytes, found.host_bytes) == (0, 2 * ONE)
    assert trims == [1]
