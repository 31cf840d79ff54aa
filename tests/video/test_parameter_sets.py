"""Streams whose parameter sets change and do not come again: no seek and no packet left out loses them."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tempo_cli.plan.packets import CUT
from tempo_cli.video import seeking, thinning
from tempo_cli.video.probe import probe
from tempo_cli.video.thinning import DecodingRecord

from .clips import FFMPEG, source
from .thinned import digests

_SETS = {7, 8}  # H.264: of a sequence, of a picture


def _once(stream: bytes) -> bytes:
    """Parameter sets only where they come first."""
    seen, kept = set(), []
    for unit in re.split(rb"(?=\x00\x00\x00\x01|(?<!\x00)\x00\x00\x01)", stream):
        kind = unit.lstrip(b"\0")[1] & 0x1F if unit else 0
        if unit and not (kind in _SETS and kind in seen):
            kept.append(unit)
        seen.add(kind)
    return b"".join(kept)


def _stream(path: Path, offset: int) -> bytes:
    """100 frames with a key frame every 10, whose colors a decoder must know `offset` for."""
    parameters = f"keyint=10:bframes=0:scenecut=0:chroma-qp-offset={offset}"
    arguments = [*source(4), "-c:v", "libx264", "-preset", "ultrafast", "-x264-params", parameters, path]
    subprocess.run([FFMPEG, "-v", "error", *arguments], check=True)
    return _once(path.read_bytes())


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    joined, path = folder / "joined.h264", folder / "changing.mp4"
    joined.write_bytes(_stream(folder / "a.h264", 0) + _stream(folder / "b.h264", 12))
    times = ["-c", "copy", "-bsf:v", "setts=ts=N*1200"]
    subprocess.run([FFMPEG, "-v", "error", "-r", "25", "-i", joined, *times, path], check=True)
    return path


def test_decoding_begins_only_where_they_come(changing: Path) -> None:
    info = probe(changing)
    assert info.packet_kinds is not None
    assert np.flatnonzero(info.packet_kinds & CUT).tolist() == [0, 100]
    assert [place for place, _ in info.keyframes] == [0, 100]


@pytest.mark.parametrize("indices", [[125, 131, 170], [4, 35, 61, 122, 163]])
def test_all_pictures_are_right(changing: Path, indices: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "_LEAST_PACKETS", 20)
    monkeypatch.setattr(thinning, "_LEAST_PARTS", 0)
    info = probe(changing)
    plain = dict(digests(info, indices, FFMPEG, DecodingRecord(exact=False, seekable=False)))
    assert dict(digests(info, indices, FFMPEG, DecodingRecord())) == plain
    monkeypatch.setattr(seeking, "seek_point", lambda *_: None)
    assert dict(digests(info, indices, FFMPEG, DecodingRecord())) == plain
