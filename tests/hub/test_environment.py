"""Where the Hub is, and whether it may be asked."""

from pathlib import Path

import pytest

from tempo_cli.hub import environment

from .server import FakeHub, Fault


def test_the_hub_answers(hub: FakeHub) -> None:
    assert environment.endpoint() == hub.url
    assert environment.hub_reachable() is None
    assert hub.requests == [("HEAD", "/", "")]


def test_a_hub_that_does_not_answer_is_told_in_one_line(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    why = environment.hub_reachable(1.0)
    assert why is not None
    assert "Connection refused" in why
    assert len(why.splitlines()) == 1
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "nonsense")
    assert environment.hub_reachable(1.0) is not None
    assert hub.connections == 0


def test_an_error_of_the_page_is_still_the_hub(hub: FakeHub) -> None:
    hub.faults["list"] = Fault(status=500)
    assert environment.hub_reachable() is None


@pytest.mark.parametrize("value", ["1", "true", "ON", "yes"])
def test_offline_is_a_variable(value: str, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not environment.is_offline()
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert environment.is_offline()
    assert environment.hub_reachable() == "HF_HUB_OFFLINE forbids it"
    assert hub.connections == 0
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert not environment.is_offline()


def test_a_token_is_there_or_not(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert hub.url
    assert not environment.has_token()
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    assert environment.has_token()
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text("hf_y")
    assert environment.has_token()


def test_the_disk_of_a_folder_that_is_not_there_yet(cache: Path, tmp_path: Path) -> None:
    assert environment.cache_folder() == cache
    assert not cache.exists()
    assert abs(environment.free_bytes(cache) - environment.free_bytes(tmp_path)) < 2**30
    assert environment.data_folder() == tmp_path / "data" / "tempo"
