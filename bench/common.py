"""What the benchmarks share: facts of the machine, clips, medians, child processes, the report.

Not a script. Nothing here imports torch, so that a small parent can measure its children (see `run_child`).
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from tempo_cli.video.ffmpeg import find_ffmpeg

TINY_MODEL = Path(__file__).resolve().parents[1] / "tests/golden/checkpoints/a/Tempo-tiny"
_CLIPS = Path(tempfile.gettempdir()) / "tempo-bench"
_SOURCE = "testsrc2=size={size}:rate={rate}:duration={seconds},noise=alls=8:allf=t"


@dataclass(frozen=True)
class Child:
    """A finished child process; `peak_bytes` is its largest resident memory, or its largest child's."""

    seconds: float
    peak_bytes: int
    status: int
    output: str


def parser(description: str | None, runs: int) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has; the description is the script's docstring."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    made.add_argument(
        "--runs", type=_positive, default=runs, help=f"medians are of this many (default {runs})"
    )
    made.add_argument("--date", default=date.today().isoformat(), help="date in the report (default: today)")
    made.add_argument("--note", default="", help="a remark for the report, such as what else ran")
    return made


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


class Neighbours:
    """How much of the machine other processes take from now on (Linux; elsewhere unknown)."""

    def __init__(self) -> None:
        self._began = _moment()

    def cpus(self) -> float | None:
        """CPUs that were busy with anything but this process and its finished children, on average."""
        if self._began is None or (now := _moment()) is None:
            return None
        return round(max(0.0, (now[1] - self._began[1]) / (now[0] - self._began[0])), 2)


def _moment() -> tuple[float, float] | None:
    """Seconds by the clock, and CPU seconds of everybody else."""
    try:
        ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, steal = ticks
    everybody = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return time.perf_counter(), everybody - sum(os.times()[:4])


def machine(options: argparse.Namespace, neighbours: Neighbours) -> dict[str, object]:
    """What the numbers depend on, without host name or paths."""
    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": _cpus(),
        "cpus_busy_with_other_work": neighbours.cpus(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "ffmpeg": _ffmpeg_version(),
        "date": options.date,
        "note": options.note,
    }


def _cpus() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _ffmpeg_version() -> str:
    done = subprocess.run([find_ffmpeg(), "-version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[2]


def make_clip(seconds: int, size: str = "1280x720", rate: int = 30) -> Path:
    """A generated H.264 clip (moving test picture and noise), made once and kept in the temporary folder."""
    source = _SOURCE.format(size=size, rate=rate, seconds=seconds)
    encode = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
    return made(f"{size}-{rate}fps-{seconds}s.mp4", ["-f", "lavfi", "-i", source, *encode])


def loop_clip(clip: Path, times: int) -> Path:
    """`clip` so many times in a row, by stream copy, kept as well."""
    arguments = ["-stream_loop", str(times - 1), "-i", f"file:{clip}", "-c", "copy"]
    return made(f"{clip.stem}-{times}-times.mp4", arguments)


def made(name: str, arguments: Sequence[str]) -> Path:
    path = _CLIPS / name
    if not path.exists():
        _CLIPS.mkdir(exist_ok=True)
        part = _CLIPS / f"part-{os.getpid()}-{name}"
        quiet = [find_ffmpeg(), "-nostdin", "-loglevel", "error", "-y"]
        subprocess.run([*quiet, *arguments, f"file:{part}"], check=True)
        part.replace(path)  # whoever finds it finds all of it
    return path


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each measure over all rounds."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def spreads(rounds: Sequence[dict[str, float]]) -> dict[str, tuple[float, float]]:
    """The lowest and the highest of each measure."""
    values = {name: [one[name] for one in rounds] for name in rounds[0]}
    return {name: (min(those), max(those)) for name, those in values.items()}


def run_child(arguments: Sequence[str]) -> Child:
    """Run a process to its end; its stderr is shown if it fails.

    On Linux a child's peak counts its parent's memory at the fork, so the parent must be the smaller one.
    """
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.stdout.close()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            sys.stderr.write(errors.read().decode("utf-8", "replace"))
    unit = 1 if sys.platform == "darwin" else 1024
    return Child(seconds, usage.ru_maxrss * unit, process.returncode, output)


def report(
    name: str,
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    options: argparse.Namespace,
    neighbours: Neighbours,
    **facts: object,
) -> None:
    """Print the table, where it was measured, and last one line of JSON."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for first, *others in cells:
        right = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *right]).rstrip())
    where = machine(options, neighbours)
    print(f"\n{where['cpus']}-core {where['platform']}, {where['date']}; medians of {options.runs}")
    busy = _cell(where["cpus_busy_with_other_work"])
    print(f"Other work kept {busy} of its cores busy meanwhile. {options.note}".rstrip())
    print(json.dumps({"bench": name, "runs": options.runs, **facts, "machine": where}))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
