"""Everything that belongs to a model must be there and fit, and every error says what to do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tempo_cli.config import GenerationOptions, LoadOptions, PixelLimits, SamplingOptions
from tempo_cli.errors import ModelError
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.device import Target
from tempo_cli.model.projector import build_projector
from tempo_cli.tempo import Tempo

from ..conftest import GOLDEN

Tensors = dict[str, torch.Tensor]
TIED = ("lm_head.weight", "model.embed_tokens.weight")
CPU = torch.device("cpu")
PLAIN = Target(CPU, torch.float32)
BASE_HEAD = "model.language_model.embed_tokens.weight"
MEMORY = "model.vision_tower_aux_list.0.compression_tokens"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of checkpoint a that a test may damage; its base lies beside it."""
    return copy("a", tmp_path)


def copy(name: str, tmp_path: Path) -> Path:
    models = tmp_path / "models" / name
    shutil.copytree(GOLDEN / "checkpoints" / name, models)
    return models / "Tempo-tiny"


def base_of(folder: Path) -> Path:
    return folder.parent / "Qwen3-VL-tiny"


def opened(folder: Path) -> Checkpoint:
    return Checkpoint.open(folder, base_of(folder))


def rewrite(folder: Path, change: Callable[[Tensors], Any]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def edit(file: Path, **fields: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | fields), encoding="utf-8")


def state(checkpoint: Checkpoint, dtype: torch.dtype = torch.float32) -> Tensors:
    """Every tensor of both networks, by name."""
    target = Target(CPU, dtype)
    compressor, decoder = checkpoint.load_compressor(target), checkpoint.load_decoder(target)
    named = {f"decoder.{name}": value for name, value in decoder.state_dict().items()}
    return compressor.state_dict() | named


def same(ours: Tensors, others: Tensors) -> bool:
    return ours.keys() == others.keys() and all(torch.equal(ours[name], others[name]) for name in ours)


