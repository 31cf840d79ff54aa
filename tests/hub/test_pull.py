"""Pulling as a whole: the plan, the disk, kills, two at once; verifying and removing what was pulled."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tempo_cli.errors import ModelError, SetupError
from tempo_cli.events import Event, Transfer
from tempo_cli.hub import inventory, locations, plan, pull, store
from tempo_cli.hub.remote import Hub
from tempo_cli.hub.verify import CheckedFile, verify

from .fixtures import COMMIT, GOLDEN, JUNK, named
from .server import FakeHub, Fault
from .test_remote import FILE, WEIGHTS, WHOLE, fetch, is_whole

COMMAND = [sys.executable, "-m", "tempo_cli", "pull"]
BASE_FILE = "tiny/base/model.safetensors"
MOST = 256 * 1024  # bytes of the base's weights


def started(model: str) -> "subprocess.Popen[str]":
    """`tempo pull` as a process of its own."""
    return subprocess.Popen([*COMMAND, model], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("model", ["tiny/tempo", "tiny/shards"])
def test_the_plan_names_what_is_used_and_writes_nothing(model: str, hub: FakeHub, cache: Path) -> None:
    made = plan.make_plan(Hub(), model)
    files = hub.repositories[model].files
    weights = [name for name in files if name.endswith(".safetensors") and name not in JUNK]
    index = ["model.safetensors.index.json"] if model == "tiny/shards" else []
    small = ["config.json", "tokenizer.json"]
    assert [file.path for file in made.files] == [*small, *small, "generation_config.json", *index, *weights]
    assert [file.repository for file in made.files] == ["tiny/base"] * 2 + [model] * (
        3 + len(index + weights)
    )
    assert made.size == sum(len(hub.repositories[file.repository].files[file.path]) for file in made.files)
    assert (made.here, made.weights and made.weights.listing.license) == (0, "cc-by-nc-4.0")
    assert not cache.exists()
    assert not hub.names() & JUNK.keys()


def test_a_model_in_shards_is_pulled_like_one_in_one_file(hub: FakeHub, cache: Path) -> None:
    fetch("tiny/shards")
    assert is_whole(hub, cache, "tiny/shards")
    assert hub.served[BASE_FILE] <= MOST


def test_a_model_without_a_tokenizer_json_is_pulled_with_the_older_files(hub: FakeHub) -> None:
    for name in ("tiny/tempo", "tiny/base"):
        del hub.repositories[name].files["tokenizer.json"]
    older = ["vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json"]
    made = plan.make_plan(Hub(), "tiny/tempo")
    for repository in ("tiny/tempo", "tiny/base"):
        paths = [file.path for file in made.files if file.repository == repository]
        assert paths[:5] == ["config.json", *older]
    folder = fetch("tiny/tempo")
    state = inventory.model_state("tiny/tempo")
    assert state.complete
    assert [checked.problem for checked in verify(state, Hub(), lambda _: None)] == [None] * 13
    (folder / "merges.txt").unlink()
    assert inventory.model_state("tiny/tempo").missing == ("tokenizer.json: missing",)


@pytest.mark.parametrize("present", ["cache", "beside"])
def test_a_base_that_is_here_in_full_is_not_asked_for(
    present: str, hub: FakeHub, cache: Path, tmp_path: Path
) -> None:
    source = GOLDEN / "checkpoints" / "a" / "Qwen3-VL-tiny"
    model = "tiny/tempo"
    if present == "cache":
        shutil.copytree(source, cache / "models--tiny--base" / "snapshots" / COMMIT["tiny/base"])
        store.note_revision("tiny/base", "main", COMMIT["tiny/base"])
    else:
        files = named({"config.json": (source.parent / "Tempo-tiny/config.json").read_bytes()}, "tiny/base")
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / "config.json").write_bytes(files["config.json"])
        shutil.copytree(source, tmp_path / "base")
        model = str(tmp_path / "own")
    assert plan.make_plan(Hub(), model).base is None
    fetch(model)
    assert not [path for _, path, _ in hub.requests if "tiny/base" in path]


def test_a_folder_gets_the_base_that_it_names(hub: FakeHub, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(GOLDEN / "checkpoints" / "a" / "Tempo-tiny", folder)
    config = named({"config.json": (folder / "config.json").read_bytes()}, "tiny/base")
    (folder / "config.json").write_bytes(config["config.json"])
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert fetch(str(folder)) == folder
    locations.check_downloaded(str(folder))
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert not [path for _, path, _ in hub.requests if "tiny/tempo" in path]


def without(name: str, *more: tuple[str, bytes]) -> dict[str, bytes]:
    files = {key: raw for key, raw in FILES.items() if key != name}
    return files | dict(more)


FILES = {
    "config.json": b"{}",
    "tokenizer.json": b"{}",
    "model.safetensors": b"",
    "generation_config.json": b"{}",
}
TEMPO = b'{"model_type": "tempo_qwen", "mm_vision_tower_aux_list": ["%s"]}'


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        (without("config.json"), "tiny/tempo has no config.json", "This is not a complete Tempo model."),
        (
            FILES,
            "tiny/tempo is not a Tempo model: its config.json says model_type None",
            "such as Vision-CAIR",
        ),
        (
            without("", ("config.json", b'{"model_type": "llama"}')),
            "tiny/tempo is not a Tempo model: its config.json says model_type 'llama'",
            "tempo runs only Tempo models",
        ),
        (without("", ("config.json", b"nope")), "config.json of tiny/tempo is not JSON", "complete"),
        (
            without("", ("config.json", TEMPO % b"./Qwen")),
            "the base model './Qwen' is not a Hub repository",
            "Don't use this model: its configuration can't be trusted.",
        ),
        (
            without("model.safetensors", ("config.json", TEMPO % b"tiny/base"), ("pytorch_model.bin", b"")),
            "tiny/tempo has no model.safetensors",
            "pytorch_model.bin is a pickle, which could run code: only safetensors are downloaded.",
        ),
        (
            without("tokenizer.json", ("config.json", TEMPO % b"tiny/base")),
            "tiny/tempo has no tokenizer.json",
            "complete",
        ),
        (
            without("", ("config.json", TEMPO % b"tiny/nothing")),
            "the Hub has no tiny/nothing, or it is private",
            "Check the name.",
        ),
        (
            without(
                "model.safetensors",
                ("config.json", TEMPO % b"tiny/base"),
                ("model.safetensors.index.json", b'{"weight_map": {}}'),
            ),
            "model.safetensors.index.json of tiny/tempo is not an index",
            "complete",
        ),
    ],
)
def test_what_is_no_tempo_model_is_told_before_anything_is_fetched(
    files: dict[str, bytes], message: str, hint: str, hub: FakeHub, cache: Path
) -> None:
    hub.repositories["tiny/tempo"].files = files
    with pytest.raises(ModelError) as caught:
        plan.make_plan(Hub(), "tiny/tempo")
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert not cache.exists()


def test_the_disk_is_looked_at_first(hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Hub()
    made = plan.make_plan(client, "tiny/tempo")
    monkeypatch.setattr(pull, "free_bytes", lambda _: made.size - 1)
    hub.requests.clear()
    with pytest.raises(SetupError) as caught:
        pull.carry_out(client, made, lambda _: None)
    assert caught.value.message == f"0.00 GB are needed, 0.00 GB are free on the disk of {cache}"
    assert caught.value.exit_code == 5
    assert hub.requests == []
    monkeypatch.setattr(pull, "free_bytes", lambda _: made.size)
    pull.carry_out(client, made, lambda _: None)
    monkeypatch.setattr(pull, "free_bytes", lambda _: 0)
    pull.carry_out(client, made, lambda _: None)  # nothing is needed any more


def test_a_disk_that_fills_up_is_told_and_loses_nothing(
    hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SetupError, match="can't be written: No space left on device") as caught:
            fetch()
    assert "What was downloaded is kept." in caught.value.hint
    fetch()
    assert is_whole(hub, cache)


def test_a_cache_that_can_not_be_written_is_told(hub: FakeHub, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    assert hub.url
    with pytest.raises(SetupError, match="can't be written"):
        fetch()


def test_killed_in_the_middle_the_next_pull_continues(hub: FakeHub, cache: Path) -> None:
    hub.faults[FILE] = Fault(slow=1_500_000)
    process = started("tiny/tempo")
    assert hub.slow_down.wait(30)
    unfinished = cache / "models--tiny--tempo" / "blobs"
    wanted = 1_000_000
    while not any(path.stat().st_size >= wanted for path in unfinished.glob("*.incomplete")):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert locations.cached_commit("tiny/tempo", "main") is None
    (state,) = inventory.inventory()
    assert state.missing == ("model.safetensors: missing",)
    hub.faults.clear()
    hub.released.set()
    hub.served.clear()
    told: list[Event] = []
    fetch(told=told)
    assert is_whole(hub, cache)
    assert 0 < hub.served[FILE] <= WHOLE - wanted
    assert next(event for event in told if isinstance(event, Transfer)).done >= wanted
    assert hub.served[BASE_FILE] == 0


def test_two_at_once_make_one_download(hub: FakeHub, cache: Path) -> None:
    hub.faults[FILE] = Fault(slow=1_000_000)
    first = started("tiny/tempo")
    assert hub.slow_down.wait(30)
    second = started("tiny/tempo")
    words = ""
    assert second.stderr is not None
    while "waiting for it" not in words:  # it has come to the lock
        words = second.stderr.readline()
        assert words
    assert words == f"warning: another process is downloading {WEIGHTS}: waiting for it\n"
    hub.released.set()
    for process in (first, second):
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (
            0,
            f"{locations.snapshot('tiny/tempo', COMMIT['tiny/tempo'])}\n",
        ), err
    assert hub.served[FILE] == WHOLE
    assert hub.served[BASE_FILE] <= MOST
    assert is_whole(hub, cache)


def test_a_plan_that_is_out_of_date_fetches_nothing_twice(hub: FakeHub) -> None:
    client = Hub()
    made = plan.make_plan(client, "tiny/tempo")
    pull.carry_out(client, made, lambda _: None)
    served = dict(hub.served)
    pull.carry_out(client, made, lambda _: None)
    assert dict(hub.served) == served


def problems(checked: list[CheckedFile]) -> dict[str, str]:
    return {file.path.name: file.problem for file in checked if file.problem}


def check(model: str, *, online: bool) -> list[CheckedFile]:
    return verify(inventory.model_state(model), Hub() if online else None, lambda _: None)


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("model", ["tiny/tempo", "tiny/shards"])
def test_what_was_pulled_is_right(model: str, online: bool, hub: FakeHub) -> None:
    fetch(model)
    hub.served.clear()
    hub.requests.clear()
    checked = check(model, online=online)
    assert problems(checked) == {}
    weights = 1 if model == "tiny/tempo" else 3
    assert len(checked) == 3 + weights + 2 + 1  # its small files, weights, the base's files, the rows
    assert [path for _, path, _ in hub.requests if "/resolve/" in path] == []
    assert (hub.requests != []) == online


def test_a_changed_byte_is_found_taken_out_and_fetched_again(hub: FakeHub, cache: Path) -> None:
    folder = fetch()
    weights = folder / WEIGHTS
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.resolve().write_bytes(raw)
    assert problems(check("tiny/tempo", online=False)) == {}  # only a hash could tell
    checked = check("tiny/tempo", online=True)
    assert problems(checked) == {WEIGHTS: "its hash does not match the Hub's"}
    assert [file.path.name for file in checked if file.dropped] == [WEIGHTS]
    assert not weights.exists()
    hub.served.clear()
    fetch()
    assert is_whole(hub, cache)
    assert {name for name, size in hub.served.items() if size > 3_000} == {FILE}


@pytest.mark.parametrize(("online", "what"), [(True, "2,105,071 bytes instead of 2,105,072"), (False, "2,1")])
def test_a_cut_file_is_found(online: bool, what: str, hub: FakeHub, cache: Path) -> None:
    folder = fetch()
    os.truncate((folder / WEIGHTS).resolve(), WHOLE - 1)
    assert what in problems(check("tiny/tempo", online=online))[WEIGHTS]
    fetch()
    assert is_whole(hub, cache)


def test_a_folder_of_the_users_is_never_changed(hub: FakeHub, tmp_path: Path) -> None:
    for source in (GOLDEN / "checkpoints" / "a").iterdir():
        shutil.copytree(source, tmp_path / "models" / source.name)
    folder = tmp_path / "models" / "Tempo-tiny"
    assert problems(check(str(folder), online=True)) == {}
    (folder / "tokenizer.json").write_text("{")
    for name in ("tokenizer.json", "vocab.json"):
        (tmp_path / "models" / "Qwen3-VL-tiny" / name).unlink()
    checked = check(str(folder), online=True)
    assert [(file.path.parent.name, file.problem) for file in checked if file.problem] == [
        ("Tempo-tiny", "damaged"),
        ("Qwen3-VL-tiny", "missing"),
    ]
    assert not any(file.dropped for file in checked)
    assert (folder / "tokenizer.json").exists()
    assert not [path for _, path, _ in hub.requests if "tiny" in path]
    with pytest.raises(ModelError, match="is a local folder"):
        inventory.remove(str(folder))


def test_removing_takes_the_model_and_leaves_the_rest(hub: FakeHub, cache: Path) -> None:
    fetch("tiny/tempo")
    fetch("tiny/shards")
    rows = locations.router_file("tiny/base", COMMIT["tiny/base"])
    kept = {path for path in cache.rglob("*") if "tiny--base" in str(path) or "tiny--shards" in str(path)}
    freed = inventory.remove("tiny/tempo")
    assert freed == sum(len(hub.repositories["tiny/tempo"].files[name]) for name in (
        "config.json", "tokenizer.json", "generation_config.json", WEIGHTS
    ))  # fmt: skip
    assert not (cache / "models--tiny--tempo").exists()
    assert {path for path in kept if not path.exists()} == set()
    assert rows.exists()  # the other model needs it
    assert [state.complete for state in inventory.inventory()] == [True]
    inventory.remove("tiny/shards")
    assert not rows.exists()
    assert (cache / "models--tiny--base" / "snapshots").exists()
    assert inventory.inventory() == []


def test_an_unfinished_model_can_be_removed(hub: FakeHub, cache: Path) -> None:
    hub.faults[FILE] = Fault(status=403)
    with pytest.raises(ModelError):
        fetch()
    inventory.remove("tiny/tempo")
    assert not (cache / "models--tiny--tempo").exists()


@pytest.mark.parametrize("model", ["tiny/base", "tiny/other", "Vision-CAIR/Tempo-6B"])
def test_what_is_no_tempo_model_is_not_removed(model: str, hub: FakeHub, cache: Path) -> None:
    fetch()
    before = sorted(cache.rglob("*"))
    assert hub.url
    with pytest.raises(ModelError, match=f"there is no Tempo model {model} in"):
        inventory.remove(model)
    assert sorted(cache.rglob("*")) == before
