"""Downloads from a server that misbehaves: a right result in the end, or the right error; no broken file."""

import os
import socket
from pathlib import Path

import pytest
from huggingface_hub import constants, hf_hub_download

from tempo_cli.errors import ModelError, TempoError
from tempo_cli.events import Event, Transfer, Warned
from tempo_cli.hub import locations, plan, pull
from tempo_cli.hub.inventory import model_state
from tempo_cli.hub.remote import Hub

from .fixtures import COMMIT
from .server import FakeHub, Fault

WEIGHTS = "model.safetensors"
FILE = f"tiny/tempo/{WEIGHTS}"
WHOLE = 2_105_072  # bytes of the tiny model's weights


def fetch(model: str = "tiny/tempo", revision: str | None = None, told: list[Event] | None = None) -> Path:
    """Pull, in this process."""
    heard = [] if told is None else told
    client = Hub(tell=heard.append)
    return pull.carry_out(client, plan.make_plan(client, model, revision), heard.append)


def is_whole(hub: FakeHub, cache: Path, model: str = "tiny/tempo") -> bool:
    """Every file here has the server's bytes under its own hash, nothing is unfinished, main is noted."""
    folder = locations.repository_folder(model)
    files = hub.repositories[model].files
    found = {path.name: path.read_bytes() for path in (folder / "snapshots" / COMMIT[model]).iterdir()}
    assert not list(cache.rglob("*.incomplete"))
    assert (folder / "refs" / "main").read_text() == COMMIT[model]
    return all(files[name] == raw for name, raw in found.items()) and model_state(model).complete


def nothing_is_broken(cache: Path) -> None:
    """No branch is noted that leads to a torso, and every finished blob is right."""
    assert not list(cache.glob("models--tiny--tempo/refs/*"))
    for path in cache.glob("models--*/snapshots/*/*"):
        assert path.resolve().is_file()


def test_a_pull_brings_what_is_used_and_nothing_else(hub: FakeHub, cache: Path) -> None:
    told: list[Event] = []
    folder = fetch(told=told)
    assert folder == cache / "models--tiny--tempo" / "snapshots" / COMMIT["tiny/tempo"]
    assert is_whole(hub, cache)
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "tokenizer.json", "generation_config.json", WEIGHTS
    }  # fmt: skip
    base = cache / "models--tiny--base" / "snapshots" / COMMIT["tiny/base"]
    assert {path.name for path in base.iterdir()} == {"config.json", "tokenizer.json"}
    assert hub.served["tiny/tempo/model.safetensors"] == WHOLE
    steps = [event for event in told if isinstance(event, Transfer)]
    assert (steps[0].done, steps[-1].done) == (0, steps[-1].total)
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert not [event for event in told if isinstance(event, Warned)]


def test_the_librarys_own_functions_find_the_files(hub: FakeHub, cache: Path) -> None:
    folder = fetch()
    served = hub.served[FILE]
    for offline in (True, False):
        path = hf_hub_download(
            "tiny/tempo", WEIGHTS, cache_dir=cache, local_files_only=offline, endpoint=hub.url
        )
        assert path == str(folder / WEIGHTS)
    assert hub.served[FILE] == served


def test_a_second_pull_asks_for_two_small_things_only(hub: FakeHub) -> None:
    fetch()
    hub.requests.clear()
    fetch()
    asked = [path for _, path, _ in hub.requests]
    start = f"/tiny/tempo/resolve/{COMMIT['tiny/tempo']}"
    assert asked == ["/api/models/tiny/tempo/revision/main", f"{start}/config.json"]


@pytest.mark.parametrize("at", [0, 1, 700_000, WHOLE - 1])
def test_a_lost_connection_is_taken_up_where_it_broke(at: int, hub: FakeHub, cache: Path) -> None:
    hub.faults[FILE] = Fault(times=2, cut_after=at)
    told: list[Event] = []
    fetch(told=told)
    assert is_whole(hub, cache)
    assert hub.served[FILE] <= WHOLE + 2 * 64 * 1024  # what was on its way at the cut
    (first, *_) = [event.message for event in told if isinstance(event, Warned)]
    assert first.endswith("retrying in 0 s")


