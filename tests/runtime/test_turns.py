"""Turns: one thread at a time, in the order of their coming; waiting can be cancelled."""

import threading
import time

import pytest

from tempo_cli.errors import CancelledError, UsageError
from tempo_cli.runtime.turns import Turns
from tempo_cli.scope import CancelScope

SECONDS = 10.0


def waiting(turns: Turns) -> int:
    return len(turns._waiting)


def until(condition) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_first_come_first_served():
    turns, order = Turns(), []

    def work(number: int) -> None:
        with turns.taken():
            order.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    with turns.taken():
        for number, thread in enumerate(threads):
            thread.start()
            until(lambda number=number: waiting(turns) == number + 1)
        assert order == []
    for thread in threads:
        thread.join(SECONDS)
    assert order == list(range(6))


def test_waiting_can_be_cancelled_and_the_others_move_up():
    turns, scope, order = Turns(), CancelScope(), []

    def cancelled() -> None:
        with pytest.raises(CancelledError), turns.taken(scope):
            order.append("never")
        order.append("cancelled")

    def work() -> None:
        with turns.taken():
            order.append("worked")

    threads = [threading.Thread(target=cancelled), threading.Thread(target=work)]
    with turns.taken():
        for number, thread in enumerate(threads):
            thread.start()
            until(lambda number=number: waiting(turns) == number + 1)
        scope.cancel()
        until(lambda: waiting(turns) == 1)
    for thread in threads:
        thread.join(SECONDS)
    assert order == ["cancelled", "worked"]


def test_an_error_in_the_work_gives_the_turn_on():
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.taken():
        assert 1 / (not turns.mine) == 1
    assert not turns.mine
    with turns.taken():
        pass


def test_a_thread_that_has_the_turn_can_t_wait_for_it():
    turns = Turns()
    with turns.taken(), pytest.raises(UsageError, match="busy in this thread"), turns.taken():
        pass
    with turns.taken():
        pass


def test_an_interrupt_while_waiting_or_taking_leaves_no_ticket(monkeypatch):
    turns, interrupted = Turns(), []

    def interrupt(ticket: object) -> bool:
        interrupted.append(ticket)
        raise KeyboardInterrupt

    monkeypatch.setattr(turns, "_is_next", interrupt)
    with pytest.raises(KeyboardInterrupt), turns.taken():
        pass
    monkeypatch.undo()
    assert (len(interrupted), waiting(turns), turns.mine) == (1, 0, False)
    with turns.taken():
        assert turns.mine
