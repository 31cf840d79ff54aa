"""Mutated model folders and random command lines: each ends with a result or an error of ours, in time.

    python bench/fuzz_inputs.py models --cases 2000
    python bench/fuzz_inputs.py commands --cases 5000

A case follows from its number. Cases run in worker processes, which are started again where one dies. A
result is internal if it is an exception or exit code that no one foresaw, takes 10 s of processor time or
ten minutes, or if the worker needs over 1.5 GB.
"""

import argparse
import contextlib
import gc
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
CLIP = GOLDEN / "videos" / "fractal.mp4"
SAVED = ROOT / "tests" / "cli" / "run.json"
FILES = (
    "Tempo-tiny/config.json",
    "Tempo-tiny/tokenizer.json",
    "Tempo-tiny/generation_config.json",
    "Tempo-tiny/model.safetensors",
    "Qwen3-VL-tiny/config.json",
    "Qwen3-VL-tiny/tokenizer.json",
    "Qwen3-VL-tiny/model.safetensors",
)
SECONDS, PROCESSOR_SECONDS, BYTES, BATCH = 600, 10, 3 << 29, 1000
_LARGEST = 1 << 26  # bytes of a file that is changed; those of the checkpoint are smaller
KNOWN = {"ok", "usage", "video", "model", "environment", "memory", "some failed"}

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 7, 64, 2**31, 2**63, 2**64, 10**30, -(2**40), 0.5, -0.0, 1e-320, 1e308,
    "", "x", "0", "a" * 5000, "../..", "/dev/zero", "\0",
    "\ud800", [], {}, [1], [None], [[]], {"a": 1}, [0] * 300,
    "linear", "mlp999999999x_gelu", "identity", "gelu", "default", "yarn", "mrope",
)  # fmt: skip
_RAW = (
    b"1e999",
    b"-1e999",
    b"NaN",
    b"9" * 5000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
)
_NORMALIZERS = (
    {"type": "Replace", "pattern": {"String": ""}, "content": "A"},
    {
        "type": "Sequence",
        "normalizers": [{"type": "Replace", "pattern": {"Regex": "."}, "content": "a" * 10}] * 8,
    },
    {"type": "Prepend", "prepend": "x" * 1000},
    {"type": "Precompiled", "precompiled_charsmap": "AAAA"},
    {"type": "NFKC"},
    {"type": "Lowercase"},
)


# ---------------------------------------------------------------------------------------------- model folders


