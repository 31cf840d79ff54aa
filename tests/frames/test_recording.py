"""Segments in a file: what was written comes back, bit for bit, or not at all."""

import json
import os
import stat
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tempo_cli.frames import folder as folders
from tempo_cli.frames import recording as recordings
from tempo_cli.frames.entry import END, MAGIC, EntryError, read_index
from tempo_cli.frames.folder import FrameFolder, Part, open_entry
from tempo_cli.frames.recording import FrameFile, Held, Recording
from tempo_cli.leftovers import remove_leftovers
from tempo_cli.types import Segment, SegmentPlan

KEY, OTHER = "a" * 64, "b" * 64
FACTS = b"facts"
FINDINGS = {"warnings": ["so be it"]}
SECONDS = 10.0  # that a test may hang before it fails


def segment(index: int, size: tuple[int, int] = (4, 6)) -> Segment:
    plan = SegmentPlan(index, (2 * index, 2 * index + 1), (index * 1.0,), index + 0.5)
    pixels = np.random.default_rng(index).integers(0, 256, (2, *size, 3), np.uint8)
    return Segment(plan, pixels)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread for thread in threading.enumerate() if thread.name == "record"] == []


@pytest.fixture
def folder(tmp_path: Path) -> FrameFolder:
    return FrameFolder(tmp_path / "cache" / "frames", 1 << 28)


def begun(folder: FrameFolder) -> Recording:
    part = folder.begin()
    assert part is not None
    return Recording(part)


def until(condition) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def kept(folder: FrameFolder, key: str = KEY, count: int = 3, size: tuple[int, int] = (4, 6)) -> Path:
    """An entry of `count` segments."""
    recording = begun(folder)
    for index in range(count):
        recording.hold(segment(index, size))
    recording.keep(key, "a/ü.mp4", lambda: (FACTS, FINDINGS))
    recording.close()
    return folder.path / f"{key}.frames"


def same(file: FrameFile, index: int, other: Segment | None = None) -> None:
    """Whether the file has this segment."""
    found, other = file.read(index), other or segment(index)
    assert found is not None
    assert found[0] == other.plan.positions
    np.testing.assert_array_equal(found[1], other.frames)


def names(folder: FrameFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir())


# --- while it is written ---


def test_segments_leave_the_memory_and_come_back(folder: FrameFolder) -> None:
    recording, woken = begun(folder), threading.Event()
    recording.on_written(woken.set)
    held = [recording.hold(segment(index)) for index in range(3)]
    until(lambda: not any(one.in_memory for one in held))
    assert woken.is_set()
    for index in (2, 0, 1):
        assert index in recording.file
        same(recording.file, index)
    assert recording.file.read(3) is None
    recording.close()
    assert names(folder) == []


def test_what_is_held_alone_stays_in_memory() -> None:
    held = Held(segment(1))
    assert held.in_memory
    assert held.plan.index == 1


def test_a_recording_that_was_abandoned_leaves_nothing(folder: FrameFolder) -> None:
    recording = begun(folder)
    recording.hold(segment(0))
    recording.keep(KEY, "v", lambda: (FACTS, FINDINGS))
    recording.abandon()
    recording.close()
    assert [name for name in names(folder) if name.endswith(".part")] == []


def test_a_hidden_file_has_no_name(folder: FrameFolder) -> None:
    part = folder.begin()
    assert part is not None
    part.hide()
    recording = Recording(part)
    held = recording.hold(segment(0))
    until(lambda: not held.in_memory)
    assert names(folder) == []
    same(recording.file, 0)
    recording.close()


def test_a_folder_without_room_ends_the_recording(tmp_path: Path) -> None:
    folder = FrameFolder(tmp_path, recordings._STEP)  # room for one step, not for two
    recording = begun(folder)
    large = segment(0, (1500, 1500))  # 13.5 MB
    first, second = recording.hold(large), recording.hold(Segment(segment(1).plan, large.frames))
    until(lambda: recording.ended)
    assert (first.in_memory, second.in_memory) == (False, True)
    same(recording.file, 0, large)
    assert recording.hold(segment(2)).in_memory
    recording.keep(KEY, "v", lambda: (FACTS, FINDINGS))
    recording.close()
    assert names(folder) == []


def test_a_full_disk_ends_the_recording(folder: FrameFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recordings, "write_all", full)
    recording = begun(folder)
    until(lambda: recording.ended)
    assert recording.failed
    assert recording.hold(segment(0)).in_memory
    recording.close()
    assert names(folder) == []


