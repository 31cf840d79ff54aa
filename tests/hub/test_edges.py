"""What a pull leaves behind, byte for byte; and a server that goes on at another place."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save

from tempo_cli.errors import ModelError
from tempo_cli.hub import locations, plan, pull, remote
from tempo_cli.hub.remote import Hub
from tempo_cli.hub.router import fetch_rows

from .fixtures import COMMIT, GOLDEN
from .server import FakeHub, digest

BASE = GOLDEN / "checkpoints" / "a" / "Qwen3-VL-tiny"
EMBEDDING = "model.language_model.embed_tokens.weight"


def fetch(hub: FakeHub, into: Path) -> None:
    assert hub.url
    client = Hub()
    fetch_rows(client, client.listing("tiny/base", "main"), BASE, into)


def test_the_data_of_the_rows_are_aligned(hub: FakeHub, tmp_path: Path) -> None:
    path = tmp_path / "rows.safetensors"
    fetch(hub, path)
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    assert length % 8 == 0
    assert raw[8 : 8 + length].rstrip(b" ").endswith(b"}")
    assert len(raw) == 8 + length + 2 * 64 * 4


def test_rows_that_cannot_be_put_in_their_place_leave_nothing(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.safetensors"
    path.write_bytes(b"whole")

    def fail(partial: Path, target: Path) -> None:
        assert partial != target
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        fetch(hub, path)
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.glob("rows*")) == [path]


@pytest.mark.parametrize("missing", [0, 1])
def test_a_head_ends_behind_its_last_row(missing: int, hub: FakeHub, tmp_path: Path) -> None:
    vocabulary = json.loads((BASE / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    count = max(vocabulary["Yes"], vocabulary["No"]) + 1 - missing
    content = save({EMBEDDING: np.zeros((count, 64), np.float32)})
    hub.repositories["tiny/base"].files["model.safetensors"] = content
    if missing:
        with pytest.raises(ModelError, match=f"{count}x64"):
            fetch(hub, tmp_path / "rows.safetensors")
    else:
        fetch(hub, tmp_path / "rows.safetensors")


def test_names_in_a_snapshot_lead_to_blobs_wherever_the_cache_is_moved(hub: FakeHub, cache: Path) -> None:
    client = Hub()
    folder = pull.carry_out(client, plan.make_plan(client, "tiny/tempo", None), lambda _: None)
    content = hub.repositories["tiny/tempo"].files["config.json"]
    target = (folder / "config.json").readlink()
    assert target == Path("../../blobs") / digest("config.json", content)
    moved = cache.rename(cache.with_name("elsewhere"))
    name = locations.repository_folder("tiny/tempo").name
    assert (moved / name / "snapshots" / COMMIT["tiny/tempo"] / "config.json").read_bytes() == content


class Answer(SimpleNamespace):
    """A body that follows the first 600 bytes of a file of 1,000."""

    def iter_raw(self) -> Iterator[bytes]:
        yield b"x" * 400


@pytest.mark.parametrize(
    ("status", "headers", "good"),
    [
        (206, {"Content-Range": "bytes 600-999/1000"}, True),
        (206, {"Content-Range": "bytes 500-899/1000"}, False),
        (206, {"Content-Range": "bytes 601-1000/1001"}, False),
        (206, {}, False),
        (200, {"Content-Range": "bytes 600-999/1000"}, False),
    ],
)
def test_a_continuation_goes_on_where_the_file_ends(
    status: int, headers: dict[str, str], good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    @contextmanager
    def answer(url: str, rate: int, **told: str) -> Iterator[Answer]:
        asked.append((url.rpartition("/")[2], rate, told))
        yield Answer(status_code=status, headers=headers)

    monkeypatch.setattr(remote, "_answer", answer)
    file = remote.RemoteFile("a/b", "0" * 40, "x.bin", 1000, "0" * 64)
    if good:
        assert b"".join(remote._rest(file, 600, 0)) == b"x" * 400
    else:
        with pytest.raises(remote._MismatchError):
            list(remote._rest(file, 600, 0))
    assert asked == [("x.bin", 0, {"Range": "bytes=600-"})]


@pytest.mark.parametrize(
    ("told", "start"),
    [
        ("bytes 100-199/1000", 100),
        ("bytes 0-0/1", 0),
        (f"bytes {10**17}-{10**17}/*", 10**17),
        (f"bytes {10**18}-{10**18}/*", -1),
        ("bytes */1000", -1),
        ("", -1),
    ],
)
def test_where_a_range_starts(told: str, start: int) -> None:
    assert remote._range_start(SimpleNamespace(headers={"Content-Range": told})) == start  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("read", "pieces", "content"),
    [
        (lambda _: remote._whole("x", 10, 0), 3, b"x" * 12),  # one too many shows that there is more
        (lambda _: remote._whole("x", 12, 0), 4, b"x" * 16),
        (lambda file: remote._part(file, 0, 10, 0), 3, b"x" * 10),
        (lambda file: remote._part(file, 0, 12, 0), 3, b"x" * 12),
        (lambda file: b"".join(remote._rest(file, 0, 0)), 6, b"x" * 24),
    ],
)
def test_no_more_is_read_than_can_be_used(
    read: Callable[[remote.RemoteFile], bytes],
    pieces: int,
    content: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = []

    def endless() -> Iterator[bytes]:
        for number in range(1000):
            taken.append(number)
            yield b"x" * 4

    @contextmanager
    def answer(url: str, rate: int, **_: str) -> Iterator[SimpleNamespace]:
        assert (bool(url), rate) == (True, 0)
        headers = {"Content-Range": "bytes 0-9/20"}
        yield SimpleNamespace(status_code=206, headers=headers, iter_raw=endless)

    monkeypatch.setattr(remote, "_answer", answer)
    assert read(remote.RemoteFile("a/b", "0" * 40, "x.bin", 20, "0" * 64)) == content
    assert len(taken) == pieces


def test_an_index_that_names_no_head_is_told(hub: FakeHub, tmp_path: Path) -> None:
    files = hub.repositories["tiny/base"].files
    files["model-00001-of-00001.safetensors"] = files.pop("model.safetensors")
    index = {"weight_map": {"other": "model-00001-of-00001.safetensors"}}
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    with pytest.raises(ModelError, match="names no head"):
        fetch(hub, tmp_path / "rows.safetensors")


def test_nothing_of_a_base_that_is_no_json_is_repeated(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("secret", encoding="utf-8")
    with pytest.raises(ValueError) as caught:
        locations._base_config(path)
    assert str(caught.value) == f"{path} is not a JSON object"