def mutate_folder(folder: Path, chance: random.Random) -> None:
    """One to three changes to the files of a copy of golden checkpoint `a`."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        path = folder / chance.choice(FILES)
        kind = chance.random()
        if kind < 0.12:
            _replace_file(path, chance)
        elif not path.is_file() or path.stat().st_size > _LARGEST:  # replaced by an earlier change
            continue
        elif kind < 0.35:
            _change_bytes(path, chance)
        elif path.suffix == ".json":
            _change_json(path, chance)
        else:
            _change_header(path, chance)


def _replace_file(path: Path, chance: random.Random) -> None:
    path.unlink(missing_ok=True) if not path.is_dir() else None
    kind = chance.choice(("none", "empty", "fifo", "zero", "null", "folder", "self", "huge"))
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind in ("zero", "null"):
        path.symlink_to(f"/dev/{kind}")
    elif kind == "folder":
        path.mkdir(exist_ok=True)
    elif kind == "self":
        path.symlink_to(path)
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(1 << 40)


def _change_bytes(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    if not data:
        return
    start = chance.randrange(min(len(data), chance.choice((16, 200, 4000, len(data)))))
    kind = chance.choice(("flip", "cut", "drop", "double", "noise"))
    if kind == "flip":
        data[start] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del data[start:]
    elif kind == "drop":
        del data[start : start + chance.choice((1, 8, 500))]
    elif kind == "double":
        data[start:start] = data[start : start + chance.choice((1, 8, 500))]
    else:
        data[start : start + 8] = chance.randbytes(8)
    path.write_bytes(data)


def _change_json(path: Path, chance: random.Random) -> None:
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return
    if path.name == "tokenizer.json" and chance.random() < 0.4:
        part = chance.choice(("normalizer", "normalizer", "decoder", "pre_tokenizer", "post_processor"))
        value[part] = chance.choice((*_NORMALIZERS, *_VALUES))
    else:
        _change_value(value, chance)
    try:
        text = json.dumps(value).encode()
    except (ValueError, RecursionError):
        return
    if chance.random() < 0.15:
        keys = [part for part in text.split(b'"')[1::2] if 2 < len(part) < 40]
        if keys:
            key = b'"' + chance.choice(keys) + b'": '
            before, found, after = text.partition(key)
            if found:
                rest = after.partition(b",")
                text = before + key + chance.choice(_RAW) + b"," + rest[2] if rest[1] else text
    path.write_bytes(text)


def _change_value(value: Any, chance: random.Random) -> None:
    """Somewhere in a document: another value, no value, or one field more."""
    for _ in range(chance.randrange(1, 5)):
        inner = [
            item
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, dict | list)
        ]
        inner = [item for item in inner if item]
        if not inner or chance.random() < 0.4:
            break
        value = chance.choice(inner)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    if not keys:
        return
    key = chance.choice(keys)
    if chance.random() < 0.2:
        del value[key]
    else:
        value[key] = chance.choice((*_VALUES, value[chance.choice(keys)]))


def _change_header(path: Path, chance: random.Random) -> None:
    """Of a safetensors file; its data stay."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + size])
    except (ValueError, RecursionError):
        return
    _change_value(header, chance)
    text = json.dumps(header).encode()
    length = chance.choice((len(text),) * 8 + (0, 2**63, len(text) + 1))
    path.write_bytes(length.to_bytes(8, "little") + text + data[8 + size :])


def run_model(number: int, scratch: Path) -> str:
    """What becomes of mutated folder `number`: ok, or the code of an error."""
    from tempo_cli.config import GenerationOptions, LoadOptions, SamplingOptions
    from tempo_cli.hub.inventory import model_state
    from tempo_cli.hub.locations import check_downloaded, read_shape
    from tempo_cli.tempo import Tempo

    chance, folder = random.Random(number), scratch / str(number)
    shutil.copytree(GOLDEN / "checkpoints" / "a", folder)
    mutate_folder(folder, chance)
    model = str(folder / "Tempo-tiny")
    hot = chance.random() < 0.3

    def work() -> None:
        _ = model_state(model).facts
        check_downloaded(model)
        read_shape(model)
        with Tempo.load(model, options=LoadOptions(device="cpu")) as tempo:
            tempo.ask(
                _info(),
                "what?",
                sampling=SamplingOptions(max_frames=4),
                generation=GenerationOptions(max_new_tokens=2, temperature=0.7 if hot else 0, seed=1),
            )

    try:
        return _outcome(work)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _info() -> Any:
    from tempo_cli.video.isolated import probe

    return probe(CLIP)


def _remember() -> None:
    """Probe a video and load a model once: the same case costs a tenth then."""
    from tempo_cli.tempo import Tempo
    from tempo_cli.video import isolated

    isolated.probe = cache(isolated.probe)
    original = Tempo.load

    @cache
    def load(model: str, revision: Any, options: Any, decoder: bool) -> Tempo:
        return original(model, revision=revision, options=options, decoder=decoder)

    def loaded(model: str, *, decoder: bool = True, **options: Any) -> Tempo:
        del options["on_event"]
        return load(model, decoder=decoder, **options)

    Tempo.load = loaded  # type: ignore[assignment,method-assign]


def _outcome(work: Callable[[], None]) -> str:
    from tempo_cli.errors import TempoError

    try:
        work()
    except TempoError as error:
        lines = error.message.count("\n") + error.hint.count("\n")
        return error.code if not lines else f"internal: {lines} line breaks"
    except TimeoutError:
        return "internal: late"
    except BaseException as error:  # noqa: BLE001  what is counted here
        return f"internal: {type(error).__name__}: {str(error)[:200]}"
    return "ok"


