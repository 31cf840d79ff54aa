"""Cancel scopes."""

import threading

import pytest

from tempo_cli.errors import CancelledError
from tempo_cli.scope import CancelScope, linked


def test_check_raises_once_the_scope_is_cancelled():
    scope = CancelScope()
    scope.check()
    assert not scope.cancelled
    scope.cancel()
    assert scope.cancelled
    with pytest.raises(CancelledError) as caught:
        scope.check()
    assert (caught.value.code, caught.value.exit_code) == ("interrupted", 130)


def test_callbacks_are_called_once_and_not_after_their_block():
    scope, calls = CancelScope(), []
    with scope.on_cancel(lambda: calls.append("early")):
        pass
    with scope.on_cancel(lambda: calls.append("inside")):
        scope.cancel()
        scope.cancel()
        assert calls == ["inside"]
    with scope.on_cancel(lambda: calls.append("late")):
        assert calls == ["inside", "late"]


def test_a_callback_may_cancel_again():
    scope = CancelScope()
    with scope.on_cancel(scope.cancel):
        scope.cancel()
    assert scope.cancelled


@pytest.mark.parametrize("which", [0, 1])
def test_a_linked_scope_ends_with_either_of_its_parents(which):
    parents = [CancelScope(), CancelScope()]
    with linked(*parents, None) as scope:
        assert not scope.cancelled
        parents[which].cancel()
        assert scope.cancelled
        assert not parents[1 - which].cancelled
    with linked(*parents) as scope:
        assert scope.cancelled


def test_a_linked_scope_leaves_its_parents_alone():
    parent = CancelScope()
    with linked(parent) as scope:
        scope.cancel()
    assert not parent.cancelled
    assert parent._callbacks == []


def test_every_callback_is_called_and_finds_the_scope_cancelled():
    scope, found = CancelScope(), []
    with (
        scope.on_cancel(lambda: found.append(("one", scope.cancelled))),
        scope.on_cancel(lambda: found.append(("two", scope.cancelled))),
    ):
        scope.cancel()
    assert found == [("one", True), ("two", True)]


def test_a_callback_is_forgotten_after_an_error_in_its_block():
    scope, calls = CancelScope(), []
    with pytest.raises(ZeroDivisionError), scope.on_cancel(lambda: calls.append("called")):
        raise ZeroDivisionError
    scope.cancel()
    assert calls == []


def test_a_signal_s_handler_may_cancel_while_its_thread_holds_the_lock():
    scope = CancelScope()

    def interrupted() -> None:
        with scope._lock:
            scope.cancel()

    thread = threading.Thread(target=interrupted, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert scope.cancelled


def test_a_handler_that_cancels_while_a_callback_is_added_is_noticed():
    """A signal may come between any two steps: here just before the callback is in the list."""
    scope, calls = CancelScope(), []

    class Interrupted(list):
        def append(self, callback) -> None:
            scope.cancel()
            super().append(callback)

    scope._callbacks = Interrupted()
    with scope.on_cancel(lambda: calls.append(1)):
        pass
    scope.cancel()
    assert calls == [1]
