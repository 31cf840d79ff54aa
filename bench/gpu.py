"""A whole check of a CUDA card in at most 8 minutes: is it right, how fast, in how much memory?

Four parts, the most important first, each in a process of its own with a limit in seconds:

- correctness: golden cases and nano's answers on the device in float32 and bfloat16 against a CPU in float32;
  `tempo ask` with nano and with a full-size random checkpoint; an interrupt and too little memory, with the
  right exit code and nothing left behind.
- speed: full-size random weights, made on the device: compression by micro-batch and by stage, reading and
  writing, four questions about one video. Beside each its floor from counted operations and bytes and from
  what the same card reaches in a matrix product and in a copy.
- memory: weights in bfloat16, int8 and int4; what runs within 24, 16, 12 and 8 GB, planned and not planned.
- nvdec: decoding on the card against the CPU, through PyAV and through ffmpeg.

The result file is complete JSON after every row: DATE-gpu.json in bench/results or in --out FOLDER, with
-small before the ending for a rehearsal, which without --out keeps no file. What a part does not use of its
time goes to the next. A part that was done according to that file is skipped unless --parts names it; --parts
also sets the order. The exit status is 1 if a part was not done or a tolerance was not met.

Run: python bench/gpu.py [--parts correctness,speed,memory,nvdec] [--out FOLDER]
     python bench/gpu.py --small      the same code with tiny sizes on a CPU, where limits are only pretended
"""

import argparse
import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from common import Neighbours, machine, parser, report
from gpu_parts import processes
from gpu_parts.results import Recorder, Results, Row
from gpu_parts.runner import run_part
from gpu_parts.scale import FULL, ROOT, SMALL, Bench

LIMITS = {"correctness": 130.0, "speed": 130.0, "memory": 150.0, "nvdec": 45.0}  # seconds


def main() -> int:
    """Run the parts that are asked for, or one of them in this process."""
    options = _options()
    if options.part:
        return run_here(options)
    if options.small:
        os.environ["OMP_NUM_THREADS"] = "1"  # threads of so little work wait for each other
    with tempfile.TemporaryDirectory(prefix="tempo-gpu-") as folder:
        work = Path(folder)
        home = options.out or (work if options.small else ROOT / "bench/results")
        path = home / f"{options.date}-gpu{'-small' if options.small else ''}.json"
        neighbours = Neighbours()
        results = Results(path, small=options.small, date=options.date, machine=machine(options, neighbours))
        _leave_on_signals()
        for part in _wanted(options, results):
            run_apart(part, options, results, options.folder or work, work / f"{part}.jsonl")
        show(results, options, neighbours)
    return 0 if results.good else 1


def run_apart(part: str, options: argparse.Namespace, results: Results, folder: Path, rows: Path) -> None:
    """A part in a process of its own; it may also use what earlier parts of this run left of their time."""
    limit = options.limit.get(part, LIMITS[part] + options.saved)
    words = [sys.executable, __file__, "--part", part, "--rows", str(rows), "--folder", str(folder)]
    words += ["--runs", str(options.runs), *(["--small"] if options.small else [])]
    results.begin(part, limit)

    def keep(row: Row) -> None:
        results.add(part, row)
        at = results.parts[part]["rows"][-1]["at"]
        print(f"{part}, {at:.1f} s: {row['name']}: {_note(row)}", file=sys.stderr)

    try:
        ended = run_part(words, rows, limit, keep)
    except BaseException:
        results.end(part, "interrupted")
        raise
    facts = {"exit": ended.code} | ({"left_behind": ended.left_behind} if ended.left_behind else {})
    results.end(part, ended.status, **facts)
    if part not in options.limit:
        options.saved = max(0.0, limit - ended.seconds)


def run_here(options: argparse.Namespace) -> int:
    """The one part that this process was started for."""
    processes.end_with_parent()
    scale = SMALL if options.small else FULL
    module = importlib.import_module(f"gpu_parts.{'ladder' if options.bits else options.part}")
    run: Callable[[Bench], None] = module.run
    record = Recorder(options.rows)
    try:
        run(Bench(scale, options.folder, record, options.runs, options))
    except Exception as error:  # noqa: BLE001  the result file must say why a part failed
        record.add("error", error=f"{type(error).__name__}: {error}"[:500])
        return 1
    return 0


def show(results: Results, options: argparse.Namespace, neighbours: Neighbours) -> None:
    """Every row as a table, and the whole file as one line."""
    results.value["machine"] = machine(options, neighbours)
    results.save()
    table: list[list[object]] = []
    for part, found in results.parts.items():
        table.append([f"{part}: {found['status']}", found["seconds"], None, None, None, ""])
        for row in found["rows"]:
            seconds, floor, peak = (row.get(key) for key in ("seconds", "floor_seconds", "peak_bytes"))
            ratio = seconds / floor if seconds and floor else None
            table.append(
                [f"  {row['name']}", seconds, floor, ratio, peak / 1e9 if peak else None, _note(row)]
            )
    header = ["what", "seconds", "floor", "times the floor", "peak GB", "note"]
    facts = {key: value for key, value in results.value.items() if key not in ("bench", "machine")}
    report("gpu", header, table, options, neighbours, **facts)


def _note(row: Row) -> str:
    words = [str(row["note"])] if "note" in row else []
    if "ok" in row:
        words.insert(0, "ok" if row["ok"] else "NOT OK")
    if "error" in row:
        words.insert(0, f"ERROR {row['error']}")
    return "; ".join(words)


def _wanted(options: argparse.Namespace, results: Results) -> list[str]:
    if options.parts:
        return list(options.parts)
    for part in LIMITS:
        if results.is_done(part):
            print(f"{part}: done already, name it with --parts to repeat it", file=sys.stderr)
    return [part for part in LIMITS if not results.is_done(part)]


def _leave_on_signals() -> None:
    """The first signal ends the running part and keeps its rows; later ones must not disturb that."""

    def leave(number: int, _: FrameType | None) -> None:
        for other in (signal.SIGINT, signal.SIGTERM):
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)


def _options() -> argparse.Namespace:
    options_of = parser(__doc__, runs=3)
    options_of.add_argument("--small", action="store_true", help="tiny sizes on the CPU")
    options_of.add_argument("--parts", type=_parts, help=f"of {', '.join(LIMITS)} (default: those not done)")
    options_of.add_argument("--out", type=Path, help="folder of the result file")
    options_of.add_argument(
        "--folder", type=Path, help="keep checkpoints here (default: a temporary folder); 13 GB"
    )
    options_of.add_argument(
        "--limit", type=_limit, action="append", default=[], metavar="PART=SECONDS", help="another limit"
    )
    options_of.add_argument("--part", choices=LIMITS, help=argparse.SUPPRESS)
    options_of.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    options_of.add_argument("--bits", help=argparse.SUPPRESS)
    options = options_of.parse_args()
    options.limit, options.saved = dict(options.limit), 0.0
    return options


def _parts(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in LIMITS]:
        raise argparse.ArgumentTypeError(f"no part is called {unknown[0]}: {', '.join(LIMITS)}")
    return names


def _limit(text: str) -> tuple[str, float]:
    name, _, seconds = text.partition("=")
    if name not in LIMITS:
        raise argparse.ArgumentTypeError(f"no part is called {name}: {', '.join(LIMITS)}")
    return name, float(seconds)


if __name__ == "__main__":
    sys.exit(main())
