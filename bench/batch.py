"""Is a batch ever in two minds about its jobs, and what does it save?

- killed: jobs over short clips, 5 % of them bad, ended by SIGKILL at random moments and resumed: each job
  once, every line valid, results as those of an uninterrupted run (but for times and memory); and with a
  fifth of the jobs added between the runs.
- full: the same on small disks that fill up (tmpfs and ext4; Linux, as root): exit code 5, a valid file, and
  as an uninterrupted run once there is room. `--folder` puts every part on another file system.
- workers: two workers, one of which is killed at times: the lines of one, those of a video in its order.
- questions: 20 questions about one video over one question, in one process each; at most 1.6.
- videos: short videos in one batch after start-up, over the larger of its slower stage and its processor
  seconds per core; at most 1.15; and a shell loop over a tenth of the same videos, times ten.

Exit status 1 if a bound or a promise is missed.

Run: python bench/batch.py [--parts killed,full,workers,questions,videos] [--jobs 1000] [--kills 20]
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from common import TINY_MODEL, Neighbours, made, medians, parser, report

PARTS = ("killed", "full", "workers", "questions", "videos")
COMMAND = [sys.executable, "-m", "tempo_cli"]
QUESTIONS_BOUND, VIDEOS_BOUND = 1.6, 1.15
CLIPS, SECONDS = 50, 2
DISK = 64  # MB of a disk that is filled
EXAMPLE = Path(__file__).resolve().parents[1] / "examples/chase.mp4"
QUICK = ["--model", str(TINY_MODEL), "--device", "cpu", "--max-new-tokens", "4", "--max-frames", "8"]
NANO = ["--model", "nano", "--device", "cpu"]
TEXTS = ["what color was the car", "which way did the car move?", "Is there a black car?", "what happens?"]
Rows = list[list[object]]


def clips(seconds: int = SECONDS, size: str = "320x180") -> list[Path]:
    """Short H.264 clips, each of its own picture."""
    found = []
    for number in range(CLIPS):
        source = f"testsrc2=size={size}:rate=25:duration={seconds},hue=h={number * 7}"
        encode = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
        found.append(made(f"batch-{size}-{seconds}s-{number}.mp4", ["-f", "lavfi", "-i", source, *encode]))
    return found


def jobs_of(count: int, folder: Path) -> list[Any]:
    """Jobs over the clips in turn, every twentieth bad in one of five ways."""
    videos = clips()
    (folder / "text.mp4").write_text("no video")
    bad = [
        {"video": str(folder / "missing.mp4")},
        {"video": str(folder / "text.mp4")},
        {"video": str(videos[0]), "fps": -1},
        {"video": str(videos[0]), "model": "x"},
        {"video": str(folder)},
    ]
    jobs: list[Any] = []
    for number in range(count):
        job = {"id": f"job {number}", "question": f"what happens, {number}?"}
        jobs.append(
            job | (bad[number // 20 % 5] if number % 20 == 7 else {"video": str(videos[number % CLIPS])})
        )
    return jobs


def write(path: Path, jobs: list[Any]) -> None:
    path.write_text("".join(json.dumps(job) + "\n" for job in jobs))


def lasting(line: dict[str, Any]) -> dict[str, Any]:
    """What does not depend on the moment."""
    found = {name: value for name, value in line.items() if name not in ("timing", "memory", "reused")}
    found["video"] = {name: value for name, value in line["video"].items() if name != "decoder"}
    return found


def lines_of(path: Path) -> dict[str, Any]:
    """Each line, by job; fails where one is broken or a job has two."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    found = {line["id"]: lasting(line) for line in lines}
    assert len(found) == len(lines), "a job has two lines"
    return found


def run(*words: object, cwd: Path) -> "subprocess.CompletedProcess[bytes]":
    """The command, to its end."""
    return subprocess.run([*COMMAND, *map(str, words)], cwd=cwd, capture_output=True, check=False)