# ---------------------------------------------------------------------------------------------- command lines


def command_line(number: int, scratch: Path) -> tuple[list[str], dict[str, str], bytes | None]:
    """Arguments, variables and the configuration file of case `number`; about half of them are valid."""
    chance = random.Random(number)
    valid = chance.random() < 0.5
    command = chance.choices(
        ("ask", "inspect", "saved", "pull", "models", "verify", "rm", "help"), (30, 20, 25, 7, 7, 5, 3, 3)
    )[0]
    words = {
        "ask": ["ask", _video(chance, valid), *_question(chance, valid)],
        "inspect": ["inspect", _video(chance, valid), *_question(chance, valid)],
        "saved": ["inspect", _saved(scratch, chance, valid)],
        "pull": ["pull", _model(chance, valid)],
        "models": ["models"],
        "verify": ["models", "verify", _model(chance, valid)],
        "rm": ["models", "rm", "no/model"],
        "help": [chance.choice(("--help", "--version", "ask", "-h", "frobnicate", ""))],
    }[command]
    name = {"saved": "inspect", "verify": "models verify", "rm": "models rm", "help": ""}.get(
        command, command
    )
    own = _options(name)
    if command in ("ask", "inspect") and "--model" in own:
        words += ["--model", _model(chance, valid), "--max-frames", "4", "--max-new-tokens", "2"][
            : 6 if command == "ask" else 4
        ]
    for _ in range(chance.choice((0, 1, 1, 2, 3, 5))):
        if own:
            option = chance.choice(sorted(own))
            if option not in ("--model", "--max-frames", "--max-new-tokens", "--yes") or not valid:
                words += _given(option, own[option], chance, valid)
    variables, config = {}, None
    if chance.random() < 0.3:
        option = chance.choice(sorted(_options("ask")))
        variables["TEMPO_" + option[2:].replace("-", "_").upper()] = _value(option, chance, valid)
    if chance.random() < 0.15:
        variables["COLUMNS"] = chance.choice(("0", "1", "80", "-5", "x", "9" * 30))
    if chance.random() < 0.3:
        config = _config(chance, valid)
    return [word.replace("\0", "") for word in words], variables, config


_VALID = {
    "--budget": ("4096", "100"), "--color": ("auto", "never", "always"), "--context": ("16384", "2000"),
    "--device": ("cpu", "auto"), "--dtype": ("auto", "float32", "bfloat16"), "--end": ("5", "0:08", "9s"),
    "--fps": ("1", "2", "0.5"), "--max-frames": ("4",), "--max-new-tokens": ("2",),
    "--max-pixels": ("1000000",),
    "--model": ("nano",), "--picture": ("auto", "raw"), "--question": ("what?",), "--quantize": ("none",),
    "--revision": ("main",), "--sampling": ("auto", "index", "time"), "--seed": ("1", "0"),
    "--start": ("0", "2s"),
    "--temperature": ("0", "0.7"), "--top": ("all", "3", "0"), "--window": ("8", "4"),
    "--min-rate": ("0", "1000"),
}  # fmt: skip
_WRONG = (
    "", " ", "-", "--", "@", "@@", "@/dev/zero", "0", "-1", "1e999", "1e-320", "nan", "inf",
    "1e13", "9" * 5000, "x" * 5000,
    "18446744073709551616", "99999999999", "9:99", "1:2:3:4", "a\nb", "\x1b[31m", "\udcff",
    "~nosuch/x", "/dev/zero", "/dev/full",
    "..", "None", "true", "٣", "²", "0x10", "1_000", "cuda:99999999999", "mps", "int8", "éè",
    "[]", "{}", "*", "%s%n",
)  # fmt: skip


def _value(option: str, chance: random.Random, valid: bool) -> str:
    if valid:
        return chance.choice(_VALID.get(option, ("1",)))
    return chance.choice((*_WRONG, *_VALID.get(option, ("1",))))


