"""Do kept frames stay right, whatever happens to the runs that write and read them?

| part | what happens | what must be |
|---|---|---|
| `together` | 16 runs on one video at once, with an empty cache | the same answer 16 times, one entry |
| `killed` | SIGKILL at random moments of a run | the next run's answer is right; no unfinished file stays |
| `full` | the cache on a file system of 4 MB (root only) | the right answer, the file system has room again |
| `corrupted` | a byte of an entry is changed, or its end is cut off | decoded again, the right answer |
| `replaced` | another video under the same name, with the same size and mtime | its own answer |

Run: python bench/cache.py [--parts together,killed,full,corrupted,replaced] [--kills 50]
The exit status is 1 if anything went wrong.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common import TINY_MODEL, Neighbours, make_clip, parser, report

SECONDS = 20  # of the video: long enough to be kept
FULL = 4  # MB
PARTS = ("together", "killed", "full", "corrupted", "replaced")


def ask(video: Path, cache: Path) -> subprocess.Popen[str]:
    """Start a run that keeps its frames in `cache`."""
    command = [sys.executable, "-m", "tempo_cli", "ask", str(video), "what moves?", "--json"]
    more = ["--model", str(TINY_MODEL), "--fps", "15", "--max-new-tokens", "8"]
    variables = os.environ | {"XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen(
        command + more, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )


def answer(process: subprocess.Popen[str]) -> tuple[object, str | None]:
    """What a run says of the video, and where its frames came from."""
    output, _ = process.communicate()
    run = json.loads(output)
    if process.returncode:
        return run["error"], None
    told = {key: run[key] for key in run if key not in ("timing", "memory", "reused", "video")}
    return told, run["reused"]["frames"]


def files(cache: Path) -> list[Path]:
    """What lies in a cache."""
    return sorted(path for path in cache.rglob("*") if path.is_file())


def settled(video: Path) -> None:
    """Make the video look as if nobody had written to it for an hour."""
    os.utime(video, (time.time() - 3600,) * 2)


class Check:
    """A video, its right answer, and what went wrong."""

    def __init__(self, folder: Path, kills: int) -> None:
        self.folder, self.kills = folder, kills
        self.video = folder / "video.mp4"
        self.video.write_bytes(make_clip(SECONDS).read_bytes())
        settled(self.video)
        self.right, _ = answer(ask(self.video, folder / "first"))
        self.faults: list[str] = []

    def same(self, told: object, what: str) -> None:
        """Note a wrong answer."""
        if told != self.right:
            self.faults.append(f"{what}: {json.dumps(told)[:200]}")

    def expect(self, condition: bool, what: str) -> None:
        """Note what is not as it must be."""
        if not condition:
            self.faults.append(what)

    def together(self) -> str:
        cache = self.folder / "together"
        for process in [ask(self.video, cache) for _ in range(16)]:
            self.same(answer(process)[0], "one of 16 runs")
        left = files(cache)
        self.expect(len(left) == 1, f"16 runs left {len(left)} files")
        told, frames = answer(ask(self.video, cache))
        self.same(told, "after 16 runs")
        self.expect(frames == "disk", "after 16 runs nothing was kept")
        return f"{len(left)} entry"

    def killed(self) -> str:
        cache, moments = self.folder / "killed", random.Random(1)
        started = time.perf_counter()
        answer(ask(self.video, self.folder / "time"))
        longest, reached = time.perf_counter() - started, 0
        for number in range(self.kills):
            for path in files(cache):
                path.unlink()
            process = ask(self.video, cache)
            time.sleep(moments.uniform(0, longest))
            reached += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.communicate()
            if number % 10 == 9:  # each tenth time a whole run follows
                self.same(answer(ask(self.video, cache))[0], f"after SIGKILL {number}")
                self.expect(len(files(cache)) <= 1, f"after SIGKILL {number}: {len(files(cache))} files")
        return f"{reached} of {self.kills} in time"

    def full(self) -> str:
        cache = self.folder / "full"
        cache.mkdir()
        with small_disk(cache) as is_there:
            if not is_there:
                return "not tried: needs root"
            told, frames = answer(ask(self.video, cache))
            self.same(told, "on a full disk")
            self.expect(frames is None, "on a full disk frames were kept")
            self.expect(files(cache) == [], "on a full disk a file stayed")
        return f"{FULL} MB"

    def corrupted(self) -> str:
        damages: dict[str, Callable[[bytes], bytes]] = {
            "a byte of a frame": lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
            "a byte of the index": lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
            "the end": lambda data: data[: len(data) // 2],
            "everything": lambda _: b"",
        }
        for name, damage in damages.items():
            cache = self.folder / "corrupted"
            answer(ask(self.video, cache))
            (entry,) = files(cache)
            entry.write_bytes(damage(entry.read_bytes()))
            told, _ = answer(ask(self.video, cache))
            self.same(told, f"with {name} changed")
            told, _ = answer(ask(self.video, cache))
            self.same(told, f"after {name} was changed")
        return f"{len(damages)} kinds"

    def replaced(self) -> str:
        cache, video = self.folder / "replaced", self.folder / "replaced.mp4"
        data = self.video.read_bytes()
        video.write_bytes(data)
        settled(video)
        facts = video.stat()
        other = make_clip(SECONDS, rate=24).read_bytes()
        size = max(len(data), len(other))
        swapped = self.folder / "swapped.mp4"
        for path, content in ((video, data), (swapped, other)):
            path.write_bytes(content + bytes(size - len(content)))  # players pass over what follows
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        own, _ = answer(ask(swapped, self.folder / "swapped"))
        answer(ask(video, cache))
        with video.open("r+b") as file:  # in place: the same inode, size and mtime
            file.write(swapped.read_bytes())
        os.utime(video, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        told, frames = answer(ask(video, cache))
        self.expect(told == own and frames is None, "a replaced video got the other one's frames")
        return "same inode, size, mtime"


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A file system of a few megabytes at `folder`; False where it can't be mounted."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={FULL}m", "tempo", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        done = False
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", str(folder)], check=True)


def main() -> int:
    """Do the parts and report."""
    options_of = parser(__doc__, runs=1)
    options_of.add_argument("--parts", default=",".join(PARTS))
    options_of.add_argument("--kills", type=int, default=50)
    options = options_of.parse_args()
    neighbours = Neighbours()
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as name:
        check = Check(Path(name), options.kills)
        for part in options.parts.split(","):
            before = len(check.faults)
            what = getattr(check, part)()
            wrong = check.faults[before:]
            rows.append([part, what, "; ".join(wrong) or "right"])
            print(*rows[-1], file=sys.stderr, flush=True)
    report("cache", ["part", "what", "found"], rows, options, neighbours, faults=check.faults)
    return int(bool(check.faults))


if __name__ == "__main__":
    sys.exit(main())
