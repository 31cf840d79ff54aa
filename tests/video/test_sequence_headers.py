"""MPEG streams whose sequence headers change and do not come again: nothing that is skipped loses them."""

import re
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from tempo_cli.plan.packets import CUT
from tempo_cli.video import seeking, thinning
from tempo_cli.video.probe import probe
from tempo_cli.video.sequence_headers import SequenceHeaders
from tempo_cli.video.thinning import DecodingRecord

from .clips import FFMPEG, source
from .thinned import digests

# start codes of a header
CODECS = {"mpeg2video": rb"\xb3|\xb5[\x10-\x2f]", "mpeg4": rb"\xb0|\xb5|[\x00-\x2f]"}
FLAT, STEEP = ",".join(["16"] * 64), ",".join(["8"] + [str(16 + 2 * place) for place in range(1, 64)])


def _once(stream: bytes, codes: bytes) -> bytes:
    """A header only where it comes first."""
    units = re.split(rb"(?=\x00\x00\x01)", stream)
    header = re.compile(rb"\x00\x00\x01(?:" + codes + rb")", re.DOTALL)
    first = next(n for n, unit in enumerate(units) if unit and not header.match(unit))
    return b"".join(units[:first]) + b"".join(unit for unit in units[first:] if not header.match(unit))


def _stream(path: Path, codec: str, matrix: str) -> bytes:
    """100 frames with a key frame every 10."""
    encode = [
        "-c:v",
        codec,
        "-g",
        "10",
        "-bf",
        "0",
        "-q:v",
        "6",
        "-intra_matrix",
        matrix,
        "-flags",
        "+bitexact",
    ]
    encode += ["-sc_threshold", "1000000000", "-mpeg_quant", "1"][: None if codec == "mpeg4" else 2]
    kind = "m4v" if codec == "mpeg4" else "mpeg2video"
    subprocess.run([FFMPEG, "-v", "error", "-y", *source(4), *encode, "-f", kind, path], check=True)
    return _once(path.read_bytes(), CODECS[codec])


@pytest.fixture(scope="module", params=CODECS)
def changing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, codec = tmp_path_factory.mktemp("headers"), request.param
    joined, path = folder / "joined.raw", folder / "changing.mp4"
    parts = [_stream(folder / f"{number}.raw", codec, matrix) for number, matrix in enumerate((FLAT, STEEP))]
    joined.write_bytes(b"".join(parts))
    kind = "m4v" if codec == "mpeg4" else "mpegvideo"
    times = ["-c", "copy", "-bsf:v", "setts=ts=N*1200"]
    subprocess.run([FFMPEG, "-v", "error", "-r", "25", "-f", kind, "-i", joined, *times, path], check=True)
    return path


def test_decoding_begins_only_where_they_come(changing: Path) -> None:
    info = probe(changing)
    assert info.packet_kinds is not None
    assert np.flatnonzero(info.packet_kinds & CUT).tolist()[-1] == 100
    assert [place for place, _ in info.keyframes][-1] == 100
    assert len(info.keyframes) <= 2


@pytest.mark.parametrize("indices", [[125, 131, 170], [4, 35, 61, 122, 163]])
def test_all_pictures_are_right(changing: Path, indices: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "_LEAST_PACKETS", 20)
    monkeypatch.setattr(thinning, "_LEAST_PARTS", 0)
    info = probe(changing)
    plain = dict(digests(info, indices, FFMPEG, DecodingRecord(exact=False, seekable=False)))
    assert len(plain) == len(indices)
    assert dict(digests(info, indices, FFMPEG, DecodingRecord())) == plain
    monkeypatch.setattr(seeking, "seek_point", lambda *_: None)
    assert dict(digests(info, indices, FFMPEG, DecodingRecord())) == plain


def test_matrices_that_come_with_a_picture_hold_on() -> None:
    sequence, picture = b"\0\0\1\xb3\x0a\0\x90", b"\0\0\1\0\0\x08"
    extension = b"\0\0\1\xb5\x8f\xff\xf3"
    headers = SequenceHeaders("mpeg2video", sequence)
    assert headers.look(av.Packet(sequence + picture + extension)) == (True, True)
    assert headers.look(av.Packet(picture + extension)) == (False, False)
    assert not headers.changing
    assert headers.look(av.Packet(picture + extension + b"\0\0\1\xb5\x3f\xff")) == (True, False)
    assert headers.changing
