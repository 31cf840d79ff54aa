"""Is it right? The device against a CPU in float32, and the whole command with its ways out."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tempo_cli import BudgetOptions, GenerationOptions, LoadOptions, Run, SamplingOptions, Tempo

from . import command, device
from .internals import release
from .scale import ROOT, Bench

# relevance: largest distance; relevance_99: that of 99 in 100 segments, because rounding has outliers; the
# others: least share of segments or questions
TOLERANCES: dict[str, dict[str, float]] = {
    "float32": {"relevance": 1e-3, "same_tokens": 0.99, "same_answers": 1.0},
    "bfloat16": {"relevance_99": 0.02, "within_2_tokens": 0.9, "same_answers": 0.98},
}
_STEEP = {"relevance_99": 0.04}  # nano's router magnifies rounding; its own default is float32
_GOLDEN = ROOT / "tests/golden"
_GOLDEN_TOKENS = 16  # of an answer, which is noise
_SEGMENT = 4.0  # seconds of nano's films


@dataclass(frozen=True)
class Asked:
    """Questions about one video."""

    video: Path
    texts: tuple[str, ...]
    sampling: SamplingOptions | None = None
    budget: BudgetOptions | None = None
    generation: GenerationOptions | None = None

    def of(self, tempo: Tempo) -> list[Run]:
        """The runs of all questions."""
        found = tempo.ask_many(
            self.video, self.texts, sampling=self.sampling, budget=self.budget, generation=self.generation
        )
        return list(found)


def run(bench: Bench) -> None:
    """All rows of this part; the full-size checkpoint is written meanwhile."""
    bench.record.add("device", **device.facts(bench))
    torch.set_num_threads(1)  # of the CPU that is compared with: tiny models' threads wait for each other
    with _checkpoint(bench) as checkpoint:
        golden(bench)
        nano(bench)
        release(bench.device)
        command.run(bench, checkpoint)


def distance(ours: Sequence[Run], exact: Sequence[Run]) -> dict[str, float]:
    """How far runs are from those that count as exact."""
    pairs = [pair for one in zip(ours, exact, strict=True) for pair in zip(*map(_segments, one), strict=True)]
    apart = np.array([abs(a[1] - b[1]) for a, b in pairs])
    relevance = np.array([abs(a[0] - b[0]) for a, b in pairs])
    same = [_said(a) == _said(b) for a, b in zip(ours, exact, strict=True)]
    return {
        "questions": len(same),
        "segments": len(pairs),
        "relevance": float(relevance.max()),
        "relevance_99": float(np.quantile(relevance, 0.99)),
        "same_tokens": float((apart == 0).mean()),
        "within_2_tokens": float((apart <= 2).mean()),
        "same_answers": float(np.mean(same)),
    }


def verdict(
    found: dict[str, float], dtype: str, *, answers: bool = True, steep: bool = False
) -> dict[str, Any]:
    """`found` with the tolerances of a type, and whether all are met."""
    bounds = TOLERANCES[dtype] | (_STEEP if steep and dtype != "float32" else {})
    due = {key: least for key, least in bounds.items() if answers or key != "same_answers"}
    ok = all(
        found[key] <= bound if key.startswith("relevance") else found[key] >= bound
        for key, bound in due.items()
    )
    shares = f"tokens same {found['same_tokens']:.1%}, within 2 {found['within_2_tokens']:.1%}"
    note = f"relevance {found['relevance']:.2g}, 99 % {found['relevance_99']:.2g}, {shares}"
    note += f", answers same {found['same_answers']:.1%}"
    return {**found, "tolerances": due, "ok": ok, "note": note}


def golden(bench: Bench) -> None:
    """The recorded cases with the tiny models, whose random weights are the hardest on low precision."""
    cases = [json.loads(path.read_text()) for path in sorted((_GOLDEN / "cases").glob("*.json"))]
    cases = [case for case in cases if case["ata"]]
    exact = [run for case in cases for run in _recorded(case, "cpu", "float32")]
    for dtype in TOLERANCES:
        with bench.record.row(f"golden, {dtype}") as row:
            ours = [run for case in cases for run in _recorded(case, bench.device, dtype)]
            row.update(verdict(distance(ours, exact), dtype, answers=dtype == "float32"))
            row["cases"] = {
                case["video"] + ": " + case["query"][:20]: distance([a], [b])
                for case, a, b in zip(cases, ours, exact, strict=True)
            }
    if bench.device == "cpu":  # has no TF32
        return
    with bench.record.row("golden, float32 without TF32") as row, _without_tf32():
        ours = [run for case in cases for run in _recorded(case, bench.device, "float32")]
        row.update(verdict(distance(ours, exact), "float32"))


def _recorded(case: dict[str, Any], where: str, dtype: str) -> list[Run]:
    folder = _GOLDEN / "checkpoints" / case["checkpoint"] / "Tempo-tiny"
    asked = Asked(
        _GOLDEN / "videos" / case["video"],
        (case["query"],),
        SamplingOptions(case["fps"], case["max_frames"], case["window"]),
        BudgetOptions(budget=case["budget"]),
        GenerationOptions(max_new_tokens=_GOLDEN_TOKENS),
    )
    return asked.of(Tempo.load(folder, options=LoadOptions(device=where, dtype=dtype)))


def nano(bench: Bench) -> None:
    """nano's answers about held-out videos of its generator."""
    films = list(_films(bench))
    load = partial(Tempo.load, "nano")
    exact = load(options=LoadOptions(device="cpu", dtype="float32"))
    right = [run for film in films for run in film.of(exact)]
    for dtype in TOLERANCES:
        with bench.record.row(f"nano, {dtype}") as row:
            ours = load(options=LoadOptions(device=bench.device, dtype=dtype))
            told = [run for film in films for run in film.of(ours)]
            row.update(verdict(distance(told, right), dtype, steep=True))
            row["different"] = [
                [a.question, _said(a), _said(b)]
                for a, b in zip(told, right, strict=True)
                if _said(a) != _said(b)
            ]


def _films(bench: Bench) -> Iterator[Asked]:
    """Films from seeds that training never used, until there are enough questions."""
    sys.path.insert(0, str(ROOT))
    from training.evaluate import SEED, contents_of, film
    from training.trials import questions_about

    left, number = bench.scale.questions, 0
    while left > 0:
        random = np.random.default_rng((SEED + 1, number))
        path, seen = film(random, bench.folder, f"film-{number:02}")
        contents = contents_of(path, seen, SamplingOptions())
        times = [_SEGMENT * index + _SEGMENT / 2 for index in range(len(contents))]
        texts = [asked.question.text for asked in questions_about(random, contents, times, number)][:left]
        yield Asked(path, tuple(texts))
        left, number = left - len(texts), number + 1


@contextmanager
def _checkpoint(bench: Bench) -> Iterator["subprocess.Popen[bytes]"]:
    """Meanwhile a process writes the checkpoint for the command."""
    script = ROOT / "bench/load.py"
    words = [sys.executable, str(script), "--write", str(bench.whole), "--size", bench.scale.size]
    writer = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield writer
    finally:
        writer.terminate()
        writer.wait()


@contextmanager
def _without_tf32() -> Iterator[None]:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def _segments(run: Run) -> list[tuple[float, int]]:
    return [(segment.relevance or 0.0, segment.tokens) for segment in run.segments]


def _said(run: Run) -> str:
    return run.answer.text if run.answer else ""
