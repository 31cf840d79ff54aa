"""Frames on disk: a second run decodes nothing, a changed video is decoded anew, trouble changes nothing."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tempo_cli.config import CacheOptions, FrameShape, SamplingOptions
from tempo_cli.errors import CancelledError, UsageError, VideoError
from tempo_cli.frames import recording as recordings
from tempo_cli.scope import CancelScope
from tempo_cli.types import Segment
from tempo_cli.video import kept, opened, segmenting, stream
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.ffmpeg import bundled_ffmpeg
from tempo_cli.video.findings import Findings
from tempo_cli.video.kept import Keeper, identify
from tempo_cli.video.opened import Video, open_video
from tempo_cli.video.pictures import Picture
from tempo_cli.video.probe import probe
from tempo_cli.video.thinning import DecodingRecord

from ..conftest import GOLDEN

FRACTAL = GOLDEN / "videos/fractal.mp4"
SAMPLING = SamplingOptions(fps=6, window=4)  # 60 frames, 15 segments
EVERY = range(15)
SECONDS = 10.0


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert [one for one in threading.enumerate() if one.name in ("prefetch", "record")] == []


@pytest.fixture(autouse=True)
def everything_is_worth_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "WORTH_KEEPING", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    copy = tmp_path / "v.mp4"
    shutil.copy(FRACTAL, copy)
    os.utime(copy, (1_600_000_000, 1_600_000_000))
    return copy


@pytest.fixture
def cache(tmp_path: Path) -> CacheOptions:
    return CacheOptions(tmp_path / "cache")


@pytest.fixture
def decoders(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A number for each decoder, process that reads and look for ffmpeg."""
    begun: list[int] = []

    def counting(function: Callable[..., object]) -> Callable[..., object]:
        return lambda *given, **more: begun.append(1) or function(*given, **more)

    monkeypatch.setattr(segmenting, "FrameDecoder", counting(FrameDecoder))
    monkeypatch.setattr(opened, "probe", counting(opened.probe))
    monkeypatch.setattr(opened, "find_ffmpeg", counting(opened.find_ffmpeg))
    return begun


def read(video: Video, indices=EVERY, scope: CancelScope | None = None) -> dict[int, Segment]:
    return {segment.plan.index: segment for segment in video.read(indices, scope)}


def same(ours: dict[int, Segment], others: dict[int, Segment]) -> None:
    assert list(ours) == list(others)
    for index, one in ours.items():
        assert one.plan == others[index].plan
        np.testing.assert_array_equal(one.frames, others[index].frames)


def run(path: Path, cache: CacheOptions | None, **changes: object) -> dict[int, Segment]:
    with open_video(path, replace(SAMPLING, **changes), cache=cache) as video:  # type: ignore[arg-type]
        return read(video, range(video.total))


@pytest.fixture(scope="module")
def whole() -> dict[int, Segment]:
    with open_video(FRACTAL, SAMPLING) as video:
        return read(video)


def entries(cache: CacheOptions) -> list[str]:
    assert cache.folder is not None
    return sorted(path.suffix for path in cache.folder.glob("*"))


# --- a second run ---


def test_a_second_run_decodes_nothing(
    path: Path, cache: CacheOptions, whole: dict[int, Segment], decoders: list[int]
) -> None:
    with open_video(path, SAMPLING, cache=cache) as first:
        same(read(first), whole)
    assert entries(cache) == [".frames"]
    begun = len(decoders)
    with open_video(path, SAMPLING, cache=cache) as second:
        found = read(second)
        same(found, whole)
        assert all(segment.stored for segment in found.values())
        assert second.findings == replace(first.findings, decode_seconds=0.0)
        np.testing.assert_array_equal(second.info.times, first.info.times)
        assert (second.info.path, second.info.keyframes) == (path, first.info.keyframes)
        same(read(second, [3, 4]), {index: whole[index] for index in (3, 4)})
    assert len(decoders) == begun