def test_as_long_as_something_comes_it_goes_on(hub: FakeHub, cache: Path) -> None:
    hub.faults[FILE] = Fault(times=8, cut_after=200_000)  # more failures than attempts without progress
    fetch()
    assert is_whole(hub, cache)


def test_a_server_that_always_hangs_up_is_given_up(hub: FakeHub, cache: Path) -> None:
    hub.faults[FILE] = Fault(cut_after=0)
    with pytest.raises(ModelError, match="can't be reached") as caught:
        fetch()
    assert "What was downloaded so far is kept; run the same command again." in caught.value.hint
    assert [path for _, path, _ in hub.requests if path.startswith("/store/tiny/tempo")][-3:] == [
        f"/store/tiny/tempo/resolve/{COMMIT['tiny/tempo']}/{WEIGHTS}"
    ] * 3  # one attempt, and one for each of the two waits
    nothing_is_broken(cache)
    hub.faults.clear()
    fetch()
    assert is_whole(hub, cache)


def test_what_a_failed_pull_fetched_is_kept(hub: FakeHub, cache: Path) -> None:
    hub.faults[FILE] = Fault(times=1, cut_after=1_000_000)

    def hear(event: Event) -> None:
        if isinstance(event, Warned):
            hub.faults[FILE] = Fault(status=503)

    client = Hub(tell=hear)
    with pytest.raises(ModelError, match=r"the Hub answers with an error \(503\)"):
        pull.carry_out(client, plan.make_plan(client, "tiny/tempo"), hear)
    (unfinished,) = cache.rglob("*.incomplete")
    kept = unfinished.stat().st_size
    assert 900_000 < kept <= 1_000_000
    hub.faults.clear()
    hub.served.clear()
    heard: list[Event] = []
    fetch(told=heard)
    assert is_whole(hub, cache)
    assert hub.served[FILE] == WHOLE - kept
    first = next(event for event in heard if isinstance(event, Transfer))
    assert first.done == kept + sum(
        path.stat().st_size
        for path in cache.glob("models--tiny--tempo/snapshots/*/*")
        if path.name != WEIGHTS
    )


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("what", ["list", "tiny/tempo/config.json", FILE])
def test_what_passes_by_itself_is_tried_again(status: int, what: str, hub: FakeHub, cache: Path) -> None:
    hub.faults[what] = Fault(times=2, status=status)
    fetch()
    assert is_whole(hub, cache)


@pytest.mark.parametrize(
    ("what", "status", "code", "message", "hint"),
    [
        ("list", 401, "RepoNotFound", "the Hub has no tiny/tempo, or it is private", "hf auth login"),
        ("list", 401, "", "the Hub refuses access to tiny/tempo (401)", "hf auth login"),
        ("list", 404, "RepoNotFound", "the Hub has no tiny/tempo, or it is private", "Check the name."),
        ("list", 404, "RevisionNotFound", "tiny/tempo has no revision 'main'", "Check the branch"),
        (
            "list",
            403,
            "GatedRepo",
            "tiny/tempo is only available after accepting its terms",
            "Accept its terms at",
        ),
        ("list", 429, "", "too many requests to the Hub (429)", "Wait a moment."),
        ("list", 500, "", "the Hub answers with an error (500)", "run the same command again"),
        (FILE, 401, "GatedRepo", "tiny/tempo is only available after accepting its terms", "HF_TOKEN"),
        (FILE, 403, "", "the Hub refuses access to tiny/tempo (403)", "HF_TOKEN"),
        (FILE, 404, "EntryNotFound", "a file of tiny/tempo is no longer on the Hub", "is kept"),
        (FILE, 503, "", "the Hub answers with an error (503)", "is kept"),
    ],
)
def test_each_refusal_has_its_own_words(
    what: str, status: int, code: str, message: str, hint: str, hub: FakeHub, cache: Path
) -> None:
    hub.faults[what] = Fault(status=status, code=code)
    with pytest.raises(ModelError) as caught:
        fetch()
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == 4
    nothing_is_broken(cache)
    hub.faults.clear()
    fetch()
    assert is_whole(hub, cache)


