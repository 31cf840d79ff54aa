"""The `tempo` command, also as `python -m tempo_cli`. It handles signals before it imports anything slow."""

import os
import signal
import sys
from typing import NoReturn

from .cli.signals import Signals
from .cli.streams import guard_streams
from .errors import Interrupted


def main() -> NoReturn:
    """Run `tempo` and exit with the code that README lists."""
    guard_streams()
    signals = Signals(_early_words)
    try:
        signals.catch()
        signals.watch()
        from .cli.main import main as command

        code = command(signals)
    except KeyboardInterrupt:
        code = _interrupted(signals, signal.SIGINT)
    except Interrupted as error:
        code = _interrupted(signals, error.signal_number)
    signals.leave(code)
    sys.exit(code)


def _interrupted(signals: Signals, number: int) -> int:
    """The exit code of a command that was interrupted before it began or after it ended."""
    signals.end()
    signals.last_words(number)
    return 128 + number


def _early_words(number: int) -> None:
    """What a program waits for that asked for JSON, while the command is imported."""
    if "--json" in sys.argv or "TEMPO_JSON" in os.environ:
        from .cli.main import report_interruption
        from .schema import Request

        report_interruption(number, sys.argv[1:], [Request()])


if __name__ == "__main__":
    main()
