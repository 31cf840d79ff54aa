"""The `tempo` command, also as `python -m tempo_cli`. It handles signals before it imports anything slow."""

import signal
from typing import NoReturn

from .cli.early import lacks_address_space, report_early_interruption
from .cli.signals import Signals
from .cli.streams import guard_streams
from .errors import Interrupted, OutOfMemoryError


def main() -> NoReturn:
    """Run `tempo` and exit with the code that README lists."""
    guard_streams()
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


def _interrupted(signals: Signals, number: int) -> int:
    """The exit code of a command that was interrupted before it began or after it ended."""
    signals.end()
    signals.last_words(number)
    return 128 + number


if __name__ == "__main__":
    main()
