"""Weights in 8 and 4 bits: how exact, how fast, how small, and whether the answers stay.

Takes the linear layers of one decoder layer (Qwen3-4B) and of one layer of the compressor's language model
(Qwen3-VL-2B) in their real sizes, with random bfloat16 weights, through the product's own `quantized_linear`:

- error of the outputs against float32, relative, for normal activations and for such where a few channels
  stand out, as they do in trained language models;
- milliseconds for 1 row (a token of the answer) and for 512 (reading a prompt), channels standing out;
- bytes per weight, scales included.

With a model, also how far relevance moves at most on the example videos, and how many answers stay the same
to the letter. Everything compared takes turns; random weights cost the same time as trained ones.

Run: python bench/quantize.py [--device auto] [--model nano] [--runs 5]
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from checkpoints import SIZES
from common import Neighbours, medians, parser, report, spreads, timed
from torch import nn

from tempo_cli import LoadOptions, Run, Tempo
from tempo_cli.errors import TempoError
from tempo_cli.hub.homes import PACKAGED
from tempo_cli.model.device import Bits
from tempo_cli.model.quantize import library, quantized_linear

LAYERS = {"Qwen3-4B": SIZES["full"].decoder, "Qwen3-VL-2B": SIZES["full"].text}
BITS = ("none", "int8", "int4")
DTYPES = {"cpu": ("float32", "bfloat16"), "cuda": ("bfloat16", "float16")}
ROWS = {"1 row": 1, "512 rows": 512}
CHANNELS, TIMES = 6, 20.0  # how many stand out, and how far
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
QUESTIONS = {  # those of the tests, whose answers with whole weights are right
    "chase.mp4": (
        "what color was the car",
        "Which way does the car move?",
        "What was seen together with the car?",
        "Is there a star in the video?",
    ),
    "harbour.webm": (
        "What was black?",
        "When does the blue tree appear?",
        "Describe the scene with the orange boat.",
    ),
    "sky.mkv": ("Which way did the plane go?", "What color is the house?"),
    "long-walk.mp4": ("Is there a purple boat?", "When is the car seen?", "What color was the plane?"),
}

Numbers = dict[str, Any]


class Kind(NamedTuple):
    """How weights are kept."""

    dtype: str
    bits: str

    def __str__(self) -> str:
        return self.dtype if self.bits == "none" else f"{self.dtype}, weights {self.bits}"


def shapes(text: Numbers) -> list[tuple[int, int]]:
    """(out, in) of the linear layers of one layer: q, k, v, o; gate, up, down."""
    width, inner, size = text["hidden_size"], text["intermediate_size"], text["head_dim"]
    query, key = text["num_attention_heads"] * size, text["num_key_value_heads"] * size
    attention = [(query, width), (key, width), (key, width), (width, query)]
    return [*attention, (inner, width), (inner, width), (width, inner)]


def noise(*shape: int, device: torch.device) -> torch.Tensor:
    """Normal numbers that bfloat16 can hold, in it."""
    return torch.randn(*shape, device=device, dtype=torch.bfloat16)


def standing_out(x: torch.Tensor) -> torch.Tensor:
    """`x` (B, L, D) with a few channels much larger than the others."""
    larger = x.clone()
    larger[..., :: x.shape[-1] // CHANNELS][..., :CHANNELS] *= TIMES
    return larger


def layer(weight: torch.Tensor, kind: Kind) -> nn.Linear:
    """What the product makes of a weight (out, in)."""
    plain = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    weight = weight.to(getattr(torch, kind.dtype))
    if kind.bits != "none":
        return quantized_linear(plain, weight, cast(Bits, kind.bits)).eval()
    plain.weight = nn.Parameter(weight, requires_grad=False)
    return plain


def kept_bytes(made: nn.Linear, bits: str) -> int:
    """Of a layer that has not run yet: its numbers and its scales."""
    weight: Any = made.weight
    scales: list[torch.Tensor] = []
    if bits == "int8":
        scales = [weight.SCB]
    elif bits == "int4":
        scales = [weight.quant_state.absmax, weight.quant_state.state2.absmax]
    return weight.nbytes + sum(scale.nbytes for scale in scales)


def error(
    layers: list[nn.Linear], weights: list[torch.Tensor], inputs: list[torch.Tensor], dtype: str
) -> float:
    """Mean over the layers of |output - float32's| / |float32's|."""
    errors = []
    for made, weight, x in zip(layers, weights, inputs, strict=True):
        exact = nn.functional.linear(x.float(), weight.float())
        errors.append(float((made(x.to(getattr(torch, dtype))) - exact).norm() / exact.norm()))
    return sum(errors) / len(errors)


def run_all(layers: list[nn.Linear], inputs: list[torch.Tensor]) -> None:
    """Every layer once; the device has finished afterwards."""
    for made, x in zip(layers, inputs, strict=True):
        made(x)
    if inputs[0].is_cuda:
        torch.cuda.synchronize()


def measure(text: Numbers, device: torch.device, runs: int) -> Iterator[tuple[Kind, Numbers]]:
    """All numbers of one layer's weights, in each of the device's types and numbers of bits."""
    torch.manual_seed(0)
    weights = [noise(*shape, device=device) * 0.02 for shape in shapes(text)]
    even = [noise(1, max(ROWS.values()), weight.shape[1], device=device) for weight in weights]
    uneven = [standing_out(x) for x in even]
    kinds = [Kind(dtype, bits) for dtype in DTYPES[device.type] for bits in BITS]
    made = {kind: [layer(weight, kind) for weight in weights] for kind in kinds}
    count = sum(weight.numel() for weight in weights)
    found: dict[Kind, Numbers] = {}
    for kind, layers in made.items():
        size = sum(kept_bytes(one, kind.bits) for one in layers)
        errors = [error(layers, weights, inputs, kind.dtype) for inputs in (even, uneven)]
        found[kind] = {"bytes_per_weight": size / count, "error": errors[0], "error_standing_out": errors[1]}
    rounds = [{kind: speeds(layers, uneven, kind) for kind, layers in made.items()} for _ in range(runs + 1)]
    for kind in kinds:
        times = [one[kind] for one in rounds[1:]]  # the first one warms up
        yield kind, found[kind] | {"milliseconds": medians(times), "lowest_and_highest": spreads(times)}


def speeds(layers: list[nn.Linear], inputs: list[torch.Tensor], kind: Kind) -> dict[str, float]:
    """Milliseconds for each number of rows."""
    cast_inputs = [x.to(getattr(torch, kind.dtype)) for x in inputs]
    return {
        name: 1000 * timed(partial(run_all, layers, [x[:, :rows] for x in cast_inputs]))
        for name, rows in ROWS.items()
    }


def asked(model: str, device: torch.device, bits: str) -> list[Run]:
    """The example questions, answered by the model with its weights in so many bits."""
    tempo = Tempo.load(model, options=LoadOptions(device=str(device), quantize=bits))
    return [run for video, those in QUESTIONS.items() for run in tempo.ask_many(EXAMPLES / video, those)]


def answers(model: str, device: torch.device) -> Iterator[tuple[Kind, Numbers]]:
    """How the model's relevance and answers change with the bits."""
    whole = asked(model, device, "none")
    for bits in BITS[1:]:
        rough = asked(model, device, bits)
        pairs = list(zip(whole, rough, strict=True))
        found = {
            "relevance_moved": max(moved(*pair) for pair in pairs),
            "answers": len(pairs),
            "answers_kept": sum(said(one) == said(other) for one, other in pairs),
            "changed": [
                [one.question, said(one), said(other)] for one, other in pairs if said(one) != said(other)
            ],
        }
        yield Kind(rough[0].model.dtype, bits), found


