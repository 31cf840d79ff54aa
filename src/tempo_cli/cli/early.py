"""Reports made before a command's modules are imported. Imports nothing slow."""

import itertools
import json
import os
import signal
import sys
from contextlib import suppress

from .. import __version__

JSON_FORMATS = frozenset({"json", "jsonl"})
# bytes; numpy, PyTorch and nano map 0.9 GB, and end the process without a message
LEAST_ADDRESS_SPACE = 2**30


def report_early_interruption(number: int) -> None:
    """Write the object that a program waits for which asked for JSON; on a terminal nothing is printed."""
    if wants_json(sys.argv[1:]):
        _report("interrupted", f"interrupted by {signal.Signals(number).name}", "Run it again.")


def lacks_address_space() -> bool:
    """Whether the process may not even map its libraries (`ulimit -v`); reports it."""
    try:
        import resource
    except ImportError:  # Windows
        return False
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or limit >= LEAST_ADDRESS_SPACE:
        return False
    message = (
        f"the address space is limited to {limit >> 20} MiB; tempo needs {LEAST_ADDRESS_SPACE >> 20} MiB"
    )
    _report("memory", message, "Raise the limit: ulimit -v unlimited")
    return True


def _report(code: str, message: str, hint: str) -> None:
    result = {
        "schema": "tempo.run/1",
        "status": "error",
        "id": None,
        "video": {"path": None},
        "question": None,
        "model": {"id": None},
        "tempo": __version__,
        "error": {"code": code, "message": message, "hint": hint},
    }
    with suppress(OSError):  # nobody reads it
        if wants_json(sys.argv[1:]):
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
        sys.stderr.write(f"error: {message}\nhint: {hint}\n")


def wants_json(arguments: list[str]) -> bool:
    """Whether JSON was asked for, also where the command line could not be read to its end."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    formats = [word.removeprefix("--format=") for word in options if word.startswith("--format=")]
    formats += [value for name, value in itertools.pairwise(options) if name == "--format"]
    formats = formats or [os.environ.get("TEMPO_FORMAT", "")]
    if "--json" in options or not JSON_FORMATS.isdisjoint(formats):
        return True
    return os.environ.get("TEMPO_JSON", "").lower() in ("1", "true", "yes", "on")
