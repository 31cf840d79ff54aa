"""What the small model is: its sizes, where they differ from the released model's."""

from typing import Any

from tempo_cli.config import ModelDimensions, PixelLimits

WINDOW = 8  # frames per segment
MEMORY = 8  # memory tokens per segment
WIDTH = 128
PIXELS = PixelLimits(longest_edge=96, grid=32, min_pixels=64 * 64, max_pixels=96 * 64)
DIMENSIONS = ModelDimensions(
    memory_tokens=MEMORY,
    projector="linear",
    compressor_width=WIDTH,
    decoder_width=WIDTH,
    context=4096,
    max_positions=8192,
    patch=16,
    merge=2,
    temporal_patch=2,
    min_tokens=1,
    pixels=PIXELS,
)
# Of the compressor. The decoder has more layers and, as the released one, a theta of 1e6: it has to compare
# segments that are up to 2,000 tokens apart. With 1e4, most pairs of a head of 32 turn too far for that.
TEXT: dict[str, Any] = {
    "hidden_size": WIDTH,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    "attention_bias": False,
    "tie_word_embeddings": True,
    "max_position_embeddings": 8192,
    "rope_theta": 10_000.0,
}
DECODER: dict[str, Any] = TEXT | {"num_hidden_layers": 6, "rope_theta": 1e6}
VISION: dict[str, Any] = {
    "depth": 4,
    "hidden_size": WIDTH,
    "intermediate_size": 384,
    "num_heads": 4,
    "in_channels": 3,
    "patch_size": 16,
    "temporal_patch_size": 2,
    "spatial_merge_size": 2,
    "num_position_embeddings": 36,
    "out_hidden_size": WIDTH,
    "deepstack_visual_indexes": [1],
    "hidden_act": "gelu_pytorch_tanh",
}
MROPE = {
    "rope_type": "default",
    "mrope_section": [6, 5, 5],
    "mrope_interleaved": True,
}
