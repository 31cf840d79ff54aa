"""What does a second question about an opened video cost?

- tiers: seconds of compressing for a second question over the first one's, for each tier of what is kept:
  keys and values (device or host), features of the vision tower, frames; on a random checkpoint whose
  compressor has the full model's proportions. The frames are decoded before the first question, so that both
  meet the same machine. The medians must be at most 0.3, 0.3, 0.75 and 1.05.
- twenty: twenty questions to nano about an example video through one clip, over one question through one
  clip: both with opening and decoding. At most 2.
- memory: resident bytes of this process (PSS, Linux) for a clip that keeps within 2 GB for the device and 1
  GB for the host (on a CPU both are host memory): before it is opened, with all segments kept, after `close`.

Exit status 1 if a bound is missed.

Run: python bench/clip.py [--parts tiers,twenty,memory] [--segments 4] [--runs 3]
"""

import argparse
import gc
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from checkpoints import SIZES, write
from common import Neighbours, make_clip, medians, parser, report

from tempo_cli import Clip, GenerationOptions, KeepOptions, LoadOptions, SamplingOptions, Tempo

PARTS = ("tiers", "twenty", "memory")
BOUNDS = {"device": 0.3, "host": 0.3, "features": 0.75, "frames": 1.05}
TWENTY, BOUND = 20, 2.0
GB = 10**9
KEPT_SEGMENTS = 40  # of about 100 MB each: more than both limits hold
BATCH = 0.8 * GB  # of PSS beyond what is kept: the keys and values of one batch
SLACK = 0.15 * GB  # of PSS after `close`: what the allocator holds back
EXAMPLE = Path(__file__).resolve().parents[1] / "examples/chase.mp4"
CPU = LoadOptions(device="cpu")
SHORT = GenerationOptions(max_new_tokens=2)

Rows = list[list[object]]


def compressing(clip: Clip, question: str) -> float:
    """Seconds in the compressor for one question."""
    return clip.ask(question, generation=SHORT).timing.compress


def tiers(model: Path, video: Path, segments: int, runs: int) -> tuple[Rows, dict[str, float]]:
    """Second question over the first, for each tier, in turns."""
    sampling = SamplingOptions(fps=2, max_frames=8 * segments)
    tempos = {
        tier: Tempo.load(
            model, options=CPU, keep=KeepOptions(tier, 4 * GB if tier == "device" else 0, 4 * GB)
        )
        for tier in BOUNDS
    }
    rounds = []
    for _ in range(runs):
        one = {}
        for tier, tempo in tempos.items():
            with tempo.open(video, sampling=sampling) as clip:
                until_decoded()
                first = compressing(clip, "what color was the car?")
                second = statistics.median(
                    compressing(clip, text) for text in ("who drove it?", "where is the dog?", "is it night?")
                )
            one |= {tier: second / first, f"{tier} first": first, f"{tier} second": second}
        rounds.append(one)
    found = medians(rounds)
    rows: Rows = [
        [f"second question, {tier} kept", found[f"{tier} first"], found[f"{tier} second"], found[tier], bound]
        for tier, bound in BOUNDS.items()
    ]
    return rows, {tier: found[tier] for tier in BOUNDS}


def until_decoded() -> None:
    """Wait until no decoder is at work."""
    while any(thread.name == "prefetch" for thread in threading.enumerate()):
        time.sleep(0.05)


def twenty(runs: int) -> tuple[Rows, dict[str, float]]:
    """Twenty questions through one clip over one question."""
    tempo = Tempo.load("nano", options=CPU)

    def asking(count: int) -> float:
        started = time.perf_counter()
        with tempo.open(EXAMPLE) as clip:
            for _ in range(count):
                clip.ask("what color was the car")
        return time.perf_counter() - started

    asking(1)  # warm: files are read, kernels are chosen
    rounds = [{"one": asking(1), "twenty": asking(TWENTY)} for _ in range(runs)]
    found = medians([one | {"ratio": one["twenty"] / one["one"]} for one in rounds])
    row: list[object] = ["twenty questions over one", found["one"], found["twenty"], found["ratio"], BOUND]
    return [row], {"twenty": found["ratio"]}


def memory(model: Path, video: Path) -> tuple[Rows, dict[str, float]]:
    """Bytes before, with, and after a clip within limits."""
    keep = KeepOptions(device_bytes=2 * GB, host_bytes=GB)
    tempo = Tempo.load(model, options=CPU, keep=keep)
    tempo.ask(video, "what?", sampling=SamplingOptions(max_frames=16), generation=SHORT)
    before = resident()
    clip = tempo.open(video, sampling=SamplingOptions(fps=30, max_frames=8 * KEPT_SEGMENTS))
    clip.ask("what color was the car?", generation=SHORT)
    store = tempo.networks.store
    device, host = store.device_bytes, store.host_bytes
    held = resident()
    second = clip.ask("who drove it?", generation=SHORT)
    assert second.reused.prefix is not None, "nothing was kept"
    clip.close()
    after = resident()
    beyond = held - before - device - host
    rows: Rows = [
        ["GB kept for the device", None, device / GB, device / keep.device_bytes, 1.0],
        ["GB kept on the host", None, host / GB, host / keep.host_bytes, 1.0],
        ["GB resident, and beyond what is kept", held / GB, beyond / GB, beyond / BATCH, 1.0],
        ["GB resident before, and after close", before / GB, after / GB, (after - before) / SLACK, 1.0],
    ]
    facts = {
        "device": device / keep.device_bytes,
        "host": host / keep.host_bytes,
        "beyond": beyond / BATCH,
        "left": (after - before) / SLACK,
    }
    return rows, facts


def resident() -> int:
    """Proportional set size of this process, bytes."""
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def measure(options: argparse.Namespace, folder: Path) -> int:
    """Run the parts and report; the exit status."""
    neighbours, rows, facts, missed = Neighbours(), [], {}, []
    video = make_clip(20)
    if "tiers" in options.parts:
        here, found = tiers(
            write(folder / "quarter", SIZES["quarter"]), video, options.segments, options.runs
        )
        rows, facts["tiers"] = rows + here, found
        missed += [tier for tier, bound in BOUNDS.items() if found[tier] > bound]
    if "twenty" in options.parts:
        here, found = twenty(options.runs)
        rows, facts["twenty"] = rows + here, found
        missed += ["twenty"] if found["twenty"] > BOUND else []
    if "memory" in options.parts:
        here, found = memory(write(folder / "wide", SIZES["wide"]), video)
        rows, facts["memory"] = rows + here, found
        missed += [name for name, share in found.items() if share > 1]
    report(
        "clip", ["what", "first", "then", "ratio", "bound"], rows, options, neighbours, missed=missed, **facts
    )
    return int(bool(missed))


def main() -> int:
    """Measure and report."""
    options_of = parser(__doc__, runs=3)
    options_of.add_argument("--parts", type=lambda text: text.split(","), default=list(PARTS))
    options_of.add_argument("--segments", type=int, default=4, help="of the clip for the tiers (default 4)")
    options = options_of.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return measure(options, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
