"""A Hub on loopback, and models that are here, in part, or not at all."""

import json
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tempo_cli.doctor import Finding, Level, accelerator, machine, media, weights
from tempo_cli.errors import ModelError

from ..hub.server import FakeHub
from .conftest import MODEL, by_name, configured, outline


def cached(cache: Path, repository: str, commit: str, whole: bool) -> Path:
    """Put the golden model into the cache as a repository; without its weights if not `whole`."""
    home = cache / f"models--{repository.replace('/', '--')}"
    snapshot = home / "snapshots" / commit
    shutil.copytree(MODEL, snapshot)
    (home / "refs").mkdir(exist_ok=True)
    (home / "refs" / "main").write_text(commit)
    if not whole:
        (snapshot / "model.safetensors").unlink()
    return snapshot


def test_a_model_that_is_here_and_a_hub_that_answers(hub: FakeHub, tmp_path: Path) -> None:
    found = by_name(weights.findings(configured()))
    assert outline(found.values()) == [("hub", "ok"), ("token", "ok"), ("cache", "ok"), ("model", "ok")]
    assert found["hub"].facts == {"endpoint": hub.url, "offline": False, "reachable": True}
    assert found["token"].facts == {"present": False}
    assert found["model"].message.startswith(f"{MODEL}, ")
    assert found["model"].facts["complete"] is True
    assert list(tmp_path.iterdir()) == [], "the doctor makes nothing"


@pytest.mark.usefixtures("hub")
def test_a_token_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found = list(weights.findings(configured()))
    assert by_name(found)["token"].facts == {"present": True}
    assert "hf_secret" not in repr(found)


@pytest.mark.usefixtures("hub")
def test_a_model_that_can_be_fetched_is_a_warning() -> None:
    found = by_name(weights.findings(configured(model="some/model", revision="v1")))["model"]
    assert (found.level, found.message) == (
        Level.warning,
        "some/model: not downloaded; ask offers to download it",
    )
    assert found.hint == "Run: tempo pull some/model --revision v1"


@pytest.mark.usefixtures("hub")
def test_offline_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr("tempo_cli.hub.environment.hub_reachable", asked.append)
    found = by_name(weights.findings(configured(model="some/model", offline=True)))
    assert asked == []
    assert (found["hub"].level, found["hub"].facts["reachable"]) == (Level.note, None)
    assert found["model"] == Finding(
        "model",
        Level.problem,
        "some/model: not downloaded, and can't be downloaded: offline",
        "Go online, then run: tempo pull some/model",
        found["model"].facts,
    )


@pytest.mark.usefixtures("hub")
def test_a_hub_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    found = by_name(weights.findings(configured(model="some/model")))
    assert (found["hub"].level, found["model"].level) == (Level.warning, Level.problem)
    assert found["hub"].message.startswith("http://127.0.0.1:1 does not answer: ")
    assert found["model"].message.endswith("and can't be downloaded: the Hub does not answer")
    assert by_name(weights.findings(configured()))["model"].level == Level.ok


def test_a_hub_whose_address_is_not_found_in_time(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr("tempo_cli.hub.environment.hub_reachable", lambda _: released.wait(20))
    monkeypatch.setattr(weights, "_LONGEST", 0.1)
    found = by_name(weights.findings(configured()))["hub"]
    released.set()
    assert found.message == f"{hub.url} does not answer: no answer within 0 s"


def test_asking_the_hub_never_shows_a_traceback(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: float) -> str:
        raise KeyError("proxy")

    monkeypatch.setattr("tempo_cli.hub.environment.hub_reachable", breaks)
    found = by_name(weights.findings(configured()))["hub"]
    assert found.message == f"{hub.url} does not answer: KeyError: 'proxy'"


@pytest.mark.usefixtures("hub")
def test_a_cache_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "hf").write_text("a file where the folder should be")
    found = by_name(weights.findings(configured(model="some/model")))
    assert (found["cache"].level, found["cache"].facts["writable"]) == (Level.warning, False)
    assert found["model"].message == (
        "some/model: not downloaded, and can't be downloaded: the cache can't be written"
    )


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(("spare", "level"), [(-1, "problem"), (0, "warning")])
def test_a_disk_that_is_too_full_for_the_released_model(
    spare: int, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = weights.DEFAULT_MODEL_BYTES + spare
    monkeypatch.setattr("tempo_cli.hub.environment.free_bytes", lambda _: free)
    found = by_name(weights.findings(configured(model="Vision-CAIR/Tempo-6B")))["model"]
    assert found.level == level
    assert ("13.0 GB are needed, 13.0 GB of disk space is free" in found.message) == (level == "problem")


@pytest.mark.usefixtures("hub")
def test_a_folder_that_lacks_its_weights_can_not_be_fetched(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(MODEL, folder / "Tempo-tiny")
    shutil.copytree(MODEL.parent / "Qwen3-VL-tiny", folder / "Qwen3-VL-tiny")
    (folder / "Tempo-tiny" / "model.safetensors").unlink()
    found = by_name(weights.findings(configured(model=str(folder / "Tempo-tiny"))))["model"]
    assert (found.level, found.hint) == (
        Level.problem,
        "Add the missing files, or set TEMPO_MODEL to another model.",
    )
    assert found.message == f"{folder / 'Tempo-tiny'}: model.safetensors: missing"


@pytest.mark.usefixtures("hub")
def test_a_name_that_is_none_is_a_problem() -> None:
    found = by_name(weights.findings(configured(model="no where")))
    assert (found["model"].level, found["model"].message) == (
        Level.problem,
        "there is no model 'no where'",
    )
    with pytest.raises(ModelError):
        list(weights._asked(configured(model="no where"), weights._look(True)))


@pytest.mark.usefixtures("hub")
def test_other_models_are_told_and_stop_nothing(cache: Path) -> None:
    asked = cached(cache, "me/asked", "a" * 40, whole=False)
    cached(cache, "me/other", "b" * 40, whole=False)
    found = by_name(weights.findings(configured(model="me/asked")))
    assert "me/asked@aaaaaaaa" not in found
    assert found["model"].facts["folder"] == str(asked)
    other = found["me/other@bbbbbbbb"]
    assert (other.level, other.message) == (Level.note, "incomplete: model.safetensors: missing")
    assert other.hint == f"Run: tempo pull me/other --revision {'b' * 40}, or: tempo models rm me/other"


def facts_are_json(found: Iterable[Finding]) -> Any:
    return json.dumps([dict(finding.facts) for finding in found], allow_nan=False)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.usefixtures("hub")
def test_all_facts_are_json() -> None:
    configuration = configured()
    assert facts_are_json(machine.findings())
    assert facts_are_json(media.findings(None))
    assert facts_are_json(weights.findings(configuration))
    assert facts_are_json(accelerator.findings(configuration))
