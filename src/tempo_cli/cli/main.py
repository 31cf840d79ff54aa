"""The entry point of the command: errors and exit codes."""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from errno import EBADF, ENOMEM

import typer

from ..errors import CancelledError, Interrupted, OutOfMemoryError, SetupError, TempoError
from ..leftovers import remove_leftovers
from ..schema import Request
from .app import build_app
from .console import report_error, show_cursor
from .early import wants_json
from .signals import Signals
from .streams import CLOSED_PIPE, OutputError, finish
from .usage import explained, with_origin

_BUG = 1
_INTERRUPTED = 130


def main(signals: Signals) -> int:
    """Run `tempo` and give its exit code; what `signals` raised is reported like any other end."""
    arguments = sys.argv[1:]
    waiting = [Request()]  # until the command line is read, an object without a request
    signals.last_words = lambda number: report_interruption(number, arguments, waiting)
    signals.clean_up += [remove_leftovers, show_cursor]
    code = run(arguments, signals.end, waiting)
    return finish(code, lambda error: _failed(_unwritten(error), arguments, [], debug=False))


def run(
    arguments: list[str], caught: Callable[[], None] = lambda: None, waiting: list[Request] | None = None
) -> int:
    """Run the command line and give its exit code; every error is reported here and nowhere else.

    Args:
        caught: called when an interruption has arrived here, before it is reported.
        waiting: is filled with what is asked for, less what has been answered: an error names each.
    """
    debug = bool(os.environ.get("TEMPO_DEBUG"))
    waiting = [Request()] if waiting is None else waiting  # the command's; it outlives every way out of it
    if not debug:
        warnings.simplefilter("ignore")
    try:
        result = build_app()(args=arguments, prog_name="tempo", standalone_mode=False, obj=waiting)
    except typer.TyperException as error:
        return _failed(explained(error, arguments), arguments, waiting, debug)
    except TempoError as error:
        return _failed(with_origin(error, arguments), arguments, waiting, debug)
    except OutputError as error:
        return _failed(_unwritten(error), arguments, waiting, debug)
    except (KeyboardInterrupt, typer.Abort):
        caught()
        return report_interruption(signal.SIGINT, arguments, waiting)
    except Interrupted as error:
        caught()
        return report_interruption(error.signal_number, arguments, waiting)
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):
            return CLOSED_PIPE
        return error.code if isinstance(error.code, int) else _BUG  # of --install-completion and the like
    except Exception as error:  # noqa: BLE001  a bug of ours still ends in two lines and an exit code
        if _lacks_memory(error):
            return _failed(_no_memory(error), arguments, waiting, debug)
        hint = "This is a bug. Run again with TEMPO_DEBUG=1 and report what it prints."
        return _failed(TempoError(f"{type(error).__name__}: {error}", hint), arguments, waiting, debug)
    if result == _INTERRUPTED:
        return report_interruption(signal.SIGINT, arguments, waiting)
    return result if isinstance(result, int) else 0


def report_interruption(number: int, arguments: list[str], waiting: list[Request]) -> int:
    """The exit code after a signal. With `--json` it also prints the error object."""
    error = CancelledError(f"interrupted by {signal.Signals(number).name}", "Run it again.")
    error.exit_code = 128 + number
    return _failed(error, arguments, waiting, debug=False) if wants_json(arguments) else error.exit_code


def _failed(error: TempoError, arguments: list[str], waiting: list[Request], debug: bool) -> int:
    if debug:
        traceback.print_exc()
    try:
        report_error(error, arguments, waiting)
    except BrokenPipeError:
        return CLOSED_PIPE
    return error.exit_code


def _unwritten(error: OutputError) -> SetupError:
    if error.errno == EBADF:
        return SetupError("the output can't be written: it is closed", "Leave standard output open.")
    hint = "Free some disk space, or write it elsewhere."
    return SetupError(f"the output can't be written: {error.strerror}", hint)


def _lacks_memory(error: Exception) -> bool:
    """Whether the system refused memory where no fallback helps, as while libraries are loaded."""
    if isinstance(error, ImportError):  # of a library that the loader can't map
        return "failed to map segment" in str(error) or os.strerror(ENOMEM) in str(error)
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == ENOMEM)


def _no_memory(error: Exception) -> OutOfMemoryError:
    reason = f": {error}" if str(error) else ""
    hint = "Close other programs, or raise the memory limit of this shell (ulimit -v) or container."
    return OutOfMemoryError(f"not enough memory{reason}", hint)
