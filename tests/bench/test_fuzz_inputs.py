"""A sample of mutated model folders and of command lines: none is an internal error."""

import random
import shutil
from pathlib import Path

import fuzz_inputs
import pytest


def test_a_folder_follows_from_its_number(tmp_path: Path) -> None:
    def made(number: int, name: str) -> dict[str, bytes]:
        folder = tmp_path / name
        shutil.copytree(fuzz_inputs.GOLDEN / "checkpoints" / "a", folder)
        fuzz_inputs.mutate_folder(folder, random.Random(number))
        paths = [
            path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size < 1 << 30
        ]
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}

    whole = {
        str(path.relative_to(fuzz_inputs.GOLDEN / "checkpoints" / "a")): path.read_bytes()
        for path in (fuzz_inputs.GOLDEN / "checkpoints" / "a").rglob("*")
        if path.is_file()
    }
    for number in range(5):
        first, again = made(number, f"{number}"), made(number, f"{number}b")
        assert first == again
        assert first != whole


def test_a_command_line_follows_from_its_number(tmp_path: Path) -> None:
    lines = [fuzz_inputs.command_line(number, tmp_path) for number in range(200)]
    assert lines == [fuzz_inputs.command_line(number, tmp_path) for number in range(200)]
    assert {words[0] for words, _, _ in lines} >= {"ask", "inspect", "pull", "models"}
    assert sum(config is not None for _, _, config in lines) > 30


@pytest.mark.parametrize(("kind", "cases", "usual"), [("models", 40, "model"), ("commands", 60, "usage")])
def test_no_case_is_an_internal_error(kind: str, cases: int, usual: str) -> None:
    log = list(fuzz_inputs.results(kind, list(range(7000, 7000 + cases))))
    assert [found["number"] for found in log] == list(range(7000, 7000 + cases))
    assert [found for found in log if fuzz_inputs.is_internal(found)] == []
    outcomes = [found["found"] for found in log]
    assert outcomes.count(usual) > cases / 4
    assert outcomes.count("ok") > cases / 10


def test_a_worker_that_dies_is_an_internal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_inputs.sys, "executable", "/bin/false")
    (found,) = fuzz_inputs.results("models", [3])
    assert fuzz_inputs.is_internal(found)
    assert found["number"] == 3
    assert not fuzz_inputs.is_internal({"found": "usage"})
