"""Where one answer of the Hub's code ends and the next begins: statuses, rates, names, places of files."""

import importlib.util
import threading
import time
from concurrent.futures import Future
from errno import EHOSTUNREACH
from pathlib import Path
from socket import gaierror
from types import SimpleNamespace

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError

from tempo_cli.errors import ModelError, SetupError
from tempo_cli.hub import (
    bases,
    inventory,
    layout,
    locations,
    pace,
    refusals,
    remote,
    router,
    store,
    verify,
)
from tempo_cli.hub.remote import Hub

from .fixtures import COMMIT
from .server import FakeHub, Fault

URL = "https://hub.test"


def refusal(status: int, **headers: str) -> HfHubHTTPError:
    answer = httpx2.Response(status, headers=headers, request=httpx2.Request("GET", URL))
    return HfHubHTTPError("refused", response=answer)


@pytest.mark.parametrize(
    ("status", "token", "message"),
    [
        (401, True, "the Hub does not accept this token (401)"),
        (401, False, "the Hub refuses access to a/b (401)"),
        (403, True, "the Hub refuses access to a/b (403)"),
        (404, True, "the Hub answers with an error (404)"),
        (416, True, "a file of a/b is shorter than it should be"),
        (429, True, "too many requests to the Hub (429)"),
        (500, True, "the Hub answers with an error (500)"),
    ],
)
def test_each_status_has_its_words(
    status: int, token: bool, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "has_token", lambda: token)
    assert refusals.explained(refusal(status), "a/b", "main").message == message


@pytest.mark.parametrize(("text", "why"), [("no  route\nto host", "no route to host"), ("", "ConnectError")])
def test_the_reason_of_a_lost_connection_is_named(
    text: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "endpoint", lambda: URL)
    told = refusals.explained(httpx2.ConnectError(text), "a/b", "main")
    assert told.message == f"{URL} can't be reached: {why}"


def test_these_statuses_may_pass() -> None:
    passing = {status for status in range(400, 512) if refusals.may_pass(refusal(status))}
    assert passing == {408, 429, 500, 502, 503, 504}


def caused(error: BaseException | None, context: BaseException | None = None) -> Exception:
    failure = httpx2.ConnectError("failed")
    failure.__cause__, failure.__context__ = error, context
    return failure


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (caused(None), True),
        (caused(gaierror(-2, "Name or service not known")), False),
        (caused(ConnectionRefusedError(111, "refused")), False),
        (caused(OSError(EHOSTUNREACH, "No route to host")), False),
        (caused(ConnectionResetError(104, "reset")), True),
        (caused(None, gaierror(-2, "unknown")), False),
        (caused(caused(gaierror(-2, "unknown"))), False),
    ],
)
def test_a_hub_that_was_never_reached_does_not_come_by_itself(error: Exception, passes: bool) -> None:
    assert refusals.may_pass(error, reached=False) is passes
    assert refusals.may_pass(error, reached=True)
    assert refusals.may_pass(error)


@pytest.mark.parametrize(
    ("told", "seconds"), [({}, 0.0), ({"Retry-After": "7"}, 7.0), ({"Retry-After": "61"}, 60.0)]
)
def test_a_wait_is_the_hubs_within_reason(told: dict[str, str], seconds: float) -> None:
    assert refusals.wait_asked_for(refusal(429, **told)) == seconds
    assert refusals.wait_asked_for(refusal(429, **{"Retry-After": "soon"})) == 0.0