def test_a_disk_that_is_too_slow_ends_the_recording(
    folder: FrameFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, write = threading.Event(), recordings.write_all
    monkeypatch.setattr(recordings, "write_all", lambda *given: go_on.wait(SECONDS) and write(*given))
    recording = begun(folder)
    held = [recording.hold(segment(index)) for index in range(recordings._MOST_WAITING + 1)]
    assert recording.ended
    same(recording.file, 3)  # it waits to be written
    assert held[-1].in_memory
    go_on.set()
    recording.close()
    assert names(folder) == []


# --- kept ---


def test_an_entry_holds_what_was_recorded(folder: FrameFolder) -> None:
    path = kept(folder)
    assert names(folder) == [path.name]
    found = folder.find(KEY)
    assert found is not None
    file = FrameFile(*(found[0], found[1].blocks))
    assert (found[1].key, found[1].video, found[1].findings) == (KEY, "a/ü.mp4", FINDINGS)
    assert file.facts(found[1].facts) == FACTS
    assert [block.positions for block in file.blocks.values()] == [(0, 1), (2, 3), (4, 5)]
    for index in range(3):
        same(file, index)
    file.close()
    assert file.read(0) is None


def test_files_are_their_owners_alone(folder: FrameFolder) -> None:
    path = kept(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_a_video_that_changed_meanwhile_is_not_kept(folder: FrameFolder) -> None:
    recording = begun(folder)
    recording.hold(segment(0))
    recording.keep(KEY, "v", lambda: None)
    recording.close()
    assert names(folder) == []


def test_another_key_finds_nothing(folder: FrameFolder) -> None:
    path = kept(folder)
    assert folder.find(OTHER) is None
    path.rename(path.with_name(f"{OTHER}.frames"))
    assert folder.find(OTHER) is None, "its index names another key"
    assert names(folder) == []


@pytest.mark.parametrize("place", ["pixels", "index", "footer", "short", "empty", "long", "magic"])
def test_a_damaged_entry_is_not_believed(folder: FrameFolder, place: str) -> None:
    path = kept(folder)
    data = bytearray(path.read_bytes())
    at = {"pixels": 40, "index": len(data) - 60, "footer": len(data) - 20, "magic": 3}.get(place)
    if at is not None:
        data[at] ^= 1
    whole = {"short": data[:-1], "empty": b"", "long": data + b"x"}.get(place, data)
    path.write_bytes(bytes(whole))
    found = folder.find(KEY)
    if place != "pixels":
        assert (found, names(folder)) == (None, [])
        return
    assert found is not None
    file = FrameFile(found[0], found[1].blocks)
    assert file.read(0) is None
    assert 0 not in file
    same(file, 1)
    file.close()


def forged(folder: FrameFolder, **changes: object) -> Path:
    """An entry whose index says something else, with a right checksum."""
    path = kept(folder)
    data = path.read_bytes()
    offset, length, _, _ = struct.unpack("<QQI8s", data[-28:])
    plain = json.loads(data[offset : offset + length]) | changes
    text = json.dumps(plain).encode()
    path.write_bytes(data[:offset] + text + struct.pack("<QQI8s", offset, len(text), zlib.crc32(text), END))
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"blocks": [[0, [0], [1, 10**6, 10**6, 3], 16, 0]]},
        {"blocks": [[0, [0], [1, 4, 6, 3], 10**9, 0]]},
        {"blocks": [[0, [0], [1, 4, 6, 3], 0, 0]]},
        {"blocks": [[0, [0], [1, 4, 6, 4], 16, 0]]},
        {"blocks": [[0, [0], [0, 4, 6, 3], 16, 0]]},
        {"blocks": [[0, [], [1, 4, 6, 3], 16, 0]]},
        {"blocks": [[0, [-1], [1, 4, 6, 3], 16, 0]]},
        {"blocks": [[1, [2], [1, 4, 6, 3], 16, 0], [0, [0], [1, 4, 6, 3], 16, 0]]},
        {"blocks": [[0.5, [0], [1, 4, 6, 3], 16, 0]]},
        {"blocks": "none"},
        {"blocks": None},
        {"facts": [16, 10**9, 0]},
        {"facts": [16]},
        {"findings": []},
    ],
    ids=str,
)
def test_no_number_in_an_entry_is_believed(folder: FrameFolder, changes: dict[str, object]) -> None:
    path = forged(folder, **changes)
    file, size = open_entry(path)
    with file, pytest.raises(EntryError):
        read_index(file, size)
    assert folder.find(KEY) is None
    assert names(folder) == []


def test_the_layout_is_the_documented_one(folder: FrameFolder) -> None:
    data = kept(folder, count=1).read_bytes()
    assert data[:16] == MAGIC
    np.testing.assert_array_equal(
        np.frombuffer(data, np.uint8, 144, 16).reshape(2, 4, 6, 3), segment(0).frames
    )
    offset, length, checksum, end = struct.unpack("<QQI8s", data[-28:])
    assert (end, offset + length + 28, zlib.crc32(data[offset:-28])) == (END, len(data), checksum)


# --- the folder ---


