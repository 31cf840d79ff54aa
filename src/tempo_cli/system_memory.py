"""The memory of this machine and of this process."""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_STATUS = Path("/proc/self/status")
_GROUP = Path("/sys/fs/cgroup")  # of a container: its own root


def host_total_bytes() -> int | None:
    """Bytes of memory of this machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None


def host_free_bytes() -> int | None:
    """Bytes that this process could still take without swapping; None where the system does not say.

    On Linux what the kernel calls available, within the container's limit if there is one.
    """
    found = [size for size in (_available(), _group_room()) if size is not None]
    return min(found, default=None)


def host_peak_bytes() -> int | None:
    """Largest resident memory of this process so far; None on Windows."""
    if (peak := _high_water()) is not None:
        return peak
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def trim_heap() -> None:
    """Hand freed memory back where the C library keeps it between what is still used (glibc)."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _high_water() -> int | None:
    """The peak on Linux, where getrusage also counts the process that started this one."""
    try:
        return _field(_STATUS, "VmHWM:")
    except OSError:
        return None


def _available() -> int | None:
    try:
        return _field(_MEMINFO, "MemAvailable:")
    except OSError:
        return host_total_bytes()


def _field(file: Path, name: str) -> int | None:
    """Bytes of a line such as `VmHWM: 1024 kB`."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


def _group_room() -> int | None:
    try:
        limit = int((_GROUP / "memory.max").read_text(encoding="ascii"))  # "max" is no number: no limit
        return max(0, limit - int((_GROUP / "memory.current").read_text(encoding="ascii")))
    except (OSError, ValueError):
        return None
