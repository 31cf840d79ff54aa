"""A server that drips its headers, redirects or error pages is given up in time."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from huggingface_hub import constants

from tempo_cli.errors import ModelError
from tempo_cli.events import Event, Warned
from tempo_cli.hub import environment, pace, remote
from tempo_cli.hub.remote import Hub

from .server import FakeHub

ENDLESS = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 5000 + b"\r\nContent-Length: 0\r\n\r\n"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nX: " + b"x" * 15 + b"\r\n\r\n"
REDIRECT_BODY = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000

Drip = Callable[[bytes], str]


@pytest.fixture
def drip(monkeypatch: pytest.MonkeyPatch) -> Iterator[Drip]:
    """Start a server that sends an answer in pieces of 16 bytes, 0.02 s apart; gives its address."""
    over, servers = threading.Event(), []
    monkeypatch.setattr(pace, "WINDOW", 0.3)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.25)
    monkeypatch.setattr(remote, "WAITS", (0.0,))

    def serve(connection: socket.socket, answer: bytes) -> None:
        with connection, suppress(OSError):
            while connection.recv(65536):
                for start in range(0, len(answer), 16):
                    if over.wait(0.02):
                        return
                    connection.sendall(answer[start : start + 16])

    def accept(server: socket.socket, answer: bytes) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0], answer), daemon=True).start()

    def begin(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        threading.Thread(target=accept, args=(server, answer), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        return url

    yield begin
    over.set()
    for server in servers:
        server.close()


@pytest.mark.parametrize("answer", [ENDLESS, REDIRECT, REDIRECT_BODY, REFUSAL])
def test_an_answer_that_does_not_begin_in_time_counts_as_a_lost_connection(answer: bytes, drip: Drip) -> None:
    url, told = drip(answer), list[Event]()
    with pytest.raises(ModelError) as error:
        Hub(tell=told.append).listing("tiny/tempo", "main")
    assert error.value.message == f"{url} does not answer in time"
    assert [event.message for event in told if isinstance(event, Warned)] == [
        f"{url} does not answer in time; retrying in 0 s"
    ]


def test_the_doctors_look_at_the_hub_ends_too(drip: Drip) -> None:
    drip(ENDLESS)
    assert environment.hub_reachable(timeout=0.3) == "no answer within 0.3 s"


def test_without_a_rate_any_answer_is_waited_for(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "begun", lambda *_: pytest.fail("limited"))
    assert Hub(min_rate=0).listing("tiny/base", "main").commit == hub.repositories["tiny/base"].commit