def failure(folder: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        opened(folder)
    return caught.value


@pytest.mark.parametrize("name", ["a", "b"])
def test_every_tensor_of_the_file_is_used_as_it_is(tmp_path, name):
    folder = copy(name, tmp_path)
    stored, loaded = load_file(folder / "model.safetensors"), state(opened(folder))
    renamed = {"memory": MEMORY, "decoder.projector": "model.mm_projector", "decoder.llm": ""}
    found = set()
    for own, tensor in loaded.items():
        stem = next((stem for stem in renamed if own.startswith(stem)), "vlm")
        home = renamed.get(stem, "model.vision_tower_aux_list.0.vlm.model")
        source = (home + own.removeprefix(stem)).removeprefix(".")
        if source in stored:
            assert torch.equal(tensor, stored[source])
            found.add(source)
    assert found == set(stored)


@pytest.mark.parametrize(("name", "tied"), [("a", False), ("b", True)])
def test_a_tied_head_is_the_embedding(tiny_models, name, tied):
    llm = tiny_models[name].decoder.llm
    assert (llm.lm_head.weight is llm.model.embed_tokens.weight) == tied
    assert torch.equal(llm.lm_head.weight, llm.model.embed_tokens.weight) == tied


def test_weights_take_the_type_that_was_asked_for_but_the_router_stays_float32(folder):
    loaded = state(opened(folder), torch.bfloat16)
    assert loaded.pop("router").dtype == torch.float32
    assert {tensor.dtype for tensor in loaded.values()} == {torch.bfloat16}


def test_nothing_is_trainable_and_dropout_is_off(tiny_model):
    for module in (tiny_model.compressor, tiny_model.decoder):
        assert not module.training
        assert not any(weight.requires_grad for weight in module.parameters())


@pytest.mark.parametrize("name", ["model.norm.weight", MEMORY, "model.mm_projector.bias", "lm_head.weight"])
def test_a_missing_tensor_is_named(folder, name):
    rewrite(folder, lambda tensors: tensors.pop(name))
    error = failure(folder)
    assert error.message == f"{folder} is missing tensor {name}"
    assert error.hint == "This is not a complete Tempo checkpoint."


def test_of_many_missing_tensors_three_are_named(folder):
    names = [f"model.layers.0.mlp.{part}_proj.weight" for part in ("down", "gate", "up")]
    gone = [*names, "model.norm.weight"]
    rewrite(folder, lambda tensors: [tensors.pop(name) for name in gone])
    assert failure(folder).message == f"{folder} is missing tensor {', '.join(names)} and 1 more"


def test_tensors_that_are_not_part_of_the_model_are_named_and_ignored(folder):
    before = state(opened(folder))
    assert opened(folder).warnings == ()
    extra = {f"model.extra.{number}": torch.zeros(2, dtype=torch.int8) for number in range(5)}
    rewrite(folder, lambda tensors: tensors.update(extra))
    (warning,) = opened(folder).warnings
    assert warning == (
        "tensors that are not part of the model are ignored: "
        "model.extra.0, model.extra.1, model.extra.2 and 2 more"
    )
    assert same(state(opened(folder)), before)


def test_a_tensor_of_another_shape_is_named_with_both_shapes(folder):
    rewrite(folder, lambda tensors: tensors.update({MEMORY: torch.zeros(1, 128, 63)}))
    error = failure(folder)
    assert error.message == f"tensor {MEMORY} has shape (1, 128, 63), config.json expects (1, 128, 64)"
    assert error.hint == "The weights and config.json do not belong together."


@pytest.mark.parametrize("kind", [torch.int8, torch.int64, torch.bool])
def test_weights_that_are_no_floats_are_refused(folder, kind):
    rewrite(folder, lambda tensors: tensors.update({"model.norm.weight": torch.ones(80, dtype=kind)}))
    assert "model.norm.weight" in failure(folder).message


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("part", ["model.", "model.vision_tower_aux_list.0.vlm.model.language_model."])
def test_weights_that_compute_no_numbers_are_an_error_of_the_model(folder, golden, part, temperature):
    rewrite(folder, lambda tensors: tensors[f"{part}norm.weight"].fill_(3e38))  # finite, but no result is
    tempo = Tempo.load(folder, options=LoadOptions(device="cpu"))
    few = SamplingOptions(max_frames=4)
    generation = GenerationOptions(max_new_tokens=2, temperature=temperature, seed=1)
    with pytest.raises(ModelError, match="not a number"):
        tempo.ask(golden / "videos/pattern.mp4", "what?", sampling=few, generation=generation)


def test_a_tied_head_that_is_stored_twice_is_fine(tmp_path):
    folder = copy("b", tmp_path)
    before = state(opened(folder))
    rewrite(folder, lambda tensors: tensors.update({TIED[0]: tensors[TIED[1]].clone()}))
    assert same(state(opened(folder)), before)


@pytest.mark.parametrize("change", [lambda head: head + 1, lambda head: head.half(), lambda head: head[:5]])
def test_a_tied_head_that_differs_from_the_embedding_is_ignored(tmp_path, change):
    folder = copy("b", tmp_path)
    before = state(opened(folder))
    rewrite(folder, lambda tensors: tensors.update({TIED[0]: change(tensors[TIED[1]]).clone()}))
    assert opened(folder).warnings == ("tensors that are not part of the model are ignored: lm_head.weight",)
    assert same(state(opened(folder)), before)


def test_tensors_are_compared_to_their_last_row(tmp_path, monkeypatch):
    monkeypatch.setattr("tempo_cli.model.tensor_files._PIECE", 7)
    folder = copy("b", tmp_path)
    changed = load_file(folder / "model.safetensors")[TIED[1]].clone()
    rewrite(folder, lambda tensors: tensors.update({TIED[0]: changed}))
    assert opened(folder).warnings == ()
    changed[-1, -1] += 1
    rewrite(folder, lambda tensors: tensors.update({TIED[0]: changed}))
    assert len(opened(folder).warnings) == 1


def shard(folder: Path) -> Path:
    """Split the weights into two files with an index, which is returned."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    homes = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(tensors)}
    for file in set(homes.values()):
        save_file({name: tensors[name] for name in tensors if homes[name] == file}, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": homes}), encoding="utf-8")
    return index


@pytest.mark.parametrize("name", ["a", "b"])
def test_shards_load_like_one_file(tmp_path, name):
    folder = copy(name, tmp_path)
    before = state(opened(folder))
    shard(folder)
    shard(base_of(folder))
    assert same(state(opened(folder)), before)


def test_a_missing_shard_is_named(folder):
    shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert failure(folder).message == f"{folder} has no model-00002-of-00002.safetensors"


@pytest.mark.parametrize("outside", ["../Qwen3-VL-tiny/model.safetensors", "{base}/model.safetensors"])
def test_an_index_can_t_point_out_of_its_folder(folder, outside):
    name = outside.format(base=base_of(folder))
    edit(shard(folder), weight_map={"model.norm.weight": name})
    assert failure(folder).message == f"{folder} has no {name}"


@pytest.mark.parametrize("weights", [None, "x", ["a"], {"model.norm.weight": 1}, {"model.norm.weight": [1]}])
def test_a_garbled_index_is_an_error_of_the_model(folder, weights):
    index = shard(folder)
    edit(index, weight_map=weights)
    assert index.name in failure(folder).message


@pytest.mark.parametrize("keep", [0, 4, 1000, 1_500_000])
def test_truncated_weights_are_an_error_with_the_files_name(folder, keep):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    error = failure(folder)
    assert error.message.startswith(f"{file} is damaged or incomplete: ")
    assert error.hint == "Download it again, or check the folder."


@pytest.mark.parametrize("pickle", ["pytorch_model.bin", "consolidated.pth", "model.pt"])
def test_a_pickle_is_named_but_never_loaded(folder, pickle):
    (folder / "model.safetensors").rename(folder / pickle)
    error = failure(folder)
    assert error.message == f"{folder} has no model.safetensors"
    assert error.hint == f"{pickle} is a pickle, which could run code: only safetensors are loaded."


def test_without_any_weights_the_file_is_named(folder):
    (folder / "model.safetensors").unlink()
    error = failure(folder)
    assert error.message == f"{folder} has no model.safetensors"
    assert error.hint == "Download it again, or check the folder."


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("part", ["Tempo-tiny", "Qwen3-VL-tiny"])
def test_a_missing_file_is_named(folder, part, name):
    (folder.parent / part / name).unlink()
    (folder.parent / part / "vocab.json").unlink()  # or the older files would do for the tokenizer
    error = failure(folder)
    assert error.message == f"{folder.parent / part} has no {name}"
    assert error.hint == "Give a folder in the released layout."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "Expecting property name"),
        (b"[]", "it is not a JSON object"),
        (b"\xff\xfe", "Expecting value"),
    ],
)
def test_a_damaged_configuration_is_an_error_of_the_model(folder, content, message):
    file = folder / "config.json"
    file.write_bytes(content)
    assert failure(folder).message.startswith(f"{file} can't be used: {message}")
    file.write_text((GOLDEN / "checkpoints/a/Tempo-tiny/config.json").read_text())
    file = base_of(folder) / "config.json"
    file.write_bytes(content)
    assert failure(folder).message == f"{file} can't be used: it is not a JSON object"


SECRET = "hunter2"


@pytest.mark.parametrize(
    "change",
    [
        lambda base: (base / "config.json").write_text(f'{{"password": {SECRET}}}'),
        lambda base: (base / "config.json").write_text(f"[1e999, {SECRET}"),
        lambda base: edit(base / "config.json", model_type=SECRET),
        lambda base: edit(base / "config.json", text_config={"hidden_size": SECRET}),
        lambda base: edit(base / "config.json", text_config={"rope_scaling": {"rope_type": SECRET}}),
        lambda base: edit(base / "config.json", vision_config={"hidden_act": SECRET}),
        lambda base: (base / "tokenizer.json").write_text(SECRET),
        lambda base: edit(base / "tokenizer.json", normalizer={"type": SECRET}),
        lambda base: (base / "model.safetensors").write_text(SECRET * 9),
        lambda base: save_file({SECRET: torch.zeros(7, 7)}, base / "model.safetensors"),
        lambda base: edit(shard(base), weight_map={"a": SECRET}),
    ],
)
def test_errors_repeat_nothing_of_a_base_s_files(folder, change):
    """A configuration may name any folder as the base, so also one with secrets."""
    change(base_of(folder))
    with pytest.raises(ModelError) as caught:
        opened(folder).load_compressor(PLAIN)
    assert SECRET not in caught.value.message + caught.value.hint
    assert str(base_of(folder)) in caught.value.message


@pytest.mark.parametrize(("part", "wanted"), [("Tempo-tiny", "tempo_qwen"), ("Qwen3-VL-tiny", "qwen3_vl")])
@pytest.mark.parametrize("kind", ["llama", None])
def test_another_kind_of_model_is_refused(folder, part, wanted, kind):
    edit(folder.parent / part / "config.json", model_type=kind)
    told = "another type" if part == "Qwen3-VL-tiny" else f"type {kind!r}"
    assert failure(folder).message == f"{folder.parent / part} holds a model of {told}, not {wanted!r}"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mm_projector_type": "resampler"}, "projector 'resampler' from width 64 to 80 is not known"),
        ({"mm_projector_type": "identity"}, "projector 'identity' from width 64 to 80 is not known"),
        ({"hidden_size": "wide"}, "config.json: hidden_size is 'wide', not a number from 1 to"),
        ({"num_hidden_layers": -1}, "config.json: num_hidden_layers is -1, not"),
        ({"hidden_act": "nothing"}, "config.json"),
        ({"rope_theta": None, "rope_parameters": "yarn"}, "config.json"),
        ({"rope_theta": "far"}, "config.json"),
    ],
)
def test_a_senseless_configuration_is_an_error_of_the_model(folder, fields, message):
    edit(folder / "config.json", **fields)
    assert message in failure(folder).message


def test_a_checkpoint_without_limits_of_its_own_has_the_released_ones(folder):
    own = opened(folder).dimensions
    assert (own.min_tokens, own.pixels) == (4, PixelLimits(512, 64, 131_072, 786_432))


def test_a_checkpoint_may_bring_limits_of_its_own(folder):
    edit(folder / "config.json", tempo={"min_tokens": 1, "longest_edge": 96, "grid": 32, "max_pixels": 6144})
    own = opened(folder).dimensions
    assert (own.min_tokens, own.pixels) == (1, PixelLimits(96, 32, 131_072, 6144))


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ([], "tempo"),
        ({"grid": 0}, "tempo"),
        ({"grid": 32.0}, "tempo"),
        ({"grid": True}, "tempo"),
        ({"fps": 2}, "tempo.fps"),
    ],
)
def test_senseless_limits_are_refused(folder, limits, named):
    edit(folder / "config.json", tempo=limits)
    assert failure(folder).message == f"{folder}/config.json has no valid {named}"


@pytest.mark.parametrize("part", ["Tempo-tiny", "Qwen3-VL-tiny"])
def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(folder, part):
    path = folder.parent / part / "tokenizer.json"
    value = json.loads(path.read_text())
    last = value["added_tokens"][-1]
    value["added_tokens"] += [last | {"id": 471 + n, "content": f"<|more_{n}|>"} for n in range(10)]
    path.write_text(json.dumps(value))
    assert failure(folder).message == f"{folder.parent / part}/tokenizer.json has 481 tokens, the model 480"


def test_the_weights_know_the_number_of_memory_tokens_better_than_the_configuration(folder):
    edit(folder / "config.json", num_compression_tokens=64)
    checkpoint = opened(folder)
    assert checkpoint.dimensions.memory_tokens == 128
    assert checkpoint.warnings == (
        f"{folder}/config.json has num_compression_tokens 64, but the weights have 128: 128 is used",
    )
    edit(folder / "config.json", num_compression_tokens=None)
    assert (opened(folder).dimensions.memory_tokens, opened(folder).warnings) == (128, ())
    rewrite(folder, lambda tensors: tensors.pop(MEMORY))
    assert "num_compression_tokens" in failure(folder).message


def test_the_weights_must_fit_the_configuration(folder):
    edit(folder / "config.json", hidden_size=84)
    assert "config.json expects " in failure(folder).message


@pytest.mark.parametrize("field", ["rope_scaling", "rope_parameters"])
def test_a_rope_scaling_in_the_configuration_is_ignored(folder, field):
    scaling = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 40960}
    edit(folder / "config.json", **{field: scaling})
    angles = opened(folder).load_decoder(PLAIN).llm.model.rotary_emb.inv_freq
    assert torch.allclose(angles, 1e6 ** (-torch.arange(0, 20, 2) / 20))


def test_the_base_of_the_rope_may_stand_under_its_newer_name(folder):
    edit(folder / "config.json", rope_theta=None, rope_parameters={"rope_type": "default", "rope_theta": 5e4})
    angles = opened(folder).load_decoder(PLAIN).llm.model.rotary_emb.inv_freq
    assert torch.allclose(angles, 5e4 ** (-torch.arange(0, 20, 2) / 20))


def test_what_the_weights_are_is_read_from_the_configuration(folder):
    dimensions = opened(folder).dimensions
    assert (dimensions.memory_tokens, dimensions.min_tokens) == (128, 4)
    assert (dimensions.projector, dimensions.compressor_width, dimensions.decoder_width) == ("linear", 64, 80)
    assert (dimensions.context, dimensions.max_positions) == (16_384, 40_960)
    assert (dimensions.patch, dimensions.merge, dimensions.temporal_patch) == (16, 2, 2)


@pytest.mark.parametrize("fields", [{"top_k": "many"}, {"top_k": -1}, {"top_p": "most"}, {"top_p": 0.0}])
def test_a_senseless_generation_config_is_an_error_of_the_model(folder, fields):
    edit(folder / "generation_config.json", **fields)
    assert "generation_config.json" in failure(folder).message


def test_without_a_generation_config_sampling_is_plain(folder):
    (folder / "generation_config.json").unlink()
    rule = opened(folder).rule
    assert (rule.top_k, rule.top_p, len(rule.stop_ids)) == (None, None, 2)


# the router: row "Yes" minus row "No" of the base's head


def router(folder: Path) -> torch.Tensor:
    return opened(folder).load_compressor(PLAIN).router


def yes_and_no(folder: Path) -> tuple[int, int]:
    tokenizer = opened(folder).compressor_tokenizer
    return tokenizer.word_id("Yes"), tokenizer.word_id("No")


def test_the_router_comes_from_the_bases_embedding_where_the_head_is_tied(folder):
    yes, no = yes_and_no(folder)
    rows = load_file(base_of(folder) / "model.safetensors")[BASE_HEAD]
    assert torch.equal(router(folder), rows[yes] - rows[no])
    tuned = load_file(folder / "model.safetensors")[f"model.vision_tower_aux_list.0.vlm.{BASE_HEAD}"]
    assert not torch.equal(router(folder), tuned[yes] - tuned[no])


def test_the_router_comes_from_the_bases_own_head_where_it_has_one(folder):
    yes, no = yes_and_no(folder)
    head = torch.randn(480, 64, generator=torch.Generator().manual_seed(5))
    rewrite(base_of(folder), lambda tensors: tensors.update({"lm_head.weight": head}))
    assert torch.equal(router(folder), head[yes] - head[no])


def test_the_routers_rows_are_subtracted_in_their_own_type(folder):
    yes, no = yes_and_no(folder)
    head = torch.randn(480, 64, generator=torch.Generator().manual_seed(5)).bfloat16()
    rewrite(base_of(folder), lambda tensors: tensors.update({"lm_head.weight": head}))
    direction = router(folder)
    assert direction.dtype == torch.float32
    assert torch.equal(direction, (head[yes] - head[no]).float())
    assert not torch.equal(direction, head[yes].float() - head[no].float())


def test_a_base_without_a_head_is_refused(folder):
    rewrite(base_of(folder), lambda tensors: tensors.pop(BASE_HEAD))
    with pytest.raises(ModelError, match=f"has neither lm_head.weight nor {BASE_HEAD}"):
        router(folder)


@pytest.mark.parametrize("shape", [(10, 64), (480, 32), (480,)])
def test_a_base_whose_head_does_not_fit_is_refused(folder, shape):
    rewrite(base_of(folder), lambda tensors: tensors.update({"lm_head.weight": torch.zeros(shape)}))
    with pytest.raises(ModelError, match=r"lm_head\.weight"):
        router(folder)


# projectors


def test_a_linear_projector_is_one_layer():
    projector = build_projector("linear", 3, 5)
    assert {name: tuple(value.shape) for name, value in projector.state_dict().items()} == {
        "weight": (5, 3),
        "bias": (5,),
    }
    x = torch.randn(2, 4, 3)
    assert torch.allclose(projector(x), x @ projector.weight.T + projector.bias, atol=1e-6)


@pytest.mark.parametrize(("kind", "layers"), [("mlp1x_gelu", 1), ("mlp2x_gelu", 2), ("mlp3x_gelu", 3)])
def test_an_mlp_projector_has_gelu_between_its_layers(kind, layers):
    projector = build_projector(kind, 3, 5)
    weights = projector.state_dict()
    names = {f"{2 * layer}.{part}" for layer in range(layers) for part in ("weight", "bias")}
    assert weights.keys() == names
    x = expected = torch.randn(2, 4, 3)
    for layer in range(layers):
        expected = expected @ weights[f"{2 * layer}.weight"].T + weights[f"{2 * layer}.bias"]
        if layer + 1 < layers:
            expected = expected * (1 + torch.erf(expected / 2**0.5)) / 2
    assert torch.allclose(projector(x), expected, atol=1e-6)


def test_an_identity_projector_changes_nothing_and_has_no_weights():
    projector, x = build_projector("identity", 4, 4), torch.randn(2, 4)
    assert torch.equal(projector(x), x)
    assert projector.state_dict() == {}


@pytest.mark.parametrize("kind", ["identity", "mlpx_gelu", "mlp2x_relu", "Linear", "linear ", ""])
def test_another_projector_is_refused_by_name(kind):
    with pytest.raises(ModelError) as caught:
        build_projector(kind, 4, 5)
    assert caught.value.message == f"projector {kind!r} from width 4 to 5 is not known"
    assert caught.value.hint == "Known: linear, mlpNx_gelu with N up to 16, identity (equal widths)."


@pytest.mark.parametrize("names", [None, [], ["a/b", "c/d"], [1], "a/b"])
def test_a_configuration_names_exactly_one_base(folder, names):
    edit(folder / "config.json", mm_vision_tower_aux_list=names)
    with pytest.raises(ModelError) as caught:
        Checkpoint.base_name(folder)
    assert caught.value.message == f"{folder}/config.json names no single base model"
