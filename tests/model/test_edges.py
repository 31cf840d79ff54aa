"""What only shows in other types than float32, with seed 0, or at the very end of a range."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tempo_cli.config import GenerationOptions
from tempo_cli.errors import ModelError, SetupError, UsageError
from tempo_cli.model import device
from tempo_cli.model.configuration import sampling_rule
from tempo_cli.model.device import Target
from tempo_cli.model.fields import check_fields
from tempo_cli.model.generation import SamplingRule

from ..conftest import TinyModel
from .test_compressor import prepared, read, segment


def test_relevance_is_computed_in_float32_whatever_the_weights_are(tiny_models: dict[str, TinyModel]) -> None:
    compressor = tiny_models["a"].checkpoint.load_compressor(Target(torch.device("cpu"), torch.bfloat16))
    transformer, seen = compressor._transformer, []
    prefix = read(compressor, [prepared(compressor, segment(0)), prepared(compressor, segment(1))])

    class Recorded:
        text_angles = staticmethod(transformer.text_angles)

        def __call__(self, *arguments: Any) -> torch.Tensor:
            seen.append(transformer(*arguments))
            return seen[-1]

    compressor.__dict__["_transformer"] = Recorded()
    found = compressor.compress(prefix, "what is it")
    hidden = seen[0][:, -compressor.dimensions.memory_tokens - 1]
    assert (hidden.dtype, compressor.router.dtype) == (torch.bfloat16, torch.float32)
    exact = torch.sigmoid(hidden.float() @ compressor.router)
    assert torch.equal(torch.from_numpy(found.relevance), exact)
    assert not torch.equal(torch.sigmoid(hidden @ compressor.router.bfloat16()).float(), exact)


def test_a_tokenizer_may_fill_the_vocabulary_to_its_end(tiny_models: dict[str, TinyModel]) -> None:
    checkpoint = tiny_models["a"].checkpoint
    text: Any = checkpoint.vlm_config.text_config
    for part, size in (
        ("decoder_tokenizer", checkpoint.llm_config.vocab_size),
        ("compressor_tokenizer", text.vocab_size),
    ):
        full: Any = SimpleNamespace(vocabulary=size)
        replace(checkpoint, **{part: full})._check_vocabularies()
        with pytest.raises(ModelError, match=f"{size + 1:,} tokens"):
            replace(checkpoint, **{part: SimpleNamespace(vocabulary=size + 1)})._check_vocabularies()


def test_seed_zero_is_a_seed(tiny_models: dict[str, TinyModel]) -> None:
    decoder = tiny_models["a"].decoder
    embeds = decoder.llm.model.embed_tokens(torch.arange(5)).detach()
    options = GenerationOptions(max_new_tokens=12, temperature=5.0, seed=0)
    rule = SamplingRule(frozenset(), 0, None)
    first, second = ([one.id for one in decoder.generate(embeds, rule, options)] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("names", "lowest", "highest"),
    [
        (["in_channels", "spatial_merge_size", "temporal_patch_size"], 1, 16),
        (["patch_size"], 1, 256),
        (["depth", "num_hidden_layers"], 1, 512),
        (["num_attention_heads", "num_heads", "num_key_value_heads"], 1, 1024),
        (["head_dim"], 1, 4096),
        (["hidden_size", "out_hidden_size", "num_compression_tokens"], 1, 65_536),
        (["intermediate_size", "num_position_embeddings"], 1, 2**20),
        (["vocab_size"], 1, 2**22),
        (["max_position_embeddings"], 1, 2**28),
        (["sliding_window", "tokenizer_model_max_length"], 1, 2**31),
        (["max_window_layers"], 0, 4096),
        (["image_token_id", "video_token_id"], 0, 2**31),
        (["vision_end_token_id", "vision_start_token_id"], 0, 2**31),
    ],
)
def test_whole_numbers_of_a_configuration_have_limits(names: list[str], lowest: int, highest: int) -> None:
    for name in names:
        for value in (None, lowest, highest):
            check_fields({name: value})
        for value in (lowest - 1, highest + 1):
            with pytest.raises(ValueError, match=name):
                check_fields({name: value})


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("layer_types", [[], ["a"], ["a"] * 512], [["a"] * 513, [1], "a", {}]),
        ("deepstack_visual_indexes", [[], [0, 511], [1] * 64], [[512], [-1], [1.0], [True], [1] * 65, {}]),
    ],
)
def test_lists_of_a_configuration_have_kinds_and_lengths(field: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        check_fields({field: value})
    for value in bad:
        with pytest.raises(ValueError, match=field):
            check_fields({field: value})


@pytest.mark.parametrize(
    ("top_k", "top_p", "good"),
    [
        (None, None, True),
        (0, 1, True),
        (2**31 - 1, 1e-9, True),
        (2**31, 0.5, False),
        (-1, 0.5, False),
        (2.0, 0.5, False),
        (20, 0, False),
        (20, 1.01, False),
        (20, True, False),
    ],
)
def test_a_checkpoint_s_sampling_has_limits(top_k: Any, top_p: Any, good: bool) -> None:
    raw, stop_ids = {"top_k": top_k, "top_p": top_p}, frozenset({7})
    if good:
        assert sampling_rule(raw, stop_ids, "folder") == SamplingRule(stop_ids, top_k, top_p)
    else:
        with pytest.raises(ModelError, match="generation_config"):
            sampling_rule(raw, stop_ids, "folder")


@pytest.mark.parametrize(
    ("name", "cuda", "mps", "found"),
    [
        ("auto", 2, False, "cuda:1"),
        ("auto", 2, True, "cuda:1"),
        ("auto", 0, True, "mps"),
        ("auto", 0, False, "cpu"),
        ("cpu", 2, True, "cpu"),
        ("cuda", 2, False, "cuda:0"),
        ("cuda:1", 2, False, "cuda:1"),
        ("cuda:2", 2, False, SetupError),
        ("cuda", 0, True, SetupError),
        ("mps", 0, True, "mps"),
        ("mps", 2, False, SetupError),
        ("cpu:0", 2, True, UsageError),
        ("mps:0", 2, True, UsageError),
        ("cuda:-1", 2, True, UsageError),
        ("tpu", 2, True, UsageError),
    ],
)
def test_devices(
    name: str, cuda: int, mps: bool, found: str | type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    if isinstance(found, str):
        assert device._device(name) == torch.device(found)
    else:
        with pytest.raises(found):
            device._device(name)
