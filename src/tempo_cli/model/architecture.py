"""What the networks are built from: sizes and kinds, by the names that a checkpoint's JSON uses.

Defaults are those that such a file leaves out.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class TextArchitecture:
    """A Qwen3 language model.

    Attributes:
        mrope_section: how many pairs of a head turn with time, height and width; None: all with one position.
    """

    vocab_size: int = 151_936
    hidden_size: int = 4096
    intermediate_size: int = 22_016
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int = 32
    head_dim: int = 128
    hidden_act: str = "silu"
    max_position_embeddings: int = 32_768
    rms_norm_eps: float = 1e-6
    attention_bias: bool = False
    tie_word_embeddings: bool = False
    rope_theta: float = 500_000.0
    mrope_section: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class VisionArchitecture:
    """The vision tower of Qwen3-VL."""

    depth: int = 27
    hidden_size: int = 1152
    hidden_act: str = "gelu_pytorch_tanh"
    intermediate_size: int = 4304
    num_heads: int = 16
    in_channels: int = 3
    patch_size: int = 16
    spatial_merge_size: int = 2
    temporal_patch_size: int = 2
    out_hidden_size: int = 3584
    num_position_embeddings: int = 2304
    deepstack_visual_indexes: tuple[int, ...] = (8, 16, 24)


@dataclass(frozen=True)
class VisionLanguageArchitecture:
    """Qwen3-VL without a head: its vision tower and its language model."""

    text_config: TextArchitecture
    vision_config: VisionArchitecture
