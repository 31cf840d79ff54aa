"""300 mutated videos: each is answered, or refused as a video should be."""

from pathlib import Path

import fuzz
import pytest


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return fuzz.make_clips(tmp_path_factory.mktemp("clips"))


def test_a_file_follows_from_its_number(clips: list[Path]) -> None:
    first, again = ([fuzz.mutated(clips, number) for number in range(60)] for _ in range(2))
    assert first == again
    assert [pair for pair, _ in first[:20]] == list(fuzz.PAIRS)
    originals = {clip.name: clip.read_bytes() for clip in clips}
    assert sum(data != originals[pair] for pair, data in first) > 50


def test_no_mutated_video_is_an_internal_error(clips: list[Path]) -> None:
    log = list(fuzz.results(clips[0].parent, list(range(300, 600)), every=20))
    assert sorted(found["number"] for found in log) == list(range(300, 600))
    assert sum("decode" in found for found in log) == 20
    assert [found for found in log if fuzz.is_internal(found)] == []
    outcomes = [found.get("read", found.get("decode")) for found in log]
    assert 150 < outcomes.count("ok") < 280


@pytest.mark.parametrize(
    ("found", "internal"),
    [
        ({"read": "ok"}, False),
        ({"read": "SIGALRM"}, False),
        ({"read": "SIGSEGV"}, True),
        ({"read": "internal KeyError: 1 a.py:1"}, True),
        ({"decode": "damaged", "memory": 100, "orphans": 0, "seconds": 1.0}, False),
        ({"decode": "ok", "memory": 1501}, True),
        ({"decode": "ok", "orphans": 1}, True),
        ({"decode": "video", "seconds": 61.0}, True),
        ({"decode": "environment"}, True),
    ],
)
def test_what_counts_as_an_internal_error(found: dict[str, object], internal: bool) -> None:
    assert fuzz.is_internal(found) is internal
