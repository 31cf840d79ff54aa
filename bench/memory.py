"""Does memory grow with the video's length? It must not.

Asks the same question about a 10-minute and a 60-minute clip with the same number of frames, each as
`tempo ask` in a process of its own with an empty cache of frames, and compares the most memory: the
proportional set size of the command and all its children, sampled every 50 ms (Linux). Both clips are one
short clip in a row, with a keyframe every 2 s, or with --default that of stages.py (720p, x264's default
settings). The exit status is 1 if the longest clip takes more than 1.10
times the memory of the shortest one, or that one 1 GB.

Run: python bench/memory.py [--minutes 10,60] [--size 320x180 | --default] [--max-frames 256] [--runs 3]
"""

import json
import sys
import tempfile
from pathlib import Path

import stages
from common import TINY_MODEL, Neighbours, loop_clip, made, medians, parser, report, spreads
from watched import run

LIMIT = 1.10  # peak of the longest clip over that of the shortest one
MOST = 1e9  # bytes
SECONDS, RATE = 60, 30  # of the short clip
ENCODE = ("-c:v", "libx264", "-preset", "veryfast", "-g", str(2 * RATE), "-pix_fmt", "yuv420p")


def clip(minutes: int, size: str) -> Path:
    """A moving test picture of so many minutes."""
    source = f"testsrc2=size={size}:rate={RATE}:duration={SECONDS}"
    minute = made(f"memory-{size}.mp4", ["-f", "lavfi", "-i", source, *ENCODE])
    return loop_clip(minute, minutes)


def peak(video: Path, minutes: int, model: str, frames: int) -> float:
    """Most bytes of one question about a clip of so many minutes."""
    words = ["ask", str(video), "What happens in this video?", "--json", "--device", "cpu"]
    words += ["--model", model, "--max-frames", str(frames), "--max-new-tokens", "16"]
    with tempfile.TemporaryDirectory() as cache:
        done = run([sys.executable, "-m", "tempo_cli", *words], XDG_CACHE_HOME=cache)
    told = json.loads(done.output)
    number, length = told["sampling"]["frames"], told["video"]["duration"] / 60
    assert number == frames, f"{number} frames where {frames} were due"
    assert abs(length - minutes) < 0.1, f"{length} minutes where {minutes} were due"
    return float(done.peak_bytes)


def main() -> int:
    """Measure and report."""
    options_of = parser(__doc__, runs=3)
    options_of.add_argument(
        "--model", default=str(TINY_MODEL), help="a model folder (default: the tests' tiny one)"
    )
    options_of.add_argument("--max-frames", type=int, default=256, help="frames of each clip (default 256)")
    options_of.add_argument("--size", default="320x180", help="of the picture (default 320x180)")
    options_of.add_argument(
        "--minutes", type=lambda text: [int(part) for part in text.split(",")], default=[10, 60]
    )
    options_of.add_argument("--default", action="store_true", help="clips of x264's default settings")
    options = options_of.parse_args()
    if options.default:
        options.size = "1280x720"
    clips = {
        minutes: stages.clip(minutes, None, False) if options.default else clip(minutes, options.size)
        for minutes in options.minutes
    }
    neighbours = Neighbours()
    rounds = [
        {
            str(minutes): peak(video, minutes, options.model, options.max_frames)
            for minutes, video in clips.items()
        }
        for _ in range(options.runs)
    ]
    peaks, ranges = medians(rounds), spreads(rounds)
    short, long = (peaks[str(minutes)] for minutes in (min(options.minutes), max(options.minutes)))
    rows = [
        [f"{name} minutes", *(value / 1e6 for value in (peaks[name], *ranges[name]))]
        for name in map(str, options.minutes)
    ]
    report(
        "memory",
        ["clip", "peak MB", "lowest", "highest"],
        [*rows, [f"ratio (at most {LIMIT:.2f})", long / short, "", ""]],
        options,
        neighbours,
        frames=options.max_frames,
        size=options.size,
        peak_bytes_by_minutes={minutes: round(value) for minutes, value in peaks.items()},
        lowest_and_highest_bytes=ranges,
        ratio=long / short,
        limit=LIMIT,
    )
    return int(long / short > LIMIT or short > MOST)


if __name__ == "__main__":
    sys.exit(main())