@pytest.mark.parametrize(
    "change",
    [{"fps": 5.0}, {"window": 2}, {"max_frames": 40}, {"start": 1.0}, {"end": 9.0}, {"picture": "raw"}],
    ids=str,
)
def test_other_frames_are_decoded(path: Path, cache: CacheOptions, change: dict[str, object]) -> None:
    run(path, cache)
    same(run(path, cache, **change), run(path, None, **change))


def written_to(path: Path) -> None:
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replaced(path: Path) -> None:
    status = path.stat()
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    copy.replace(path)


@pytest.mark.parametrize("change", [written_to, replaced, lambda path: os.utime(path)])
def test_a_changed_video_is_decoded_anew(
    path: Path, cache: CacheOptions, decoders: list[int], change: Callable[[Path], None]
) -> None:
    """Also one with the same size and time."""
    run(path, cache)
    change(path)
    begun = len(decoders)
    found = run(path, cache)
    assert len(decoders) > begun
    assert not any(segment.stored for segment in found.values())


def test_a_video_that_was_just_written_is_not_kept(path: Path, cache: CacheOptions) -> None:
    """It may be written to again without a change of its times."""
    os.utime(path)
    run(path, cache)
    assert entries(cache) == []


def test_a_video_that_changes_while_it_is_decoded_is_not_kept(
    path: Path, cache: CacheOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = Keeper.keep
    monkeypatch.setattr(Keeper, "keep", lambda *given: written_to(path) or keep(*given))
    run(path, cache)
    assert entries(cache) == []


def test_what_is_decoded_quickly_is_not_kept(
    path: Path, cache: CacheOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "WORTH_KEEPING", 1e9)
    run(path, cache)
    assert entries(cache) == []


def test_a_video_that_was_read_in_part_is_not_kept(path: Path, cache: CacheOptions) -> None:
    scope = CancelScope()
    with open_video(path, SAMPLING, cache=CacheOptions(cache.folder, limit=1)) as video:
        assert next(video.read(EVERY, scope)).plan.index == 0
    assert entries(cache) == []


def test_without_keeping_nothing_has_a_name(
    path: Path, cache: CacheOptions, whole: dict[int, Segment], decoders: list[int]
) -> None:
    run(path, cache)
    begun = len(decoders)
    hidden = replace(cache, keep=False)
    with open_video(path, SAMPLING, cache=hidden) as video:
        same(read(video), whole)
        assert entries(cache) == [".frames"], "the one that was there before"
        assert len(decoders) > begun, "it is not looked up either"
        begun = len(decoders)
        same(read(video, range(5)), {index: whole[index] for index in range(5)})
        assert len(decoders) == begun
    assert entries(cache) == [".frames"]


# --- a second question ---


def test_a_second_question_decodes_nothing(
    path: Path, cache: CacheOptions, whole: dict[int, Segment], decoders: list[int]
) -> None:
    with open_video(path, SAMPLING, cache=cache) as video:
        first = read(video)
        begun = len(decoders)
        again = read(video, [1, 7, 14])
        same(again, {index: whole[index] for index in (1, 7, 14)})
        assert [one.stored for one in (*first.values(), *again.values())] == [False] * 15 + [True] * 3
    assert len(decoders) == begun


def test_reading_goes_on_after_a_cancelled_question(
    path: Path, cache: CacheOptions, whole: dict[int, Segment], decoders: list[int]
) -> None:
    scope = CancelScope()
    with open_video(path, SAMPLING, cache=cache) as video:
        begun = len(decoders)
        segments = video.read(EVERY, scope)
        assert [next(segments).plan.index for _ in range(5)] == [0, 1, 2, 3, 4]
        scope.cancel()
        with pytest.raises(CancelledError):
            next(segments)
        same(read(video), whole)
        assert len(decoders) == begun
    assert entries(cache) == [".frames"]


def test_a_slow_reader_does_not_stop_the_decoder(
    path: Path, cache: CacheOptions, whole: dict[int, Segment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "AHEAD", 2)
    with open_video(path, SAMPLING, cache=cache) as video:
        end = time.monotonic() + SECONDS
        while entries(cache) != [".frames"]:  # nobody reads
            assert time.monotonic() < end
            time.sleep(0.01)
        same(read(video), whole)


def test_without_a_file_the_decoder_waits_for_its_reader(
    path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[int, Segment]
) -> None:
    monkeypatch.setattr(stream, "AHEAD", 2)
    seen: list[int] = []
    segments = segmenting.Segmenting.segments
    monkeypatch.setattr(
        segmenting.Segmenting,
        "segments",
        lambda *given: (seen.append(one.plan.index) or one for one in segments(*given)),
    )
    with open_video(path, SAMPLING) as video:
        end = time.monotonic() + SECONDS
        while len(seen) < 3 and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.1)
        assert seen == [0, 1, 2]
        same(read(video), whole)


# --- trouble ---


def test_a_folder_that_cannot_be_written_changes_nothing(
    path: Path, tmp_path: Path, whole: dict[int, Segment]
) -> None:
    (tmp_path / "file").write_text("")
    same(run(path, CacheOptions(tmp_path / "file" / "cache")), whole)


def test_a_full_disk_changes_nothing(
    path: Path, cache: CacheOptions, whole: dict[int, Segment], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, count = recordings.write_all, iter(range(100))

    def failing(*given: object) -> None:
        if next(count) == 6:
            raise OSError(28, "No space left on device")
        write(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(recordings, "write_all", failing)
    with open_video(path, SAMPLING, cache=cache) as video:
        same(read(video), whole)
        same(read(video), whole)
    assert entries(cache) == []


def test_an_entry_with_changed_frames_is_decoded_again(
    path: Path, cache: CacheOptions, whole: dict[int, Segment]
) -> None:
    run(path, cache)
    assert cache.folder is not None
    (entry,) = cache.folder.iterdir()
    data = bytearray(entry.read_bytes())
    size = whole[0].frames.nbytes
    data[16 + 5 * size + 99] ^= 1  # in segment 5
    entry.write_bytes(data)
    with open_video(path, SAMPLING, cache=cache) as video:
        found = read(video)
        same(found, whole)
        assert [index for index, one in found.items() if one.stored] == [
            index for index in EVERY if index != 5
        ]
    assert entries(cache) == [], "it is not found again"


@pytest.mark.parametrize("part", ["facts", "findings"])
def test_an_entry_with_other_facts_is_decoded_again(
    path: Path, cache: CacheOptions, whole: dict[int, Segment], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        if part == "facts":
            patch.setattr(kept, "pack_info", lambda _: b"\0" * 100)
        else:
            patch.setattr("tempo_cli.video.findings.Findings.plain", lambda _: {"shown": [0, 1]})
        run(path, cache)
    assert entries(cache) == [".frames"]
    same(run(path, cache), whole)


def test_a_damaged_video_tells_the_same_again(
    path: Path, cache: CacheOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_video(path, SAMPLING) as video:
        lost = video.plan.indices[[8, 9, 10, 11, 21]].tolist()
    decoded = FrameDecoder._decoded
    with monkeypatch.context() as patch:
        patch.setattr(
            FrameDecoder, "_decoded", lambda self: (one for one in decoded(self) if one[0] not in lost)
        )
        with open_video(path, SAMPLING, cache=cache) as video:
            first, warnings = read(video), list(video.warnings)
    assert [index for index in EVERY if index not in first] == [2]
    assert len(warnings) == 1
    with open_video(path, SAMPLING, cache=cache) as video:
        assert video.absent == {2}
        same(read(video), first)
        assert video.warnings == warnings
        assert len(first[5].plan.positions) == 3


@pytest.mark.parametrize("what", ["memory", "signal"])
def test_what_may_not_be_missing_the_next_time_is_not_kept(
    path: Path, cache: CacheOptions, monkeypatch: pytest.MonkeyPatch, what: str, whole: dict[int, Segment]
) -> None:
    decoded = FrameDecoder._decoded

    def losing(decoder: FrameDecoder) -> Iterator[Picture]:
        for number, picture in enumerate(decoded(decoder)):
            if number == 3 and what == "signal":
                assert decoder._process is not None
                decoder._process.kill()
            if number == 5 and what == "memory":
                decoder._complaints.append("Error submitting packet to decoder: Cannot allocate memory")
            elif number < 30:
                yield picture

    with monkeypatch.context() as patch:
        patch.setattr(FrameDecoder, "_decoded", losing)
        with open_video(path, SAMPLING, cache=cache) as video:
            assert 0 < len(read(video)) < 15
            assert len(video.warnings) == 1
    assert entries(cache) == []
    same(run(path, cache), whole)


def test_a_video_that_goes_away_is_not_found_by_its_name(path: Path, cache: CacheOptions) -> None:
    run(path, cache)
    path.unlink()
    with pytest.raises(VideoError, match="v"):
        run(path, cache)


def test_many_at_once_leave_one_entry(path: Path, cache: CacheOptions, whole: dict[int, Segment]) -> None:
    found: list[dict[int, Segment]] = []
    threads = [threading.Thread(target=lambda: found.append(run(path, cache))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found:
        same(one, whole)
    assert len(found) == 4
    assert entries(cache) == [".frames"]


# --- which file ---


def test_a_file_is_known_by_its_ends(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(3 << 20))
    before = identify(path)
    assert before is not None
    assert before.size == 3 << 20
    for at in (0, (1 << 20) - 1, 2 << 20, (3 << 20) - 1):
        with path.open("r+b") as file:
            file.seek(at)
            file.write(b"\1")
        changed = identify(path)
        assert changed is not None
        assert changed.ends != before.ends
        before = changed


@pytest.mark.parametrize("kind", ["fifo", "folder", "nothing"])
def test_only_a_file_is_known(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    assert identify(path) is None
    assert identify("a\0b") is None


def test_another_ffmpeg_decodes_anew(path: Path, cache: CacheOptions, tmp_path: Path) -> None:
    binary = bundled_ffmpeg()
    assert binary is not None
    other = tmp_path / "ffmpeg"
    other.symlink_to(binary)
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\nexec "{binary}" "$@"\n')
    script.chmod(0o755)

    def stored(ffmpeg: Path) -> bool:
        with open_video(path, SAMPLING, ffmpeg=str(ffmpeg), cache=cache) as video:
            return all(segment.stored for segment in read(video).values())

    assert [stored(other), stored(other), stored(script), stored(script)] == [False, True, False, True]


@pytest.mark.parametrize("nanoseconds", range(1_600_000_000_123_456_701, 1_600_000_000_123_456_707))
def test_a_time_of_any_nanosecond_is_kept(path: Path, cache: CacheOptions, nanoseconds: int) -> None:
    """A number of seconds has too few digits for all of them."""
    os.utime(path, ns=(nanoseconds, nanoseconds))
    info = probe(path)
    keeper = Keeper(cache, path, SAMPLING, FrameShape(), None)
    recording = keeper.record()
    assert recording is not None
    findings = Findings((90, 160), Fraction(1), None)
    keeper.keep(recording, info, 0, findings)
    recording.close()
    assert entries(cache) == [".frames"]


def test_what_was_tried_is_known_again() -> None:
    record = DecodingRecord(exact=True, seekable=False, processes=2, packets=9, decoded=5)
    findings = Findings((90, 160), Fraction(1), None, decoding=record)
    assert Findings.from_plain(findings.plain()) == findings


def test_closing_does_not_take_an_entry_away(path: Path, cache: CacheOptions) -> None:
    run(path, cache)
    video = open_video(path, SAMPLING, cache=cache)
    segments = video.read(EVERY)
    next(segments)
    video.close()
    with pytest.raises(UsageError, match="is closed"):
        next(segments)
    assert entries(cache) == [".frames"]
