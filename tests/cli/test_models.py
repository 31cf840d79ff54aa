"""`tempo models`, `verify` and `rm`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_cli.hub import locations

from ..hub.fixtures import COMMIT
from ..hub.server import FakeHub
from .conftest import MODEL, Outcome, on_terminal

Tempo = Callable[..., Outcome]

SNAPSHOT = Path("models--tiny--tempo") / "snapshots" / COMMIT["tiny/tempo"]


@pytest.fixture
def pulled(tempo: Tempo, hub: FakeHub, cache: Path) -> Path:
    """The snapshot of a pulled model."""
    assert hub.url
    assert tempo("pull", "tiny/tempo").code == 0
    return cache / SNAPSHOT


def damage(path: Path) -> None:
    """One bit of it."""
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.resolve().write_bytes(raw)


def test_nothing_here(tempo: Tempo, hub: FakeHub, cache: Path) -> None:
    told = f"there is no Tempo model in {cache}; tempo pull downloads one\n"
    assert tempo("models") == Outcome(0, "", told)
    assert tempo("models", "--json").json == {"schema": "tempo.models/1", "cache": str(cache), "models": []}
    assert tempo("models", "verify", "--offline") == Outcome(0, "", "")
    assert hub.connections == 0


def test_the_list(tempo: Tempo, hub: FakeHub, pulled: Path) -> None:
    before = hub.connections
    line = "tiny/tempo  aaaaaaaaaaaa  2.1 MB  "
    assert tempo("models") == Outcome(0, f"{line}complete\n  {pulled}\n", "")
    (state,) = tempo("models", "--json").json["models"]
    assert state == {
        "id": "tiny/tempo",
        "revision": COMMIT["tiny/tempo"],
        "folder": str(pulled),
        "bytes": sum(path.stat().st_size for path in pulled.iterdir()),
        "complete": True,
        "missing": [],
        "scope": None,
        "base": "tiny/base",
        "base_folder": str(locations.snapshot("tiny/base", COMMIT["tiny/base"])),
        "router": str(locations.router_file("tiny/base", COMMIT["tiny/base"])),
    }
    (pulled / "tokenizer.json").unlink()
    assert tempo("models").out.splitlines()[:2] == [
        "tiny/tempo  aaaaaaaaaaaa  2.1 MB  incomplete",
        "  tokenizer.json: missing",
    ]
    assert tempo("models", "--json").json["models"][0]["complete"] is False
    assert hub.connections == before


@pytest.mark.parametrize("name", ["json", "jsonl", "csv", "tsv", "md"])
def test_the_list_in_a_file(name: str, tempo: Tempo, hub: FakeHub, pulled: Path, tmp_path: Path) -> None:
    assert hub.url
    shown, told = tempo("models").out, tempo("models", "--format", name).out
    target = tmp_path / f"models.{name}"
    assert tempo("models", "-o", target) == Outcome(0, shown, f"wrote {target}\n")
    assert target.read_text() == told
    again = tempo("models", "-o", target)
    assert (again.code, again.err.splitlines()[0]) == (2, f"error: '{target}' exists")
    assert tempo("models", "--format", "csv", "-o", target, "--force").code == 0
    assert target.read_text() == tempo("models", "--format", "csv", "-o", "-").out
    other = tempo("models", "-o", tmp_path / "models.srt")
    hint = "hint: Give --format, one of json, jsonl, csv, tsv, md."
    assert (other.code, other.err.splitlines()[1]) == (2, hint)
    assert tempo("models", "-o", tmp_path / "none" / "a.csv").code == 5
    assert pulled.is_dir()


@pytest.mark.parametrize("more", [[], ["--offline"], ["tiny/tempo"], ["tiny/tempo", "--revision", "main"]])
def test_what_is_right_is_told_file_by_file(
    more: list[str], tempo: Tempo, hub: FakeHub, pulled: Path
) -> None:
    hub.requests.clear()
    done = tempo("models", "verify", *more)
    assert (done.code, done.err) == (0, "")
    names = ["config.json", "tokenizer.json", "generation_config.json", "model.safetensors"]
    names += ["tiny/base/config.json", "tiny/base/tokenizer.json", "tiny/base: two rows of its head"]
    assert done.out.splitlines() == ["tiny/tempo  aaaaaaaaaaaa", *(f"  ok  {name}" for name in names)]
    assert bool(hub.requests) == ("--offline" not in more)
    assert pulled.is_dir()


def test_what_is_wrong_has_an_exit_code_and_is_mended_by_a_pull(tempo: Tempo, pulled: Path) -> None:
    damage(pulled / "model.safetensors")
    done = tempo("models", "verify")
    assert done.code == 4
    assert "  its hash is not the Hub's; taken out of the cache  model.safetensors" in done.out.splitlines()
    assert done.err.splitlines() == [
        "error: tiny/tempo is incomplete",
        "hint: Run: tempo pull tiny/tempo (it downloads only what is missing)",
    ]
    assert tempo("pull", "tiny/tempo").code == 0
    assert tempo("models", "verify").code == 0


def test_json_is_one_object_also_where_something_is_wrong(tempo: Tempo, pulled: Path) -> None:
    right = tempo("models", "verify", "--json").json
    assert (right["schema"], right["by"], [model["ok"] for model in right["models"]]) == (
        "tempo.verify/1",
        "hub",
        [True],
    )
    damage(pulled / "model.safetensors")
    done = tempo("models", "verify", "--json")
    assert (done.code, done.err) == (4, "")
    (model,) = done.json["models"]
    assert (model["id"], model["ok"]) == ("tiny/tempo", False)
    assert [file for file in model["files"] if file["problem"]] == [
        {"file": str(pulled / "model.safetensors"), "problem": "its hash is not the Hub's", "dropped": True}
    ]
    offline = tempo("models", "verify", "--json", "--offline")
    assert (offline.code, offline.json["by"]) == (4, "headers")


def test_a_base_that_is_not_here_is_named(tempo: Tempo, pulled: Path) -> None:
    locations.router_file("tiny/base", COMMIT["tiny/base"]).unlink()
    done = tempo("models", "verify", "--offline")
    assert done.code == 4
    assert done.out.splitlines()[-1] == "  the router's rows of tiny/base are not downloaded"
    assert pulled.is_dir()


def test_a_folder_is_verified_by_its_own_headers(tempo: Tempo, hub: FakeHub) -> None:
    done = tempo("models", "verify", MODEL, "--offline")
    assert (done.code, done.out.splitlines()[0]) == (0, f"{MODEL}  -")
    assert hub.connections == 0


def test_nothing_is_removed_without_a_word(tempo: Tempo, pulled: Path) -> None:
    done = tempo("models", "rm", "tiny/tempo")
    assert done.code == 2
    assert done.err.splitlines() == [
        "error: removing tiny/tempo needs a confirmation",
        "hint: Give --yes.",
    ]
    code, shown = on_terminal("models", "rm", "tiny/tempo", reply=b"no")
    assert code == 0
    assert shown == "Remove tiny/tempo (1 revision, 2.1 MB)? [y/N] no\nnothing was removed\n"
    assert tempo("models", "verify", "--offline").code == 0
    assert pulled.is_dir()


def test_removing(tempo: Tempo, pulled: Path) -> None:
    assert tempo("models", "rm", "tiny/tempo", "--yes") == Outcome(0, "", "freed 2.1 MB\n")
    assert not pulled.exists()
    again = tempo("models", "rm", "tiny/tempo", "--yes")
    assert again.code == 4
    assert again.err.splitlines()[1] == "hint: See: tempo models"


def test_a_folder_of_the_users_is_not_removed(tempo: Tempo) -> None:
    done = tempo("models", "rm", MODEL, "--yes")
    assert done.code == 4
    assert done.err.splitlines()[0] == f"error: {MODEL} is a local folder"
    assert MODEL.is_dir()


def test_json_errors_are_objects_too(tempo: Tempo) -> None:
    done = tempo("models", "verify", "nowhere", "--json")
    assert done.code == 4
    assert json.loads(done.out)["error"]["message"] == "there is no model 'nowhere'"
