"""Weights in 8 and 4 bits: how exact, how fast, how small, and whether the answers stay.

Takes a linear layer of attention and two of the MLP of the decoder (Qwen3-4B) and of the compressor's own
language model (Qwen3-VL-2B), in their real sizes, with random bfloat16 weights, through the product's own
`quantized_linear`, in the type that the product takes on the device (float32 on a CPU):

- error of the outputs against float32, relative, for normal activations and for such where a few channels
  stand out, as they do in trained language models;
- milliseconds for 1 row (a token of the answer) and for 512 (reading a prompt), channels standing out;
- bytes per weight, scales included.

With a model, also how far relevance moves at most on the example videos, and how many answers stay the same
to the letter. Everything compared takes turns; random weights cost the same time as trained ones.

Run: python bench/quantize.py [--device auto] [--model nano] [--runs 3]
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from checkpoints import SIZES
from common import Neighbours, medians, parser, report, spreads, timed
from torch import nn

from tempo_cli import LoadOptions, Run, Tempo
from tempo_cli.errors import TempoError
from tempo_cli.hub.locations import PACKAGED
from tempo_cli.model.device import Bits, Target
from tempo_cli.model.loading import choose_target
from tempo_cli.model.quantize import library, quantized_linear

LAYERS = {"Qwen3-4B": SIZES["full"].decoder, "Qwen3-VL-2B": SIZES["full"].text}
BITS = ("none", "int8", "int4")
ROWS = {"1 row": 1, "512 rows": 512}
ERROR_ROWS = 64  # whose error is measured
CHANNELS, TIMES = 6, 20.0  # how many stand out, and how far
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
QUESTIONS = {  # those of tests/cli/test_nano.py
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


def shapes(text: Numbers) -> list[tuple[int, int]]:
    """(out, in) of q, up and down: few enough for a CPU, and every width that the others have."""
    width, inner = text["hidden_size"], text["intermediate_size"]
    return [(text["num_attention_heads"] * text["head_dim"], width), (inner, width), (width, inner)]


def noise(*shape: int, device: torch.device) -> torch.Tensor:
    """Normal numbers that bfloat16 can hold, in it."""
    return torch.randn(*shape, device=device, dtype=torch.bfloat16)


def standing_out(x: torch.Tensor) -> torch.Tensor:
    """`x` (B, L, D) with a few channels much larger than the others."""
    larger = x.clone()
    larger[..., :: x.shape[-1] // CHANNELS][..., :CHANNELS] *= TIMES
    return larger


def layer(weight: torch.Tensor, bits: str) -> nn.Linear:
    """What the product makes of a weight (out, in)."""
    plain = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    if bits != "none":
        return quantized_linear(plain, weight, cast(Bits, bits)).eval()
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
    return sum(part.nbytes for part in (weight, *scales))


def error(layers: list[nn.Linear], weights: list[torch.Tensor], inputs: list[torch.Tensor]) -> float:
    """Mean over the layers of |output - float32's| / |float32's|."""
    errors = []
    for made, weight, x in zip(layers, weights, inputs, strict=True):
        exact = nn.functional.linear(x.float(), weight.float())
        errors.append(float((made(x) - exact).norm() / exact.norm()))
    return sum(errors) / len(errors)


def run_all(layers: list[nn.Linear], inputs: list[torch.Tensor]) -> None:
    """Every layer once; the device has finished afterwards."""
    for made, x in zip(layers, inputs, strict=True):
        made(x)
    if inputs[0].is_cuda:
        torch.cuda.synchronize()


def speeds(layers: list[nn.Linear], inputs: list[torch.Tensor]) -> dict[str, float]:
    """Milliseconds for each number of rows."""
    return {
        name: 1000 * timed(partial(run_all, layers, [x[:, :rows] for x in inputs]))
        for name, rows in ROWS.items()
    }


def measure(text: Numbers, target: Target, runs: int) -> Iterator[tuple[str, Numbers]]:
    """All numbers of one model's layers, for each number of bits."""
    torch.manual_seed(0)
    weights = [(noise(*shape, device=target.device) * 0.02).to(target.dtype) for shape in shapes(text)]
    even = [noise(1, max(ROWS.values()), weight.shape[1], device=target.device) for weight in weights]
    uneven = [standing_out(x).to(target.dtype) for x in even]
    even = [x.to(target.dtype) for x in even]
    made = {bits: [layer(weight, bits) for weight in weights] for bits in BITS}
    count = sum(weight.numel() for weight in weights)
    found: dict[str, Numbers] = {}
    for bits, layers in made.items():
        size = sum(
            kept_bytes(one, bits) for one in layers
        )  # before they run: int8 hands its weights over then
        errors = [error(layers, weights, [x[:, :ERROR_ROWS] for x in inputs]) for inputs in (even, uneven)]
        found[bits] = {"bytes_per_weight": size / count, "error": errors[0], "error_standing_out": errors[1]}
    rounds = [{bits: speeds(layers, uneven) for bits, layers in made.items()} for _ in range(runs + 1)]
    for bits in BITS:
        times = [one[bits] for one in rounds[1:]]  # the first one warms up
        yield bits, found[bits] | {"milliseconds": medians(times), "lowest_and_highest": spreads(times)}


def asked(model: str, device: torch.device, bits: str) -> list[Run]:
    """The example questions, answered by the model with its weights in so many bits."""
    tempo = Tempo.load(model, options=LoadOptions(device=str(device), quantize=bits))
    return [run for video, those in QUESTIONS.items() for run in tempo.ask_many(EXAMPLES / video, those)]


def answers(model: str, device: torch.device) -> Iterator[tuple[str, Numbers]]:
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
        yield bits, found


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
    options_of = parser(__doc__, runs=3)
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
    target, neighbours = choose_target(LoadOptions(device="cuda" if cuda else "cpu")), Neighbours()
    rows: list[list[object]] = []
    facts: list[Numbers] = []
    with torch.inference_mode():
        for name, text in LAYERS.items():
            for bits, found in measure(text, target, options.runs):
                rows.append(row(f"{name}, {bits}", found))
                facts.append({"layers": name, "bits": bits, **found})
    for bits, found in answers(options.model, target.device) if options.model else ():
        rows.append(row(f"{Path(options.model).name}, {bits}", found))
        facts.append({"model": Path(options.model).name, "bits": bits, **found})
    columns = ["error", "outliers", *(f"{name}, ms" for name in ROWS), "bytes", "relevance", "answers kept"]
    report(
        "quantize",
        ["weights", *columns],
        rows,
        options,
        neighbours,
        device=target.device.type,
        dtype=str(target.dtype).removeprefix("torch."),
        accelerator=torch.cuda.get_device_name() if cuda else None,
        measures=facts,
    )


if __name__ == "__main__":
    main()
