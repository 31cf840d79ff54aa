"""Signals end the command with their code, wherever they arrive; a lost one is sent again."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from tempo_cli.cli.main import report_interruption
from tempo_cli.cli.signals import Signals
from tempo_cli.errors import Interrupted
from tempo_cli.schema import Request

from .conftest import FRACTAL, SHORT

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Handlers of this process, put back afterwards."""
    before, hook = {number: signal.getsignal(number) for number in NUMBERS}, sys.unraisablehook
    found = Signals()
    found.catch()
    yield found
    sys.unraisablehook = hook
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)
    for _ in range(1000):  # the handler runs between two steps
        pass


@pytest.mark.usefixtures("signals")
def test_each_signal_has_its_exception():
    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("number", NUMBERS[1:])
def test_other_signals_say_which_they_are(number):
    with pytest.raises(Interrupted) as error:
        send(number)
    assert error.value.signal_number == number


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("second", NUMBERS)
def test_the_way_out_is_not_disturbed(second):
    cleaned = []

    def work() -> None:
        try:
            send(signal.SIGTERM)
        finally:
            send(second)
            cleaned.append(True)

    with pytest.raises(Interrupted):
        work()
    assert cleaned


@pytest.mark.usefixtures("signals")
def test_a_signal_that_a_library_swallowed_can_be_sent_again(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("tempo_cli.cli.signals.time.monotonic", lambda: now[0])
    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)
    now[0] = 102.9
    send(signal.SIGINT)
    now[0] = 103.1
    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)


def test_after_the_end_signals_are_nothing(signals):
    signals.end()
    for number in NUMBERS:
        send(number)


def test_ignored_signals_stay_ignored():
    before, hook = signal.signal(signal.SIGHUP, signal.SIG_IGN), sys.unraisablehook
    others = {number: signal.getsignal(number) for number in NUMBERS[:2]}
    try:
        Signals().catch()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        sys.unraisablehook = hook
        for number, handler in {signal.SIGHUP: before, **others}.items():
            signal.signal(number, handler)


LOST = """
import os, signal, sys, time, weakref
from tempo_cli.cli import signals
from tempo_cli.cli.signals import Signals
from tempo_cli.errors import Interrupted

class Thing:
    pass

def callback(_):
    os.kill(os.getpid(), {number})
    for _ in range(1000):
        pass
    print("not reached")

again, slow = signals._send_again, [{slow}]
signals._send_again = lambda number: (again(number), slow and time.sleep(slow.pop()))
Signals().catch()
thing = Thing()
reference = weakref.ref(thing, callback)
try:
    del thing
    time.sleep(5)
except KeyboardInterrupt:
    sys.exit(130)
except Interrupted as error:
    sys.exit(128 + error.signal_number)
"""


@pytest.mark.parametrize("slow", [0, 0.3])  # seconds in the hook, in which the signal comes again
@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_in_a_callback_of_a_weak_reference_is_not_lost(number, slow):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LOST.format(number=int(number), slow=slow))],
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, b"", b"")


def test_other_lost_exceptions_are_shown_as_ever(signals):
    class Broken:
        def __del__(self) -> None:
            raise ValueError("lost")

    shown = []
    signals._hook = shown.append
    broken = Broken()
    del broken
    assert str(shown[0].exc_value) == "lost"


IMPORTING = """
import os, signal, sys
class Slow:
    sent = False
    def find_spec(self, name, *_):
        if name == "tempo_cli.cli.main" and not self.sent:
            self.sent = True
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Slow())
from tempo_cli.__main__ import main
main()
"""


def interrupted_while_importing(number: int, *words: str) -> "subprocess.CompletedProcess[bytes]":
    code = textwrap.dedent(IMPORTING.format(number=int(number)))
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, timeout=20, check=False)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_while_the_command_is_imported(number):
    done = interrupted_while_importing(number)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, b"", b"")


def test_a_program_gets_its_object_then_too(capsys):
    done = interrupted_while_importing(signal.SIGTERM, "ask", "a.mp4", "what", "--json")
    assert done.returncode == 143
    assert report_interruption(signal.SIGTERM, ["--json"], [Request()]) == 143
    later = capsys.readouterr()  # once everything is imported, the same is written
    assert (done.stdout.decode(), done.stderr.decode()) == (later.out, later.err)


@pytest.mark.parametrize("asked", [["--json"], []])
def test_a_variable_asks_for_an_object_too(asked, monkeypatch):
    monkeypatch.setenv("TEMPO_JSON", "0" if asked else "1")
    done = interrupted_while_importing(signal.SIGINT, "ask", "a.mp4", "what", *asked)
    assert done.returncode == 130
    assert json.loads(done.stdout)["error"]["code"] == "interrupted"


def test_a_signal_after_the_last_answer_adds_no_object(tempo, monkeypatch):
    def leave(*_: object) -> None:
        raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr("tempo_cli.cli.console.Screen.__exit__", leave)
    done = tempo("ask", FRACTAL, "what", *SHORT[:4], "--max-new-tokens", "1", "--json")
    assert (done.code, done.json["status"]) == (143, "ok")


SWALLOWED = """
import os, sys, threading, time
from tempo_cli.cli.signals import Signals

signals = Signals(lambda number: print("last words", number, flush=True))
signals.clean_up.append(lambda: 1 / 0)
signals.clean_up.append(lambda: print("cleaned up", flush=True))
signals.catch()
signals.watch()
threading.Timer(0.1, os.kill, [os.getpid(), {number}]).start()
end = time.monotonic() + 15
while time.monotonic() < end:
    try:
        time.sleep(0.1)
    except BaseException:
        pass
"""


@pytest.mark.parametrize("number", NUMBERS)
def test_a_main_thread_that_does_not_leave_is_ended(number):
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWED.format(number=int(number))],
        capture_output=True,
        timeout=14,  # before the process would end by itself
        check=False,
    )
    words = f"cleaned up\nlast words {int(number)}\n".encode()
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, words, b"")


def test_last_words_that_nobody_takes_do_not_hold_the_process():
    last = 'print("last words", number, flush=True)'
    code = SWALLOWED.format(number=int(signal.SIGTERM)).replace(last, "time.sleep(60)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=14, check=False)
    assert (done.returncode, done.stdout) == (143, b"cleaned up\n")


LEAVING = """
import atexit, os, sys, threading, time
from tempo_cli.cli.signals import Signals

def last() -> None:
    print("exit function", flush=True)
    os.kill(os.getpid(), {number})
    {then}

signals = Signals(lambda number: print("last words", number, flush=True))
signals.catch()
signals.watch()
atexit.register(last)
signals.leave(3)
"""


@pytest.mark.parametrize("then", ["pass", "time.sleep(30)"])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_on_the_way_out_keeps_the_code_of_the_command(number, then):
    code = LEAVING.format(number=int(number), then=then)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=14, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"exit function\n", b"")


TORN_DOWN = """
import os, signal, sys

class Last:
    def __del__(self) -> None:  # the interpreter's teardown comes here when signals kill again
        os.kill(os.getpid(), signal.SIGHUP)

sys.modules["last"] = Last()
sys.argv = ["tempo", "--version"]
from tempo_cli.__main__ import main
main()
"""


def test_no_signal_meets_the_teardown_of_the_interpreter():
    done = subprocess.run([sys.executable, "-c", TORN_DOWN], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