def killed(count: int, kills: int, folder: Path, chance: random.Random) -> Rows:
    """Killed at random moments, with new jobs in the second half of the runs."""
    jobs, results = jobs_of(count, folder), folder / "r.jsonl"
    write(folder / "all.jsonl", jobs)
    write(folder / "some.jsonl", [job for number, job in enumerate(jobs) if number % 5])
    began = time.perf_counter()
    done = run("batch", "all.jsonl", "-o", "whole.jsonl", *QUICK, cwd=folder)
    whole = time.perf_counter() - began
    assert done.returncode == 7, done.stderr.decode()
    expected, ended = lines_of(folder / "whole.jsonl"), 0
    for number in range(kills):
        source = "some.jsonl" if number < kills // 2 else "all.jsonl"
        process = subprocess.Popen(
            [*COMMAND, "batch", source, "-o", results.name, *QUICK],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        before = size_of(results)
        if chance.random() < 0.8:  # the others end while they start
            while process.poll() is None and size_of(results) == before:
                time.sleep(0.002)
        # so that all of them together do not quite suffice
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.random() * 1.2 * whole / kills)
        ended += process.poll() is None
        process.kill()
        process.wait()
    left = count - len(results.read_bytes().splitlines())
    done = run("batch", "all.jsonl", "-o", results, *QUICK, cwd=folder)
    found = lines_of(results)
    good = done.returncode == 7 and found == expected and len(found) == count
    return [["killed and resumed", count, f"{ended} kills, {left} jobs left for the last run", good]]


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def full(count: int, folder: Path) -> Rows:
    """On disks that fill up: one in memory, and one with a journal."""
    write(folder / "all.jsonl", jobs_of(count, folder))
    run("batch", "all.jsonl", "-o", "whole.jsonl", *QUICK, cwd=folder)
    need, rows = size_of(folder / "whole.jsonl"), []
    for kind in ("tmpfs", "ext4"):
        with small_disk(folder / kind, kind) as disk:
            if disk is None:
                rows.append([f"a full disk, {kind}", None, "no right to mount one, or no such system", True])
                continue
            filler, codes, lines = disk / "filler", [], []
            fill(filler)
            for share in (need // 3, need // 3, None):
                if share is None:
                    filler.unlink()
                else:
                    os.truncate(filler, max(0, size_of(filler) - share))
                words = ["batch", "all.jsonl", "-o", disk / "r.jsonl", *QUICK]
                codes.append(run(*words, cwd=folder).returncode)
                lines.append(len(lines_of(disk / "r.jsonl")))
            good = codes == [5, 5, 7] and lines_of(disk / "r.jsonl") == lines_of(folder / "whole.jsonl")
            how = f"exit codes {codes}, lines {lines}"
            rows.append([f"a full disk, {kind}", count, how, good and 0 < lines[0] < lines[1] < count])
    return rows


@contextmanager
def small_disk(folder: Path, kind: str) -> Iterator[Path | None]:
    """A file system of its own at `folder`; None where it can't be mounted."""
    folder.mkdir()
    image = folder.with_suffix(".image")
    commands = {
        "tmpfs": [["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", str(folder)]],
        "ext4": [
            ["mkfs.ext4", "-q", "-m", "0", str(image), f"{DISK}m"],
            ["mount", "-o", "loop", str(image), str(folder)],
        ],
    }[kind]
    try:
        done = [subprocess.run(command, capture_output=True, check=False) for command in commands]
    except FileNotFoundError:
        yield None
        return
    if any(command.returncode for command in done):
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=False)


def fill(path: Path) -> None:
    """Write a file until the disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def workers(count: int, folder: Path, chance: random.Random) -> Rows:
    """Two workers, one killed now and then."""
    write(folder / "all.jsonl", jobs_of(count, folder))
    run("batch", "all.jsonl", "-o", "whole.jsonl", *QUICK, cwd=folder)
    words = ["batch", "all.jsonl", "-o", "r.jsonl", *QUICK, "--workers", "2"]
    process = subprocess.Popen([*COMMAND, *words], cwd=folder, stderr=subprocess.DEVNULL)
    kills = 0
    while process.poll() is None:
        time.sleep(chance.random() * 10)
        children = workers_of(process.pid)
        if kills < 5 and len(children) == 2 and size_of(folder / "r.jsonl"):
            with suppress(ProcessLookupError):
                os.kill(chance.choice(children), signal.SIGKILL)
                kills += 1
    found, expected = lines_of(folder / "r.jsonl"), lines_of(folder / "whole.jsonl")
    lost = [name for name in expected if found.get(name) != expected[name]]
    reported = [
        name for name in lost if "lost twice" in found.get(name, {}).get("error", {}).get("message", "")
    ]
    good = found.keys() == expected.keys() and lost == reported and by_video(found) == by_video(expected)
    return [["two workers", count, f"{kills} kills, {len(reported)} jobs reported as lost", good]]


def by_video(lines: dict[str, Any]) -> dict[str | None, list[str]]:
    """Ids of each video's jobs, in the order of the lines."""
    found: dict[str | None, list[str]] = {}
    for name, line in lines.items():
        found.setdefault(line["video"]["path"], []).append(name)
    return found


