"""Which tiles suit the products of one token on this card? For the tiles in model/kernels.py.

Times each product of a layer of Tempo-6B's decoder LLM, and of its head, with random weights, more of them
than the card's cache holds, recorded as a CUDA graph. A tile is the rows of the weights and the columns per
step of a program, and its warps.

Run: python bench/tiles.py          (needs CUDA and Triton)
"""

import itertools
import sys
from collections.abc import Callable

import torch
from checkpoints import SIZES
from common import Neighbours, parser, report
from gpu_parts import device

from tempo_cli.model import kernels

BLOCKS, COLUMNS, WARPS = (1, 2, 4, 8, 16), (256, 512, 1024, 2048), (1, 2, 4, 8)
_BYTES = 4 * 10**8  # of weights in each round
_LEAST, _MOST = 4, 64  # numbers of a tile per thread
Tile = tuple[int, int, int]


def main() -> None:
    """Print the five fastest tiles of every product."""
    options_of = parser(__doc__, runs=5)
    options_of.add_argument("--only", default="", help="products whose names contain this")
    options = options_of.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no CUDA device here")
    neighbours, table = Neighbours(), []
    for name, rows, columns, dtype, product in products():
        if options.only not in name:
            continue
        size = rows * columns * dtype.itemsize
        weights = [
            torch.randn(rows, columns, device="cuda").mul_(30).to(dtype)
            for _ in range(max(2, _BYTES // size))
        ]
        found = sorted((seconds(product, weights, tile, options.runs), tile) for tile in tiles())
        for time, tile in found[:5]:
            table.append([name, *tile, 1e6 * time, size / time / 1e9])
    report("tiles", ["product", "rows", "columns", "warps", "µs", "GB/s"], table, options, neighbours)


def tiles() -> list[Tile]:
    """Those whose threads have neither nothing nor too much to do."""
    every = itertools.product(BLOCKS, COLUMNS, WARPS)
    return [tile for tile in every if _LEAST <= tile[0] * tile[1] / (32 * tile[2]) <= _MOST]


Product = Callable[[torch.Tensor, torch.Tensor], None]  # of a weight and an output


def products() -> list[tuple[str, int, int, torch.dtype, Product]]:
    """Name, shape and type of the weights, and the kernel."""
    text = SIZES["full"].decoder
    width, inner, size = text["hidden_size"], text["intermediate_size"], text["head_dim"]
    heads, groups = text["num_attention_heads"], text["num_key_value_heads"]
    made = {count: torch.randn(1, count, device="cuda").bfloat16() for count in (width, inner, heads * size)}
    hidden = made[width]
    gain = torch.ones_like(hidden[0])

    def normed(weight: torch.Tensor, out: torch.Tensor) -> None:
        kernels.norm_product(hidden, gain, 1e-6, weight, out)

    def gated(weight: torch.Tensor, out: torch.Tensor) -> None:
        kernels.gated_product(hidden, gain, 1e-6, weight, out[:, : len(weight) // 2])

    def added(weight: torch.Tensor, out: torch.Tensor) -> None:
        kernels.add_product(made[weight.shape[1]], weight, out)

    def scaled(weight: torch.Tensor, out: torch.Tensor) -> None:
        kernels.scaled_product(made[weight.shape[1]], weight, scales[: len(weight)], out)

    scales = torch.rand(2 * inner, device="cuda")
    whole, byte = torch.bfloat16, torch.int8
    return [
        ("heads", (heads + 2 * groups) * size, width, whole, normed),
        ("output", width, heads * size, whole, added),
        ("gate and up", 2 * inner, width, whole, gated),
        ("down", width, inner, whole, added),
        ("head", text["vocab_size"], width, whole, normed),
        ("queries, 8 bits", heads * size, width, byte, scaled),
        ("gate, 8 bits", inner, width, byte, scaled),
        ("down, 8 bits", width, inner, byte, scaled),
    ]


def seconds(product: Product, weights: list[torch.Tensor], tile: Tile, runs: int) -> float:
    """Of one product with such a tile."""
    kernels._NORMED = kernels._ADDED = kernels._SCALED = tile
    rows = len(weights[0])
    out = torch.zeros(1, rows, device="cuda", dtype=torch.bfloat16)

    def work() -> None:
        for weight in weights:
            product(weight, out)

    return device.fastest(device.recorded(work), runs) / len(weights)


if __name__ == "__main__":
    main()
