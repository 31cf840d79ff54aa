"""Signals at random moments of the commands, imports included: the right code in time, nothing left behind.

    python bench/fuzz_signals.py --signals 60

Each signal goes to a command of its own, at a moment between its start and its usual end. Then no process and
no temporary file may be left, and the next command must work (tried after every pull, and every sixth time).
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.hub.fixtures import tiny_repositories  # noqa: E402
from tests.hub.server import running  # noqa: E402

VIDEO = str(ROOT / "examples" / "chase.mp4")
ASKED = [VIDEO, "what happens", "--model", "nano", "--max-frames", "32"]
COMMANDS: dict[str, list[str]] = {
    "ask": ["ask", *ASKED],
    "ask --json": ["ask", *ASKED, "--json"],
    "inspect": ["inspect", *ASKED],
    "pull": ["pull", "tiny/tempo"],
    "models verify": ["models", "verify", "nano", "--offline"],
}
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LATE = 1.0  # seconds


def start(words: list[str], folder: Path, url: str) -> "subprocess.Popen[bytes]":
    """A command whose temporary files and caches are all under `folder`."""
    places = {
        "TMPDIR": folder / "tmp",
        "HF_HOME": folder / "hf",
        "XDG_DATA_HOME": folder / "data",
        "XDG_CACHE_HOME": folder / "cache",
    }
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    variables = {name: str(place) for name, place in places.items()}
    mark = {"TEMPO_CONFIG": os.devnull, "HF_ENDPOINT": url, "FUZZ_SIGNALS": str(folder)}
    command = [sys.executable, "-m", "tempo_cli", *words]
    return subprocess.Popen(
        command, env=os.environ | variables | mark, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def left_behind(folder: Path) -> list[str]:
    """Processes that a command started and that still run, and its temporary files."""
    temporary = folder / "tmp"
    found = [
        str(path.relative_to(folder))
        for path in temporary.rglob("*")
        if not path.relative_to(temporary).parts[0].startswith("torchinductor_")  # torch's, after every run
    ]
    mark = f"FUZZ_SIGNALS={folder}\0".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes() and (process / "cmdline").read_bytes():
                found.append(f"process {process.name}")
        except OSError:
            continue
    return found


def try_signal(name: str, number: int, after: float, url: str, retry: bool) -> dict[str, Any]:
    """Send one signal and look at what follows."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        process = start(COMMANDS[name], folder, url)
        time.sleep(after)
        ended = process.poll() is not None
        sent = time.perf_counter()
        process.send_signal(number)
        out, err = process.communicate()
        seconds = time.perf_counter() - sent
        time.sleep(0.2)  # the kernel ends children after their parent
        left = left_behind(folder)
        again = 0
        if retry or name == "pull":
            retried = start(COMMANDS[name], folder, url)
            retried.communicate()
            again = retried.returncode
    code = process.returncode
    # before Python runs a line of ours, the system ends the process: a shell calls that 128 + number too
    right = ended or code in (128 + number, -number) or (code == 0 and bool(out))
    told = not ended and code == 128 + number and name == "ask --json" and not is_interruption(out)
    return {
        "command": name,
        "signal": signal.Signals(number).name,
        "after": round(after, 2),
        "code": code,
        "seconds": round(seconds, 2),
        "left": left,
        "next": again,
        "traceback": b"Traceback" in err and code != -number,
        "wrong": not right or told or seconds > LATE or bool(left) or again != 0,
    }


def is_interruption(out: bytes) -> bool:
    """Whether a program that asked for JSON got its object."""
    lines = out.splitlines()
    return bool(lines) and json.loads(lines[-1])["error"]["code"] == "interrupted"


def results(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """One signal after the other."""
    chance = random.Random(seed)
    with running() as hub:
        hub.repositories = tiny_repositories()
        usual = {}
        for name, words in COMMANDS.items():
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
                started = time.perf_counter()
                start(words, Path(scratch), hub.url).communicate()
                usual[name] = time.perf_counter() - started
        for index in range(count):
            name = list(COMMANDS)[index % len(COMMANDS)]
            after = chance.uniform(0.02, usual[name])
            yield try_signal(name, chance.choice(NUMBERS), after, hub.url, index % 6 == 0)


def main() -> None:
    """Send the signals and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for (
        number
    ) in NUMBERS:  # started in the background, a shell has them ignored, and commands would inherit it
        signal.signal(number, signal.SIG_DFL)
    log: list[dict[str, Any]] = []
    with suppress(KeyboardInterrupt):  # the table is that of the signals until then
        for found in results(options.signals, options.seed):
            log.append(found)
            print(json.dumps(found), flush=True)
    if not log:
        sys.exit("no signal was sent")
    wrong = sum(found["wrong"] for found in log)
    slowest = max(found["seconds"] for found in log)
    print(f"{len(log)} signals: {wrong} wrong, at most {slowest} s to the end")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
