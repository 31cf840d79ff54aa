"""Headers and JSON that nobody should trust: told as damaged, never followed, never a traceback."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from tempo_cli.errors import ModelError
from tempo_cli.hub import layout


def header(**entries: object) -> bytes:
    """A file that is a header and nothing else."""
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (save({"a": np.zeros(2), "b": np.ones((3, 4), np.float16)}), None),
        (header(a=TENSOR) + bytes(8), None),
        (header(__metadata__={"format": "pt"}, a=TENSOR) + bytes(8), None),
        (header(a=TENSOR) + bytes(7), "76 bytes instead of 77"),
        (header(a=TENSOR) + bytes(9), "78 bytes instead of 77"),
        (b"", "damaged"),
        (b"\0" * 7, "damaged"),
        (b"\xff" * 100, "damaged"),
        (header(a=5), "damaged"),
        (header(a={"dtype": "F32"}), "damaged"),
        (header(a=TENSOR | {"data_offsets": [1]}), "damaged"),
        (header(a=TENSOR | {"shape": "x"}), "damaged"),
        ((2).to_bytes(8, "little") + b"[]", "damaged"),
        ((100_000).to_bytes(8, "little") + b"[" * 100_000, "damaged"),
        ((3).to_bytes(8, "little") + b"\xff\xfe{", "damaged"),
    ],
)
def test_what_a_file_says_of_itself(content: bytes, problem: str | None, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert layout.fault(path) == problem
    assert layout.problem(path) == problem


def test_the_places_of_tensors_count_from_the_files_beginning(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(save({"a": np.arange(6, dtype=np.float32).reshape(2, 3)}))
    tensor = layout.read_header(path)["a"]
    assert (tensor.dtype, tensor.shape) == ("F32", (2, 3))
    assert path.read_bytes()[tensor.start : tensor.end] == np.arange(6, dtype=np.float32).tobytes()


@pytest.mark.parametrize("raw", [b"", b"[]", b"5", b"{", b"\xff", b"[" * 100_000])
def test_json_that_is_no_object_is_damaged(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(raw)
    assert layout.problem(tmp_path / "config.json") == "damaged"
    assert layout.missing(tmp_path, weights=False) == ["config.json: damaged", "tokenizer.json: missing"]


@pytest.mark.parametrize("names", [None, [], ["a", "b"], [5], "a/b"])
def test_a_configuration_names_one_base(names: object) -> None:
    config = {"model_type": "tempo_qwen", "mm_vision_tower_aux_list": names}
    with pytest.raises(ModelError) as caught:
        layout.base_name(config, "x/y")
    assert caught.value.message == "x/y is not a Tempo model: its config.json names no single base model"
    assert layout.base_name(config | {"mm_vision_tower_aux_list": ["a/b"]}, "x/y") == "a/b"