def moved(one: Run, other: Run) -> float:
    """The largest difference of relevance between two runs on the same segments."""
    parts = zip(one.segments, other.segments, strict=True)
    return max(abs((a.relevance or 0.0) - (b.relevance or 0.0)) for a, b in parts)


def said(run: Run) -> str:
    """The answer's text."""
    assert run.answer is not None
    return run.answer.text


def row(name: str, found: Numbers) -> list[object]:
    """One line of the table."""
    times = found.get("milliseconds", {})
    kept = f"{found['answers_kept']} of {found['answers']}" if "answers" in found else None
    return [
        name,
        *(found.get(key) for key in ("error", "error_standing_out")),
        *(times.get(rows) for rows in ROWS),
        *(found.get(key) for key in ("bytes_per_weight", "relevance_moved")),
        kept,
    ]


def main() -> None:
    """Measure and report."""
    packaged = "nano" if PACKAGED["nano"].is_dir() else None
    options_of = parser(__doc__, runs=5)
    options_of.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options_of.add_argument("--model", default=packaged, help="name or folder (default: nano, if it is here)")
    options = options_of.parse_args()
    try:
        library()
        compare(options)
    except TempoError as problem:
        sys.exit(f"{problem.message}. {problem.hint}")


def compare(options: argparse.Namespace) -> None:
    """All layers, then the model."""
    cuda = options.device == "cuda" or (options.device == "auto" and torch.cuda.is_available())
    device, neighbours = torch.device("cuda" if cuda else "cpu"), Neighbours()
    rows: list[list[object]] = []
    facts: list[Numbers] = []
    with torch.inference_mode():
        for name, text in LAYERS.items():
            for kind, found in measure(text, device, options.runs):
                rows.append(row(f"{name}, {kind}", found))
                facts.append({"layers": name, **kind._asdict(), **found})
    for kind, found in answers(options.model, device) if options.model else ():
        rows.append(row(f"{Path(options.model).name}, {kind}", found))
        facts.append({"model": Path(options.model).name, **kind._asdict(), **found})
    report(
        "quantize",
        [
            "weights",
            "error",
            "outliers",
            *(f"{rows}, ms" for rows in ROWS),
            "bytes",
            "relevance",
            "answers kept",
        ],
        rows,
        options,
        neighbours,
        device=device.type,
        accelerator=torch.cuda.get_device_name() if cuda else None,
        measures=facts,
    )


if __name__ == "__main__":
    main()
