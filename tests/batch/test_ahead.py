"""The next one is opened while this one is used, and nothing stays open."""

import threading
from collections.abc import Iterator

import pytest

from tempo_cli.batch.ahead import Ahead
from tempo_cli.errors import TempoError, VideoError


class Thing:
    def __init__(self, name: str) -> None:
        self.name, self.closed = name, threading.Event()

    def close(self) -> None:
        self.closed.set()


def test_one_is_opened_ahead_and_no_more() -> None:
    opened: list[str] = []
    second = threading.Event()

    def open_one(name: str) -> Thing:
        opened.append(name)
        if name == "b":
            second.set()
        return Thing(name)

    with Ahead(iter("abcd"), open_one) as ahead:
        found = iter(ahead)
        assert next(found)[0] == "a"
        assert second.wait(10)
        assert "d" not in opened
        assert [name for name, _ in found] == ["b", "c", "d"]


def test_an_error_stands_in_its_place() -> None:
    def open_one(name: str) -> Thing | None:
        if name == "b":
            raise VideoError("broken", "x")
        if name == "c":
            raise RuntimeError("bug")
        return None if name == "d" else Thing(name)

    def tasks() -> Iterator[str]:
        yield from "abcd"
        raise KeyError("input")

    with Ahead(tasks(), open_one) as ahead:
        things = iter(ahead)
        _, broken, bug, nothing = (next(things)[1] for _ in range(4))
        with pytest.raises(KeyError, match="input"):
            next(things)
    assert isinstance(broken, VideoError)
    assert isinstance(bug, TempoError)
    assert (bug.message, bug.code, nothing) == ("RuntimeError: bug", "internal", None)


def test_what_nobody_took_is_closed() -> None:
    things: dict[str, Thing] = {}
    waiting, go_on = threading.Event(), threading.Event()

    def open_one(name: str) -> Thing:
        thing = things[name] = Thing(name)
        if name == "b":
            waiting.set()
            go_on.wait(10)
        return thing

    ahead = Ahead(iter("abc"), open_one)
    assert next(iter(ahead))[0] == "a"
    assert waiting.wait(10)
    ahead.close()
    go_on.set()
    assert things["b"].closed.wait(10)
    assert not things["a"].closed.is_set()
    assert "c" not in things
