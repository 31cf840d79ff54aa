"""Reading ahead in a thread: in order, bounded, with errors, and without a thread left behind."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import pytest

from tempo_cli.errors import CancelledError
from tempo_cli.scope import CancelScope
from tempo_cli.video.prefetch import Item, Prefetch

SECONDS = 10.0  # that a test may hang before it fails


def nothing() -> None:
    pass


def items(*values: Item) -> Generator[Item]:
    yield from values


@contextmanager
def prefetch(source: Generator[Item], depth: int, interrupt: Callable[[], None]) -> Iterator[Iterator[Item]]:
    ahead = Prefetch(source, depth, interrupt)
    try:
        yield iter(ahead)
    finally:
        ahead.close()


def prefetch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert prefetch_threads() == []


@pytest.mark.parametrize("depth", [1, 3, 100])
def test_items_come_in_order(depth):
    with prefetch(items(*range(20)), depth, nothing) as ahead:
        assert list(ahead) == list(range(20))
        assert list(ahead) == []


def test_no_item_at_all_is_fine():
    with prefetch(items(), 2, nothing) as ahead:
        assert list(ahead) == []


@pytest.mark.parametrize("error", [OSError("broken"), KeyboardInterrupt("stop")])
def test_an_error_is_raised_where_the_items_are_read(error):
    def source() -> Generator[int]:
        yield 1
        raise error

    with prefetch(source(), 2, nothing) as ahead:
        assert next(ahead) == 1
        with pytest.raises(type(error)) as caught:
            next(ahead)
        assert caught.value is error


def test_an_error_of_the_reader_passes_and_ends_the_thread():
    def fail_while_reading() -> None:
        with prefetch(items(*range(1000)), 2, nothing) as ahead:
            next(ahead)
            raise OSError("mine")

    with pytest.raises(OSError, match="mine"):
        fail_while_reading()


@pytest.mark.parametrize("read", [0, 1, 5])
def test_leaving_early_ends_the_thread(read):
    with prefetch(items(*range(1000)), 2, nothing) as ahead:
        assert [next(ahead) for _ in range(read)] == list(range(read))
    assert prefetch_threads() == []


def test_a_source_that_waits_is_interrupted():
    released = threading.Event()

    def source() -> Generator[int]:
        yield 1
        released.wait(SECONDS)

    with prefetch(source(), 2, released.set) as ahead:
        assert next(ahead) == 1
        assert not released.is_set()
    assert released.is_set()
    assert prefetch_threads() == []


def test_a_source_that_fails_because_it_was_interrupted_is_no_error():
    killed = threading.Event()

    def source() -> Generator[int]:
        yield 1
        killed.wait(SECONDS)
        raise OSError("killed")

    with prefetch(source(), 2, killed.set) as ahead:
        assert next(ahead) == 1


@pytest.mark.parametrize("depth", [1, 4])
def test_no_more_than_depth_items_wait_for_the_reader(depth):
    made, full, ended = [], threading.Event(), threading.Event()

    def source() -> Generator[int]:
        for item in range(100):
            made.append(item)
            if len(made) == depth + 1:  # the queue is full, and one is in the thread's hand
                full.set()
            yield item
        ended.set()

    with prefetch(source(), depth, nothing) as ahead:
        assert full.wait(SECONDS)
        assert not ended.wait(0.2)  # an unbounded queue would take all of them
        assert len(made) == depth + 1
        assert len(list(ahead)) == 100


def test_the_source_runs_while_the_reader_works():
    second = threading.Event()

    def source() -> Generator[int]:
        yield 1
        second.set()
        yield 2

    with prefetch(source(), 1, nothing) as ahead:
        assert next(ahead) == 1
        assert second.wait(SECONDS)
        assert next(ahead) == 2


def test_waiting_for_an_item_can_be_cancelled_and_taken_up_again():
    released, scope, in_time = threading.Event(), CancelScope(), []

    def source() -> Generator[int]:
        in_time.append(released.wait(SECONDS))
        yield 1

    ahead = Prefetch(source(), 1, released.set)
    threading.Timer(0.05, scope.cancel).start()
    with pytest.raises(CancelledError):
        ahead.take(scope)
    with pytest.raises(CancelledError):
        ahead.take(scope)  # a scope stays cancelled
    released.set()
    assert [ahead.take(), ahead.take()] == [1, None]
    assert in_time == [True]
    ahead.close()


def test_a_cancelled_reader_gets_nothing_that_is_there_and_loses_nothing():
    scope = CancelScope()
    ahead = Prefetch(items(1, 2), 2, nothing)
    ahead._thread.join(SECONDS)  # both wait
    scope.cancel()
    with pytest.raises(CancelledError):
        ahead.take(scope)
    assert [ahead.take(), ahead.take(), ahead.take()] == [1, 2, None]
    ahead.close()


def test_what_waits_is_dropped_by_closing():
    ahead = Prefetch(items(1, 2), 2, nothing)
    ahead._thread.join(SECONDS)
    ahead.close()
    assert ahead.take() is None


def test_the_source_itself_may_close():
    closed, made = [], threading.Event()

    def source() -> Generator[int]:
        made.wait(SECONDS)
        ahead.close()
        closed.append(True)
        yield 1

    ahead = Prefetch(source(), 1, nothing)
    made.set()
    ahead._thread.join(SECONDS)
    assert closed == [True]
    assert ahead.take() is None
    ahead.close()


def test_closing_ends_a_reader_that_waits():
    released = threading.Event()

    def source() -> Generator[int]:
        yield 1
        released.wait(SECONDS)
        yield 2

    ahead = Prefetch(source(), 1, released.set)
    assert ahead.take() == 1
    threading.Timer(0.05, ahead.close).start()
    assert ahead.take() is None
    ahead.close()  # again: nothing happens


def test_the_source_is_closed_in_its_own_thread():
    closed_in = []

    def source() -> Generator[int]:
        try:
            yield from range(100)
        finally:
            closed_in.append(threading.current_thread().name)

    with prefetch(source(), 2, nothing) as ahead:
        next(ahead)
    assert closed_in == ["prefetch"]


def test_a_thread_of_the_source_may_abandon_it():
    """A finalizer runs in any thread, also in one that the source waits for: here a second reader's."""
    ended = threading.Event()

    def inner():
        yield 1
        outer.abandon()  # waits for nothing, else both would wait for ever
        yield 2

    def source():
        reader = Prefetch(inner(), 1, lambda: None)
        try:
            while (item := reader.take()) is not None:
                yield item
        finally:
            reader.close()
            ended.set()

    gate = threading.Event()
    outer = Prefetch(gated(source(), gate), 1, lambda: None)
    gate.set()
    assert ended.wait(20)
    outer._thread.join(20)
    assert not outer._thread.is_alive()
    assert outer.take() is None


def gated(items, gate):
    gate.wait()
    yield from items
