"""Linear layers in 8 or 4 bits, by bitsandbytes (see docs/decisions/quantization.md).

| bits | weights | activations |
|---|---|---|
| int8 | 8 bits, a scale per row | 8 bits, a scale per row; columns beyond 6 stay as they are (LLM.int8) |
| int4 | 4 bits (NF4), a scale per 64 weights, itself in 8 bits | as they are |

On a GPU, int8 leaves the activations of a single row as they are, too (`rows`).
"""

import logging
import sys
from functools import cache
from types import ModuleType
from typing import Any, cast

import torch
from torch import nn

from ..config import LoadOptions
from ..errors import SetupError
from .compressor import Compressor
from .device import Bits
from .llm import Decoder
from .rows import one_row

_OUTLIER = 6.0  # |activation| from which a column is not quantized (the LLM.int8 paper's)
_BLOCK = 64  # weights per scale


def choose_bits(options: LoadOptions, device: torch.device, option: str = "device") -> Bits | None:
    """What `options` ask for on `device`; None: nothing is quantized.

    Args:
        option: that names the device.

    Raises:
        SetupError: the device can't, or the library is not installed.
    """
    if options.quantize == "none":
        return None
    if device.type not in ("cuda", "cpu"):
        raise SetupError(
            f"`quantize={options.quantize!r}` does not run on {device.type}",
            f"Leave it out, or give `{option}='cpu'`.",
        )
    library()
    return cast(Bits, options.quantize)


def is_quantized(module: Compressor | Decoder, own: str) -> bool:
    """Whether the parameter `own` is the weight of a linear layer in the networks' own layers.

    Not the projector, the head, embeddings, the router or the memory tokens.
    """
    home, _, leaf = own.rpartition(".")
    inside = own.startswith(("vlm.", "llm.model."))
    return inside and leaf == "weight" and isinstance(module.get_submodule(home), nn.Linear)


def bytes_per_weight(bits: Bits) -> float:
    """Of a large layer, its scales included."""
    return 1.0 if bits == "int8" else 0.5 + 1 / _BLOCK


def quantized_linear(layer: nn.Linear, weight: torch.Tensor, bits: Bits) -> nn.Linear:
    """A layer like `layer`, with its bias and with `weight` (out, in) quantized on the device it is on."""
    return _eight(layer, weight) if bits == "int8" else _four(layer, weight)


def _eight(layer: nn.Linear, weight: torch.Tensor) -> nn.Linear:
    bnb = library()
    made: Any = _eight_bit_linear()(
        layer.in_features,
        layer.out_features,
        bias=layer.bias is not None,
        has_fp16_weights=False,
        threshold=_OUTLIER,
        device="meta",
    )
    values, scales, _ = bnb.functional.int8_vectorwise_quant(weight.half())
    made.weight = bnb.nn.Int8Params(
        values, requires_grad=False, has_fp16_weights=False, CB=values, SCB=scales
    )
    made.bias = layer.bias
    made.row_scales = scales / 127
    return cast(nn.Linear, made)


@cache
def _eight_bit_linear() -> Any:
    class Linear8(library().nn.Linear8bitLt):  # type: ignore[misc]
        """LLM.int8 asks the host which columns are outliers.

        For one row on a GPU that takes many times as long as the product, and it can't be recorded as a CUDA
        graph. So one row keeps its own type, which is more exact, too.
        """

        row_scales: torch.Tensor

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            """(…, in) to (…, out)."""
            several = values.numel() > values.shape[-1]
            if several or self.bias is not None or values.device.type == "cpu":
                return cast(torch.Tensor, super().forward(values))
            return one_row(values, self.weight.data, self.row_scales)

    return Linear8


def _four(layer: nn.Linear, weight: torch.Tensor) -> nn.Linear:
    bnb = library()
    made: Any = bnb.nn.Linear4bit(
        layer.in_features,
        layer.out_features,
        bias=layer.bias is not None,
        compute_dtype=weight.dtype,
        quant_type="nf4",
        device="meta",
    )
    values, state = bnb.functional.quantize_4bit(
        weight, blocksize=_BLOCK, compress_statistics=True, quant_type="nf4"
    )
    made.weight = bnb.nn.Params4bit(
        values, requires_grad=False, quant_state=state, quant_type="nf4", bnb_quantized=True
    )
    made.quant_state = state
    made.bias = layer.bias
    # the packed layout for some CPUs takes a kernel that may come from the Hub, and whole blocks of 32 rows
    made.support_avx512bf16_for_cpu = False
    return cast(nn.Linear, made)


@cache
def library() -> ModuleType:
    """bitsandbytes, which must not fetch code: with `kernels` installed it would, when it is imported.

    Raises:
        SetupError: it is not installed, or does not fit this machine.
    """
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    hidden = sys.modules.get("kernels")
    sys.modules["kernels"] = None  # type: ignore[assignment]  # makes its import fail
    try:
        import bitsandbytes
    except ImportError as error:
        raise SetupError(
            f"`quantize` needs bitsandbytes: {error}", "Run: pip install 'tempo-cli[quantize]'"
        ) from error
    finally:
        del sys.modules["kernels"]
        if hidden is not None:
            sys.modules["kernels"] = hidden
    return bitsandbytes
