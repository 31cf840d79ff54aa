"""How much memory do videos take that are made to take as much as they can? tempo and its children together.

Makes files below 1 GB (8K in several codecs, the largest pictures that are read, pictures that grow, indices
and headers that fill the file, millions of packets, zeros), asks a question about each with `tempo ask`, and
adds up the proportional set sizes (PSS) of all its processes, 50 times a second. Linux only. The exit status
is 1 if a file takes more than 1.5 GB, or ends in an internal error.

Run: python bench/hostile.py [--files TEXT] [--model nano]
"""

import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common import Neighbours, made, parser, report
from fuzz import descendants, pss

LIMIT = 1.5e9  # bytes
SECONDS = 900.0  # after which a file counts as a hang
FILE = 950 << 20  # bytes of the files that are filled up
_MOST_SIZES = 60_000_000  # libav reads no more from one table
_8K = "testsrc2=size=7680x4320:rate=5"
_LARGEST = "testsrc2=size=6000x6000:rate=5"  # 36 Mpx
_FAST_265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error")
_PQ = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")
# name: source, frames, encoder and container
MADE: dict[str, tuple[str, int, tuple[str, ...], str]] = {
    "8K AV1, 10 bits": (_8K, 12, ("-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p10le"), "mkv"),
    "8K HEVC, 10 bits": (_8K, 12, (*_FAST_265, "-pix_fmt", "yuv420p10le"), "mp4"),
    "8K HEVC, HDR": (_8K, 12, (*_FAST_265, "-pix_fmt", "yuv420p10le", *_PQ), "mp4"),
    "8K H.264": (_8K, 12, ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"), "mp4"),
    "8K H.264, 16 references": (
        _8K,
        20,
        ("-c:v", "libx264", "-preset", "ultrafast", "-refs", "16", "-bf", "0", "-pix_fmt", "yuv444p10le"),
        "mkv",
    ),
    "8K VP9": (_8K, 8, ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"), "webm"),
    "36 Mpx ProRes 4444": (_LARGEST, 4, ("-c:v", "prores_ks", "-pix_fmt", "yuva444p10le"), "mov"),
    "36 Mpx FFV1, 16 bits": (_LARGEST, 4, ("-c:v", "ffv1", "-pix_fmt", "gbrp16le"), "mkv"),
    "36 Mpx MJPEG": (_LARGEST, 6, ("-c:v", "mjpeg", "-pix_fmt", "yuvj444p"), "avi"),
    "36 Mpx GIF": (_LARGEST, 4, (), "gif"),
    "36 Mpx APNG, 16 bits": (_LARGEST, 4, ("-pix_fmt", "rgba64be"), "apng"),
}


def grown(folder: Path) -> Path:
    """90 small pictures, then large ones."""
    parts = [
        made(f"hostile-{name}.h264", ["-f", "lavfi", "-i", source, "-frames:v", frames, *MADE["8K H.264"][2]])
        for name, source, frames in (("small", "testsrc2=size=320x180:rate=5", "90"), ("large", _8K, "6"))
    ]
    path = folder / "grown.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def bomb(folder: Path) -> Path:
    """A GIF of a few bytes that announces 65,535 x 65,535 pixels."""
    path = folder / "bomb.gif"
    path.write_bytes(b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6) + b";")
    return path


def zeros(folder: Path) -> Path:
    """A transport stream before 950 MB of zeros."""
    path = folder / "zeros.ts"
    encode = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=5", "-frames:v", "90", *MADE["8K H.264"][2]]
    path.write_bytes(made("hostile-zeros.ts", encode).read_bytes())
    os.truncate(path, FILE)
    return path


def _box(kind: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I", 8 + len(data)) + kind + data


def _table(kind: bytes, *numbers: int) -> bytes:
    return _box(kind, struct.pack(f">{len(numbers) + 1}I", 0, *numbers))


def samples(folder: Path, sized: bool) -> Path:
    """An MP4 with an index of as many samples as libav reads, or of four billion of one size."""
    path, count = folder / f"samples-{sized}.mp4", _MOST_SIZES if sized else 0xFFFFFFF0
    size = 4 * count if sized else 0
    entry = _box(
        b"mp4v", bytes(7) + b"\1" + bytes(16) + struct.pack(">HH", 64, 64) + bytes(50), _table(b"esds")
    )
    description = _box(b"stsd", struct.pack(">II", 0, 1), entry)
    tables = (_table(b"stts", 1, count, 1), _table(b"stsc", 1, 1, count, 1), _table(b"stco", 1, 0))
    head = struct.pack(">I", 20 + size) + b"stsz" + struct.pack(">III", 0, 0 if sized else 1, count)

    def around(kind: bytes, inside: bytes, *before: bytes) -> bytes:
        content = b"".join(before) + inside
        return struct.pack(">I", 8 + len(content) + size) + kind + content

    stbl = around(b"stbl", head, description, *tables)
    minf = around(b"minf", stbl, _box(b"vmhd", bytes(12)))
    told = _table(b"mdhd", 0, 0, 25, count & 0x7FFFFFFF, 0), _box(b"hdlr", bytes(8), b"vide", bytes(13))
    mdia = around(b"mdia", minf, *told)
    trak = around(b"trak", mdia, _box(b"tkhd", bytes(84)))
    moov = around(b"moov", trak, _table(b"mvhd", 0, 0, 1000, 1000, *[0] * 20))
    with path.open("wb") as file:
        file.write(_box(b"ftyp", b"isom", bytes(4), b"isom") + moov)
        if sized:
            chunk = struct.pack(">I", 1) * (1 << 20)
            for _ in range(count >> 20):
                file.write(chunk)
            file.truncate(file.tell() + 4 * (count % (1 << 20)))
    return path


def chunks(folder: Path) -> Path:
    """An AVI of as many frames as fit, each of one byte, with an index of all of them."""
    path = folder / "chunks.avi"
    made_clip = ["-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25", "-frames:v", "2", "-c:v", "mpeg4"]
    header = made("hostile-chunks.avi", made_clip).read_bytes()
    start = header.index(b"movi")
    count = FILE // 26
    chunk = b"00dc" + struct.pack("<I", 1) + b"\0\0"
    with path.open("wb") as file:
        file.write(header[: start - 4] + struct.pack("<I", 4 + 10 * count) + b"movi")
        for _ in range(count // 10_000):
            file.write(chunk * 10_000)
        written = count // 10_000 * 10_000
        file.write(b"idx1" + struct.pack("<I", 16 * written))
        for first in range(0, written, 10_000):
            places = range(4 + 10 * first, 4 + 10 * (first + 10_000), 10)
            file.write(b"".join(b"00dc" + struct.pack("<III", 16, place, 1) for place in places))
    return path


def tiny(folder: Path) -> Path:
    """Raw JPEG pictures of 16 x 16 pixels, as many as fit."""
    source = ["-f", "lavfi", "-i", "testsrc2=size=16x16:rate=25", "-frames:v", "1"]
    picture = made("hostile-tiny.jpg", [*source, "-update", "1"]).read_bytes()
    path = folder / "tiny.mjpeg"
    with path.open("wb") as file:
        for _ in range(FILE // len(picture) // 1000):
            file.write(picture * 1000)
    return path


def matroska(folder: Path, kind: str, count: int = 1) -> Path:
    """A Matroska file that is filled by a tag, an attachment, or the headers of `count` streams."""
    path, size = folder / f"{kind}.mkv", FILE if kind != "header" else 250 << 20
    clip = made("hostile-small.mkv", ["-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25", "-frames:v", "9"])
    data = clip.read_bytes()
    place, segment = data.index(b"\x16\x54\xae\x6b"), data.index(b"\x18\x53\x80\x67")
    length = struct.pack(">Q", 1 << 56 | size)
    wraps, before = {
        "tag": ((b"\x12\x54\xc3\x67", b"\x73\x73", b"\x67\xc8"), b"\x45\xa3\x81A\x44\x87"),
        "attachment": ((b"\x19\x41\xa4\x69", b"\x61\xa7"), b"\x46\x6e\x81A\x46\x60\x83a/b\x46\x5c"),
        "header": (
            (b"\x16\x54\xae\x6b", b"\xae"),
            b"\xd7\x81%c\x73\xc5\x81%c\x83\x81\x01\x86\x8fV_MPEG4/ISO/AVC\xe0\x86\xb0\x81\x40\xba\x81\x40\x63\xa2",
        ),
    }[kind]
    with path.open("wb") as file:
        file.write(data[: segment + 4] + b"\x01" + b"\xff" * 7 + data[segment + 12 : place])
        for number in range(count):
            told = (before % (number + 2, number + 2) if kind == "header" else before) + length
            for wrap in reversed(wraps):
                told = wrap + struct.pack(">Q", 1 << 56 | (len(told) + size)) + told
            file.write(told)
            for _ in range(size >> 20):
                file.write(b"A" * (1 << 20))
        file.write(data[place:])
    return path


FILLED: dict[str, Callable[[Path], Path]] = {
    "small pictures, then 8K": grown,
    "GIF of 65,535 x 65,535 pixels": bomb,
    "TS before zeros": zeros,
    "MP4, an index of 240 MB": lambda folder: samples(folder, sized=True),
    "MP4, four billion samples": lambda folder: samples(folder, sized=False),
    "AVI, 38 million frames": chunks,
    "raw JPEG, tiny pictures": tiny,
    "Matroska, a tag of 950 MB": lambda folder: matroska(folder, "tag"),
    "Matroska, an attachment of 950 MB": lambda folder: matroska(folder, "attachment"),
    "Matroska, a header of 250 MB": lambda folder: matroska(folder, "header"),
    "Matroska, three headers of 250 MB": lambda folder: matroska(folder, "header", 3),
}


@contextmanager
def _file(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        if name in FILLED:
            yield FILLED[name](Path(folder))
            return
        source, frames, encoder, kind = MADE[name]
        stem = "".join(letter if letter.isalnum() else "-" for letter in name)
        yield made(
            f"hostile-{stem}.{kind}", ["-f", "lavfi", "-i", source, "-frames:v", str(frames), *encoder]
        )


def measured(path: Path, model: str) -> tuple[int, float, int, str]:
    """The largest PSS in bytes, seconds, exit status, and the first line on standard error."""
    command = [sys.executable, "-m", "tempo_cli", "ask", path, "What is shown?", "--model", model]
    command += ["--no-cache", "--device", "cpu", "--offline", "--max-new-tokens", "8", "--yes"]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        said: list[str] = []
        assert process.stderr is not None
        listener = threading.Thread(target=lambda stream: said.extend(stream), args=(process.stderr,))
        listener.start()
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(map(pss, descendants(process.pid))))
            if time.monotonic() - began > SECONDS:
                process.kill()
            time.sleep(0.02)
        listener.join()
    lines = [line.strip() for line in said if line.strip()]
    return peak, time.monotonic() - began, process.returncode, lines[0] if lines else ""


def main() -> None:
    """Measure and report."""
    options_of = parser(__doc__, runs=1)
    options_of.add_argument("--files", default="", help="those whose name holds this (default: all)")
    options_of.add_argument("--model", default="nano", help="that answers (default nano)")
    options = options_of.parse_args()
    neighbours, rows, bad = Neighbours(), list[list[object]](), False
    for name in (*MADE, *FILLED):
        if options.files not in name:
            continue
        with _file(name) as path:
            peak, seconds, status, said = measured(path, options.model)
        rows.append([name, peak / 1e6, seconds, status, said[:90]])
        print(rows[-1], file=sys.stderr, flush=True)
        bad = bad or peak > LIMIT or status not in (0, 3)
    report(
        "hostile", ["file", "peak PSS, MB", "seconds", "exit", "said"], rows, options, neighbours, files=rows
    )
    sys.exit(bad)


if __name__ == "__main__":
    main()
