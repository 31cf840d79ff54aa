"""The `tempo` command, also as `python -m tempo_cli`. It handles signals before it imports anything slow."""

import signal
import sys
from typing import NoReturn

from .cli.signals import Signals
from .errors import Interrupted


def main() -> NoReturn:
    """Run `tempo` and exit with the code that README lists."""
    signals = Signals()
    try:
        signals.catch()
        from .cli.main import main as command

        code = command(signals)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except Interrupted as error:
        code = 128 + error.signal_number
    signals.end()
    sys.exit(code)


if __name__ == "__main__":
    main()
