"""`tempo pull`, and what `ask` does where its model is not here."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..hub.fixtures import COMMIT, GOLDEN
from ..hub.server import FakeHub, Fault
from .conftest import FRACTAL, MODEL, Outcome, on_terminal, spawn

Tempo = Callable[..., Outcome]

FILE = "tiny/tempo/model.safetensors"
ASK = ["ask", FRACTAL, "what", "--device", "cpu", "--max-new-tokens", "8", "--max-frames", "4"]
CUT = "warning: the answer was cut off after 8 tokens (--max-new-tokens)\n"


def folder(cache: Path) -> Path:
    return cache / "models--tiny--tempo" / "snapshots" / COMMIT["tiny/tempo"]


def test_the_folder_goes_to_stdout_and_the_talk_to_stderr(tempo: Tempo, hub: FakeHub, cache: Path) -> None:
    done = tempo("pull", "tiny/tempo")
    assert (done.code, done.out) == (0, f"{folder(cache)}\n")
    first, license, base, size, into = done.err.splitlines()
    assert first == "tiny/tempo at commit aaaaaaaaaaaa"
    assert license == "license: cc-by-nc-4.0"
    assert base == "base: tiny/base, small files and two rows of its head"
    assert size == "size: 2.1 MB in 6 files, 2.1 MB to download"
    assert re.fullmatch(rf"into: {cache} \(\d+\.\d [GT]B free\)", into)
    again = tempo("pull", "tiny/tempo", "--quiet")
    assert again == Outcome(0, f"{folder(cache)}\n", "")
    assert hub.served[FILE] == 2_105_072


def test_the_released_model_says_what_it_may_be_used_for(tempo: Tempo, hub: FakeHub) -> None:
    hub.repositories["Vision-CAIR/Tempo-6B"] = hub.repositories["tiny/tempo"]
    lines = tempo("pull", "--dry-run").err.splitlines()
    told = "license: cc-by-nc-4.0 (weights for academic, non-commercial research only)"
    assert lines[1] == told


def test_a_rehearsal_lists_the_files_and_fetches_none(tempo: Tempo, hub: FakeHub, cache: Path) -> None:
    done = tempo("pull", "tiny/tempo", "--dry-run")
    assert done.code == 0
    assert [line.split() for line in done.out.splitlines()] == [
        ["file", "size"],
        ["tiny/base/config.json", "1.4", "KB"],
        ["tiny/base/tokenizer.json", "20.7", "KB"],
        ["tiny/tempo/config.json", "1.0", "KB"],
        ["tiny/tempo/tokenizer.json", "20.7", "KB"],
        ["tiny/tempo/generation_config.json", "137", "bytes"],
        ["tiny/tempo/model.safetensors", "2.1", "MB"],
    ]
    assert not cache.exists()
    assert hub.served[FILE] == 0


def facts(run: dict[str, Any]) -> dict[str, Any]:
    """What must not depend on where the model lies."""
    return {key: run[key] for key in ("question", "answer", "sampling", "budget", "segments", "video")}


def test_a_golden_case_passes_through_the_pulled_model_as_through_the_folder(
    tempo: Tempo, hub: FakeHub
) -> None:
    case = json.loads((GOLDEN / "cases" / "a_pattern_single_frame_tail.json").read_text())
    words = ["ask", GOLDEN / "videos" / case["video"], case["query"], "--json", "--device", "cpu"]
    words += ["--fps", case["fps"], "--max-frames", case["max_frames"], "--window", case["window"]]
    words += ["--budget", case["budget"], "--max-new-tokens", "24"]
    local = tempo(*words, "--model", MODEL).json
    pulled = tempo(*words, "--model", "tiny/tempo", "--yes").json
    assert facts(pulled) == facts(local)
    assert pulled["model"]["id"] == "tiny/tempo"
    assert pulled["model"]["revision"] == COMMIT["tiny/tempo"]
    assert hub.served["tiny/base/model.safetensors"] <= 256 * 1024


def test_nobody_there_to_ask_is_refused_with_what_to_do(tempo: Tempo, hub: FakeHub, cache: Path) -> None:
    done = tempo(*ASK, "--model", "tiny/tempo")
    assert done == Outcome(
        4,
        "",
        "error: the model tiny/tempo is not downloaded\nhint: Run: tempo pull tiny/tempo, or give --yes\n",
    )
    assert (hub.connections, cache.exists()) == (0, False)


def test_yes_fetches_and_answers(tempo: Tempo, hub: FakeHub) -> None:
    done = tempo(*ASK, "--model", "tiny/tempo", "--yes")
    assert done.code == 0
    assert done.err.startswith("the model tiny/tempo is not downloaded\ntiny/tempo at commit aaaaaaaaaaaa\n")
    hub.requests.clear()
    again = tempo(*ASK, "--model", "tiny/tempo", "--yes")
    assert again == Outcome(0, done.out, CUT)
    assert hub.requests == []


@pytest.mark.parametrize("how", ["flag", "variable", "file", "hub"])
def test_offline_opens_not_one_connection(
    how: str, tempo: Tempo, hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ["--offline"] if how == "flag" else []
    if how == "variable":
        monkeypatch.setenv("TEMPO_OFFLINE", "1")
    elif how == "file":
        (tmp_path / "config.toml").write_text("offline = true")
        monkeypatch.setenv("TEMPO_CONFIG", str(tmp_path / "config.toml"))
    elif how == "hub":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for command in (ASK, ["pull"], ["inspect", *ASK[1:3]]):
        target = ["tiny/tempo"] if command == ["pull"] else ["--model", "tiny/tempo", "--yes"]
        done = tempo(*command, *target, *more)
        assert done.code == 4
        assert done.err.splitlines() == [
            "error: the model tiny/tempo is not downloaded",
            "hint: Run: tempo pull tiny/tempo without --offline and HF_HUB_OFFLINE",
        ]
    assert hub.connections == 0


def test_offline_in_a_process_of_its_own_answers_from_the_cache(
    tempo: Tempo, hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tempo("pull", "tiny/tempo").code == 0
    before = hub.connections
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # read when the library is imported
    process = spawn(*ASK, "--model", "tiny/tempo")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.decode()) == (0, CUT)
    assert out
    assert tempo("pull", "tiny/tempo", "--offline").out == f"{folder(cache)}\n"
    assert hub.connections == before


def test_a_person_is_asked_and_says_yes(hub: FakeHub) -> None:
    code, shown = on_terminal(*ASK, "--model", "tiny/tempo", "--top", "0", reply=b"y")
    assert code == 0, shown
    lines = shown.splitlines()
    assert lines[:3] == [
        "the model tiny/tempo is not downloaded",
        "tiny/tempo at commit aaaaaaaaaaaa",
        "license: cc-by-nc-4.0",
    ]
    assert "Download it now? [y/N] y" in shown
    assert hub.served[FILE] == 2_105_072


@pytest.mark.parametrize("reply", [b"n", b"", b"x"])
def test_anything_but_yes_is_no(reply: bytes, hub: FakeHub, cache: Path) -> None:
    code, shown = on_terminal(*ASK, "--model", "tiny/tempo", reply=reply or b" ")
    assert code == 4
    assert re.sub(r"\x1b\[\d+m", "", shown).splitlines()[-2:] == [
        "error: the model tiny/tempo is not downloaded",
        "hint: Run: tempo pull tiny/tempo",
    ]
    assert hub.served[FILE] == 0
    assert not cache.exists()


def test_interrupted_while_downloading_it_ends_at_once_and_continues_later(
    tempo: Tempo, hub: FakeHub, cache: Path
) -> None:
    hub.faults[FILE] = Fault(slow=1_000_000)
    code, shown = on_terminal("pull", "tiny/tempo", interrupt_at=b"1.0/2.1 MB")
    assert code == 130
    assert "Traceback" not in shown
    (unfinished,) = cache.rglob("*.incomplete")
    kept = unfinished.stat().st_size
    assert kept > 900_000
    hub.faults.clear()
    hub.released.set()
    hub.served.clear()
    assert tempo("pull", "tiny/tempo").code == 0
    assert hub.served[FILE] == 2_105_072 - kept


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["pull", "nowhere"], 4, "there is no model 'nowhere'"),
        (["pull", "tiny/nothing"], 4, "the Hub has no tiny/nothing, or it is private"),
        (["pull", "tiny/tempo", "--revision", "v9"], 4, "tiny/tempo has no revision 'v9'"),
        (
            ["pull", "tiny/base"],
            4,
            "tiny/base is not a Tempo model: its config.json says",
        ),
        (["pull", GOLDEN / "videos"], 4, "has no config.json that can be read"),
        (["pull", "a", "b"], 2, "b"),
        (["pull", "--nope"], 2, "--nope"),
    ],
)
def test_each_mistake_has_its_code(
    arguments: list[object], code: int, words: str, tempo: Tempo, hub: FakeHub
) -> None:
    assert hub.url
    done = tempo(*arguments)
    error, hint = done.err.splitlines()
    assert done.code == code
    assert words in error
    assert hint.startswith("hint: ")


def test_a_full_disk_is_told_by_its_code(tempo: Tempo, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempo_cli.hub.pull.free_bytes", lambda _: 1)
    done = tempo("pull", "tiny/tempo")
    assert done.code == 5
    assert "GB are needed" in done.err
    assert hub.served[FILE] == 0


def test_text_of_the_hub_can_not_harm_a_terminal(tempo: Tempo, hub: FakeHub) -> None:
    hub.repositories["tiny/tempo"].card = {"license": "[bold]\x1b[2J\u202emit"}
    assert "license: [bold]\\x1b[2J\\u202emit\n" in tempo("pull", "tiny/tempo").err


def test_a_local_folder_whose_base_is_on_the_hub_is_offered_the_same(
    tempo: Tempo, hub: FakeHub, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(MODEL, own)
    config = json.loads((own / "config.json").read_text()) | {"mm_vision_tower_aux_list": ["tiny/base"]}
    (own / "config.json").write_text(json.dumps(config))
    done = tempo(*ASK, "--model", own)
    assert done.code == 4
    assert done.err.splitlines()[0] == "error: the base model tiny/base is not downloaded"
    assert tempo("pull", own).out == f"{own}\n"
    assert tempo(*ASK, "--model", own) == tempo(*ASK, "--model", MODEL)
    assert hub.served["tiny/base/model.safetensors"] <= 256 * 1024
