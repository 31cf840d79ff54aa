"""A server that drips is given up; one that is merely slow is not. A complete model needs no writing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2 import ReadTimeout

from tempo_cli.errors import ModelError
from tempo_cli.hub import pace, store
from tempo_cli.hub.pace import paced
from tempo_cli.hub.remote import Hub

from .fixtures import COMMIT
from .server import FakeHub, Fault
from .test_remote import FILE, fetch, is_whole


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that a test may set."""
    now = [0.0]
    monkeypatch.setattr("tempo_cli.hub.pace.time.monotonic", lambda: now[0])
    return now


def arriving(clock: list[float], size: int, every: float, count: int) -> Iterator[bytes]:
    for _ in range(count):
        clock[0] += every
        yield bytes(size)


@pytest.mark.parametrize(
    ("size", "every", "pieces"),
    [(1, 1.0, 29), (999, 1.0, 29), (1000, 1.0, 200), (100_000, 25.0, 200), (1, 40.0, 0)],
)
def test_fewer_bytes_than_the_rate_in_half_a_minute_end_it(
    size: int, every: float, pieces: int, clock: list[float]
) -> None:
    got = 0
    try:
        for _ in paced(arriving(clock, size, every, 200), 1000):
            got += 1
    except ReadTimeout:
        assert pieces < 200
    assert got == pieces


def test_a_stream_that_slows_down_is_ended_half_a_minute_later(clock: list[float]) -> None:
    def stream() -> Iterator[bytes]:
        yield from arriving(clock, 10_000_000, 1.0, 100)
        yield from arriving(clock, 1, 1.0, 100)

    got: list[bytes] = []
    with pytest.raises(ReadTimeout):
        got.extend(paced(stream(), 1000))
    assert len(got) == 100 + 30


def test_a_rate_of_0_waits_for_any(clock: list[float]) -> None:
    assert sum(map(len, paced(arriving(clock, 1, 60.0, 50), 0))) == 50


def test_a_server_that_sends_a_byte_per_connection_is_given_up(hub: FakeHub, cache: Path) -> None:
    hub.faults[FILE] = Fault(cut_after=1)
    with pytest.raises(ModelError, match="can't be reached"):
        fetch()
    assert hub.served[FILE] == 3  # the first attempt and two more
    assert not is_there(cache)


def is_there(cache: Path) -> bool:
    return (cache / "models--tiny--tempo" / "refs" / "main").exists()


@pytest.mark.parametrize("rate", [1000, 0])
def test_the_rate_is_that_of_the_connection(rate: int, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = []

    def noted(pieces: Iterator[bytes], own: float) -> Iterator[bytes]:
        rates.append(own)
        return pace.paced(pieces, own)

    monkeypatch.setattr("tempo_cli.hub.remote.paced", noted)
    listing = Hub(min_rate=rate).listing("tiny/base", "main")
    Hub(min_rate=rate).read(listing.files["config.json"])
    Hub(min_rate=rate).read_range(listing.files["model.safetensors"], 0, 8)
    assert hub.url
    assert rates == [rate] * 3


def test_a_complete_model_on_a_full_disk_is_simply_there(
    hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fetch()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("mkdir", "symlink_to", "write_text", "write_bytes", "replace", "unlink"):
        monkeypatch.setattr(Path, name, full)
    monkeypatch.setattr(store, "alone", full)
    monkeypatch.setattr("tempo_cli.hub.pull.alone", full)
    assert fetch() == folder
    assert is_whole(hub, cache)


def test_a_commit_of_64_digits_is_found_again(
    hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "5" * 64
    hub.repositories["tiny/tempo"].commit = commit
    monkeypatch.setitem(COMMIT, "tiny/tempo", commit)
    assert fetch().name == commit
    assert is_whole(hub, cache)


@pytest.mark.parametrize(
    "changed",
    [
        b'"size": 1e999', b'"size": -1', b'"size": "5"', b'"size": true', b'"size": ' + b"9" * 5000,
        b'"size": 5, "x": ' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_list_with_absurd_numbers_is_no_list(changed: bytes, hub: FakeHub) -> None:
    sha = COMMIT["tiny/tempo"].encode()
    entry = b'{"rfilename": "config.json", "blobId": "' + b"0" * 40 + b'", ' + changed + b"}"
    page = b'{"sha": "' + sha + b'", "siblings": [' + entry + b"]}"
    hub.pages["/api/models/tiny/tempo/revision/main"] = page
    with pytest.raises(ModelError, match="does not answer like the Hub"):
        Hub().listing("tiny/tempo", "main")
