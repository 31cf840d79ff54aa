"""Encrypted pictures are an error that says so; what is in the clear is answered."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tempo_cli.errors import VideoError
from tempo_cli.video.probe import probe

from .clips import COPY, COPY_BOTH, FRAGMENTED, ClipMaker, FullDecode, decode_plan, every_frame, run_ffmpeg

Change = Callable[[bytes], bytes]
KEY = "76a6c65c5ea762046bd749a2e632ccbb"
CENC = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", KEY, "-encryption_kid", KEY)
COMMON, APPLE = "Common Encryption", "FairPlay"


@pytest.fixture(scope="module")
def sources(clip: ClipMaker, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("encrypted")
    both = ("-i", clip("h264.mp4"), "-i", clip("tone.m4a"), *COPY_BOTH, "-t", "2")
    title = ("-metadata:s:v", f"title={'T' * 60}")
    made = {
        "clear.mp4": both,
        "cenc.mp4": (*both, *CENC),
        "cenc_fragmented.mp4": (*both, *CENC, *FRAGMENTED),
        "titled.mkv": ("-i", clip("h264.mkv"), *COPY, *title),
        "titled_second.mkv": ("-i", clip("tone.m4a"), "-i", clip("h264.mp4"), *COPY_BOTH, *title),
        "disc.m2ts": ("-i", clip("h264.mp4"), *COPY, "-mpegts_m2ts_mode", "1"),
        "dvd.vob": ("-i", clip("mpeg2.mpg"), *COPY, "-f", "vob"),
    }
    for name, arguments in made.items():
        run_ffmpeg(*arguments, folder / name)
    return {name: folder / name for name in made} | {
        name: clip(name) for name in ("h264.ts", "wmv2.wmv", "mpeg2.mpg", "h264.mp4")
    }


def replaced(old: bytes, new: bytes) -> Change:
    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new)

    return change


def with_pssh(data: bytes) -> bytes:
    """What a license server is told, at the end of the file."""
    body = bytes(4) + bytes.fromhex("edef8ba979d64acea3c827dcd51d21ed") + struct.pack(">I", 4) + b"data"
    return data + struct.pack(">I", 8 + len(body)) + b"pssh" + body


def with_locked_track(*, key: bool = True) -> Change:
    """Matroska whose track has a content encryption in place of a title."""

    def element(identity: str, *content: bytes) -> bytes:
        body = b"".join(content)
        return bytes.fromhex(identity) + bytes([0x80 | len(body)]) + body

    def change(data: bytes) -> bytes:
        title = element("536e", b"T" * 60)
        assert data.count(title) == 1
        algorithm = [element("47e1", b"\5"), *([element("47e2", b"K" * 16)] if key else [])]
        encoding = element("6240", element("5033", b"\1"), element("5035", *algorithm))
        encodings = element("6d80", encoding)
        return data.replace(title, encodings + element("ec", bytes(len(title) - len(encodings) - 2)))

    return change


def with_license(data: bytes) -> bytes:
    """ASF with a Content Encryption Object."""
    size, count = int.from_bytes(data[16:24], "little"), int.from_bytes(data[24:28], "little")
    added = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e") + struct.pack("<Q", 64) + bytes(40)
    sizes = struct.pack("<QI", size + len(added), count + 1)
    return data[:16] + sizes + data[28:30] + added + data[30:]


def scrambled_packets(pid: int, every: int = 1, size: int = 188) -> Change:
    """MPEG-TS in which some packets of a stream say that they are scrambled."""

    def change(data: bytes) -> bytes:
        found = bytearray(data)
        ours = [
            place
            for place in range(size - 188, len(data), size)
            if (data[place + 1] & 31) << 8 | data[place + 2] == pid
        ]
        assert len(ours) > 3
        for place in ours[::every]:
            found[place + 3] |= 0x80
        return bytes(found)

    return change


def checksum(data: bytes) -> int:
    """CRC-32 as MPEG-TS has it."""
    found = 0xFFFFFFFF
    for byte in data:
        found ^= byte << 24
        for _ in range(8):
            found = (found << 1 ^ (0x04C11DB7 if found >> 31 else 0)) & 0xFFFFFFFF
    return found


def sample_aes(data: bytes) -> bytes:
    """MPEG-TS whose program map says that the H.264 is encrypted as in HLS."""
    found = bytearray(data)
    for place in range(0, len(data), 188):
        if (data[place + 1] & 31) << 8 | data[place + 2] == 0x1000:
            start = place + 5 + data[place + 4]
            size = (data[start + 1] & 15) << 8 | data[start + 2]
            section = bytearray(data[start : start + 3 + size])
            kind = 12 + ((section[10] & 15) << 8 | section[11])
            assert section[kind] == 0x1B
            section[kind] = 0xDB
            section[-4:] = struct.pack(">I", checksum(section[:-4]))
            found[start : start + len(section)] = section
    return bytes(found)


def scrambled_dvd(every: int) -> Change:
    def change(data: bytes) -> bytes:
        found = bytearray(data)
        heads = list(re.finditer(rb"\x00\x00\x01\xe0..[\x80-\xbf]", data, re.DOTALL))
        assert len(heads) > 10
        for head in heads[::every]:
            found[head.end() - 1] |= 0x30
        return bytes(found)

    return change


ENCRYPTED: dict[str, tuple[str, Change, str]] = {
    "cenc": ("cenc.mp4", bytes, f"{COMMON}, cenc"),
    "cenc in fragments": ("cenc_fragmented.mp4", bytes, f"{COMMON}, cenc"),
    "cbcs": ("cenc.mp4", replaced(b"cenc", b"cbcs"), f"{COMMON}, cbcs"),
    "Widevine": ("cenc_fragmented.mp4", with_pssh, f"{COMMON}, cenc"),
    "Smooth Streaming": ("cenc_fragmented.mp4", replaced(b"cenc", b"piff"), f"{COMMON}, piff"),
    "encv of an unknown scheme": ("cenc.mp4", replaced(b"cenc", b"zzzz"), "an unknown scheme"),
    "encv of an unknown codec": ("cenc.mp4", replaced(b"avc1", b"zzzz"), f"{COMMON}, cenc"),
    "FairPlay": ("clear.mp4", replaced(b"avc1", b"drmi"), APPLE),
    "Matroska": ("titled.mkv", with_locked_track(), "Matroska's content encryption"),
    "Matroska without a key": ("titled.mkv", with_locked_track(key=False), "Matroska's content encryption"),
    "ASF": ("wmv2.wmv", with_license, "Windows Media DRM"),
    "SAMPLE-AES": ("h264.ts", sample_aes, "SAMPLE-AES"),
    "broadcast": ("h264.ts", scrambled_packets(256), "a scrambled stream"),
    "broadcast, in parts": ("h264.ts", scrambled_packets(256, every=4), "a scrambled stream"),
    "Blu-ray": ("disc.m2ts", scrambled_packets(0x1011, size=192), "a scrambled stream"),
    "DVD": ("dvd.vob", scrambled_dvd(1), "as DVDs are"),
    "DVD, in parts": ("dvd.vob", scrambled_dvd(4), "as DVDs are"),
}


@pytest.mark.parametrize("kind", ENCRYPTED)
def test_an_encrypted_video_is_an_error_that_says_so(
    kind: str, sources: dict[str, Path], tmp_path: Path
) -> None:
    name, change, how = ENCRYPTED[kind]
    path = tmp_path / name
    path.write_bytes(change(sources[name].read_bytes()))
    with pytest.raises(VideoError) as caught:
        probe(path)
    assert caught.value.message == f"'{path}' is encrypted ({how})"
    assert ("-decryption_key KEY" in caught.value.hint) == how.startswith(COMMON)
    assert "Use a copy without" in caught.value.hint


CLEAR: dict[str, tuple[str, Change]] = {
    "its sound is encrypted": ("clear.mp4", replaced(b"mp4a", b"enca")),
    "a disc": ("disc.m2ts", bytes),
    "its license is left": ("clear.mp4", with_pssh),
    "its sound is encrypted, in Matroska": ("titled_second.mkv", bytes),
    "another stream is scrambled": ("h264.ts", scrambled_packets(17)),
    "a damaged broadcast": ("h264.ts", scrambled_packets(256, every=15)),
}


@pytest.mark.parametrize("kind", CLEAR)
def test_pictures_in_the_clear_are_read(
    kind: str, sources: dict[str, Path], truth: FullDecode, tmp_path: Path
) -> None:
    name, change = CLEAR[kind]
    path = tmp_path / name
    path.write_bytes(change(sources[name].read_bytes()))
    info = probe(path)
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth("h264.mp4"))
    assert warnings == []


def test_the_key_makes_it_clear(sources: dict[str, Path], truth: FullDecode, tmp_path: Path) -> None:
    """What the hint says."""
    path = tmp_path / "clear.mp4"
    run_ffmpeg("-decryption_key", KEY, "-i", sources["cenc.mp4"], "-c", "copy", path)
    info = probe(path)
    frames, warnings = decode_plan(info, every_frame(info))
    np.testing.assert_array_equal([frame.pixels for frame in frames], truth("h264.mp4"))
    assert warnings == []
