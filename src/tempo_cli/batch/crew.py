"""Several workers: each takes the next video when it has finished one; a worker that dies loses no job."""

import os
import select
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import tempo_cli

from ..errors import SetupError
from ..events import Event
from ..plan.schedule import Group, Job
from ..video.child import Child
from .outcome import Outcome, error_of, outcome_of
from .wire import Setup, Told, group_to_line, told_of

_PROGRAM = "tempo_cli.batch.worker"
_AHEAD = 2  # groups that a worker has: the one in hand, and the one whose video it opens meanwhile
_TRIES = 2  # of a job whose worker dies, and of a start
_CHUNK = 1 << 16
_SLICE = 500  # milliseconds between two looks at signals


def crew_outcomes(
    groups: Sequence[Group], setups: Sequence[Setup], on_event: Callable[[Job, Event], None]
) -> Iterator[Outcome]:
    """Answer all jobs with one worker for each of `setups`.

    Jobs of one group come in order; groups come as they are finished.

    Raises:
        TempoError: a worker can't start to work: there is no such device or model.
    """
    if os.name != "posix":
        raise SetupError("several workers need a POSIX system", "Leave out `workers`.")
    crew = _Crew(groups, on_event)
    try:
        for setup in setups[: max(1, len(groups))]:
            crew.start(setup, len(setups))
        while crew.workers:
            yield from crew.step()
    finally:
        crew.close()


class _Worker:
    """A process, and what it has to do."""

    def __init__(self, setup: Setup, threads: int) -> None:
        self.setup, self.ready = setup, False
        self.groups: list[deque[Job]] = []
        self._held = b""
        theirs, self._jobs = os.pipe()
        try:
            home = str(Path(tempo_cli.__file__).parent.parent)
            self.child = Child(
                [sys.executable, "-P", "-m", _PROGRAM, str(theirs)],
                stderr=False,
                inherited=(theirs,),
                PYTHONPATH=os.pathsep.join([home, *filter(None, sys.path)]),
                OMP_NUM_THREADS=os.environ.get("OMP_NUM_THREADS", str(threads)),
            )
        except BaseException:
            os.close(self._jobs)
            raise
        finally:
            os.close(theirs)
        self._send(setup.to_line())

    def give(self, group: Group) -> None:
        """One more group to do."""
        self.groups.append(deque(group.jobs))
        asked = tuple(job for job in group.jobs if job.fault is None)
        self._send(group_to_line(replace(group, jobs=asked)))

    def read(self) -> tuple[list[Told], bool]:
        """What it says now, and whether that was the last."""
        data = os.read(self.child.stdout.fileno(), _CHUNK)
        *lines, self._held = (self._held + data).split(b"\n")
        return [told_of(line) for line in lines], not data

    @property
    def is_open(self) -> bool:
        """Whether it can be given more."""
        return self._jobs >= 0

    def end(self) -> None:
        """No more will come. Repeatable."""
        if self.is_open:
            os.close(self._jobs)
            self._jobs = -1

    def close(self) -> None:
        """End it at once."""
        self.end()
        self.child.close()

    def _send(self, line: bytes) -> None:
        with suppress(BrokenPipeError):  # its end is seen where it is read
            view = memoryview(line)
            while view:
                view = view[os.write(self._jobs, view) :]


class _Crew:
    """The workers, and what nobody does yet."""

    def __init__(self, groups: Sequence[Group], on_event: Callable[[Job, Event], None]) -> None:
        self.workers: list[_Worker] = []
        self._waiting = deque(groups)
        self._sources = {job.id: group for group in groups for job in group.jobs}
        self._on_event = on_event
        self._tries: dict[str, int] = {}
        self._threads = 1
        self._lost_starts = 0  # in a row

    def start(self, setup: Setup, count: int) -> None:
        """One more worker, which shares the processor with the others."""
        self._threads = max(1, (os.cpu_count() or 1) // count)
        self.workers.append(_Worker(setup, self._threads))

    def step(self) -> Iterator[Outcome]:
        """Share out what waits, then take what the workers say."""
        for number in range(_AHEAD):  # everyone gets a first one before anyone gets a second one
            for worker in self.workers:
                if self._waiting and worker.is_open and len(worker.groups) <= number:
                    yield from self._give(worker)
        for worker in self.workers:
            if not self._waiting and not worker.groups and worker.ready:
                worker.end()
        for worker in self._heard():
            messages, last = worker.read()
            for told in messages:
                yield from self._hear(worker, told)
            if last:
                yield from self._bury(worker)

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.child.kill()
        for worker in self.workers:
            worker.close()

    def _give(self, worker: _Worker) -> Iterator[Outcome]:
        group = self._waiting.popleft()
        if group.asks:
            worker.give(group)
            yield from _faulty(worker.groups[-1])
        else:
            yield from _faulty(deque(group.jobs))

    def _heard(self) -> list[_Worker]:
        poll, found = select.poll(), {}
        for worker in self.workers:
            number = worker.child.stdout.fileno()
            poll.register(number, select.POLLIN)
            found[number] = worker
        return [found[number] for number, _ in poll.poll(_SLICE)]

    def _hear(self, worker: _Worker, told: Told) -> Iterator[Outcome]:
        if told.code is not None:
            raise error_of({"code": told.code, "message": told.message, "hint": told.hint})
        if told.job is None:
            worker.ready = True
            return
        jobs = next(jobs for jobs in worker.groups if any(job.id == told.job for job in jobs))
        job = next(job for job in jobs if job.id == told.job)
        if (event := told.event) is not None:
            self._on_event(job, event)
        elif told.line is not None:
            jobs.remove(job)
            yield outcome_of(job, told.line)
            yield from _faulty(jobs)
            worker.groups = [left for left in worker.groups if left]

    def _bury(self, worker: _Worker) -> Iterator[Outcome]:
        """A worker has ended: what it had left is done by others."""
        status = worker.child.wait()
        self.workers.remove(worker)
        worker.close()
        if not worker.groups and (status == 0 or not self._waiting):
            return
        how = f"ended by {signal.Signals(-status).name}" if status and status < 0 else f"status {status}"
        self._lost_starts = 0 if worker.ready else self._lost_starts + 1
        if self._lost_starts >= _TRIES:
            raise SetupError(f"a worker did not start ({how})", "Use fewer workers: each loads the model.")
        first = worker.groups[0][0] if worker.groups and worker.ready else None
        if first is not None:
            tries = self._tries[first.id] = self._tries.get(first.id, 0) + 1
            if tries >= _TRIES:
                worker.groups[0].popleft()
                hint = "It may need more memory: use fewer `workers`, then `retry_failed`."
                yield Outcome(first, error=SetupError(f"the worker that did it was lost twice ({how})", hint))
                yield from _faulty(worker.groups[0])
        for jobs in reversed([left for left in worker.groups if left]):
            self._waiting.appendleft(replace(self._sources[jobs[0].id], jobs=tuple(jobs)))
        if self._waiting:
            self.workers.append(_Worker(worker.setup, self._threads))


def _faulty(jobs: deque[Job]) -> Iterator[Outcome]:
    """The faulty jobs that come next."""
    while jobs and jobs[0].fault is not None:
        job = jobs.popleft()
        yield Outcome(job, error=job.fault)
