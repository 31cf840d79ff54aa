"""A Hub on loopback with the tiny models, and an empty cache to pull them into."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import close_session
from safetensors.numpy import load_file, save

from tempo_cli.hub import remote

from .server import FakeHub, Repository, running

GOLDEN = Path(__file__).parent.parent / "golden"
COMMIT = {"tiny/tempo": "a" * 40, "tiny/base": "b" * 40, "tiny/shards": "c" * 40}
JUNK = {
    "README.md": b"---\n",
    "pytorch_model.bin": b"\x80",
    "optimizer.pt": b"\x80",
    "modeling.py": b"raise SystemExit",
    "original/model.safetensors": b"",
    "images/a.png": b"",
}


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def named(files: dict[str, bytes], base: str) -> dict[str, bytes]:
    """The files of a Tempo model whose configuration names `base`."""
    config = json.loads(files["config.json"]) | {"mm_vision_tower_aux_list": [base]}
    return files | {"config.json": json.dumps(config).encode()}


def in_shards(files: dict[str, bytes], folder: Path) -> dict[str, bytes]:
    """The same with its weights in two files and an index."""
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    halves = {"1": names[: len(names) // 2], "2": names[len(names) // 2 :]}
    shards = {
        f"model-0000{number}-of-00002.safetensors": save({name: tensors[name] for name in half})
        for number, half in halves.items()
    }
    homes = {
        name: f"model-0000{number}-of-00002.safetensors" for number, half in halves.items() for name in half
    }
    index = {"model.safetensors.index.json": json.dumps({"weight_map": homes}).encode()}
    return {name: raw for name, raw in files.items() if name != "model.safetensors"} | shards | index


def tiny_repositories() -> dict[str, Repository]:
    """A model, its base, and the model in shards."""
    tempo, base = (GOLDEN / "checkpoints" / "a" / name for name in ("Tempo-tiny", "Qwen3-VL-tiny"))
    model = named(files_of(tempo), "tiny/base")
    found = {
        "tiny/tempo": model | JUNK,
        "tiny/base": files_of(base) | {"README.md": b"---\n"},
        "tiny/shards": in_shards(model, tempo) | JUNK,
    }
    return {
        name: Repository(files, COMMIT[name], ("main", "v1.0"), {"license": "cc-by-nc-4.0"})
        for name, files in found.items()
    }


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The server; this process and its children know no other Hub, and have an empty cache in `tmp_path`.

    In this process no model comes along with tempo.
    """
    home = tmp_path / "hf"
    with running() as server:
        server.repositories = tiny_repositories()
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HF_HUB_CACHE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("tempo_cli.hub.inventory.PACKAGED", {})
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HOME", str(home))
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        # the library reads its variables when it is imported, which has happened here
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(remote, "WAITS", (0.0, 0.0))
        yield server
        close_session()


@pytest.fixture
def cache(hub: FakeHub, tmp_path: Path) -> Path:
    """The Hub's cache of this test."""
    assert hub.url
    return tmp_path / "hf" / "hub"
