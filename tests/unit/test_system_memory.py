"""The machine's free memory, read from files like the kernel's."""

import subprocess
import sys
from pathlib import Path

import pytest

from tempo_cli import system_memory


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a kernel's files: 8 GiB available, no container."""
    (tmp_path / "meminfo").write_text("MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n")
    monkeypatch.setattr(system_memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(system_memory, "_GROUP", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("kernel")
def test_what_the_kernel_calls_available():
    assert system_memory.host_free_bytes() == 8 * 2**30


@pytest.mark.parametrize(
    ("limit", "used", "free"),
    [("4294967296\n", "1073741824\n", 3 * 2**30), ("max\n", "5\n", 8 * 2**30), ("5\n", "9\n", 0)],
)
def test_a_containers_limit_counts(kernel, limit, used, free):
    (kernel / "memory.max").write_text(limit)
    (kernel / "memory.current").write_text(used)
    assert system_memory.host_free_bytes() == free


def test_a_kernel_that_does_not_say_is_not_known(kernel):
    (kernel / "meminfo").write_text("MemTotal: 16777216 kB\n")
    assert system_memory.host_free_bytes() is None


def test_without_linux_the_machines_memory_bounds_it(kernel):
    (kernel / "meminfo").unlink()
    free = system_memory.host_free_bytes()
    assert free is not None
    assert free > 2**28


def test_the_peak_is_what_this_process_takes():
    peak = system_memory.host_peak_bytes()
    assert peak is not None
    assert 10 * 2**20 < peak < 2**40


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process's peak is its own")
def test_the_peak_of_the_process_that_started_this_one_does_not_count():
    """A parent of 600 MB starts a process that holds a few."""
    script = (
        "import subprocess, sys; held = bytearray(600 * 2**20); "
        "print(subprocess.run([sys.executable, '-c', sys.argv[1]], capture_output=True, text=True).stdout)"
    )
    inner = "from tempo_cli.system_memory import host_peak_bytes; print(host_peak_bytes())"
    done = subprocess.run([sys.executable, "-c", script, inner], capture_output=True, text=True, check=True)
    assert 2**20 < int(done.stdout) < 300 * 2**20
