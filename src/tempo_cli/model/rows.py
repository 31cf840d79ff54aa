"""One row through a linear layer in 8 bits: how a GPU writes an answer."""

import logging
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from .device import current, is_recent_cuda

_log = logging.getLogger(__name__)
Product = Callable[[Tensor, Tensor, Tensor, Tensor], None]


def one_row(values: Tensor, weight: Tensor, scales: Tensor) -> Tensor:
    """A single row, (…, in), times weights in 8 bits; (…, out) in the type of `values`.

    Args:
        weight: (out, in) int8.
        scales: (out,) float32, of the weights' rows.
    """
    row = values.reshape(1, -1)
    with current(row.device):  # Triton starts kernels on the current device
        if is_recent_cuda(row) and (product := _kernel(row.device, row.dtype)) is not None:
            out = row.new_empty(1, len(weight))
            product(row, weight, scales, out)
        else:
            # before they are scaled, sums may be beyond what float16 holds
            wide = torch.float32 if row.dtype == torch.float16 else row.dtype
            out = (functional.linear(row.to(wide), weight.to(wide)) * scales).to(row.dtype)
    return out.view(*values.shape[:-1], -1)


@cache
def _kernel(device: torch.device, dtype: torch.dtype) -> Product | None:
    """Triton's product, if it can be compiled for rows of this type on this device."""
    try:
        from .kernels import scaled_product

        row = torch.ones(1, 16, device=device, dtype=dtype)
        scaled_product(row, row.to(torch.int8), row[0, :1].float(), torch.empty_like(row[:, :1]))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # noqa: BLE001  without Triton, or without a compiler
        _log.info("Triton's kernel for 8 bits can't be used here: %s", error)
        return None
    return scaled_product
