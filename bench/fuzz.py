"""Mutated videos: how many are read, refused, or show a bug.

Every file is a mutation of a short clip in one of 20 pairs of container and codec, and follows from its
number alone. They are read by the function that the reading process runs, within its limits; of each pair,
every `--decode`th goes the whole way: a reading process of its own, then ffmpeg (also with packets left out),
with the memory of both and of this process.

    python bench/fuzz.py --files 15000 --log work/fuzz.jsonl   # resumable
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tempo_cli.config import SamplingOptions
from tempo_cli.errors import TempoError
from tempo_cli.plan.sampling import plan_frames
from tempo_cli.types import VideoInfo
from tempo_cli.video import isolated, reader, thinning
from tempo_cli.video.decode import FrameDecoder
from tempo_cli.video.ffmpeg import find_ffmpeg
from tempo_cli.video.limits import read_limits
from tempo_cli.video.wire import unpack

_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "10", "-pix_fmt", "yuv420p")
_H265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error")
_VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
_FRAGMENTED = ("-movflags", "frag_keyframe+empty_moov")
PAIRS: dict[str, tuple[str, ...]] = {
    "h264.mp4": _H264,
    "h264_fragmented.mp4": (*_H264, *_FRAGMENTED),
    "hevc.mp4": _H265,
    "av1.mp4": ("-c:v", "libsvtav1", "-preset", "12"),
    "prores.mov": ("-c:v", "prores_ks"),
    "h264.mkv": _H264,
    "av1.mkv": ("-c:v", "libsvtav1", "-preset", "12"),
    "vp8.webm": ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"),
    "vp9.webm": _VP9,
    "mpeg4.avi": ("-c:v", "mpeg4", "-bf", "2"),
    "mjpeg.avi": ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p"),
    "h264.ts": _H264,
    "mpeg2.mpg": ("-c:v", "mpeg2video", "-bf", "2"),
    "h264.flv": _H264,
    "wmv2.wmv": ("-c:v", "wmv2"),
    "theora.ogv": ("-c:v", "libtheora"),
    "ffv1.nut": ("-c:v", "ffv1"),
    "vp9.ivf": _VP9,
    "gif.gif": (),
    "h264.h264": _H264,
}
_FIELDS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF)
_EBML_IDS = (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\xae")
_EBML_IDS += (b"\x1f\x43\xb6\x75", b"\x1c\x53\xbb\x6b", b"\xa3", b"\xe0", b"\xb0", b"\xba")
_BOXES = tuple(
    b"ftyp moov mvhd trak tkhd edts elst mdia mdhd hdlr minf stbl stsd stts ctts stsc stsz stco stss mdat "
    b"moof mfhd traf tfhd tfdt trun avc1 hvc1 av01 avcC hvcC av1C".split()
)
_MIB = 1500  # in all processes
_SECONDS = 60.0  # after which a file counts as a hang: more than any limit that it may meet here

Mutator = Callable[[bytearray, bytes, random.Random], None]


def _place(data: bytearray, chance: random.Random) -> int:
    return chance.randrange(max(1, len(data)))


def _flip_bits(data: bytearray, _: bytes, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 4, 30))):
        data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _flip_header_bits(data: bytearray, _: bytes, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 3, 10))):
        data[chance.randrange(min(len(data), 600))] ^= 1 << chance.randrange(8)


def _header_bytes(data: bytearray, _: bytes, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 4))):
        data[chance.randrange(min(len(data), 600))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))


def _tail_bytes(data: bytearray, _: bytes, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 4))):
        data[-1 - chance.randrange(min(len(data), 1500))] = chance.randrange(256)


def _noise(data: bytearray, _: bytes, chance: random.Random) -> None:
    start = _place(data, chance)
    size = min(len(data) - start, chance.choice((8, 100, 1000)))
    data[start : start + size] = chance.randbytes(size)


def _truncate(data: bytearray, _: bytes, chance: random.Random) -> None:
    del data[_place(data, chance) :]


def _truncate_front(data: bytearray, _: bytes, chance: random.Random) -> None:
    del data[: chance.choice((1, 4, 16, _place(data, chance)))]


def _remove(data: bytearray, _: bytes, chance: random.Random) -> None:
    start = _place(data, chance)
    del data[start : start + chance.choice((1, 4, 188, 1000, 4000))]


def _double(data: bytearray, _: bytes, chance: random.Random) -> None:
    start = _place(data, chance)
    part = data[start : start + chance.choice((1, 8, 188, 1000, 8000))]
    data[start:start] = part * chance.choice((1, 1, 50))


def _zeros(data: bytearray, _: bytes, chance: random.Random) -> None:
    start = _place(data, chance)
    size = chance.choice((4, 64, 1000, 20_000))
    data[start : start + (size if chance.random() < 0.5 else 0)] = bytes(size)


def _zero_tail(data: bytearray, _: bytes, chance: random.Random) -> None:
    data += bytes(chance.choice((100, 10_000, 1_000_000)))


def _swap_halves(data: bytearray, _: bytes, chance: random.Random) -> None:
    middle = _place(data, chance)
    data[:] = data[middle:] + data[:middle]


def _field(data: bytearray, _: bytes, chance: random.Random) -> None:
    """A number in some width and order."""
    for _ in range(chance.choice((1, 2))):
        width = chance.choice((1, 2, 4, 8))
        value = chance.choice(_FIELDS) & ((1 << 8 * width) - 1)
        start = chance.randrange(min(len(data), chance.choice((1000, 4000, len(data)))))
        data[start : start + width] = value.to_bytes(width, chance.choice(("big", "little")))


def _near_field(data: bytearray, _: bytes, chance: random.Random) -> None:
    """A 32-bit number that is a little larger or smaller."""
    start = chance.randrange(max(1, len(data) - 4))
    value = int.from_bytes(data[start : start + 4]) + chance.choice((-256, -1, 1, 2, 1000))
    data[start : start + 4] = (value & 0xFFFFFFFF).to_bytes(4)


def _mp4_box(data: bytearray, _: bytes, chance: random.Random) -> None:
    """The size, the type or a field of a box."""
    places = [start for kind in _BOXES if (start := data.find(kind)) >= 4]
    if not places:
        _field(data, b"", chance)
        return
    start = chance.choice(places)
    at = chance.choice((start - 4, start, *range(start + 4, start + 32, 4)))
    value = chance.choice((*_FIELDS[:10], len(data), 8, 16, chance.randrange(1 << 32)))
    data[at : at + 4] = value.to_bytes(4) if at != start else chance.choice(_BOXES)


def _ebml_size(data: bytearray, _: bytes, chance: random.Random) -> None:
    places = [start + len(i) for i in _EBML_IDS if (start := data.find(i)) >= 0]
    if not places:
        _field(data, b"", chance)
        return
    start = chance.choice(places)
    size = chance.choice((b"\x80", b"\xff", b"\x01" + b"\xff" * 7, b"\x01" + b"\0" * 6 + b"\x10", b"\x84"))
    data[start : start + chance.choice((1, len(size)))] = size


def _splice(data: bytearray, other: bytes, chance: random.Random) -> None:
    """The head of one and the tail of another clip."""
    data[_place(data, chance) :] = other[chance.randrange(len(other)) :]


def _insert(data: bytearray, other: bytes, chance: random.Random) -> None:
    start = _place(data, chance)
    cut = chance.randrange(len(other))
    data[start:start] = other[cut : cut + chance.choice((16, 500, 5000))]


MUTATORS: tuple[Mutator, ...] = (
    _flip_bits,
    _flip_header_bits,
    _header_bytes,
    _tail_bytes,
    _noise,
    _truncate,
    _truncate_front,
    _remove,
    _double,
    _zeros,
    _zero_tail,
    _swap_halves,
    _field,
    _near_field,
    _mp4_box,
    _ebml_size,
    _splice,
    _insert,
)


def make_clips(folder: Path) -> list[Path]:
    """One clip of each pair: a second of moving bars, 96 x 54."""
    folder.mkdir(parents=True, exist_ok=True)
    source = ("-f", "lavfi", "-i", "testsrc2=size=96x54:rate=25:duration=1")
    for name, codec in PAIRS.items():
        if not (folder / name).exists():
            command = [find_ffmpeg(), "-nostdin", "-loglevel", "error", "-y", *source, *codec]
            subprocess.run([*command, str(folder / name)], check=True, stderr=subprocess.DEVNULL)
    return [folder / name for name in PAIRS]


def mutated(clips: list[Path], number: int) -> tuple[str, bytes]:
    """File `number`: the name of its pair and its bytes."""
    chance = random.Random(number)
    clip = clips[number % len(clips)]
    data, other = bytearray(clip.read_bytes()), chance.choice(clips).read_bytes()
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        if data:
            chance.choice(MUTATORS)(data, other, chance)
    return clip.name, bytes(data)


def read(path: Path) -> str:
    """What becomes of a file in the reading process: ok, or the code of an error."""
    answer = unpack(BytesIO(reader.answer(path, read_limits(path.stat().st_size))).read, path)
    if isinstance(answer, VideoInfo):
        return "ok"
    return " ".join(answer) if answer[0] == "internal" else answer[0]


def decode(path: Path) -> str:
    """What becomes of a file on the whole way: ok, damaged (with a warning), or the code of an error."""
    warnings: list[str] = []
    try:
        info = isolated.probe(path)
        plan = plan_frames(info.frames, float(info.rate), SamplingOptions(fps=8, max_frames=16))
        with FrameDecoder(info, plan, find_ffmpeg(), warnings.append, stall=20) as decoder:
            for frame in decoder.frames():
                np.asarray(frame.pixels).max()
    except TempoError as error:
        return error.code
    except Exception as error:  # noqa: BLE001  what is counted here
        return f"internal {type(error).__name__}: {error}"
    return "damaged" if warnings else "ok"


class Memory:
    """The largest proportional set size of this process and those under it, MiB, while it is entered."""

    def __init__(self) -> None:
        self.peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.peak = max(self.peak, sum(map(pss, descendants(os.getpid()))) >> 20)


def descendants(root: int) -> list[int]:
    """A process and all under it."""
    found = [root]
    for process in found:
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def pss(process: int) -> int:
    """Its proportional set size, bytes; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) << 10
    except (OSError, StopIteration):
        return 0


