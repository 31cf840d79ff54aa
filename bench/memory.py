"""Does memory grow with the video's length? It must not.

Asks the same question about a 10-minute and a 60-minute clip with the same number of frames, each in a
process of its own, and compares the largest resident memory (Python's or its ffmpeg's, whichever is larger).
Both clips are one short clip in a row, so every minute costs the same to decode. The exit status is 1 if the
long clip takes more than 1.10 times the memory of the short one.

Run: python bench/memory.py [--max-frames 256] [--model FOLDER] [--runs 3]
"""

import json
import sys

from common import TINY_MODEL, Neighbours, loop_clip, make_clip, medians, parser, report, run_child, spreads

MINUTES = (10, 60)
LIMIT = 1.10  # peak of the long clip over peak of the short one
CLIP_SECONDS, CLIP_SIZE = 10, "320x180"
CHILD = """
import json, sys
from tempo_cli import GenerationOptions, LoadOptions, SamplingOptions, Tempo
model, video, frames = sys.argv[1:]
run = Tempo.load(model, options=LoadOptions(device="cpu")).ask(
    video,
    "What happens in this video?",
    sampling=SamplingOptions(max_frames=int(frames)),
    generation=GenerationOptions(max_new_tokens=16),
)
print(json.dumps({"frames": run.sampling.frames, "minutes": run.video.duration / 60}))
"""


def peak(minutes: int, model: str, frames: int) -> float:
    """Largest resident bytes of one question about a clip of so many minutes."""
    clip = loop_clip(make_clip(CLIP_SECONDS, CLIP_SIZE), minutes * 60 // CLIP_SECONDS)
    child = run_child([sys.executable, "-c", CHILD, model, str(clip), str(frames)])
    if child.status:
        sys.exit(f"the {minutes}-minute clip: status {child.status}")
    done = json.loads(child.output)
    assert done["frames"] == frames, f"{done['frames']} frames where {frames} were due"
    assert abs(done["minutes"] - minutes) < 0.1, f"{done['minutes']} minutes where {minutes} were due"
    return float(child.peak_bytes)


def main() -> int:
    """Measure and report."""
    options_of = parser(__doc__, runs=3)
    options_of.add_argument(
        "--model", default=str(TINY_MODEL), help="a model folder (default: the tests' tiny one)"
    )
    options_of.add_argument("--max-frames", type=int, default=256, help="frames of both clips (default 256)")
    options = options_of.parse_args()
    neighbours = Neighbours()
    rounds = [
        {str(minutes): peak(minutes, options.model, options.max_frames) for minutes in MINUTES}
        for _ in range(options.runs)
    ]
    peaks, ranges = medians(rounds), spreads(rounds)
    short, long = (peaks[str(minutes)] for minutes in MINUTES)
    rows = [
        [f"{minutes} minutes", *(value / 2**20 for value in (peaks[str(minutes)], *ranges[str(minutes)]))]
        for minutes in MINUTES
    ]
    report(
        "memory",
        ["clip", "peak MiB", "lowest", "highest"],
        [*rows, [f"ratio (at most {LIMIT:.2f})", long / short, "", ""]],
        options,
        neighbours,
        frames=options.max_frames,
        peak_bytes_by_minutes={minutes: round(value) for minutes, value in peaks.items()},
        lowest_and_highest_bytes=ranges,
        ratio=long / short,
        limit=LIMIT,
    )
    return int(long / short > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
