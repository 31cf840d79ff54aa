"""Where does the time of a whole `tempo ask` go, beside what its parts can't go below?

For each clip, in turns: floors (`ffmpeg -f null` of the same file, importing torch, a product of
matrices, a copy), the command in a new process with an empty cache (first run) and again (second run),
decoding alone with and without frames on disk, and an `inspect` whose compression only sleeps, as long
as decoding took. Memory is the proportional set size of the command and all its children, sampled every
50 ms. Criteria are printed with what was found; with --check the exit status is 1 if one is missed.

Run: python bench/stages.py [--minutes 1,10] [--keyframes 2,5,10] [--questions 1,2,5] [--plain] [--check]
     python bench/stages.py --curves --minutes 1,10,60,240 --keyframes 2,5,10
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import TINY_MODEL, Neighbours, made, medians, parser, report, spreads, timed
from watched import run

from tempo_cli.video.ffmpeg import find_ffmpeg

SHORT = ("--max-new-tokens", "16")
RATE = 30  # frames per second
MINUTE = 60  # seconds
LONG = 30  # minutes: longer clips are not kept for the next time
YOUNG = 3.0  # seconds: frames of a video that was just written are not kept
SOURCE = f"testsrc2=size=1280x720:rate={RATE}:duration={MINUTE},noise=alls=8:allf=t"
QUESTIONS = ("what moves?", "who is there?", "what color is it?", "where is it?", "when does it end?")
WRAPPER = """#!/bin/sh
case "$*" in *-version*|*-filters*) ;; *) echo started >> "{log}" ;; esac
exec "{ffmpeg}" "$@"
"""
DECODE = """
import sys, time
from pathlib import Path
from tempo_cli.config import CacheOptions
from tempo_cli.video.opened import open_video
cache = CacheOptions(Path(sys.argv[2]), keep=False) if len(sys.argv) > 2 else None
started = time.perf_counter()
with open_video(sys.argv[1], cache=cache) as video:
    assert sum(1 for _ in video.read(range(video.total))) == video.total
print(time.perf_counter() - started)
"""
SLEEP = """
import sys, time
import numpy as np, torch
from tempo_cli import Tempo
from tempo_cli.runtime.visual_pass import VisualPass
from tempo_cli.types import MemoryTokens
tempo = Tempo.load(sys.argv[2], decoder=False)
size = tempo.checkpoint.dimensions.memory_tokens, tempo.checkpoint.dimensions.compressor_width
def sleep(self, batch):
    time.sleep(float(sys.argv[3]) * len(batch) / self._segments.video.total)
    return [MemoryTokens(torch.zeros(len(batch), *size), np.zeros(len(batch), np.float32))]
VisualPass._compress = sleep
started = time.perf_counter()
tempo.inspect(sys.argv[1], "what?")
print(time.perf_counter() - started)
"""
FLOORS = """
import time, torch
torch.set_num_threads(int(__import__("sys").argv[1]))
a = torch.ones(1024, 1024); b = torch.ones(1 << 26, dtype=torch.uint8); a @ a; b.clone()
def best(work):
    seconds = []
    for _ in range(5):
        started = time.perf_counter(); work(); seconds.append(time.perf_counter() - started)
    return min(seconds)
