"""The router's two rows: read by range, never the whole file; the same numbers as from the whole file."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

from tempo_cli.config import LoadOptions
from tempo_cli.errors import ModelError
from tempo_cli.hub import layout, locations
from tempo_cli.hub.remote import Hub
from tempo_cli.hub.router import fetch_rows

from .fixtures import COMMIT, GOLDEN
from .server import FakeHub, Fault
from .test_remote import fetch

BASE = GOLDEN / "checkpoints" / "a" / "Qwen3-VL-tiny"
EMBEDDING = "model.language_model.embed_tokens.weight"
FILE = "tiny/base/model.safetensors"
MOST = 256 * 1024  # bytes of the base's weights


def rows(hub: FakeHub, into: Path) -> dict[str, np.ndarray]:
    """Fetch and read back."""
    client = Hub()
    assert hub.url
    fetch_rows(client, client.listing("tiny/base", "main"), BASE, into)
    return load_file(into)


def ids() -> tuple[int, int]:
    """Numbers of `Yes` and `No` in the tiny tokenizer."""
    vocabulary = json.loads((BASE / "tokenizer.json").read_text())["model"]["vocab"]
    return vocabulary["Yes"], vocabulary["No"]


def test_the_rows_are_those_of_the_whole_file(hub: FakeHub, tmp_path: Path) -> None:
    found = rows(hub, tmp_path / "rows.safetensors")
    whole = load_file(BASE / "model.safetensors")[EMBEDDING]
    yes, no = ids()
    assert np.array_equal(found["yes"], whole[yes])
    assert np.array_equal(found["no"], whole[no])
    with safe_open(tmp_path / "rows.safetensors", "np") as file:
        told = {"repository": "tiny/base", "revision": COMMIT["tiny/base"], "tensor": EMBEDDING}
        assert file.metadata() == told | {"yes": str(yes), "no": str(no)}


def test_the_header_and_two_rows_are_all_that_is_served(hub: FakeHub, tmp_path: Path) -> None:
    rows(hub, tmp_path / "rows.safetensors")
    size = int.from_bytes((BASE / "model.safetensors").read_bytes()[:8], "little")
    expected, deadline = 8 + size + 2 * 64 * 4, time.monotonic() + 5
    while hub.served[FILE] < expected and time.monotonic() < deadline:
        time.sleep(0.01)  # bytes are counted after they have left: the client may be faster
    assert hub.served[FILE] == expected


def test_a_real_head_and_a_large_header_stay_within_the_bound(hub: FakeHub, tmp_path: Path) -> None:
    # as the real base: 151,936 x 2048 in bfloat16 behind a header of 76 KB; the weights are a hole
    head = {"dtype": "BF16", "shape": [480, 2048], "data_offsets": [0, 480 * 4096]}
    text = json.dumps({EMBEDDING: head, "__metadata__": {"padding": "x" * 76_000}}).encode()
    hub.repositories["tiny/base"].files["model.safetensors"] = (
        len(text).to_bytes(8, "little") + text + bytes(480 * 4096)
    )
    client, path = Hub(), tmp_path / "rows.safetensors"
    fetch_rows(client, client.listing("tiny/base", "main"), BASE, path)
    assert {name: (row.dtype, row.shape) for name, row in layout.read_header(path).items()} == {
        "yes": ("BF16", (2048,)),
        "no": ("BF16", (2048,)),
    }
    assert hub.served[FILE] == 8 + len(text) + 2 * 4096 <= MOST


def test_an_untied_head_goes_first(hub: FakeHub, tmp_path: Path) -> None:
    embedding = np.zeros((480, 64), np.float16)
    head = np.arange(480 * 64, dtype=np.float16).reshape(480, 64)
    content = save({EMBEDDING: embedding, "lm_head.weight": head})
    hub.repositories["tiny/base"].files["model.safetensors"] = content
    found = rows(hub, tmp_path / "rows.safetensors")
    assert found["yes"].dtype == np.float16
    assert np.array_equal(found["yes"], head[ids()[0]])


def test_a_sharded_base_gives_the_shard_that_has_the_head(hub: FakeHub, tmp_path: Path) -> None:
    files = hub.repositories["tiny/base"].files
    whole = files.pop("model.safetensors")
    files["model-00001-of-00002.safetensors"] = save({"a": np.zeros(3)})
    files["model-00002-of-00002.safetensors"] = whole
    homes_of = {"a": "model-00001-of-00002.safetensors", EMBEDDING: "model-00002-of-00002.safetensors"}
    files["model.safetensors.index.json"] = json.dumps({"weight_map": homes_of}).encode()
    found = rows(hub, tmp_path / "rows.safetensors")
    assert np.array_equal(found["no"], load_file(BASE / "model.safetensors")[EMBEDDING][ids()[1]])
    assert hub.served["tiny/base/model-00001-of-00002.safetensors"] == 0
    assert hub.served["tiny/base/model-00002-of-00002.safetensors"] < 12_000


def test_a_server_without_ranges_is_refused_before_it_has_sent_much(hub: FakeHub, tmp_path: Path) -> None:
    hub.faults[FILE] = Fault(no_ranges=True)
    with pytest.raises(ModelError, match="does not support range requests") as caught:
        rows(hub, tmp_path / "rows.safetensors")
    assert "put the whole base model beside the model's folder" in caught.value.hint
    assert hub.served[FILE] <= MOST
    assert list(tmp_path.glob("rows*")) == []


@pytest.mark.parametrize("at", [0, 4, 5_000])
def test_a_cut_range_is_read_again(at: int, hub: FakeHub, tmp_path: Path) -> None:
    hub.faults[FILE] = Fault(times=2, cut_after=at)
    assert set(rows(hub, tmp_path / "rows.safetensors")) == {"yes", "no"}
    assert hub.served[FILE] < 3 * 10_560


HUGE = (2**40).to_bytes(8, "little")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HUGE + b"{}", "no usable header"),
        (bytes(8) + b"{}", "no usable header"),
        ((1).to_bytes(8, "little") + b"{}", "no usable header"),
        (b"", "is shorter than it should be"),
        ((4).to_bytes(8, "little") + b"nope", "has neither lm_head.weight nor"),
        ((2).to_bytes(8, "little") + b"[]", "has neither lm_head.weight nor"),
        (save({"other": np.zeros((480, 64))}), "has neither lm_head.weight nor"),
        (save({EMBEDDING: np.zeros((3, 64))}), "has a head of F64 3x64, which does not fit"),
        (save({EMBEDDING: np.zeros(480)}), "has a head of F64 480, which"),
        (save({EMBEDDING: np.zeros((480, 64), np.int8)}), "has a head of I8 480x64, which"),
        (save({EMBEDDING: np.zeros((480, 64))})[:5_000], "is shorter than it should be"),
    ],
)
def test_a_base_that_is_none_is_told(content: bytes, message: str, hub: FakeHub, tmp_path: Path) -> None:
    hub.repositories["tiny/base"].files["model.safetensors"] = content
    with pytest.raises(ModelError) as caught:
        rows(hub, tmp_path / "rows.safetensors")
    assert message in caught.value.message
    assert list(tmp_path.glob("rows*")) == []


@pytest.mark.parametrize("cut", [10, 1])
def test_rows_that_are_damaged_are_fetched_again(cut: int, hub: FakeHub) -> None:
    fetch()
    path = locations.router_file("tiny/base", COMMIT["tiny/base"])
    right = path.read_bytes()
    path.write_bytes(right[:-cut])
    assert not locations.router_file("tiny/base", "e" * 40).exists()
    with pytest.raises(ModelError, match="the router's rows of tiny/base are not downloaded"):
        locations.check_downloaded("tiny/tempo")
    fetch()
    assert path.read_bytes() == right
    assert hub.served[FILE] <= MOST


def test_rows_of_other_words_are_not_used(hub: FakeHub) -> None:
    from tempo_cli import Tempo

    fetch()
    assert hub.url
    path = locations.router_file("tiny/base", COMMIT["tiny/base"])
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b'"yes": "%d"' % ids()[0], b'"yes": "%d"' % (ids()[0] - 1)))
    assert path.read_bytes() != raw
    with pytest.raises(ModelError, match="does not fit the base model"):
        Tempo.load("tiny/tempo", options=LoadOptions(device="cpu"), decoder=False)