def workers_of(process: int) -> list[int]:
    """Processes of its workers (Linux)."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"tempo_cli.batch.worker" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def questions(runs: int, folder: Path) -> tuple[Rows, dict[str, float]]:
    """Twenty questions to nano over one, whole processes."""
    texts = [f"{text} ({number})" for number in range(5) for text in TEXTS]
    rounds = []
    for number in range(runs):
        found = {}
        for name, asked in (("one", texts[:1]), ("twenty", texts)):
            write(folder / f"{name}.jsonl", [{"video": str(EXAMPLE), "question": text} for text in asked])
            began, cpu = time.perf_counter(), processor_seconds()
            words = ["batch", f"{name}.jsonl", "-o", f"{name}-{number}.out", "--no-cache", *NANO]
            assert run(*words, cwd=folder).returncode == 0
            found[name] = time.perf_counter() - began
            found[f"{name}, processor"] = processor_seconds() - cpu
        of_processor = found["twenty, processor"] / found["one, processor"]
        rounds.append(found | {"ratio": found["twenty"] / found["one"], "ratio, processor": of_processor})
    found = medians(rounds)
    good = found["ratio"] <= QUESTIONS_BOUND
    row: list[object] = [
        "20 questions, s",
        found["twenty"],
        f"one: {found['one']:.1f} s, ratio {found['ratio']:.2f}; processor {found['ratio, processor']:.2f}",
        good,
    ]
    return [row], found


def processor_seconds() -> float:
    """Of all finished children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def videos(runs: int, folder: Path) -> tuple[Rows, dict[str, float]]:
    """Short videos in one batch, and in a shell loop."""
    paths = clips(8, "640x360")
    write(folder / "v.jsonl", [{"video": str(path), "question": TEXTS[0]} for path in paths])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    began, before = time.perf_counter(), processor_seconds()
    loop = {}
    for path in paths[: len(paths) // 10]:  # a tenth of them: each costs the same
        assert run("ask", path, TEXTS[0], "--no-cache", *NANO, cwd=folder).returncode == 0
    loop["loop"] = 10 * (time.perf_counter() - began)
    loop["loop, processor"] = 10 * (processor_seconds() - before)
    rounds = []
    for number in range(runs):
        began, before = time.perf_counter(), processor_seconds()
        words = ["batch", "v.jsonl", "-o", f"v-{number}.out", "--no-cache", "--progress", "json", *NANO]
        process = subprocess.Popen([*COMMAND, *words], cwd=folder, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        times = [time.perf_counter() - began for line in process.stderr if '"event": "job"' in line]
        assert process.wait() == 0
        lines = [json.loads(line) for line in (folder / f"v-{number}.out").read_text().splitlines()]
        stages = {
            name: sum(line["timing"][name] for line in lines[1:]) for name in ("decode", "compress", "answer")
        }
        cpu = processor_seconds() - before
        after_first = cpu - loop["loop, processor"] / len(paths)  # start-up and the first video
        took = times[-1] - times[0]
        floor = max(stages["decode"], stages["compress"] + stages["answer"], after_first / cores)
        rounds.append({"batch": took, "floor": floor, "ratio": took / floor, "cpu": cpu, **stages})
    found = medians(rounds) | loop
    good = found["ratio"] <= VIDEOS_BOUND
    return [
        [
            "videos after the first, s",
            found["batch"],
            f"floor {found['floor']:.1f} s, ratio {found['ratio']:.2f}; processor {found['cpu']:.1f} s",
            good,
        ],
        ["the same in a shell loop, s", found["loop"], f"processor {found['loop, processor']:.1f} s", True],
    ], found


def measure(options: argparse.Namespace, folder: Path) -> int:
    """Run the parts and report; the exit status."""
    neighbours, rows, facts, chance = Neighbours(), [], {}, random.Random(options.seed)
    for part in options.parts:
        here = folder / part
        here.mkdir()
        print(part, file=sys.stderr, flush=True)
        if part == "killed":
            rows += killed(options.jobs, options.kills, here, chance)
        elif part == "full":
            rows += full(options.jobs, here)
        elif part == "workers":
            rows += workers(options.jobs, here, chance)
        else:
            found, facts[part] = {"questions": questions, "videos": videos}[part](options.runs, here)
            rows += found
        shutil.rmtree(here, ignore_errors=True)
        print(*rows, sep="\n", file=sys.stderr, flush=True)
    missed = [row[0] for row in rows if not row[3]]
    report(
        "batch",
        ["what", "jobs or s", "how", "good"],
        rows,
        options,
        neighbours,
        missed=missed,
        jobs=options.jobs,
        kills=options.kills,
        found=rows,
        **facts,
    )
    return int(bool(missed))


def main() -> int:
    """Measure and report."""
    options_of = parser(__doc__, runs=3)
    options_of.add_argument("--parts", type=lambda text: text.split(","), default=list(PARTS))
    options_of.add_argument("--jobs", type=int, default=1000)
    options_of.add_argument("--kills", type=int, default=20)
    options_of.add_argument("--seed", type=int, default=1, help="of the moments")
    options_of.add_argument("--folder", type=Path, help="on another file system (default: the temporary one)")
    options = options_of.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        return measure(options, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