def _given(option: str, is_flag: bool, chance: random.Random, valid: bool) -> list[str]:
    if is_flag:
        return [option]
    value = _value(option, chance, valid)
    return [f"{option}={value}"] if chance.random() < 0.5 else [option, value]


def _video(chance: random.Random, valid: bool) -> str:
    if valid or chance.random() < 0.5:
        return str(CLIP)
    return chance.choice(
        (*_WRONG, "nosuch.mp4", str(SAVED), str(ROOT), "https://example.org/v.mp4", "/dev/null")
    )


def _question(chance: random.Random, valid: bool) -> list[str]:
    if valid:
        return chance.choice(
            (["what", "happens"], ["what color was it?"], ["-q", "what"], ["-q", "@@x", "-q", "y"])
        )
    return chance.choice(
        ([], [chance.choice(_WRONG)], [str(CLIP), "what"], ["-"], ["-q", chance.choice(_WRONG)], ["...", "?"])
    )


def _model(chance: random.Random, valid: bool) -> str:
    if valid or chance.random() < 0.5:
        return chance.choice((str(GOLDEN / "checkpoints" / "a" / "Tempo-tiny"),) * 3 + ("nano",))
    return chance.choice(
        (*_WRONG, "no/model", "a/b/c", "--x/y", "Vision-CAIR/Tempo-6B", str(CLIP), str(GOLDEN))
    )


def _saved(scratch: Path, chance: random.Random, valid: bool) -> str:
    """A saved run, mutated unless it is to be valid."""
    if valid:
        return str(SAVED)
    path = scratch / "run.json"
    shutil.copy(SAVED, path)
    for _ in range(chance.choice((1, 1, 2))):
        chance.choice((_change_json, _change_json, _change_json, _change_bytes))(path, chance)
    return str(path)


def _config(chance: random.Random, valid: bool) -> bytes:
    if not valid and chance.random() < 0.3:
        return chance.choice(
            (
                b"a = " + b"[" * 100_000,
                b"seed = " + b"9" * 5000,
                b"\xff",
                b"fps",
                b"=",
                b"[x]\ny = 1",
                b"\0" * 9,
            )
        )
    lines = []
    for _ in range(chance.choice((1, 2))):
        option = chance.choice(sorted(_VALID))[2:]
        value = _value(f"--{option}", chance, valid)
        plain = chance.random() < 0.3 and not valid
        raw = chance.choice(("true", "1", "1e400", "nan", "[]", "{}", "1979-05-27", "9" * 400, "-1"))
        lines.append(f"{option} = {raw if plain else json.dumps(value.encode('ascii', 'replace').decode())}")
    return "\n".join(lines).encode()


@cache
def _options(name: str) -> dict[str, bool]:
    """Long options of a command, and whether each is a flag."""
    import typer
    from typer.core import TyperOption

    from tempo_cli.cli.app import build_app

    command: Any = typer.main.get_command(build_app())
    for part in name.split():
        command = command.commands[part]
    options = [item for item in command.params if isinstance(item, TyperOption)]
    return {item.opts[0]: bool(item.is_flag) for item in options if item.opts[0] != "--help"}


def run_command(number: int, scratch: Path) -> str:
    """What becomes of command line `number`: the name of its exit code."""
    from tempo_cli.cli.main import run

    words, variables, config = command_line(number, scratch)
    with contextlib.suppress(FileNotFoundError):
        (scratch / "config.toml").unlink()
    if config is not None:
        (scratch / "config.toml").write_bytes(config)
        variables["TEMPO_CONFIG"] = str(scratch / "config.toml")
    before = dict(os.environ)
    os.environ.update(variables)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace") for _ in range(2))
    stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(b"what?"))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(words)
    except TimeoutError:
        return "internal: late"
    except BaseException as error:  # noqa: BLE001  what is counted here
        return f"internal: {type(error).__name__}: {str(error)[:200]} {words}"
    finally:
        sys.stdin = stdin
        os.environ.clear()
        os.environ.update(before)
    err.seek(0)
    told = err.read()
    names = {0: "ok", 2: "usage", 3: "video", 4: "model", 5: "environment", 6: "memory", 7: "some failed"}
    two_lines = [line[:6] for line in told.splitlines() if not line.startswith("warning: ")][-2:] == [
        "error:",
        "hint: ",
    ]
    if code not in names or (code and not two_lines and told):
        given = f"{[word[:60] for word in words]} {variables!r:.300} {config!r:.100}"
        return f"internal: exit {code}: {told[-300:]!r} {given}"
    return names[code]