print(2 * 1024**3 / best(lambda: a @ a) / 1e9, (1 << 26) / best(lambda: b.clone()) / 1e9)
"""


def clip(minutes: int, keyframes: int | None, plain: bool) -> Path:
    """720p by x264's default settings, or with a key frame every so many seconds; a minute, repeated.

    Args:
        plain: without B-frames, so that hardly a frame need not be decoded.
    """
    gap = [] if keyframes is None else ["-g", str(RATE * keyframes), "-keyint_min", str(RATE * keyframes)]
    name = ("default" if keyframes is None else f"keys-{keyframes}") + ("-plain" if plain else "")
    encode = ["-c:v", "libx264", *gap, *(["-bf", "0"] if plain else []), "-pix_fmt", "yuv420p"]
    minute = made(f"decode-{name}.mp4", ["-f", "lavfi", "-i", SOURCE, *encode])
    if minutes == 1:
        return minute
    again = ["-stream_loop", str(minutes - 1), "-i", f"file:{minute}", "-c", "copy"]
    return made(f"decode-{name}-{minutes}.mp4", again)


def two_runs(video: Path, questions: int, model: str) -> dict[str, float]:
    """The command in a new process with an empty cache, and again."""
    time.sleep(max(0.0, YOUNG - (time.time() - video.stat().st_mtime)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, wrapper = folder / "started", folder / "ffmpeg"
        log.touch()
        wrapper.write_text(WRAPPER.format(log=log, ffmpeg=find_ffmpeg()))
        wrapper.chmod(0o700)
        asked = [part for text in QUESTIONS[:questions] for part in ("-q", text)]
        words = ["ask", str(video), *asked, "--model", model, "--json", *SHORT]
        command = [sys.executable, "-m", "tempo_cli", *words]
        mine = {"XDG_CACHE_HOME": str(folder / "cache"), "TEMPO_FFMPEG": str(wrapper)}
        first = run(command, **mine)
        starts = len(log.read_text().split())
        second = run(command, **mine)
        again = len(log.read_text().split()) - starts
    runs, repeated = ([json.loads(line) for line in done.output.splitlines()] for done in (first, second))
    last = repeated[-1]["timing"]
    rest = last["total"] - last["load"] - last["compress"] - sum(run["timing"]["answer"] for run in repeated)
    return {
        "compressing": runs[-1]["timing"]["compress"],
        "answering": sum(run["timing"]["answer"] for run in runs),
        "first run": first.seconds,
        "first run, processor seconds": first.cpu,
        "second run": second.seconds,
        "second run without start-up, compressing, answering": rest,
        "peak MB, first run": first.peak_bytes / 1e6,
        "peak MB, second run": second.peak_bytes / 1e6,
        "decoders started, first run": starts,
        "decoders started, second run": again,
        "second run says the same": float(_told(runs) == _told(repeated)),
    }


def one_round(video: Path, questions: int, model: str) -> dict[str, float]:
    """Everything about one clip, one after the other."""
    python, cores = sys.executable, len(os.sched_getaffinity(0))
    null = [find_ffmpeg(), "-nostdin", "-v", "error", "-i", f"file:{video}", "-an", "-f", "null", "-"]
    ffmpeg = run(null).seconds
    torch = timed(lambda: subprocess.run([python, "-c", "import torch"], check=True))
    product, copy = map(float, run([python, "-c", FLOORS, str(cores)]).output.split())
    asked = two_runs(video, questions, model)
    plain = float(run([python, "-c", DECODE, str(video)]).output)
    with tempfile.TemporaryDirectory() as frames:
        written = float(run([python, "-c", DECODE, str(video), frames]).output)
    asleep = float(run([python, "-c", SLEEP, str(video), model, str(plain)]).output)
    busy = max(plain, asked["compressing"], asked["first run, processor seconds"] / cores)
    return {
        "ffmpeg -f null": ffmpeg,
        "import torch": torch,
        "matrix product, GFLOP/s": product,
        "copy, GB/s": copy,
        "decoding and resizing alone": plain,
        "the same, frames written": written,
        **asked,
        "first run / (1.15 x the slower + 1.5 s)": asked["first run"] / (1.15 * busy + 1.5),
        "first run / ffmpeg": asked["first run"] / ffmpeg,
        "writing costs": written / plain,
        "with a sleep as long / decoding": asleep / plain,
    }


OVER_FFMPEG, PLAIN = "first run / ffmpeg", 1.5  # PLAIN: without B-frames
CRITERIA = {  # measure: most
    "first run / (1.15 x the slower + 1.5 s)": 1.0,
    OVER_FFMPEG: 1.2,
    "second run without start-up, compressing, answering": 1.0,
    "writing costs": 1.05,
    "with a sleep as long / decoding": 1.15,
    "decoders started, second run": 0.0,
    "peak MB, first run": 1000.0,
}


def _told(runs: list[dict[str, object]]) -> list[dict[str, object]]:
    """What a run says, without what may differ."""
    return [{key: run[key] for key in run if key not in ("timing", "memory", "reused")} for run in runs]


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _gaps(text: str) -> list[int | None]:
    return [None if part == "default" else int(part) for part in text.split(",")]


def main() -> int:
    """Measure and report."""
    options_of = parser(__doc__, runs=3)
    options_of.add_argument("--minutes", type=_numbers, default=[2], help="lengths of the clips (default 2)")
    options_of.add_argument(
        "--keyframes", type=_gaps, default=[None], help="seconds between key frames, or default: x264's"
    )
    options_of.add_argument("--plain", action="store_true", help="clips without B-frames")
    options_of.add_argument("--curves", action="store_true", help="only the command's two runs, no floors")
    options_of.add_argument("--questions", type=_numbers, default=[1], help="how many at once (default 1)")
    options_of.add_argument("--model", default=str(TINY_MODEL), help="default: the tests' tiny one")
    options_of.add_argument("--check", action="store_true", help="fail where a criterion is missed")
    options: argparse.Namespace = options_of.parse_args()
    cases = [
        (minutes, gap, count)
        for minutes in options.minutes
        for gap in options.keyframes
        for count in options.questions
    ]
    neighbours, rows, found, missed = Neighbours(), list[list[object]](), {}, list[str]()
    for minutes, gap, count in cases:
        video = clip(minutes, gap, options.plain)
        measure = two_runs if options.curves else one_round
        rounds = [measure(video, count, options.model) for _ in range(options.runs)]
        middle, ranges = medians(rounds), spreads(rounds)
        keys = "default" if gap is None else f"{gap} s"
        case = f"{minutes} min, key frames {keys}, {'no B-frames, ' * options.plain}questions {count}"
        rows.append([case, "", "", "", ""])
        for name, value in middle.items():
            most = PLAIN if options.plain and name == OVER_FFMPEG else CRITERIA.get(name)
            rows.append([f"  {name}", value, *ranges[name], "" if most is None else f"at most {most:g}"])
            if most is not None and value > most:
                missed.append(f"{case}: {name}")
        if not middle["second run says the same"]:
            missed.append(f"{case}: the second run says something else")
        found[case] = middle
        if minutes > LONG and count == options.questions[-1]:
            video.unlink()
    report("stages", ["measure", "median", "lowest", "highest", "criterion"], rows, options, neighbours,
           cases=found, missed=missed)  # fmt: skip
    return int(options.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
