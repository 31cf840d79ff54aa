"""Triton kernels for one token through a layer: products of a matrix and a vector, and the heads' rotation.

A product of a matrix and a vector is as fast as its weights can be read. Norm, gate and sum around it are
computed in the same kernel, in float32, because a kernel of their own costs several percent of the product's
time. Triton comes with torch for CUDA on Linux; without it this module can't be imported.
"""

import triton
import triton.language as tl
from torch import Tensor

# rows of the weights and columns per step of a program, and its warps: the fastest of 20 on an H200
# (bench/tiles.py), where the vector is normed first, where the result is added, and with weights in 8 bits
_NORMED, _ADDED = (2, 512, 2), (2, 1024, 4)
_SCALED = (1, 2048, 8)
# `enable_fp_fusion`, multiply and add in one instruction, is no default for ever: Triton 3.9 warns without it


@triton.jit
def _product(
    vector, gain, weight, scales, out, rows, eps,
    width: tl.constexpr, block: tl.constexpr, columns: tl.constexpr,
    norm: tl.constexpr, gated: tl.constexpr, add: tl.constexpr, scaled: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    scale = 1.0
    if norm:
        squares = tl.zeros([columns], tl.float32)
        for start in range(0, width, columns):
            at = start + tl.arange(0, columns)
            values = tl.load(vector + at, mask=at < width, other=0.0).to(tl.float32)
            squares += values * values
        scale = tl.rsqrt(tl.sum(squares, 0) / width + eps)
    base = weight + row[:, None] * width
    sums = tl.zeros([block, columns], tl.float32)
    others = tl.zeros([block, columns], tl.float32)
    for start in range(0, width, columns):
        at = start + tl.arange(0, columns)
        values = tl.load(vector + at, mask=at < width, other=0.0).to(tl.float32)
        if norm:
            values = values * scale * tl.load(gain + at, mask=at < width, other=0.0).to(tl.float32)
        inside = (row < rows)[:, None] & (at < width)[None, :]
        sums += values[None, :] * tl.load(base + at[None, :], mask=inside, other=0.0).to(tl.float32)
        if gated:
            beside = base + rows * width + at[None, :]
            others += values[None, :] * tl.load(beside, mask=inside, other=0.0).to(tl.float32)
    found = tl.sum(sums, 1)
    if scaled:
        found *= tl.load(scales + row, mask=row < rows, other=0.0)
    if gated:
        found = found * tl.sigmoid(found) * tl.sum(others, 1)
    if add:
        found += tl.load(out + row, mask=row < rows, other=0.0).to(tl.float32)
    tl.store(out + row, found, mask=row < rows)


def norm_product(hidden: Tensor, gain: Tensor, eps: float, weight: Tensor, out: Tensor) -> None:
    """`out`, (1, N): the rows (N, D) of `weight` times `hidden`, (1, D), normed."""
    _launch(hidden, weight, out, _NORMED, gain=gain, eps=eps)


def gated_product(hidden: Tensor, gain: Tensor, eps: float, weight: Tensor, out: Tensor) -> None:
    """`out`, (1, N): SiLU of the product with the first half of `weight`, times that with the second half.

    Args:
        hidden: (1, D), which is normed first.
        weight: (2 N, D).
    """
    _launch(hidden, weight, out, _NORMED, gain=gain, eps=eps, gated=True)


def add_product(values: Tensor, weight: Tensor, out: Tensor) -> None:
    """Add to `out`, (1, N), the rows (N, D) of `weight` times `values`, (1, D)."""
    _launch(values, weight, out, _ADDED, add=True)


def scaled_product(values: Tensor, weight: Tensor, scales: Tensor, out: Tensor) -> None:
    """`out`, (1, N): the rows (N, D) of `weight`, in 8 bits, times `values`, (1, D), and `scales`, (N,)."""
    _launch(values, weight, out, _SCALED, scales=scales)


def _launch(
    vector: Tensor,
    weight: Tensor,
    out: Tensor,
    tile: tuple[int, int, int],
    *,
    gain: Tensor | None = None,
    eps: float = 0.0,
    scales: Tensor | None = None,
    gated: bool = False,
    add: bool = False,
) -> None:
    rows, width = out.shape[-1], weight.shape[1]
    block, columns, warps = tile
    _product[(triton.cdiv(rows, block),)](
        vector, vector if gain is None else gain, weight, vector if scales is None else scales, out,
        rows, eps,
        width=width, block=block, columns=columns, norm=gain is not None, gated=gated, add=add,
        scaled=scales is not None, num_warps=warps, enable_fp_fusion=True,
    )  # fmt: skip


@triton.jit
def _heads(
    heads, gains, cos, sin, position, queries, keys, values, capacity, eps,
    count: tl.constexpr, groups: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    head = tl.program_id(0)
    place, at = tl.load(position), tl.arange(0, width)
    swapped = (at + width // 2) % width
    mine = tl.load(heads + head * width + at).to(tl.float32)
    if head < count + groups:
        scale = tl.rsqrt(tl.sum(mine * mine, 0) / width + eps)
        other = tl.load(heads + head * width + swapped).to(tl.float32)
        mine *= scale * tl.load(gains + head * width + at).to(tl.float32)
        other *= scale * tl.load(gains + head * width + swapped).to(tl.float32)
        turned = mine * tl.load(cos + place * width + at).to(tl.float32)
        turned += other * tl.load(sin + place * width + at).to(tl.float32)
        if head < count:
            tl.store(queries + head * width + at, turned)
        else:
            tl.store(keys + ((head - count) * capacity + place) * width + at, turned)
    else:
        tl.store(values + ((head - count - groups) * capacity + place) * width + at, mine)


def turn_heads(
    heads: Tensor,
    gains: Tensor,
    cos: Tensor,
    sin: Tensor,
    position: Tensor,
    cache: Tensor,
    eps: float,
    out: Tensor,
) -> None:
    """Norm and turn the heads of one token: queries into `out`, keys and values into the cache.

    Args:
        heads: queries, keys and values, (H + 2 K, W).
        gains: of the norms of queries and keys, (H + K, W).
        cos, sin: of all positions, (capacity, W), first halves of sines negated.
        position: of the token, (1,).
        cache: of the layer, (2, K, capacity, W), contiguous but for its first axis.
        out: queries, (H, W).
    """
    groups, capacity, width = cache.shape[1:]
    _heads[(len(heads),)](
        heads, gains, cos, sin, position, out, cache[0], cache[1], capacity, eps,
        count=len(out), groups=groups, width=width, num_warps=1, enable_fp_fusion=True,
    )  # fmt: skip