# ------------------------------------------------------------------------------------------------------- runs

KINDS: dict[str, Callable[[int, Path], str]] = {"models": run_model, "commands": run_command}


def work(kind: str, numbers: list[int]) -> None:
    """In a process of its own: print what becomes of each case."""

    def late(*_: object) -> None:
        raise TimeoutError

    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, late)
    os.environ.update(HF_HUB_OFFLINE="1", NO_COLOR="1", OMP_NUM_THREADS="1")
    os.environ.setdefault("XDG_CONFIG_HOME", tempfile.gettempdir() + "/no-config")
    results = os.fdopen(os.dup(1), "w")
    import tempo_cli.tempo  # noqa: F401  not a part of the first case
    from tempo_cli.system_memory import host_peak_bytes

    if kind == "commands":
        _remember()
    gc.collect()
    gc.freeze()  # dropping a model collects garbage after each case: not among all modules
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["HF_HUB_CACHE"] = f"{scratch}/cache"
        sys.path[:] = map(os.path.abspath, sys.path)
        os.chdir(scratch)  # some command lines write files: --svg 1
        for number in numbers:
            started = time.perf_counter()
            signal.alarm(SECONDS)
            signal.setitimer(signal.ITIMER_PROF, PROCESSOR_SECONDS)
            try:
                found = KINDS[kind](number, Path(scratch))
            except TimeoutError:
                found = "internal: late"
            signal.alarm(0)
            signal.setitimer(signal.ITIMER_PROF, 0)
            peak = host_peak_bytes() or 0
            if peak > BYTES:
                found = f"internal: {peak >> 20} MiB"
            seconds = round(time.perf_counter() - started, 2)
            print(
                json.dumps({"number": number, "found": found, "seconds": seconds, "peak": peak}),
                file=results,
                flush=True,
            )


def results(kind: str, numbers: list[int]) -> Iterator[dict[str, Any]]:
    """What becomes of cases, in workers; one that a worker dies of is internal."""
    while numbers:
        batch, numbers = numbers[:BATCH], numbers[BATCH:]
        command = [sys.executable, __file__, kind, "--worker", json.dumps(batch)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
        ) as worker:
            assert worker.stdout is not None
            for line in worker.stdout:
                yield json.loads(line)
                batch = batch[1:]
        if batch:
            ending = f"internal: the process ended with {worker.returncode}"
            yield {"number": batch[0], "found": ending, "seconds": 0.0, "peak": 0}
            numbers = batch[1:] + numbers


def is_internal(found: dict[str, Any]) -> bool:
    """Whether it is neither a result nor an error of ours."""
    return found["found"] not in KNOWN


def summary(kind: str, log: list[dict[str, Any]]) -> str:
    """One table."""
    counts = Counter("internal" if is_internal(one) else one["found"] for one in log)
    rows = [f"{name:12}{count:7}" for name, count in counts.most_common()]
    slowest, peak = max(one["seconds"] for one in log), max(one["peak"] for one in log) >> 20
    return "\n".join([f"{kind}: {len(log)} cases", *rows, f"at most {slowest} s and {peak} MiB"])


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.kind, json.loads(options.worker))
        return
    log: list[dict[str, Any]] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):  # the table is that of the cases until then
        for found in results(options.kind, list(range(options.first, options.first + options.cases))):
            log.append(found)
            if is_internal(found):
                print(found, flush=True)
    if not log:
        sys.exit("no case was finished")
    print(summary(options.kind, log))
    sys.exit(any(map(is_internal, log)))


if __name__ == "__main__":
    main()
