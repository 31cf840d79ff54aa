"""The `tempo` command, also as `python -m tempo_cli`. It handles signals before it imports anything slow."""

import os
import signal
from typing import NoReturn

from .cli.early import lacks_address_space, report_early_interruption
from .cli.signals import Signals
from .cli.streams import guard_streams
from .errors import Interrupted, OutOfMemoryError
from .plan.threads import waiting_choice


def main() -> NoReturn:
    """Run `tempo` and exit with the code that README lists."""
    guard_streams()
    wait_passively()
    signals = Signals(report_early_interruption)
    try:
        signals.catch()
        signals.watch()
        if lacks_address_space():
            signals.leave(OutOfMemoryError.exit_code)
        from .cli.main import main as command

        code = command(signals)
        signals.end()
    except KeyboardInterrupt:
        code = _interrupted(signals, signal.SIGINT)
    except Interrupted as error:
        code = _interrupted(signals, error.signal_number)
    signals.leave(code)


def wait_passively() -> None:
    """Have torch's threads sleep while they wait for work: in a loop they take the cores that ffmpeg needs.

    It is read when torch is imported, and by processes that this one starts. What a user has set stays.
    """
    if waiting_choice(os.environ) is None:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def _interrupted(signals: Signals, number: int) -> int:
    """The exit code of a command that was interrupted before it began or after it ended."""
    signals.end()
    signals.last_words(number)
    return 128 + number


if __name__ == "__main__":
    main()
