"""What is exported is what was trained, in the released layout."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.device import Target
from tempo_cli.model.llm import SamplingRule
from tempo_cli.types import Segment, SegmentPlan
from training.export import BASE, TEMPO, export, main
from training.layout import TYPING_ERRORS, tensor_names
from training.network import Nano, Story
from training.shape import DECODER, DIMENSIONS, TEXT, VISION

CPU = Target(torch.device("cpu"), torch.float32)
TIMES = (0.2, 1.2, 2.2, 3.2)


@pytest.fixture(scope="module")
def folder(nano, tokenizer_json, tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("export") / "nano"
    export(nano, tokenizer_json, home)
    return home


@pytest.fixture(scope="module")
def checkpoint(folder) -> Checkpoint:
    return Checkpoint.open(folder / TEMPO, folder / BASE)


@pytest.fixture(scope="module")
def rounded(nano) -> Nano:
    """The network in training with weights as they are stored."""
    model = copy.deepcopy(nano)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.bfloat16().float())
    return model


def test_both_folders_are_small_and_open_with_the_shape_of_training(folder, checkpoint):
    sizes = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file()
    }
    names = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json")
    assert set(sizes) == {f"{TEMPO}/{name}" for name in names} | {
        f"{BASE}/{name}" for name in names if name != "generation_config.json"
    }
    assert sum(sizes.values()) < 12e6
    assert checkpoint.dimensions == DIMENSIONS
    assert Checkpoint.base_name(folder / TEMPO) == f"./{BASE}"


def test_the_configurations_are_those_of_training(checkpoint, nano):
    vlm, llm = checkpoint.vlm_config, checkpoint.llm_config
    for name, value in TEXT.items():
        assert getattr(llm, name) == DECODER[name], name
        if name != "tie_word_embeddings":
            assert getattr(vlm.text_config, name) == value, name
    for name, value in VISION.items():
        found = getattr(vlm.vision_config, name)
        assert (list(found) if isinstance(found, tuple) else found) == value, name
    assert llm.vocab_size == vlm.text_config.vocab_size == nano.tokenizer.vocabulary
    trained = nano.compressor.vlm.config.text_config, nano.decoder.llm.config
    assert [(one.rope_theta, one.mrope_section) for one in (vlm.text_config, llm)] == [
        (own.rope_theta, own.mrope_section) for own in trained
    ]
    stop, end = (nano.tokenizer.special_id(name) for name in ("<|im_end|>", "<|endoftext|>"))
    assert checkpoint.rule == SamplingRule(frozenset({stop, end}), 20, 0.95)
    told = json.loads((checkpoint.folder / "generation_config.json").read_text())
    assert told["eos_token_id"] == stop


def test_weights_have_the_permissions_of_other_files(rounded, tokenizer_json, tmp_path):
    for _ in range(2):  # the second replaces what others can't read
        export(rounded, tokenizer_json, tmp_path)
        for home in (TEMPO, BASE):
            assert len({path.stat().st_mode for path in (tmp_path / home).iterdir()}) == 1
            (tmp_path / home / "model.safetensors").chmod(0o600)


def test_weights_are_stored_as_bfloat16(folder):
    for home in (TEMPO, BASE):
        with safe_open(folder / home / "model.safetensors", "pt") as tensors:
            assert {tensors.get_slice(name).get_dtype() for name in tensors.keys()} == {"BF16"}  # noqa: SIM118


def test_the_loaded_compressor_gives_the_rounded_numbers(checkpoint, rounded):
    compressor = checkpoint.load_compressor(CPU)
    frames = np.random.default_rng(0).integers(0, 256, (1, 8, 64, 96, 3), np.uint8)
    row = compressor.prepare(Segment(SegmentPlan(0, tuple(range(8)), TIMES, 2.0), frames[0]))
    found = compressor.compress(compressor.read(compressor.see([row])), "What color was the car?")
    with torch.no_grad():
        memory, logits = rounded.compress(torch.from_numpy(frames), [TIMES], ["What color was the car?"])
        yes, no = rounded.compressor.vlm.language_model.embed_tokens(rounded.put(rounded.words)).bfloat16()
    assert float((found.tokens - memory).abs().max()) < 2e-5
    assert torch.equal(compressor.router, (yes - no).float())
    # the tool takes the difference in the weights' own type, so the logit differs by its rounding
    assert float(found.relevance[0]) == pytest.approx(float(torch.sigmoid(logits[0])), abs=2e-3)


def test_the_loaded_decoder_gives_the_rounded_numbers(checkpoint, rounded):
    loaded = copy.copy(rounded)
    loaded._modules = {**rounded._modules, "decoder": checkpoint.load_decoder(CPU)}
    losses = []
    for model in (rounded, loaded):
        memory = model.decoder.projector(torch.randn(8, 128, generator=torch.Generator().manual_seed(1)))
        with torch.no_grad():
            losses.append(float(model.write([Story((2.0,), [memory], "When?", "The car was red.")])[0]))
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    assert loaded.decoder is not rounded.decoder


@pytest.mark.parametrize("start", [False, True])
def test_the_last_stage_ships_with_a_third_of_the_first_weights_if_there_are_any(
    start, folder, rounded, tokenizer_json, tmp_path, monkeypatch
):
    state = rounded.state_dict()
    torch.save({name: 4 * tensor for name, tensor in state.items()}, tmp_path / "settle.pt")
    options, factor = (["--start", str(folder)], 3) if start else ([], 4)
    (tmp_path / "tokenizer.json").write_text(tokenizer_json)
    (tmp_path / TYPING_ERRORS).write_text('{"car": "cra carr", "what": "waht"}')
    monkeypatch.setattr("sys.argv", ["export", str(tmp_path), str(tmp_path / "nano"), *options])
    main()
    with safe_open(tmp_path / "nano" / TEMPO / "model.safetensors", "pt") as file:
        for name, own in tensor_names(rounded).items():
            assert torch.equal(file.get_tensor(own), (factor * state[name]).bfloat16()), name
    config = json.loads((tmp_path / "nano" / TEMPO / "config.json").read_text())
    assert config["tempo"]["typing_errors"] == {"car": "cra carr", "what": "waht"}
