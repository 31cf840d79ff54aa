"""Operations and bytes against numbers that were worked out by hand."""

import pytest
from checkpoints import SIZES
from gpu_parts.counts import (
    Ceilings,
    Cost,
    keys_and_values,
    language,
    layer_parameters,
    pairs,
    projector,
    vision,
)

FULL = SIZES["full"]
# two layers, width 4, two heads of 2 and one for keys and values, MLP of 3, ten words
TINY = {
    "num_hidden_layers": 2, "hidden_size": 4, "intermediate_size": 3, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 2, "vocab_size": 10,
}  # fmt: skip
# one block, width 4, MLP of 16; patches of 2x2 pixels and two frames: 24 numbers; mergers of 4 patches to 8
TOWER = {
    "depth": 1, "hidden_size": 4, "intermediate_size": 16, "out_hidden_size": 8, "patch_size": 2,
    "temporal_patch_size": 2, "spatial_merge_size": 2, "deepstack_visual_indexes": [0],
}  # fmt: skip


@pytest.mark.parametrize(("new", "before", "count"), [(1, 0, 1), (3, 0, 6), (1, 9, 10), (2, 5, 6 + 7)])
def test_every_query_sees_itself_and_what_came_before(new: int, before: int, count: int) -> None:
    assert pairs(new, before) == count


def test_a_layer() -> None:
    # q and o: 2 * 4*4; k and v: 2 * 4*2; MLP: 3 * 4*3
    assert layer_parameters(TINY) == 32 + 16 + 36


def test_reading_three_tokens() -> None:
    found = language(TINY, 3, 0)
    # 2 layers * (2 * 84 * 3 tokens + 6 pairs * 2 heads * 2 * (q·k and weights·v: 2 * 2))
    assert found.operations == 2 * (504 + 6 * 16)
    # weights: 2 * 84 * 2 bytes; keys and values: 2 layers * 2 * 2 numbers * 3 tokens * 2 bytes
    assert found.bytes == 336 + 48


def test_writing_a_token_after_nine_in_a_batch_of_two() -> None:
    found = language(TINY, 1, 9, batch=2, head=True)
    assert found.operations == 2 * (2 * (168 + 10 * 16) + 2 * 40)
    assert found.bytes == 336 + 2 * 40 + 2 * (2 * 4 * 10 * 2)  # the weights count once


def test_fewer_bits_for_a_layers_weights_only() -> None:
    assert language(TINY, 1, 9, head=True, weight_bytes=0.5).bytes == 168 * 0.5 + 80 + 160


def test_the_vision_tower() -> None:
    found = vision(TOWER, 2, 8, batch=3)
    patches, tokens = 2 * 8, 2 * 8 // 4
    embed, block = 24 * 4, 4 * 16 + 2 * 64
    mergers = 2 * (16 * 16 + 16 * 8)
    attention = 4 * 4 * 2 * 8 * 8  # width 4, two frames of 8 patches that see each other
    assert found.operations == 3 * (2 * patches * (embed + block) + 2 * tokens * mergers + attention)
    assert found.bytes == 2 * (embed + block + mergers)


def test_the_full_sizes_count_as_many_weights_as_the_released_layout_has() -> None:
    # tests/model/test_full_size.py: all but norms, biases, embeddings, memory tokens and positions
    assert 28 * layer_parameters(FULL.text) == 28 * 50_331_648
    assert 36 * layer_parameters(FULL.decoder) == 36 * 100_925_440
    assert vision(FULL.vision, 1, 4).bytes / 2 == 1536 * 1024 + 24 * 12_582_912 + 4 * (
        4096 * 4096 + 4096 * 2048
    )


def test_keys_and_values_of_the_full_sizes() -> None:
    assert keys_and_values(FULL.text, 1, 2) == 114_688
    assert keys_and_values(FULL.decoder, 1, 2) == 147_456


def test_the_projector() -> None:
    assert projector(3, 4, 5) == Cost(120, 40)


def test_the_floor_is_what_takes_longer() -> None:
    card = Ceilings(matmul=100.0, copy=10.0)
    assert card.floor(Cost(200, 10)) == 2.0
    assert card.floor(Cost(200, 50)) == 5.0
    assert Cost(1, 2) + Cost(3, 4) == Cost(4, 6)
