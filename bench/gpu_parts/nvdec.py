"""Decoding on the card against the CPU, through PyAV and through ffmpeg. Imports no torch.

Every decoder is a child process: a driver that crashes or hangs loses one row. The pictures must be the same,
byte for byte: a video's decoder leaves no choice.
"""

import ctypes
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import md5
from itertools import islice
from pathlib import Path
from typing import Any

from common import loop_clip, make_clip

from tempo_cli.video.ffmpeg import find_ffmpeg

from .results import Row
from .scale import Bench

_LIBRARY = "libnvcuvid.so.1"  # a part of the driver that a container may lack
_SIZES = ("1280x720", "1920x1080")
_RATE = 30  # frames per second
_LOOP = 2  # seconds of the film that are made; the rest repeats them
_COMPARED = 300  # frames, whose bytes are summed
_PATIENCE = 30.0  # seconds for one decoder
_CHILD = """
import json, sys, time
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from gpu_parts.nvdec import decode_with_pyav
print(json.dumps(decode_with_pyav(Path(sys.argv[2]), sys.argv[3] == "cuda")))
"""


def run(bench: Bench) -> None:
    """All rows of this part: first those of the CPU, which the card is compared with."""
    driver = video_driver()
    bench.record.add("video driver", found=driver is None, note=driver or "there")
    for size in _SIZES:
        film = loop_clip(make_clip(_LOOP, size, _RATE), bench.scale.film // _LOOP)
        exact: dict[str, str] = {}
        for tool, decode in (("ffmpeg", with_ffmpeg), ("PyAV", with_pyav)):
            for where in ("cpu", "cuda"):
                with bench.record.row(f"{size} through {tool} on the {where}") as row:
                    row |= {"size": size, "tool": tool, "where": where}
                    missing = None if where == "cpu" else driver or lacking(tool)
                    if missing:
                        row["note"] = missing
                        continue
                    row |= {"frames": bench.scale.film * _RATE, **decode(film, where)}
                    row["frames_per_second"] = row["frames"] / row["seconds"]
                    row["note"] = f"{row['frames_per_second']:,.0f} frames/s"
                    row["ok"] = row["md5"] == exact.setdefault(tool, row["md5"])


def video_driver() -> str | None:
    """None where the driver's video library can be loaded, else what is missing."""
    try:
        ctypes.CDLL(_LIBRARY)
    except OSError:
        return f"no video driver ({_LIBRARY})"
    return None


def lacking(tool: str) -> str | None:
    """What a decoder was built without; None where it knows CUDA."""
    if tool == "PyAV":
        from av.codec.hwaccel import hwdevices_available

        return None if "cuda" in hwdevices_available() else "this PyAV was built without CUDA"
    words = [find_ffmpeg(), "-hide_banner", "-hwaccels"]
    listed = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE, check=True).stdout
    return None if "cuda" in listed.split() else "this ffmpeg was built without CUDA"


def with_ffmpeg(film: Path, where: str) -> Row:
    """Seconds of decoding alone, then the sum of the first pictures, without a way back to the CPU."""
    accelerated = ["-hwaccel", "cuda", "-hwaccel_output_format", "cuda"] if where == "cuda" else []
    fetch = "hwdownload,format=nv12,format=yuv420p" if where == "cuda" else "format=yuv420p"
    words = [find_ffmpeg(), "-nostdin", "-hide_banner", "-loglevel", "error", "-nostats"]
    words += [*accelerated, "-i", f"file:{film}", "-an"]
    started = time.perf_counter()
    _checked([*words, "-f", "null", "-"])
    seconds = time.perf_counter() - started
    listed = _checked([*words, "-vf", fetch, "-frames:v", str(_COMPARED), "-f", "framemd5", "-"])
    sums = [line.rsplit(",", 1)[1].strip() for line in listed.splitlines() if not line.startswith("#")]
    total = md5("".join(sums).encode(), usedforsecurity=False).hexdigest()
    return {"seconds": seconds, "compared": len(sums), "md5": total}


def with_pyav(film: Path, where: str) -> Row:
    """`decode_with_pyav` in a process of its own."""
    home = str(Path(__file__).resolve().parents[1])
    found: Row = json.loads(
        _checked([sys.executable, "-c", _CHILD, json.dumps([home]), str(film), where]).splitlines()[-1]
    )
    return found


def decode_with_pyav(film: Path, accelerated: bool) -> Row:
    """Seconds until every picture is in the host's memory, then the sum of the first ones."""
    started = time.perf_counter()
    frames = sum(1 for _ in _pictures(film, accelerated))
    seconds = time.perf_counter() - started
    total, compared = md5(usedforsecurity=False), 0
    for picture in islice(_pictures(film, accelerated), _COMPARED):
        total.update(picture.to_ndarray(format="yuv420p").tobytes())
        compared += 1
    return {"seconds": seconds, "frames": frames, "compared": compared, "md5": total.hexdigest()}


def _pictures(film: Path, accelerated: bool) -> Iterator[Any]:
    import av
    from av.codec.hwaccel import HWAccel

    how = HWAccel("cuda", allow_software_fallback=False) if accelerated else None
    with av.open(str(film), hwaccel=how) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield from container.decode(stream)


def _checked(words: list[str]) -> str:
    """What a command prints.

    Raises:
        RuntimeError: it fails; the last line that it said.
    """
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["nothing said"]
        raise RuntimeError(f"status {done.returncode}: {lines[-1][:300]}")
    return done.stdout
