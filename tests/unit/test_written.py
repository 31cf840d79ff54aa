"""Files that are written whole or not at all."""

import os
from pathlib import Path

import pytest

from tempo_cli.errors import SetupError, UsageError
from tempo_cli.written import check_writable, publish, write_whole


def test_a_file_is_written_and_never_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_whole(path, b"one", force=False)
    with pytest.raises(UsageError, match="exists"):
        write_whole(path, b"two", force=False)
    with pytest.raises(UsageError, match="exists"):
        check_writable(path, force=False)
    assert path.read_bytes() == b"one"
    check_writable(path, force=True)
    write_whole(path, b"two", force=True)
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_comes_while_the_other_is_written_stays(tmp_path: Path) -> None:
    path, part = tmp_path / "a", tmp_path / "part"
    path.write_bytes(b"theirs")
    part.write_bytes(b"ours")
    with pytest.raises(UsageError, match="exists"):
        publish(part, path, force=False)
    assert path.read_bytes() == b"theirs"


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SetupError, match="No space left"):
        write_whole(tmp_path / "a", b"x", force=False)
    assert list(tmp_path.iterdir()) == []


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "a", "no folder"),
    ):
        with pytest.raises(SetupError, match=words):
            check_writable(path, force=True)
    with pytest.raises(SetupError, match="can't be written"):
        write_whole(tmp_path / ("x" * 300), b"", force=False)


def test_a_device_is_written_to_as_it_is() -> None:
    check_writable(Path(os.devnull), force=False)
    write_whole(Path(os.devnull), b"x", force=False)
