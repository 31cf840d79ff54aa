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


def test_what_is_due_is_done_at_once_or_when_the_running_work_ends():
    turns, done = Turns(), []
    turns.soon(lambda: done.append(threading.get_ident()))
    assert done == [threading.get_ident()]
    with turns.taken():
        turns.soon(lambda: done.append("mine"))
        other = threading.Thread(target=turns.soon, args=(lambda: done.append("other's"),))
        other.start()
        other.join(SECONDS)
        assert len(done) == 1
    assert done[1:] == ["mine", "other's"]
    assert not turns.mine


def test_what_is_due_is_done_with_the_turn_and_before_whoever_waits():
    turns, order = Turns(), []

    def waiter() -> None:
        with turns.taken():
            order.append("waiter")

    thread = threading.Thread(target=waiter)
    with turns.taken():
        thread.start()
        until(lambda: waiting(turns) == 1)
        turns.soon(lambda: order.append(turns.mine))
    thread.join(SECONDS)
    assert order == [True, "waiter"]


def test_what_comes_while_the_turn_is_given_on_is_not_forgotten(monkeypatch):
    turns, done = Turns(), []
    do_due = Turns._do_due

    def late(self: Turns) -> None:
        do_due(self)
        if not done:
            self._due.append(lambda: done.append(1))  # after what was due, before the turn is free

    monkeypatch.setattr(Turns, "_do_due", late)
    with turns.taken():
        pass
    assert done == [1]


def test_an_error_in_what_is_due_gives_the_turn_on():
    turns = Turns()

    def fail() -> None:
        raise ValueError("due")

    with pytest.raises(ValueError, match="due"):
        turns.soon(fail)
    with pytest.raises(ValueError, match="due"), turns.taken():
        turns.soon(fail)
    with turns.taken():
        assert turns.mine