@pytest.mark.parametrize(("last", "enough"), [(999, False), (1000, True)])
def test_the_rate_is_met_to_the_byte(last: int, enough: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("tempo_cli.hub.pace.time.monotonic", lambda: now[0])

    def pieces():
        for size in [1000] * 29 + [last]:
            now[0] += 1.0
            yield bytes(size)

    if enough:
        assert len(list(pace.paced(pieces(), 1000))) == 30
    else:
        with pytest.raises(httpx2.ReadTimeout, match=r"^less than 1000 bytes per second$"):
            list(pace.paced(pieces(), 1000))


def test_an_answer_that_is_late_is_closed_when_it_comes() -> None:
    go, closed, daemons = threading.Event(), threading.Event(), []

    def slow() -> SimpleNamespace:
        daemons.append(threading.current_thread().daemon)
        go.wait(60)
        return SimpleNamespace(close=closed.set)

    with pytest.raises(httpx2.ReadTimeout, match=r"^no answer within 0.05 s$"):
        pace.begun(slow, 0.05)  # type: ignore[arg-type]
    assert not closed.is_set()
    go.set()
    assert closed.wait(60)
    assert daemons == [True]


def test_an_own_timeout_of_the_answer_stays_what_it_is() -> None:
    def fail() -> httpx2.Response:
        raise TimeoutError("own")

    with pytest.raises(TimeoutError, match=r"^own$") as caught:
        pace.begun(fail, 60)
    assert not isinstance(caught.value, httpx2.ReadTimeout)
    failed: Future[httpx2.Response] = Future()
    failed.set_exception(OSError())
    pace._close(failed)  # there is nothing to close


def test_a_tokenizer_may_be_larger_than_other_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LARGEST_JSON", 20)
    monkeypatch.setattr(layout, "LARGEST_TOKENIZER", 40)
    for size, name, good in [(20, "config", True), (21, "config", False), (40, "tokenizer", True)]:
        path = tmp_path / f"{name}.json"
        path.write_text("{}" + " " * (size - 2), encoding="utf-8")
        if good:
            assert layout.read_json(path) == {}
        else:
            with pytest.raises(ValueError, match="more than 20 bytes"):
                layout.read_json(path)
    path.write_text("{}" + " " * 39, encoding="utf-8")
    with pytest.raises(ValueError, match="more than 40 bytes"):
        layout.read_json(path)


@pytest.mark.parametrize("revision", ["main", "feature/x"])
def test_a_branch_is_noted_in_a_folder_that_is_not_there_yet(revision: str, cache: Path) -> None:
    commit = COMMIT["tiny/tempo"]
    for again in (commit, commit):
        store.note_revision("tiny/tempo", revision, again)
        written = cache / "models--tiny--tempo" / "refs" / revision
        assert written.read_text(encoding="utf-8") == commit
        assert [path.name for path in written.parent.iterdir()] == [written.name]


def test_a_lock_makes_its_folders(tmp_path: Path) -> None:
    lock = tmp_path / "a" / "b" / "x.lock"
    with store.alone(lock, "x", lambda _: None):
        assert lock.exists()


def test_a_blob_that_may_not_be_looked_at_is_not_here(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = remote.RemoteFile("tiny/tempo", "0" * 40, "x.bin", 3, "0" * 64)
    blob = cache / "models--tiny--tempo" / "blobs" / ("0" * 64)
    blob.parent.mkdir(parents=True)
    for content, here in ((b"abc", True), (b"ab", False), (b"abcd", False)):
        blob.write_bytes(content)
        assert store.is_here(file) is here

    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    blob.write_bytes(b"abc")
    monkeypatch.setattr(Path, "is_file", refuse)
    assert not store.is_here(file)


@pytest.mark.parametrize("revision", ["main/x", "main"])
def test_a_branch_beside_a_branch_is_not_there(revision: str, cache: Path) -> None:
    store.note_revision("tiny/tempo", "main", COMMIT["tiny/tempo"])
    assert (cache / "models--tiny--tempo" / "refs" / "main").is_file()
    assert locations.cached_commit("tiny/tempo", revision) is None  # no snapshot, or a file in its way
    (cache / "models--tiny--tempo" / "snapshots" / COMMIT["tiny/tempo"]).mkdir(parents=True)
    found = COMMIT["tiny/tempo"] if revision == "main" else None
    assert locations.cached_commit("tiny/tempo", revision) == found


def test_what_is_not_downloaded_has_no_bytes(cache: Path) -> None:
    assert not cache.exists()
    assert inventory.model_state("tiny/tempo") == inventory.ModelState(
        "tiny/tempo", None, None, 0, None, None, ("not downloaded",)
    )


def test_the_state_is_that_of_the_revision(cache: Path) -> None:
    old, new = "1" * 40, "2" * 40
    for commit, name in ((old, "v1.0"), (new, "main")):
        folder = cache / "models--tiny--tempo" / "snapshots" / commit
        folder.mkdir(parents=True)
        store.note_revision("tiny/tempo", name, commit)
    assert inventory.model_state("tiny/tempo", "v1.0").revision == old
    assert inventory.model_state("tiny/tempo").revision == new


def test_only_the_named_model_is_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = [
        inventory.ModelState(name, "0" * 40, cache, 1, None, None, ())
        for name in ("a/a", "tiny/tempo", "z/z", "tiny/tempo")
    ]
    monkeypatch.setattr(inventory, "inventory", lambda: states)
    assert inventory.removable("tiny/tempo") == [states[1], states[3]]
    with pytest.raises(ModelError, match="there is no Tempo model tiny/other"):
        inventory.removable("tiny/other")


def test_only_tempo_repositories_are_listed(cache: Path) -> None:
    config = b'{"model_type": "tempo_qwen"}'
    for name, content in [
        ("models--a--tempo", config),
        ("models--a--other", b'{"model_type": "llama"}'),
        ("models--a--broken", b"{"),
        ("models--..--tempo", config),
    ]:
        folder = cache / name / "snapshots" / ("0" * 40)
        folder.mkdir(parents=True)
        (folder / "config.json").write_bytes(content)
    assert [state.id for state in inventory.inventory()] == ["a/tempo"]


def test_a_base_with_a_configuration_goes_before_one_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model, written, beside = (tmp_path / name for name in ("models/tempo", "base", "models/base"))
    for folder in (model, written):
        folder.mkdir(parents=True)
    assert bases.local_base(model, "base") == Path("base")  # the only one
    beside.mkdir()
    (beside / "config.json").touch()
    assert bases.local_base(model, "base") == beside
    (written / "config.json").touch()
    assert bases.local_base(model, "base") == Path("base")
    assert bases.local_base(model, "./base") == beside
    assert bases.local_base(model, "other") is None


def test_a_name_with_a_pattern_finds_no_repository(cache: Path) -> None:
    for name in ("models--x--base", "models--x--a--b"):
        (cache / name).mkdir(parents=True)
    assert bases.cached_repositories("y/base") == ["x/base"]
    assert [bases.cached_repositories(name) for name in ("y/*", "y/ba?e", "y/a--b", "..", "")] == [[]] * 5


@pytest.mark.parametrize(
    ("card", "license"),
    [
        ({"license": "mit"}, "mit"),
        ({"license_name": "own"}, "own"),
        ({"license": "other", "license_name": "own"}, "own"),
        ({}, None),
    ],
)
def test_a_license_of_its_own_goes_before_other(
    card: dict[str, str], license: str | None, hub: FakeHub
) -> None:
    hub.repositories["tiny/tempo"].card = card
    assert Hub().listing("tiny/tempo", "main").license == license


@pytest.mark.parametrize("digest", [None, 5, "", "g" * 40, "a" * 39, "a" * 41])
def test_what_is_no_digest_is_refused(digest: object) -> None:
    with pytest.raises(ValueError, match="is not a hash"):
        remote._hex(digest)  # type: ignore[arg-type]
    assert remote._hex("a" * 40) == "a" * 40


@pytest.mark.parametrize(("offline", "name"), [(True, "`offline`"), (False, "HF_HUB_OFFLINE")])
def test_what_forbids_the_network_is_named(offline: bool, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "is_offline", lambda: True)
    with pytest.raises(ModelError) as caught:
        Hub(offline=offline)
    assert caught.value.message == f"{name} forbids contacting the Hub"
    assert caught.value.hint == f"Run again without {name}, or give a local folder."


def test_a_small_file_that_stays_wrong_is_fetched_twice(hub: FakeHub) -> None:
    client = Hub()
    file = client.listing("tiny/base", "main").files["config.json"]
    wrong = bytes(file.size)
    hub.faults["tiny/base/config.json"] = Fault(bytes_instead=wrong)
    before = hub.served["tiny/base/config.json"]
    with pytest.raises(ModelError, match="does not match the Hub's listing"):
        client.read(file)
    for _ in range(500):  # the server counts what it has sent, which may be read before
        if hub.served["tiny/base/config.json"] - before >= 2 * file.size:
            break
        time.sleep(0.01)
    assert hub.served["tiny/base/config.json"] - before == 2 * file.size


def test_weights_in_one_file_go_before_an_index(hub: FakeHub) -> None:
    repository = hub.repositories["tiny/base"]
    repository.files["model.safetensors.index.json"] = b'{"weight_map": {"other": "model-1.safetensors"}}'
    client = Hub()
    file, names = router._home(client, client.listing("tiny/base", "main"))
    assert (file.path, names) == ("model.safetensors", router.HEADS)
    for name in ("model.safetensors", "model.safetensors.index.json"):
        del repository.files[name]
    with pytest.raises(ModelError, match=r"^tiny/base has no model.safetensors$"):
        router._home(client, client.listing("tiny/base", "main"))


def test_a_name_that_is_too_long_is_not_there(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.note_revision("tiny/tempo", "main", COMMIT["tiny/tempo"])
    assert locations.cached_commit("tiny/tempo", "x" * 300) is None

    def refuse(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(locations, "read_bytes", refuse)
    with pytest.raises(SetupError) as caught:
        locations.cached_commit("tiny/tempo", "main")
    assert caught.value.message == f"{cache / 'models--tiny--tempo'} can't be read: Permission denied"


def test_a_link_to_a_lost_blob_is_dropped(tmp_path: Path) -> None:
    link = tmp_path / "config.json"
    link.symlink_to(tmp_path / "lost")
    verify._drop(link)
    verify._drop(link)
    assert list(tmp_path.iterdir()) == []


def test_the_pauses_between_attempts_double() -> None:
    fresh = importlib.util.find_spec("tempo_cli.hub.remote")
    assert fresh is not None
    module = importlib.util.module_from_spec(fresh)
    assert fresh.loader is not None
    fresh.loader.exec_module(module)
    assert module.WAITS == (1.0, 2.0, 4.0, 8.0)
