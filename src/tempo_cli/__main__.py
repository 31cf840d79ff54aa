"""The `tempo` command, also as `python -m tempo_cli`. It handles signals before it imports anything slow."""

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
    """The exit code of a command that was interrupted while it was imported; `--json` gets its object."""
    signals.end()
    _early_words(number)
    return 128 + number


def _early_words(number: int) -> None:
    """What a program waits for that asked for JSON."""
    if "--json" in sys.argv:
        from .cli.main import report_interruption

        report_interruption(number, sys.argv[1:], [])


if __name__ == "__main__":
    main()
