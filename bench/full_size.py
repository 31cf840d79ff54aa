"""The full-size model on a CUDA device: loading, memory, exactness, and what runs where memory is short.

Writes a checkpoint in the released layout with random bfloat16 weights (12.3 GB, once, into --folder) and a
generated clip, and runs the product itself on them, every row in a process of its own:

- runs: seconds to load and peak memory of the device for the weights, then for 128 and 256 segments with
  budgets of 8,192 and 12,288 tokens, in bfloat16 and with weights in 8 and 4 bits.
- golden: relevance and allocation of the recorded tiny cases, on the device in its own type against a CPU in
  float32: at most 0.02 apart, and at least 90 % of the segments within 2 tokens.
- answers: nano's answers about held-out videos of its generator, on the device in its own type and in 8 and
  4 bits, against a CPU in float32: at least 98 % the same without quantization.
- ladder: the device's memory limited to 24, 16, 12 and 8 GB: what runs, as planned and, without a plan,
  by giving up one thing after the other.
- speed: seconds per segment for micro-batches of 1 to 16; seconds to read a full budget; tokens per second.

Random weights cost the same time as trained ones. The tokenizer is the tests' tiny one, whose prompts are
longer than the released one's would be.

Run: python bench/full_size.py [--parts runs,golden,answers,ladder,speed] [--folder FOLDER] [--runs 5]
     python bench/full_size.py --small      the same code with tiny sizes on a CPU; limits are only pretended
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from checkpoints import SIZES, write
from common import Neighbours, make_clip, parser, report, run_child, timed

from tempo_cli import Tempo, networks, prompts
from tempo_cli.config import BudgetOptions, GenerationOptions, LoadOptions, SamplingOptions
from tempo_cli.errors import OutOfMemoryError
from tempo_cli.model.compressor import Compressor
from tempo_cli.model.llm import Decoder, SamplingRule
from tempo_cli.plan.segments import plan_segment
from tempo_cli.schema import Run
from tempo_cli.types import Allocation, FramePlan, MemoryTokens, Segment

PARTS = ("runs", "golden", "answers", "ladder", "speed")
BITS = ("none", "int8", "int4")
GIB = 2**30
MICRO_BATCHES = (1, 4, 8, 16)
HEIGHT, WIDTH, WINDOW = 256, 512, 8
SEGMENTS = 16  # measured at once; a multiple of every micro-batch
NEW_TOKENS = 65
QUESTION = "What color was the car?"
ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests/golden"

Numbers = dict[str, Any]
Part = tuple[list[list[object]], list[Numbers]]  # of the table, and all numbers


@dataclass(frozen=True)
class Scale:
    """What differs between the real measurement and its rehearsal on a CPU."""

    size: str
    device: str
    clip_seconds: int
    fps: float  # at which the longer run takes all its frames from the clip
    segments: tuple[int, ...]
    budgets: tuple[int, ...]
    limits: tuple[float, ...]  # bytes
    questions: int  # to nano


FULL = Scale(
    "full", "cuda", 512, 4.0, (128, 256), (8192, 12288), tuple(n * GIB for n in (24, 16, 12, 8)), 200
)
SMALL = Scale("small", "cpu", 8, 8.0, (4, 8), (256, 384), (200e6, 20e6, 0.6e6), 9)


@dataclass(frozen=True)
class Row:
    """One process: load once, then ask for each (segments, budget)."""

    bits: str
    asks: tuple[tuple[int, int], ...]
    limit: float | None = None
    planned: bool = True


# in a process of its own


def follow(row: Row, scale: Scale, model: str, clip: str) -> Numbers:
    """Load and ask; what ran, what was given up, and the peaks."""
    _limit(row, scale)
    options = LoadOptions(device=scale.device, quantize=row.bits)
    started = time.perf_counter()
    done: Numbers = {"asks": []}
    try:
        tempo = Tempo.load(model, options=options)
        done |= {
            "load_seconds": time.perf_counter() - started,
            "load_peak": _peak(),
            "dtype": tempo.info.dtype,
        }
        for segments, budget in row.asks:
            _reset_peak()
            done["asks"].append(ask(tempo, clip, segments, budget, scale))
    except OutOfMemoryError as error:
        done["error"] = f"{error.message}. {error.hint}"
    return done


def ask(tempo: Tempo, clip: str, segments: int, budget: int, scale: Scale) -> Numbers:
    """One question of the product; peaks include the weights."""
    run: Run = tempo.ask(
        clip,
        QUESTION,
        sampling=SamplingOptions(fps=scale.fps, max_frames=segments * WINDOW, window=WINDOW),
        budget=BudgetOptions(budget=budget),
        generation=GenerationOptions(max_new_tokens=NEW_TOKENS),
    )
    assert len(run.segments) == segments, f"{len(run.segments)} segments where {segments} were due"
    used = {"segments": segments, "budget": budget, "used": run.budget.used, "peak": _peak()}
    return used | {"timing": asdict(run.timing), **asdict(run.memory)}


def _limit(row: Row, scale: Scale) -> None:
    if row.limit is not None and scale.device == "cuda":
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, row.limit / total))
    elif row.limit is not None:
        networks.host_free_bytes = lambda: int(row.limit or 0)
    if not row.planned:
        networks.device_free_bytes = lambda _: None
        networks.host_free_bytes = lambda: None


def _peak() -> int | None:
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


def _reset_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


# the parts


def measured(row: Row, options: argparse.Namespace, model: Path, clip: Path) -> Numbers:
    """`follow` in a process of its own."""
    words = [
        sys.executable,
        __file__,
        "--row",
        json.dumps(asdict(row)),
        "--model",
        str(model),
        "--clip",
        str(clip),
    ]
    child = run_child([*words, *(["--small"] if options.small else [])])
    if child.status:
        return {"asks": [], "error": f"status {child.status}"}
    found: Numbers = json.loads(child.output.splitlines()[-1])
    return found


def runs(options: argparse.Namespace, scale: Scale, model: Path, clip: Path) -> Part:
    """Weights and whole runs in every number of bits."""
    rows, facts = [], []
    asks = tuple((segments, budget) for segments in scale.segments for budget in scale.budgets)
    for bits in BITS:
        found = measured(Row(bits, asks), options, model, clip)
        facts.append({"bits": bits, **found})
        name = f"{found.get('dtype')}, weights {bits}"
        rows.append(
            [f"load, {name}", found.get("load_seconds"), _gb(found.get("load_peak")), found.get("error", "")]
        )
        for one in found["asks"]:
            what = f"  {one['segments']} segments, {one['budget']:,} tokens ({one['used']:,} used)"
            seconds = one["timing"]["compress"] + one["timing"]["answer"]
            rows.append([what, seconds, _gb(one["peak"]), _how(one)])
    return rows, facts


def ladder(options: argparse.Namespace, scale: Scale, model: Path, clip: Path) -> Part:
    """What runs within a limit."""
    rows, facts = [], []
    for limit in scale.limits:
        for bits in BITS:
            for planned in (True, False):
                one = ((scale.segments[0], scale.budgets[0]),)
                found = measured(Row(bits, one, limit, planned), options, model, clip)
                facts.append({"limit": limit, "bits": bits, "planned": planned, **found})
                how = _how(found["asks"][0]) if found["asks"] else found.get("error", "")
                peak = _gb(found["asks"][0]["peak"]) if found["asks"] else None
                name = f"{limit / 1e9:.3g} GB, weights {bits}, {'planned' if planned else 'not planned'}"
                rows.append([name, found.get("load_seconds"), peak, how])
    return rows, facts


def golden(scale: Scale) -> Part:
    """The recorded cases on the device against a CPU."""
    rows, facts = [], []
    for path in sorted((GOLDEN / "cases").glob("*.json")):
        case = json.loads(path.read_text())
        if not case["ata"]:
            continue
        ours, exact = (_inspected(case, device) for device in (scale.device, "cpu"))
        relevance = np.abs(
            [a.relevance - b.relevance for a, b in zip(ours.segments, exact.segments, strict=True)]
        )
        tokens = np.abs([a.tokens - b.tokens for a, b in zip(ours.segments, exact.segments, strict=True)])
        share = float((tokens <= 2).mean())
        facts.append({"case": path.stem, "relevance": float(relevance.max()), "within_2_tokens": share})
        good = relevance.max() <= 0.02 and share >= 0.9
        note = f"{share:.0%} within 2 tokens" + ("" if good else ": NOT as exact as it should be")
        rows.append([f"{path.stem} in {ours.model.dtype}", float(relevance.max()), None, note])
    return rows, facts


def answers(scale: Scale) -> Part:
    """nano on the device against a CPU."""
    sys.path.insert(0, str(ROOT))
    from training.evaluate import SEED, contents_of, film, questions_about

    exact = Tempo.load("nano", options=LoadOptions(device="cpu", dtype="float32"))
    others = {
        bits: Tempo.load("nano", options=LoadOptions(device=scale.device, quantize=bits)) for bits in BITS
    }
    same: dict[str, list[bool]] = {bits: [] for bits in BITS}
    number = 0
    with tempfile.TemporaryDirectory() as folder:
        while len(same["none"]) < scale.questions:
            random = np.random.default_rng((SEED + 1, number))
            path, seen = film(random, Path(folder), f"{number:04}")
            contents = contents_of(path, seen, SamplingOptions())
            times = [4.0 * index + 2 for index in range(len(contents))]
            texts = [asked.question.text for asked in questions_about(random, contents, times)]
            right = [run.answer.text for run in exact.ask_many(path, texts) if run.answer]
            for bits, other in others.items():
                told = [run.answer.text for run in other.ask_many(path, texts) if run.answer]
                same[bits] += [a == b for a, b in zip(told, right, strict=True)]
            number += 1
    shares = {bits: float(np.mean(own)) for bits, own in same.items()}
    count = len(same["none"])
    rows: list[list[object]] = [
        [
            f"nano, {_bits(bits)}, {others[bits].info.dtype}",
            1 - share,
            None,
            f"{share:.1%} of {count} the same",
        ]
        for bits, share in shares.items()
    ]
    return rows, [{"questions": count, **shares}]


def _bits(bits: str) -> str:
    return "not quantized" if bits == "none" else bits


def _inspected(case: dict[str, Any], device: str) -> Run:
    folder = GOLDEN / "checkpoints" / case["checkpoint"] / "Tempo-tiny"
    tempo = Tempo.load(folder, options=LoadOptions(device=device), decoder=False)
    return tempo.inspect(
        GOLDEN / "videos" / case["video"],
        case["query"],
        sampling=SamplingOptions(case["fps"], case["max_frames"], case["window"]),
        budget=BudgetOptions(budget=case["budget"]),
    )


def speed(options: argparse.Namespace, scale: Scale, model: Path) -> Part:
    """The two networks alone, without a video."""
    tempo = Tempo.load(model, options=LoadOptions(device=scale.device))
    compressor, decoder = tempo.networks.compressor(), tempo.networks.decoder()
    rows: list[list[object]] = []
    facts: list[Numbers] = []
    work = segments_of(SEGMENTS)
    for size in MICRO_BATCHES:
        _reset_peak()
        compress(compressor, work, size)
        seconds = [timed(partial(compress, compressor, work, size)) for _ in range(options.runs)]
        one = statistics.median(seconds) / SEGMENTS
        facts.append({"micro_batch": size, "seconds_per_segment": one, "peak": _peak()})
        rows.append([f"compress a segment, micro-batch {size}", one, _gb(_peak()), ""])
    embeds = decoder_input(tempo, compressor, decoder, scale.budgets[0])
    _reset_peak()
    pairs = [spoken(decoder, embeds) for _ in range(options.runs + 1)][1:]
    first = statistics.median(pair[0] for pair in pairs)
    rate = statistics.median((NEW_TOKENS - 1) / pair[1] for pair in pairs)
    facts.append(
        {"input_tokens": len(embeds), "prefill_seconds": first, "tokens_per_second": rate, "peak": _peak()}
    )
    rows.append([f"read {len(embeds):,} tokens", first, _gb(_peak()), f"then {rate:.1f} tokens/s"])
    return rows, facts


def segments_of(count: int) -> list[Segment]:
    """Noise at 2 fps, from a time on at which all time tags have the same number of digits."""
    plan = FramePlan(np.arange(count * WINDOW), fps=2.0, origin=1000.0)
    frames = np.random.default_rng(0).integers(0, 256, (count, WINDOW, HEIGHT, WIDTH, 3), np.uint8)
    starts = range(0, count * WINDOW, WINDOW)
    plans = (plan_segment(plan, range(first, first + WINDOW), WINDOW, 2) for first in starts)
    return [Segment(*pair) for pair in zip(plans, frames, strict=True)]


def compress(compressor: Compressor, work: list[Segment], micro_batch: int) -> None:
    """Compress all segments as the pipeline does; the scores come back, so the device has finished."""
    for batch in compressor.batches(work, micro_batch):
        assert len(batch.ids) == micro_batch, "prompts differ in length"
        relevance = compressor.compress(compressor.read(batch), QUESTION).relevance
        assert np.isfinite(relevance).all(), "not finite"


def decoder_input(tempo: Tempo, compressor: Compressor, decoder: Decoder, budget: int) -> torch.Tensor:
    """A prompt with a full budget of memory tokens, spliced as the pipeline does, (L, D)."""
    per, tokenizer = compressor.dimensions.memory_tokens, tempo.checkpoint.decoder_tokenizer
    count = budget // per
    tokens = torch.randn(count, per, compressor.dimensions.compressor_width).to(compressor.memory)
    memory = MemoryTokens(tokens, np.full(count, 0.5, np.float32))
    allocation = Allocation(np.full(count, per, np.int64), budget, "uniform")
    tags = [tokenizer.encode(prompts.time_tag(1000.0 + 4 * index)) for index in range(count)]
    before, after = prompts.decoder_prompt(tokenizer, QUESTION)
    return decoder.splice(before, tags, memory, allocation, after)


def spoken(decoder: Decoder, embeds: torch.Tensor) -> tuple[float, float]:
    """Seconds to the first token, and for all others; each token comes back, so the device has finished."""
    endless = SamplingRule(frozenset(), None, None)
    started = time.perf_counter()
    tokens = decoder.generate(embeds, endless, GenerationOptions(max_new_tokens=NEW_TOKENS))
    next(tokens)
    first = time.perf_counter()
    count = 1 + sum(1 for _ in tokens)
    assert count == NEW_TOKENS, f"{count} tokens"
    return first - started, time.perf_counter() - first


def _how(one: Numbers) -> str:
    """How a run was made to fit, in a few words."""
    held = "together" if one["together"] else "in turn"
    steps = f"; gave up: {', '.join(one['steps'])}" if one["steps"] else ""
    return f"{held}, {one['micro_batch']} at once{steps}"


def _gb(size: float | None) -> float | None:
    return None if size is None else size / 1e9


def main() -> None:
    """Measure and report."""
    options_of = parser(__doc__, runs=5)
    options_of.add_argument("--small", action="store_true", help="tiny sizes on the CPU")
    options_of.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)} (default: all)")
    options_of.add_argument("--folder", type=Path, help="keep it here (default: a temporary folder)")
    options_of.add_argument("--row", help=argparse.SUPPRESS)
    options_of.add_argument("--model", help=argparse.SUPPRESS)
    options_of.add_argument("--clip", help=argparse.SUPPRESS)
    options = options_of.parse_args()
    scale = SMALL if options.small else FULL
    if options.row:
        row = json.loads(options.row)
        print(json.dumps(follow(Row(**row), scale, options.model, options.clip)))
        return
    if options.small:
        os.environ["OMP_NUM_THREADS"] = "1"  # for the children: threads of so little work wait for each other
        torch.set_num_threads(1)  # for `golden` and `speed`, which run here
    if scale.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA device here: give --small to try the code on the CPU")
    with tempfile.TemporaryDirectory() as folder:
        measure(options, scale, write(options.folder or Path(folder), SIZES[scale.size]))


def measure(options: argparse.Namespace, scale: Scale, model: Path) -> None:
    """All parts that were asked for, in one table."""
    neighbours, clip = Neighbours(), make_clip(scale.clip_seconds, "640x360", 8)
    wanted = options.parts.split(",")
    rows: list[list[object]] = []
    facts: dict[str, Any] = {}
    # children first: this process must not hold memory of the device while they measure
    for name, part in (
        ("runs", lambda: runs(options, scale, model, clip)),
        ("ladder", lambda: ladder(options, scale, model, clip)),
        ("golden", lambda: golden(scale)),
        ("answers", lambda: answers(scale)),
        ("speed", lambda: speed(options, scale, model)),
    ):
        if name in wanted:
            found, facts[name] = part()
            rows += [[f"{name}:", None, None, ""], *found]
    report(
        "full_size",
        ["what", "seconds (golden: distance)", "peak GB", "how"],
        rows,
        options,
        neighbours,
        small=options.small,
        accelerator=torch.cuda.get_device_name() if scale.device == "cuda" else None,
        **facts,
    )


if __name__ == "__main__":
    main()
