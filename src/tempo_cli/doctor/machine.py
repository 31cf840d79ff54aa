"""Python, platform, processor, memory."""

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import __version__
from ..system_memory import host_free_bytes, host_total_bytes
from .findings import Finding, Level, amount, guarded

_LITTLE = 4 * 2**30  # bytes; torch, its libraries and a tiny model fit into that


def findings() -> Iterator[Finding]:
    """The machine itself. Nothing here stops `ask`."""
    yield from guarded("tempo", _tempo)
    yield from guarded("python", _python)
    yield from guarded("system", _system)
    yield from guarded("memory", _memory)


def _tempo() -> Iterator[Finding]:
    place = str(Path(__file__).parent.parent)
    yield Finding(
        "tempo", Level.ok, f"{__version__} in {place}", facts={"version": __version__, "path": place}
    )


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    facts = {"version": version, "path": sys.executable}
    yield Finding("python", Level.ok, f"{version} ({sys.executable})", facts=facts)


def _system() -> Iterator[Finding]:
    name, cores = platform.platform(terse=True), os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))  # a container or a job may have fewer than the machine
    facts = {"platform": name, "machine": platform.machine(), "cores": cores}
    message = f"{name} on {platform.machine()}, {cores} processor core{'s' * (cores != 1)}"
    yield Finding("system", Level.ok, message, facts=facts)


def _memory() -> Iterator[Finding]:
    total, free = host_total_bytes(), host_free_bytes()
    facts = {"total_bytes": total, "free_bytes": free}
    if total is None or free is None:
        yield Finding("memory", Level.note, "the system does not report it", facts=facts)
        return
    message = f"{amount(total)}, {amount(free)} free"
    if free < _LITTLE:
        yield Finding("memory", Level.warning, message, "Close other programs before you ask.", facts)
    else:
        yield Finding("memory", Level.ok, message, facts=facts)
