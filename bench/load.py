"""Memory and time of loading: does the host ever hold more than the weights and one tensor?

Writes a checkpoint in the released layout with random bfloat16 weights (1.2 GB; --size full: the 6B model,
12.3 GB), then loads it in processes of its own, each in another type, while a thread watches the process's
anonymous memory (RssAnon; mapped files do not count). The limit: the weights themselves, if the host keeps
them, plus 1.3 times the largest tensor as it is kept. The exit status is 1 beyond it. Linux only.

Weights that stay in the file's type on a CPU are read where they are mapped and take no anonymous memory.

Run: python bench/load.py [--size medium|full|small] [--device cpu] [--folder FOLDER]
     python bench/load.py --write FOLDER --size full       only writes: a checkpoint to try things with
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from checkpoints import SIZES, write
from common import Neighbours, medians, parser, report, run_child

LIMIT = 1.3  # of the largest tensor
KINDS = {
    "cpu": (("float32", "none"), ("bfloat16", "none"), ("float32", "int8"), ("float32", "int4")),
    "cuda": (("bfloat16", "none"), ("float16", "none"), ("bfloat16", "int8"), ("bfloat16", "int4")),
}
CHILD = """
import json, re, sys, threading, time
from pathlib import Path
import torch
from tempo_cli.config import LoadOptions
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.loading import choose_target

def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

folder, device, dtype, bits = sys.argv[1:]
target = choose_target(LoadOptions(device=device, dtype=dtype, quantize=bits))
checkpoint = Checkpoint.open(Path(folder), Path(folder).parent / "base")
torch.zeros(1, device=target.device)
before = peak = anonymous()
done = threading.Event()
def watch():
    global peak
    while not done.wait(0.001):
        peak = max(peak, anonymous())
watcher = threading.Thread(target=watch)
watcher.start()
started = time.perf_counter()
parts = checkpoint.load_compressor(target), checkpoint.load_decoder(target)
if target.device.type == "cuda":
    torch.cuda.synchronize()
seconds = time.perf_counter() - started
done.set()
watcher.join()
after = anonymous()
kept = sum(weight.nbytes for part in parts for weight in part.parameters())
largest = max(torch.Size(checkpoint.files.shape(name)).numel() for name in checkpoint.files.names)
device_bytes = torch.cuda.memory_allocated() if target.device.type == "cuda" else 0
device_peak = torch.cuda.max_memory_allocated() if target.device.type == "cuda" else 0
print(json.dumps({
    "seconds": seconds, "peak": max(peak, after) - before, "after": after - before,
    "weights": min(kept, after - before) if target.device.type == "cpu" else 0,
    "largest": largest * target.dtype.itemsize, "device": device_bytes, "device_peak": device_peak,
}))
"""


def measure(folder: Path, device: str, dtype: str, bits: str) -> dict[str, float]:
    """One load in a process of its own; bytes beyond what the process took before."""
    child = run_child([sys.executable, "-c", CHILD, str(folder), device, dtype, bits])
    if child.status:
        sys.exit(f"{dtype} {bits}: status {child.status}")
    found: dict[str, float] = json.loads(child.output)
    return found


def row(kind: tuple[str, str], found: dict[str, float]) -> list[object]:
    """One line of the table; the last column is what must not exceed `LIMIT`."""
    name = kind[0] if kind[1] == "none" else f"{kind[0]}, weights {kind[1]}"
    sizes = (found[key] / 1e9 for key in ("weights", "after", "peak", "largest", "device", "device_peak"))
    return [name, found["seconds"], *sizes, over(found)]


def over(found: dict[str, float]) -> float:
    """What the peak had beyond the weights that stayed on the host, in largest tensors."""
    return (found["peak"] - found["weights"]) / found["largest"]


def main() -> int:
    """Measure and report."""
    options_of = parser(__doc__, runs=1)
    options_of.add_argument("--size", choices=SIZES, default="medium", help="of the checkpoint")
    options_of.add_argument("--device", choices=KINDS, default="cpu", help="where to load to")
    options_of.add_argument("--folder", type=Path, help="keep it here (default: a temporary folder)")
    options_of.add_argument("--write", type=Path, metavar="FOLDER", help="only write a checkpoint")
    options = options_of.parse_args()
    if options.write:
        print(write(options.write, SIZES[options.size]))
        return 0
    if options.folder:
        return compare(options, write(options.folder, SIZES[options.size]))
    with tempfile.TemporaryDirectory() as folder:
        return compare(options, write(Path(folder), SIZES[options.size]))


def compare(options: argparse.Namespace, folder: Path) -> int:
    """Load in every type of the device."""
    neighbours, found = Neighbours(), {}
    for kind in KINDS[options.device]:
        found[kind] = medians([measure(folder, options.device, *kind) for _ in range(options.runs)])
    report(
        "load",
        ["type", "seconds", "weights GB", "after", "peak", "largest", "device", "device peak", "over"],
        [row(*item) for item in found.items()],
        options,
        neighbours,
        size=options.size,
        device=options.device,
        limit=LIMIT,
        loads=[{"dtype": kind[0], "bits": kind[1], **numbers} for kind, numbers in found.items()],
    )
    return int(any(over(numbers) > LIMIT for numbers in found.values()))


if __name__ == "__main__":
    sys.exit(main())
