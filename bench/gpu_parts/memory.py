"""In how much memory? One process per number of bits, each running `ladder`. Imports no torch.

The library for quantized weights then can't disturb the others, and no other process holds device memory.
"""

import subprocess
import sys

from .scale import ROOT, Bench

BITS = ("none", "int4", "int8")


def run(bench: Bench) -> None:
    """All rows of this part."""
    for bits in BITS:
        words = [sys.executable, str(ROOT / "bench/gpu.py"), "--part", "memory", "--bits", bits]
        words += ["--rows", str(bench.record.path), "--folder", str(bench.folder), "--runs", str(bench.runs)]
        done = subprocess.run([*words, *(["--small"] if bench.device == "cpu" else [])], check=False)
        if done.returncode:
            bench.record.add(f"weights {bits}", bits=bits, error=f"its process ended with {done.returncode}")
