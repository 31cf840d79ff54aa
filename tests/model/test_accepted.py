"""What the released code loads gives the golden numbers here: checkpoint a, changed in each of these ways."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tempo_cli.config import GenerationOptions, LoadOptions
from tempo_cli.errors import ModelError
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.device import Target
from tempo_cli.model.tokenizer import TextTokenizer
from tempo_cli.tempo import Tempo
from tempo_cli.tokenizer_files import read_tokenizer, tokenizer_names

from ..conftest import GOLDEN, GoldenCase

TEMPO, BASE = "Tempo-tiny", "Qwen3-VL-tiny"
HEAD = "model.language_model.embed_tokens.weight"
PLAIN = Target(torch.device("cpu"), torch.float32)

Change = Callable[[Path], object]


def edit(file: Path, *gone: str, **fields: object) -> None:
    value = {name: item for name, item in json.loads(file.read_text()).items() if name not in gone}
    file.write_text(json.dumps(value | fields))


def add(folder: Path, **tensors: torch.Tensor) -> None:
    file = folder / "model.safetensors"
    save_file(load_file(file) | tensors, file)


def shard(folder: Path, files: int) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    homes = {name: f"model-{1 + number % files:05}.safetensors" for number, name in enumerate(tensors)}
    for file in set(homes.values()):
        save_file({name: tensors[name] for name in tensors if homes[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": homes}))


def stale_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1-of-9.safetensors"}}')


def older_tokenizer(folder: Path, *more: str) -> None:
    for name in ("tokenizer.json", *more):
        (folder / name).unlink()


def newer_rope(base: Path) -> None:
    """As transformers 5 writes it, beside the older fields."""
    text = json.loads((base / "config.json").read_text())["text_config"]
    rope = text["rope_scaling"] | {"rope_theta": text["rope_theta"]}
    edit(base / "config.json", text_config=text | {"rope_parameters": rope})


def only_newer_rope(base: Path) -> None:
    newer_rope(base)
    text = json.loads((base / "config.json").read_text())["text_config"]
    del text["rope_scaling"], text["rope_theta"]
    edit(base / "config.json", text_config=text)


def names_base(name: str) -> Change:
    return lambda models: edit(models / TEMPO / "config.json", mm_vision_tower_aux_list=[name])


THETA = {"rope_type": "default", "rope_theta": 1_000_000.0}
CHANGES: dict[str, Change] = {
    "nothing": lambda _: None,
    "unknown tensors": lambda models: add(
        models / TEMPO,
        **{
            "model.extra.weight": torch.ones(3),
            "model.vision_tower_aux_list.0.vlm.lm_head.weight": torch.ones(3),
        },
    ),
    "no projector type": lambda models: edit(models / TEMPO / "config.json", "mm_projector_type"),
    "null for a projector type": lambda models: edit(models / TEMPO / "config.json", mm_projector_type=None),
    "no context": lambda models: edit(models / TEMPO / "config.json", "tokenizer_model_max_length"),
    "no number of memory tokens": lambda models: edit(
        models / TEMPO / "config.json", "num_compression_tokens"
    ),
    "another number of memory tokens": lambda models: edit(
        models / TEMPO / "config.json", num_compression_tokens=64
    ),
    "older tokenizer files": lambda models: older_tokenizer(models / TEMPO),
    "older tokenizer files without flags": lambda models: older_tokenizer(
        models / TEMPO, "tokenizer_config.json"
    ),
    "older tokenizer files of the base": lambda models: older_tokenizer(models / BASE),
    "rope parameters beside theta": lambda models: edit(
        models / TEMPO / "config.json", rope_parameters=THETA
    ),
    "rope parameters alone": lambda models: edit(
        models / TEMPO / "config.json", "rope_theta", "rope_scaling", rope_parameters=THETA
    ),
    "rope parameters of the base": lambda models: newer_rope(models / BASE),
    "rope parameters of the base alone": lambda models: only_newer_rope(models / BASE),
    "a stored head of the base": lambda models: add(
        models / BASE, **{"lm_head.weight": load_file(models / BASE / "model.safetensors")[HEAD]}
    ),
    "one shard": lambda models: shard(models / TEMPO, 1),
    "seven shards": lambda models: shard(models / TEMPO, 7),
    "a shard for each tensor": lambda models: shard(models / TEMPO, 131),
    "shards of the base": lambda models: shard(models / BASE, 3),
    "a stale index": lambda models: stale_index(models / TEMPO),
    "a stale index of the base": lambda models: stale_index(models / BASE),
    "a base relative to the working folder": names_base(f"./checkpoints/{BASE}"),
    "a base at an absolute path": lambda models: names_base(str(models / BASE))(models),
    "a base by its repository": names_base(f"Qwen/{BASE}"),
}
WARNED = {"unknown tensors", "another number of memory tokens"}


@pytest.fixture(scope="module")
def golden_a() -> GoldenCase:
    """One of the recorded cases of checkpoint a."""
    path = GOLDEN / "cases" / "a_pattern_single_frame_tail"
    with np.load(path.with_suffix(".npz")) as arrays:
        return GoldenCase(path.name, json.loads(path.with_suffix(".json").read_text()), dict(arrays))


@pytest.mark.parametrize("change", CHANGES)
def test_the_golden_numbers(
    change: str, golden_a: GoldenCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact_pixels: bool
) -> None:
    models = tmp_path / "checkpoints"
    shutil.copytree(GOLDEN / "checkpoints" / "a", models)
    CHANGES[change](models)
    monkeypatch.chdir(tmp_path)
    case = golden_a
    with Tempo.load(models / TEMPO, options=LoadOptions(device="cpu")) as tempo:
        run = tempo.ask(
            case.video,
            case.question,
            sampling=case.sampling,
            budget=case.budget,
            generation=GenerationOptions(max_new_tokens=24),
        )
    assert run.answer.text == case.facts["answer"]
    assert [segment.tokens for segment in run.segments] == case.arrays["allocations"].tolist()
    relevance = np.array([segment.relevance for segment in run.segments])
    assert np.abs(relevance - case.arrays["relevance"]).max() <= (1e-6 if exact_pixels else 1e-4)
    assert run.budget.context == 16_384
    cut = [warning for warning in run.warnings if "max_new_tokens" in warning]
    assert len(run.warnings) - len(cut) == (change in WARNED)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_are_used_as_they_are_stored(kind: torch.dtype, tmp_path: Path) -> None:
    """Loaded into float32, they are the golden weights rounded once."""
    models = tmp_path / "checkpoints"
    shutil.copytree(GOLDEN / "checkpoints" / "a", models)
    exact = load_file(models / TEMPO / "model.safetensors")
    add(models / TEMPO, **{name: tensor.to(kind) for name, tensor in exact.items()})
    loaded = Checkpoint.open(models / TEMPO, models / BASE).load_decoder(PLAIN).state_dict()
    embedding = loaded["llm.model.embed_tokens.weight"]
    assert embedding.dtype == torch.float32
    assert torch.equal(embedding, exact["model.embed_tokens.weight"].to(kind).float())


TEXTS = [
    "What color was the car? It's 12:05, don't wait!",
    "  two  spaces\n\nlines\r\n\ttabs ",
    "na\u00efve cafe\u0301 \u4f60\u597d \U0001f697 \ufb01",
    "<|im_end|> <|video_pad|><think>",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("checkpoint", ["a", "b"])
@pytest.mark.parametrize("flags", [True, False])
def test_a_tokenizer_from_the_older_files_is_the_same(
    checkpoint: str, text: str, flags: bool, tmp_path: Path
) -> None:
    folder = tmp_path / TEMPO
    shutil.copytree(GOLDEN / "checkpoints" / checkpoint / TEMPO, folder)
    newer = TextTokenizer(read_tokenizer(folder))
    older_tokenizer(folder, *([] if flags else ["tokenizer_config.json"]))
    older = TextTokenizer(read_tokenizer(folder))
    ids = newer.encode(text)
    assert older.encode(text) == ids
    assert older.decode([*ids, older.special_id("<|im_end|>")]) == newer.decode(ids)
    assert older.vocabulary == newer.vocabulary


def test_the_flags_decide_which_added_tokens_are_special(tmp_path: Path) -> None:
    folder = tmp_path / TEMPO
    shutil.copytree(GOLDEN / "checkpoints" / "a" / TEMPO, folder)
    older_tokenizer(folder)
    edit(folder / "added_tokens.json", **{"<think>": 471})
    assert TextTokenizer(read_tokenizer(folder)).decode([471]) == "<think>"
    added = {"471": {"content": "<think>", "special": True}}
    edit(folder / "tokenizer_config.json", added_tokens_decoder=added)
    assert TextTokenizer(read_tokenizer(folder)).decode([471]) == ""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vocab.json", "[]"),
        ("vocab.json", '{"a": "b"}'),
        ("vocab.json", '{"a": -1}'),
        ("added_tokens.json", '{"<|x|>": true}'),
        ("merges.txt", "#version: 0.2\na b c\n"),
        ("merges.txt", "alone\n"),
        ("merges.txt", "no such\n"),
        ("tokenizer_config.json", '{"added_tokens_decoder": [1]}'),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"1": 2}}'),
    ],
)
def test_older_files_that_are_damaged_are_an_error_of_the_model(
    name: str, content: str, tmp_path: Path
) -> None:
    shutil.copytree(GOLDEN / "checkpoints" / "a", tmp_path / "models")
    folder = tmp_path / "models" / TEMPO
    older_tokenizer(folder)
    (folder / name).write_text(content)
    with pytest.raises(ModelError, match="tokenizer"):
        Checkpoint.open(folder, tmp_path / "models" / BASE)


@pytest.mark.parametrize(
    ("there", "names"),
    [
        ({"tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json"}, ("tokenizer.json",)),
        ({"vocab.json", "merges.txt"}, ("tokenizer.json",)),
        (
            {"vocab.json", "merges.txt", "added_tokens.json"},
            ("vocab.json", "merges.txt", "added_tokens.json"),
        ),
    ],
)
def test_the_older_files_count_where_all_three_are_there(there: set[str], names: tuple[str, ...]) -> None:
    assert tokenizer_names(there.__contains__) == names