def test_the_hubs_own_waiting_time_is_kept(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    hub.faults["list"] = Fault(times=1, status=429, headers={"Retry-After": "7"})
    Hub().listing("tiny/tempo", "main")
    hub.faults["list"] = Fault(times=1, status=429, headers={"Retry-After": "9999"})
    Hub().listing("tiny/tempo", "main")
    assert waited == [7.0, 60.0]


def test_a_silent_server_is_given_up_after_the_librarys_time(
    hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    hub.faults[FILE] = Fault(silent=True)
    with pytest.raises(ModelError, match="does not answer in time"):
        fetch()
    nothing_is_broken(cache)
    hub.faults.clear()
    hub.released.set()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 10)
    fetch()
    assert is_whole(hub, cache)


def other(content: bytes) -> dict[str, bytes]:
    """What a server might give instead of `content`."""
    return {
        "truncated": content[: len(content) // 2],
        "empty": b"",
        "longer": content + b"x",
        "corrupted": content[:500_000] + b"\0\1\2" + content[500_003:],
        "another": bytes(len(content)),
    }


@pytest.mark.parametrize("kind", ["truncated", "empty", "longer", "corrupted", "another"])
@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_wrong_bytes_are_fetched_once_more(kind: str, name: str, hub: FakeHub, cache: Path) -> None:
    wrong = other(hub.repositories["tiny/tempo"].files[name])[kind]
    hub.faults[f"tiny/tempo/{name}"] = Fault(times=1, bytes_instead=wrong)
    fetch()
    assert is_whole(hub, cache)


@pytest.mark.parametrize("kind", ["truncated", "empty", "longer", "corrupted", "another"])
def test_a_file_that_stays_wrong_is_named_and_not_kept(kind: str, hub: FakeHub, cache: Path) -> None:
    wrong = other(hub.repositories["tiny/tempo"].files[WEIGHTS])[kind]
    hub.faults[FILE] = Fault(bytes_instead=wrong)
    with pytest.raises(ModelError) as caught:
        fetch("tiny/tempo")
    assert f"{WEIGHTS} of tiny/tempo does not match the Hub's listing" in caught.value.message
    assert not list(cache.rglob("*.incomplete"))
    nothing_is_broken(cache)
    hub.faults.clear()
    fetch()
    assert is_whole(hub, cache)


def test_a_file_that_changes_between_two_runs_is_fetched_anew(hub: FakeHub, cache: Path) -> None:
    files = hub.repositories["tiny/tempo"].files
    client = Hub()
    file = plan.make_plan(client, "tiny/tempo").files[-1]
    unfinished = cache / "models--tiny--tempo" / "blobs" / f"{file.digest}.incomplete"
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(b"of another version" * 10_000)
    fetch()
    assert is_whole(hub, cache)
    assert hub.served[FILE] == WHOLE - 180_000 + WHOLE
    assert len(files[WEIGHTS]) == WHOLE


def test_a_server_that_knows_no_ranges_starts_anew(hub: FakeHub, cache: Path) -> None:
    fetch("tiny/tempo")  # the base's rows are here
    (blob,) = (path for path in cache.glob("models--tiny--tempo/blobs/*") if path.stat().st_size == WHOLE)
    blob.rename(blob.with_name(f"{blob.name}.incomplete"))
    os.truncate(blob.with_name(f"{blob.name}.incomplete"), 1_000_000)
    hub.faults[FILE] = Fault(no_ranges=True)
    fetch()
    assert is_whole(hub, cache)


def test_a_new_commit_takes_over_what_is_the_same(hub: FakeHub) -> None:
    fetch()
    known = hub.repositories["tiny/tempo"]
    known.commit = "d" * 40
    known.files = known.files | {"generation_config.json": b'{"top_k": 7}'}
    hub.served.clear()
    folder = fetch()
    assert folder.name == "d" * 40
    assert (folder / "generation_config.json").read_bytes() == b'{"top_k": 7}'
    assert hub.served[FILE] == 0
    assert locations.find_model("tiny/tempo").revision == "d" * 40
    assert locations.find_model("tiny/tempo", COMMIT["tiny/tempo"]).revision == COMMIT["tiny/tempo"]


@pytest.mark.parametrize("revision", ["v1.0", "main", COMMIT["tiny/tempo"]])
def test_a_revision_is_a_branch_a_tag_or_a_commit(revision: str, cache: Path) -> None:
    assert fetch(revision=revision).name == COMMIT["tiny/tempo"]
    assert locations.find_model("tiny/tempo", revision).revision == COMMIT["tiny/tempo"]
    noted = [path.name for path in cache.glob("models--tiny--tempo/refs/*")]
    assert noted == ([revision] if len(revision) < 40 else [])


def test_a_token_goes_to_the_hub_and_nowhere_else(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch()
    assert hub.tokens == {("127.0.0.1", "Bearer hf_secret")}
    assert any(path.startswith("/store/") for _, path, _ in hub.requests)


def test_a_token_that_is_not_accepted_is_told(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    hub.faults["list"] = Fault(status=401)
    with pytest.raises(ModelError, match=r"the Hub does not accept this token \(401\)"):
        fetch()


CARD = b'{"sha": "%s", "siblings": [], "cardData": ["x"]}' % (b"a" * 40)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"sha": "../../x", "siblings": []}',
        b'{"sha": 5, "siblings": []}',
        b"\xff",
        CARD,
    ],
)
def test_an_answer_that_is_none_of_the_hubs_is_named(answer: bytes, hub: FakeHub, cache: Path) -> None:
    hub.pages["/api/models/tiny/tempo/revision/main"] = answer
    with pytest.raises(ModelError, match="does not answer like the Hub"):
        fetch()
    assert not cache.exists()


def test_a_digest_that_is_no_hash_becomes_no_path(hub: FakeHub, cache: Path) -> None:
    listed = b'{"sha": "%s", "siblings": [{"rfilename": "config.json", "size": 2, "blobId": "../../x"}]}'
    hub.pages["/api/models/tiny/tempo/revision/main"] = listed % (b"a" * 40)
    with pytest.raises(ModelError, match="does not answer like the Hub"):
        fetch()
    assert not cache.exists()


@pytest.mark.parametrize("by", ["argument", "variable", "transformers"])
def test_offline_opens_not_one_connection(by: str, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    if by != "argument":
        name = "HF_HUB_OFFLINE" if by == "variable" else "TRANSFORMERS_OFFLINE"
        monkeypatch.setenv(name, "1")
    with pytest.raises(TempoError, match="forbids contacting the Hub"):
        Hub(offline=by == "argument")
    assert hub.connections == 0


def test_no_server_at_all_is_told(hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"http://127.0.0.1:9 can't be reached") as caught:
        fetch()
    assert caught.value.hint.startswith("Check the connection.")
    assert hub.connections == 0
    assert not cache.exists()


def test_a_hub_that_was_never_reached_is_an_error_at_once(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection, or a name that is not found; after an answer it may pass, and is tried again."""
    told: list[Event] = []
    client = Hub(tell=told.append)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        with pytest.raises(ModelError, match="can't be reached") as caught:
            client.listing("tiny/tempo", "main")
        assert caught.value.hint == "Check the connection. Run the same command again later."
        assert told == []
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        client.listing("tiny/tempo", "main")
        monkeypatch.setattr(constants, "ENDPOINT", address)
        with pytest.raises(ModelError, match="can't be reached"):
            client.listing("tiny/tempo", "main")
        assert len(told) == 2  # as many waits as the tests have