def work(folder: Path, numbers: list[int], every: int) -> None:
    """In a process of its own: print what becomes of each file."""
    # so that clips of a second are decoded from fewer packets
    thinning._LEAST_PACKETS, thinning._LEAST_PARTS = 0, 1
    clips = make_clips(folder)
    limits = read_limits(0)
    with TemporaryDirectory() as scratch:
        for number in numbers:
            pair, data = mutated(clips, number)
            path = Path(scratch, f"{number}{Path(pair).suffix}")
            path.write_bytes(data)
            started = time.perf_counter()
            found: dict[str, object] = {"number": number, "pair": pair}
            if is_decoded(number, every):
                with Memory() as memory:
                    found["decode"] = decode(path)
                found |= {"memory": memory.peak, "orphans": len(descendants(os.getpid())) - 1}
            else:
                reader.limit(limits.memory, 10**6)
                found["read"] = read(path)
            signal.setitimer(signal.ITIMER_REAL, 0)
            found["seconds"] = round(time.perf_counter() - started, 3)
            print(json.dumps(found), flush=True)
            path.unlink()


def is_decoded(number: int, every: int) -> bool:
    """Whether a file goes the whole way."""
    return number // len(PAIRS) % every == 0


def results(folder: Path, numbers: list[int], every: int) -> Iterator[dict[str, object]]:
    """What becomes of files, in a worker that is started again after it died of one."""
    # whoever reads limits itself for good, so others decode
    numbers = sorted(numbers, key=lambda number: (not is_decoded(number, every), number))
    while numbers:
        command = [sys.executable, __file__, "--worker", str(folder), "--decode", str(every)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdin is not None
            assert worker.stdout is not None
            kind = is_decoded(numbers[0], every)
            batch = [number for number in numbers[:500] if is_decoded(number, every) == kind]
            numbers = numbers[len(batch) :]
            worker.stdin.write(json.dumps(batch))
            worker.stdin.close()
            for line in worker.stdout:
                yield json.loads(line)
                batch = batch[1:]
        if batch:  # the process that reads is ended by its own limits, or by what is in the file
            code = worker.returncode
            ending = signal.Signals(-code).name if code < 0 else f"internal: exit {code}"
            yield {"number": batch[0], "pair": list(PAIRS)[batch[0] % len(PAIRS)], "read": ending}
            numbers = batch[1:] + numbers


def is_internal(found: dict[str, object]) -> bool:
    """Whether it is anything but an answer or an error that names the video, or took too long or too much."""
    outcome = str(found.get("read", found.get("decode")))
    known = {"ok", "damaged", "video", "usage", "memory", "SIGALRM", "SIGXCPU"}
    late = float(str(found.get("seconds", 0))) > _SECONDS
    large = int(str(found.get("memory", 0))) > _MIB
    return outcome not in known or late or large or bool(found.get("orphans"))


def summary(log: list[dict[str, object]]) -> list[str]:
    """A table by pair, then totals."""
    rows = [f"{'pair':22}{'files':>7}{'ok':>7}{'damaged':>9}{'refused':>9}{'stalled':>9}{'internal':>10}"]
    for pair in (*PAIRS, "all"):
        those = [one for one in log if pair in (one["pair"], "all")]
        outcomes = Counter(str(one.get("read", one.get("decode"))) for one in those)
        refused = outcomes["video"] + outcomes["usage"] + outcomes["memory"]
        stalled = outcomes["SIGALRM"] + outcomes["SIGXCPU"]
        bugs = sum(map(is_internal, those))
        rows.append(
            f"{pair:22}{len(those):7}{outcomes['ok']:7}{outcomes['damaged']:9}{refused:9}{stalled:9}{bugs:10}"
        )
    decoded = [one for one in log if "decode" in one]
    if decoded:
        peak = max(int(str(one["memory"])) for one in decoded)
        longest = max(float(str(one["seconds"])) for one in decoded)
        rows.append(f"decoded {len(decoded)}: at most {peak} MiB in all processes, {longest:.1f} s")
    return rows


def main() -> None:
    """Run what the log does not have yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=15_000)
    parser.add_argument("--decode", type=int, default=20, help="decode every so many-th of a pair")
    parser.add_argument("--log", type=Path, default=Path("work/fuzz.jsonl"))
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, json.loads(sys.stdin.read()), options.decode)
        return
    options.log.parent.mkdir(parents=True, exist_ok=True)
    make_clips(options.log.parent / "clips")
    log = [json.loads(line) for line in options.log.read_text().splitlines()] if options.log.exists() else []
    done = {one["number"] for one in log}
    with options.log.open("a") as file:
        missing = [number for number in range(options.files) if number not in done]
        for found in results(options.log.parent / "clips", missing, options.decode):
            log.append(found)
            file.write(json.dumps(found) + "\n")
            file.flush()
            if is_internal(found):
                print(found, flush=True)
    bugs = sum(map(is_internal, log))
    print("\n".join(summary(log)))
    print(json.dumps({"bench": "fuzz", "files": len(log), "internal": bugs}))
    sys.exit(bugs > 0)


if __name__ == "__main__":
    main()
