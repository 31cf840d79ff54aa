"""Child processes that can't outlive us, flood us, or make us wait without an end.

A child runs in a session of its own, so that Ctrl-C reaches only us. It inherits the lifeline: a pipe that
nobody writes to. When this process ends, however it ends, the kernel closes the pipe and signals the child.
"""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

from ..leftovers import forget_child, note_child

_LIFELINE = "TEMPO_LIFELINE"  # variable: the number of the pipe
_SLICE = 0.2  # seconds between two looks at whether a process that keeps a pipe open is still wanted
_LINE = 64  # bytes read at once in search of a line's end


class Child:
    """A running program with pipes for its output; its creator must `close` it.

    Args:
        memory: bytes that it may allocate, where the system can limit that; None: any.
        inherited: descriptors of ours that it gets, on POSIX systems.

    Raises:
        OSError: it does not start.
    """

    def __init__(
        self,
        arguments: list[str],
        *,
        memory: int | None = None,
        stderr: bool = True,
        inherited: Sequence[int] = (),
        **variables: str,
    ) -> None:
        theirs, ours = os.pipe()
        self._lifeline = os.fdopen(ours, "wb", 0)
        try:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if stderr else subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
                pass_fds=(theirs, *inherited) if os.name == "posix" else (),
                env={**os.environ, **variables, _LIFELINE: str(theirs)},
            )
            _end_with(theirs, -self._process.pid)
        except BaseException:
            self._lifeline.close()
            raise
        finally:
            os.close(theirs)
        self._owner = os.getpid()
        note_child(self)
        if memory is not None:
            _limit_memory(self._process.pid, memory)

    @property
    def stdout(self) -> IO[bytes]:
        """What it prints, unbuffered."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes]:
        """What it complains about, unbuffered."""
        assert self._process.stderr is not None
        return self._process.stderr

    @property
    def status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def has_ended(self) -> bool:
        """Whether it has ended. What it started may hold its pipes open all the same."""
        return self.status is not None

    def kill(self) -> None:
        """End it at once, and what it started. A forked process leaves its parent's alone."""
        if os.getpid() != self._owner:
            return
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.poll() is None:
            self._process.kill()

    def wait(self, seconds: float | None = None) -> int | None:
        """Its exit status, as soon as it ends; None if that takes longer than `seconds`."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """End and reap it, and close its pipes."""
        if os.getpid() != self._owner:
            return
        self.kill()
        self._process.wait()
        forget_child(self)
        self._lifeline.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


def hold_lifeline() -> None:
    """In a child that is ours: end with the process that started it, even if that ends while it starts us."""
    if sys.platform == "win32" or _LIFELINE not in os.environ:
        return
    pipe = int(os.environ[_LIFELINE])
    _end_with(pipe, os.getpid())
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    if poll.poll(0):
        os._exit(1)


def _end_with(pipe: int, process: int) -> None:
    """Let the kernel end a process when the last writer of `pipe` is gone; a group by its negative number.

    It sends SIGIO, which ends a process that does not handle it. Nothing where the system can't.
    """
    if sys.platform == "win32":
        return
    import fcntl

    with suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETOWN, process)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)


def _limit_memory(process: int, most: int) -> None:
    if sys.platform == "linux":
        import resource

        with suppress(OSError):  # it has ended already
            resource.prlimit(process, resource.RLIMIT_DATA, (most, most))


class PipeReader:
    """Reads a pipe with deadlines, which also hold while something else keeps the pipe open.

    Args:
        ended: whether nothing more is to be expected than what is in the pipe now.
        late: called when a deadline passes; must end what writes to the pipe.
    """

    def __init__(self, pipe: IO[bytes], ended: Callable[[], bool], late: Callable[[], None]) -> None:
        self._pipe, self._ended, self._late = pipe, ended, late
        self._held = b""
        self._poll = None
        if sys.platform != "win32":
            self._poll = select.poll()
            self._poll.register(pipe, select.POLLIN)

    def read(self, most: int, seconds: float) -> bytes:
        """Up to `most` bytes, as soon as there are any; empty at the end, or after `seconds`."""
        if not self._held:
            return self._read(most, time.monotonic() + seconds)
        data, self._held = self._held[:most], self._held[most:]
        return data

    def read_line(self, most: int, seconds: float) -> bytes:
        """A line with its end, cut off after `most` bytes; empty at the end."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._held and len(self._held) < most:
            data = self._read(_LINE, deadline)
            if not data:
                break
            self._held += data
        size = min(self._held.find(b"\n") + 1 or len(self._held), most)
        line, self._held = self._held[:size], self._held[size:]
        return line

    def read_into(self, buffer: memoryview, seconds: float) -> bool:
        """Fill `buffer`; False if the output ends before."""
        deadline = time.monotonic() + seconds
        done = min(len(self._held), len(buffer))
        buffer[:done], self._held = self._held[:done], self._held[done:]
        while done < len(buffer):
            count = self._read_into(buffer[done:], deadline)
            if not count:
                return False
            done += count
        return True

    def _read(self, most: int, deadline: float) -> bytes:
        buffer = bytearray(most)
        return bytes(buffer[: self._read_into(memoryview(buffer), deadline)])

    def _read_into(self, buffer: memoryview, deadline: float) -> int:
        """What is there, once there is something; 0 at the end."""
        if self._poll is None:  # on Windows a pipe can only be waited for by reading it
            timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._late)
            timer.daemon = True
            timer.start()
            try:
                return self._pipe.readinto(buffer) or 0  # type: ignore[attr-defined]
            finally:
                timer.cancel()
        ended = False
        while not self._poll.poll(0 if ended else 1000 * _SLICE):
            if ended:
                return 0
            if time.monotonic() >= deadline:
                self._late()
                return 0
            ended = self._ended()  # what it wrote before is in the pipe by now
        return self._pipe.readinto(buffer) or 0  # type: ignore[attr-defined]


def output(arguments: list[str], seconds: float, most: int) -> bytes | None:
    """What a program prints; None if it fails, prints more than `most` bytes, or takes longer than `seconds`.

    What it leaves behind on its output is not waited for.
    """
    deadline = time.monotonic() + seconds
    try:
        child = Child(arguments, stderr=False)
    except OSError:
        return None
    try:
        reader = PipeReader(child.stdout, child.has_ended, child.kill)
        printed = bytearray()
        while data := reader.read(1 << 16, deadline - time.monotonic()):
            printed += data
            if len(printed) > most:
                return None
        return bytes(printed) if child.wait(max(0.0, deadline - time.monotonic())) == 0 else None
    finally:
        child.close()
