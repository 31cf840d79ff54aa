"""Does opening a video always work: beside busy torch threads, after a fork, and in many processes at once?

- busy: 200 times `open_video`, first segment, `close`, while two threads multiply matrices.
- forked: the same in a process that was forked from this one while they do.
- threads: eight threads, each with its own question about one file, through one model.
- processes: eight processes, each with the same question about one file, all at once.

Every segment and every answer is compared with one that came alone. Exit status 1 if one differs or fails, or
took longer than a minute.

Run: python bench/opens.py [--parts busy,forked,threads,processes] [--opens 200]
"""

import hashlib
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch
from common import Neighbours, parser, report

from tempo_cli import GenerationOptions, LoadOptions, SamplingOptions, Tempo, open_video

PARTS = ("busy", "forked", "threads", "processes")
LIMIT = 60.0  # seconds
MANY = 8
VIDEO = Path(__file__).resolve().parents[1] / "examples/chase.mp4"
SAMPLING = SamplingOptions(max_frames=32)
QUESTIONS = ["what color was the car", "was there a car", "what is the shape", "is there a circle"] * 2
CPU = LoadOptions(device="cpu")

Row = list[object]


def open_once() -> tuple[float, str]:
    """Seconds, and a digest of the first segment."""
    started = time.perf_counter()
    with open_video(VIDEO, SAMPLING) as video:
        frames = next(video.read([0])).frames
    return time.perf_counter() - started, hashlib.sha256(frames.tobytes()).hexdigest()


@contextmanager
def busy_threads(count: int) -> Iterator[None]:
    """Threads that multiply matrices."""
    ended = threading.Event()

    def multiply() -> None:
        one = torch.rand(512, 512)
        while not ended.is_set():
            one = torch.softmax(one @ one, 0)

    threads = [threading.Thread(target=multiply, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def opens(count: int, right: str) -> tuple[list[float], int]:
    """Seconds of each, and how many differ or fail."""
    seconds, wrong = [], 0
    for _ in range(count):
        try:
            taken, digest = open_once()
        except Exception as error:  # noqa: BLE001  counted
            print(repr(error), file=sys.stderr)
            taken, digest = LIMIT, ""
        seconds.append(taken)
        wrong += digest != right or taken >= LIMIT
    return seconds, wrong


def busy(count: int, right: str) -> Row:
    """Beside busy threads of this process."""
    with busy_threads(2):
        return _row(f"{count} opens beside busy threads", *opens(count, right))


def forked(count: int, right: str) -> Row:
    """In a fork of this process, made while its threads are busy."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def work() -> None:
        theirs.send(opens(count, right))

    with busy_threads(2):
        child = context.Process(target=work)
        child.start()
        if not ours.poll(LIMIT * 10):
            child.kill()
            return [f"{count} opens after a fork", None, None, count]
        found = ours.recv()
        child.join()
    return _row(f"{count} opens after a fork", *found)


def threads(*_: object) -> Row:
    """Questions of several threads to one model, against the same ones alone."""
    tempo = Tempo.load("nano", options=CPU)

    def ask(question: str) -> tuple[float, str]:
        started = time.perf_counter()
        run = tempo.ask(VIDEO, question, sampling=SAMPLING, generation=GenerationOptions(max_new_tokens=16))
        return time.perf_counter() - started, run.answer.text

    alone = [ask(question)[1] for question in QUESTIONS]
    with ThreadPoolExecutor(MANY) as pool:
        together = list(pool.map(ask, QUESTIONS))
    wrong = sum(answer != right for (_, answer), right in zip(together, alone, strict=True))
    return _row(f"{MANY} threads, one model", [seconds for seconds, _ in together], wrong)


def processes(*_: object) -> Row:
    """The whole command, several times at once, against once alone."""
    command = [
        sys.executable,
        "-m",
        "tempo_cli",
        "ask",
        str(VIDEO),
        QUESTIONS[0],
        "--model",
        "nano",
        "--json",
    ]
    command += ["--max-frames", "32", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def ask(_: int) -> tuple[float, str]:
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        answer = json.loads(done.stdout)["answer"]["text"] if done.returncode == 0 else done.stderr
        return time.perf_counter() - started, answer

    _, right = ask(0)
    with ThreadPoolExecutor(MANY) as pool:
        together = list(pool.map(ask, range(MANY)))
    wrong = sum(answer != right or taken >= LIMIT for taken, answer in together)
    return _row(f"{MANY} processes", [seconds for seconds, _ in together], wrong)


def _row(name: str, seconds: list[float], wrong: int) -> Row:
    return [name, statistics.median(seconds), max(seconds), wrong]


WORK: dict[str, Callable[[int, str], Row]] = {
    "busy": busy,
    "forked": forked,
    "threads": threads,
    "processes": processes,
}


def main() -> int:
    """Measure and report; 1 where something is wrong."""
    options_of = parser(__doc__, runs=1)
    options_of.add_argument("--parts", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    options_of.add_argument("--opens", type=int, default=200, help="how many times a video is opened")
    options = options_of.parse_args()
    neighbours = Neighbours()
    alone, right = zip(*(open_once() for _ in range(5)), strict=True)
    rows = [["5 opens alone", statistics.median(alone), max(alone), sum(one != right[0] for one in right)]]
    rows += [WORK[part](options.opens, right[0]) for part in options.parts.split(",")]
    report("opens", ["what", "median, s", "highest, s", "wrong"], rows, options, neighbours, opens=rows)
    return 1 if any(row[3] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
