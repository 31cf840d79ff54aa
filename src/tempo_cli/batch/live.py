"""Jobs that come one by one, as from standard input: neighbors share a video."""

import threading
from collections import deque
from collections.abc import Iterator

from ..config import SamplingOptions
from ..plan.schedule import Group, Job


class LiveGroup:
    """Neighboring jobs about one video, of which more may come; read in one thread, filled in another."""

    def __init__(self, first: Job) -> None:
        self.video: str | None = first.video
        self.sampling: SamplingOptions = first.sampling
        self.asks, self.has_more = first.fault is None, True
        self._jobs = deque([first])
        self._ended = False
        self._changed = threading.Condition()

    def put(self, job: Job) -> bool:
        """Take a job that belongs here; False if it doesn't."""
        if job.fault is None and (not self.asks or (job.video, job.sampling) != (self.video, self.sampling)):
            return False
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()
        return True

    def end(self) -> None:
        """No more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def rounds(self) -> Iterator[tuple[Job, ...]]:
        """What has come by now and shares a visual pass, and on until the group ends."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._ended)
                jobs = tuple(self._jobs)
                self._jobs.clear()
            if not jobs:
                return
            yield from Group(self.video, self.sampling, jobs).rounds()


def live_groups(jobs: Iterator[Job]) -> Iterator[LiveGroup]:
    """A group for each run of neighbors, given as soon as its first job is there."""
    group: LiveGroup | None = None
    try:
        for job in jobs:
            if group is None or not group.put(job):
                if group is not None:
                    group.end()
                group = LiveGroup(job)
                yield group
    finally:
        if group is not None:
            group.end()