def test_the_least_recently_used_makes_room(tmp_path: Path) -> None:
    folder = FrameFolder(tmp_path, 1 << 28)
    paths = [kept(folder, str(number) * 64, size=(64, 64)) for number in range(4)]
    size = paths[0].stat().st_size
    for age, path in enumerate(paths):
        os.utime(path, (1000 + age, 1000 + age))
    found = folder.find("0" * 64)  # counts as used now
    assert found is not None
    found[0].close()
    tight = FrameFolder(tmp_path, 3 * size + size // 2)
    assert tight.make_room(size)
    assert names(folder) == ["0" * 64 + ".frames", "3" * 64 + ".frames"]
    assert not tight.make_room(4 * size)


def test_what_is_being_written_counts_and_stays(tmp_path: Path) -> None:
    folder = FrameFolder(tmp_path, 1 << 28)
    part = folder.begin()
    assert part is not None
    part.writer.write(bytes(1000))
    assert not FrameFolder(tmp_path, 1500).make_room(1000)
    assert part.path.exists()
    part.drop()
    assert FrameFolder(tmp_path, 1500).make_room(1000)
    part.reader.close()


def test_room_is_left_on_the_disk(folder: FrameFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kept(folder)
    monkeypatch.setattr(folders, "_LEFT_FREE", 1 << 62)
    assert not folder.make_room(1)
    assert not path.exists()


def test_unfinished_files_of_ended_processes_are_removed(folder: FrameFolder) -> None:
    mine = folder.begin()
    assert mine is not None
    left = folder.path / "77-dead.part"
    left.write_bytes(b"x" * 100)
    other = folder.begin()
    assert other is not None
    assert names(folder) == sorted([mine.path.name, other.path.name])
    for part in (mine, other):
        part.drop()
        part.reader.close()


def test_clearing_frees_all_but_what_is_being_written(folder: FrameFolder) -> None:
    size = kept(folder).stat().st_size
    part = folder.begin()
    assert part is not None
    (folder.path / "77-dead.part").write_bytes(b"x" * 100)
    (entry,) = folder.entries()
    assert (entry.size, entry.video()) == (size, "a/ü.mp4")
    assert folder.clear() == size + 100
    assert names(folder) == [part.path.name]
    part.drop()
    part.reader.close()


@pytest.mark.parametrize("trouble", ["file", "link", "others"])
def test_a_folder_that_is_not_ours_alone_is_not_used(tmp_path: Path, trouble: str) -> None:
    path = tmp_path / "frames"
    if trouble == "file":
        path.write_text("")
    elif trouble == "link":
        (tmp_path / "real").mkdir(mode=0o700)
        path.symlink_to(tmp_path / "real")
    else:
        path.mkdir()
        path.chmod(0o770)
    folder = FrameFolder(path, 1 << 28)
    assert (folder.begin(), folder.find(KEY), folder.entries(), folder.clear()) == (None, None, [], 0)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_an_entry_that_is_no_file_is_not_read(folder: FrameFolder, kind: str, tmp_path: Path) -> None:
    path = kept(folder)
    moved = path.rename(tmp_path / "moved")
    if kind == "link":
        path.symlink_to(moved)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert folder.find(KEY) is None


def test_an_unfinished_file_goes_where_the_process_is_ended_at_once(folder: FrameFolder) -> None:
    part, finished = folder.begin(), kept(folder)
    assert part is not None
    remove_leftovers()
    assert names(folder) == [finished.name]
    part.drop()
    part.reader.close()


def test_a_part_that_lost_its_name_is_not_kept(folder: FrameFolder) -> None:
    part = folder.begin()
    assert isinstance(part, Part)
    part.path.unlink()
    with pytest.raises(FileNotFoundError):
        part.keep(KEY)
    part.drop()
    part.reader.close()


# --- trouble of our own ---


def test_an_error_of_ours_leaves_nothing_behind(folder: FrameFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def describe() -> tuple[bytes, dict[str, object]]:
        raise RuntimeError("Set changed size during iteration")

    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    recording = begun(folder)
    recording.hold(segment(0))
    recording.keep(KEY, "v", describe)
    recording.close()
    assert len(told) == 1
    assert names(folder) == []


def test_a_file_without_a_name_counts_for_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "_STEP", 1000)
    folder = FrameFolder(tmp_path / "frames", 5000)
    part = folder.begin()
    assert part is not None
    part.hide()
    recording = Recording(part)
    for index in range(10):
        recording.hold(segment(index, (10, 10)))  # 600 bytes
    until(lambda: recording.ended)
    written = sum(index in recording.file.blocks for index in range(10))
    recording.close()
    assert 6 <= written <= 8


def test_a_file_that_can_not_be_locked_does_not_stay(
    folder: FrameFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(folders.fcntl, "flock", fail)
    assert folder.begin() is None
    assert names(folder) == []
