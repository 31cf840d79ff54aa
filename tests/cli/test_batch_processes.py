"""Batches as processes: killed and resumed, shared out to workers, and in the hands of a shell."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tempo_cli.batch import crew
from tempo_cli.batch.wire import Told

from .conftest import COMMAND, GOLDEN, Outcome, spawn
from .test_batch import QUICK, job, lasting, read, write

Tempo = Callable[..., Outcome]
TEMPO = " ".join(f"'{word}'" for word in COMMAND)
OPTIONS = " ".join(f"'{word}'" for word in QUICK)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with three videos and two that are none."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for name, target in (("a.mp4", "fractal"), ("b.mp4", "pattern"), ("it's c.mp4", "fractal")):
        (here / name).symlink_to(GOLDEN / "videos" / f"{target}.mp4")
    (here / "bad.mov").write_text("no video")
    return here


def many(count: int) -> list[Any]:
    """Jobs about three videos in turn; every twentieth is bad: no video, no question, no JSON object."""
    videos = ["a.mp4", "b.mp4", "it's c.mp4"]
    jobs: list[Any] = [job(videos[number % 3], f"{number}?", id=number) for number in range(count)]
    bad: list[Any] = [job("bad.mov", "what?"), {"video": "a.mp4", "id": "blank"}, ["junk"]]
    for place in range(10, count, 20):
        jobs[place] = bad[place // 20 % 3] if place < 60 else job("missing.mp4", f"{place}?")
    return jobs


def by_id(path: Path) -> dict[str, Any]:
    lines = read(path)
    found = {line["id"]: lasting(line) for line in lines}
    assert len(found) == len(lines)
    return found


def wait_for_lines(path: Path, count: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None and (not path.exists() or path.read_bytes().count(b"\n") < count):
        time.sleep(0.005)


def test_killed_at_random_moments_and_resumed_it_ends_as_without(folder: Path, tempo: Tempo) -> None:
    jobs = many(100)
    write(folder / "jobs.jsonl", *jobs)
    words = ["batch", "jobs.jsonl", *QUICK, "-o"]
    assert tempo(*words, "whole.jsonl").code == 7
    chance, results = random.Random(7), folder / "r.jsonl"
    for lines in (0, 25, 60):
        process = spawn(*words, "r.jsonl")
        wait_for_lines(results, lines + chance.randrange(20), process)
        time.sleep(chance.random() / 20)
        process.kill()
        process.communicate()
    assert 0 < results.read_bytes().count(b"\n") < 100
    assert tempo(*words, "r.jsonl").code == 7
    expected = by_id(folder / "whole.jsonl")
    assert len(expected) == 100
    assert list(by_id(results).items()) == list(expected.items())


def test_two_workers_give_the_lines_of_one_also_where_one_is_killed(
    folder: Path, tempo: Tempo, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "jobs.jsonl", *many(24))
    words = ["batch", "jobs.jsonl", *QUICK, "-o"]
    assert tempo(*words, "one.jsonl").code == 7
    real, killed = crew._Crew._hear, []

    def hear(self: Any, worker: Any, told: Told) -> Any:
        if told.line is not None and not killed:
            killed.append(worker)
            worker.child.kill()
        return real(self, worker, told)

    monkeypatch.setattr(crew._Crew, "_hear", hear)
    assert tempo(*words, "two.jsonl", "--workers", "2").code == 7
    one, two = by_id(folder / "one.jsonl"), by_id(folder / "two.jsonl")
    assert killed
    assert two == one
    for video in ("a.mp4", "b.mp4"):
        orders = [[name for name in found if found[name]["video"]["path"] == video] for found in (one, two)]
        assert orders[0] == orders[1]


def test_an_interrupt_finishes_the_job_in_hand_and_says_so(folder: Path) -> None:
    write(folder / "jobs.jsonl", *(job("a.mp4", f"{number}?") for number in range(60)))
    words = ["batch", "jobs.jsonl", *QUICK[:-4], "60", "--max-frames", "16", "--no-cache", "-o", "r.jsonl"]
    process = spawn(*words)
    wait_for_lines(folder / "r.jsonl", 2, process)  # by then it is known how long the first one took
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    lines = read(folder / "r.jsonl")
    assert process.returncode == 130
    assert 2 <= len(lines) < 60
    assert told.startswith(b"finishing the current job (about ")
    process = spawn(*words)
    wait_for_lines(folder / "r.jsonl", len(lines) + 1, process)
    process.send_signal(signal.SIGTERM)
    assert (process.communicate()[1], process.returncode) == (b"", 143)
    more = (folder / "r.jsonl").read_bytes()
    assert len(lines) < more.count(b"\n") < 60
    read(more[: more.rfind(b"\n") + 1].decode())


def shell(script: str, **more: Any) -> "tuple[int, str, str]":
    """A script in bash, with `tempo` as its command: exit code, stdout and stderr."""
    text = f'tempo() {{ {TEMPO} "$@"; }}\n{script}'
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False, **more)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.usefixtures("folder")
def test_a_loop_goes_on_and_keeps_its_standard_input() -> None:
    script = f"""
    for video in b.mp4 bad.mov; do tempo ask "$video" -H "what?" {OPTIONS} || echo "$video: code $?"; done
    ls [ab].mp4 | while read -r video; do tempo ask "$video" -H what happens {OPTIONS} --quiet; done
    """
    code, out, err = shell(script)
    names = [line.partition(": ")[0] for line in out.splitlines() if line]
    assert (code, names) == (0, ["b.mp4", "bad.mov", "a.mp4", "b.mp4"])
    assert "bad.mov: code 3" in out
    assert "error: 'bad.mov'" in err


def test_xargs_and_find(folder: Path) -> None:
    binary = folder / "tempo"
    binary.write_text(f'#!/bin/sh\nexec {TEMPO} "$@"\n')
    binary.chmod(0o755)
    script = f"""
    printf '%s\\0' *.mp4 bad.mov | xargs -0 -P2 -n2 ./tempo ask -H --quiet -q what? {OPTIONS}
    echo "code $?"
    find . -name '*.mp4' -exec ./tempo ask --quiet {OPTIONS} -q what? {{}} +
    """
    code, out, err = shell(script)
    first, _, second = out.partition("code 123\n")
    answers = [
        sorted(part.partition(": ")[0] for part in text.split("\n") if part) for text in (first, second)
    ]
    assert code == 0
    assert answers == [["a.mp4", "b.mp4", "it's c.mp4"]] * 2
    assert err.count("error: ") == 1


def test_from_cron_into_a_full_disk_and_into_a_reader_that_leaves(folder: Path) -> None:
    write(folder / "jobs.jsonl", *many(9))
    bare = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    words = [*COMMAND, "batch", "jobs.jsonl", *QUICK, "-o", "r.jsonl"]
    done = subprocess.run(
        words, env=bare, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [line["status"] for line in read(folder / "r.jsonl")] == ["ok"] * 9
    code, out, err = shell(f"tempo batch jobs.jsonl {OPTIONS} | head -1; echo ${{PIPESTATUS[0]}}")
    first, status = out.splitlines()
    assert (code, json.loads(first)["status"], status, err) == (0, "ok", "141", "")
    code, out, err = shell(f"tempo batch jobs.jsonl {OPTIONS} > /dev/full")
    assert (code, err.splitlines()[0]) == (5, "error: the output can't be written: No space left on device")
