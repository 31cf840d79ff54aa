"""How many threads each kind of work takes: decoding, resizing and computing run at the same time."""

from collections.abc import Mapping

SMALL_MODEL = 50_000_000  # weights; up to here a second thread waits longer than it computes
MOST_DECODER_THREADS = 16  # of one process that decodes alone; each takes 8 MB for its stack
_MOST_SHARED_THREADS = 4  # of each of several decoders
_MOST_RESIZING_THREADS = 4  # faster than any decoder, and each holds two pictures
_CHOSEN = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def computing_threads(device: str, parameters: int, environment: Mapping[str, str]) -> int | None:
    """Threads that torch computes with; None: as torch has it.

    Args:
        device: the kind of device that computes.
        parameters: weights of the larger network.
        environment: variables of the process; a number that a user has set stays.
    """
    if device != "cpu" or parameters > SMALL_MODEL or any(environment.get(name) for name in _CHOSEN):
        return None
    return 1


def decoder_threads(cores: int, processes: int) -> int:
    """Threads of each of `processes` decoders that share the cores."""
    return max(1, min(cores // processes, _MOST_SHARED_THREADS))


def resizing_threads(cores: int) -> int:
    """Threads that resize pictures."""
    return min(cores, _MOST_RESIZING_THREADS)


def waiting_choice(environment: Mapping[str, str]) -> str | None:
    """The variable that a user has set for how OpenMP's threads wait; None: there is none."""
    return next((name for name in _WAITING if name in environment), None)
