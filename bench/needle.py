"""What allocation is worth: one short event in up to two hours of video, and the tokens that tell of it.

A video shows one group of three things for some seconds ("needle") and other groups around it. Asked is for
all three (an answer that fills 3 memory tokens), for the two others (2), and for a color (1). The memory
tokens are made once per question; then the same decoder reads them under different rules, each with the same
budget (average tokens per segment times segments):

| rule | which tokens are kept |
|---|---|
| ata | by relevance, at least 1, the first ones of each segment: what tempo does |
| even | the same number of every segment, the first ones |
| frames | all tokens, of as many evenly spread segments as the budget pays (so fewer frames are looked at) |
| tail, even tail | as ata and as even, but the last tokens of each segment |
| no anchors | as ata, but with no smallest number: nothing is kept of irrelevant segments |

Right means: the expected sentence, letter for letter. A needle counts only where a frame of it is sampled:
others are drawn again, and the report says how many. Frames are painted at the sampled times; `--files` has
them encoded to H.264 and decoded again. `--plot FILE` draws the first duration's numbers (needs matplotlib:
pip install -e '.[bench]').

Run: python bench/needle.py MODEL [--videos 40] [--minutes 1 5 15 60 120] [--seconds 10 2] [--files]
                            [--workers 2] [--plot docs/images/needle.png]
"""

import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Neighbours, parser, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tempo_cli.config import GenerationOptions, LoadOptions, ModelDimensions, SamplingOptions
from tempo_cli.hub.locations import find_base, find_model
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.compressor import batches
from tempo_cli.model.loading import choose_target
from tempo_cli.plan import prompts
from tempo_cli.plan.allocation import allocate
from tempo_cli.plan.sampling import plan_frames
from tempo_cli.plan.segments import cut_segments
from tempo_cli.types import Allocation, FloatArray, Frame, FramePlan, IntArray, MemoryTokens, Segment
from tempo_cli.video.resize import shrink
from training import answers, asking, words
from training.contents import content_of
from training.corpus import table_of
from training.evaluate import share
from training.scene import KINDS, Painter, Random, Scene, plan_group, plan_scene
from training.video import Encoding, read_segments, write_video

_SEED = 555_000
_SIZE = (180, 320)
_RATE = 2.0  # frames per second of the painted video
_NEED = {"describe": 3, "together": 2, "colour": 1}  # memory tokens that the answer fills
_FAMILIES = tuple(_NEED)
_AVERAGES = (1.0, 1.05, 1.5, 2.0, 3.0)  # memory tokens per segment
_SCARCE = 1.5  # half of what a description needs
_RULES = ("ata", "even", "frames", "tail", "even tail", "no anchors")
_SAMPLING = SamplingOptions()


@dataclass(frozen=True)
class Needle:
    """A video: what happens, from when to when the needle is seen, and its three things."""

    scene: Scene
    start: float
    end: float


def plan_needle(random: Random, minutes: float, seconds: float) -> Needle:
    """A needle somewhere in a video whose other groups leave its segments and its kinds alone."""
    duration = 60 * minutes
    interval = max(0.5, duration / _SAMPLING.max_frames)
    segment = interval * _SAMPLING.window
    whole = plan_scene(random, duration, (1.5, 8 + 2 * interval), (2 * interval, 9 * interval))
    start = float(random.uniform(0.05, 0.95)) * (duration - seconds)
    kinds = tuple(random.choice(len(KINDS), 3, replace=False).tolist())
    near = (start - segment, start + seconds + segment)
    others = [
        group
        for group in whole.groups
        if not (group[0].start < near[1] and group[0].end > near[0])
        and not {thing.kind for thing in group} & set(kinds)
    ]
    needle = plan_group(random, start, start + seconds, kinds=kinds)
    groups = sorted([*others, needle], key=lambda group: group[0].start)
    return Needle(replace(whole, groups=tuple(groups)), start, start + seconds)


def sampled(needle: Needle, sampling: SamplingOptions) -> bool:
    """Whether a frame of the needle is among those that the model sees."""
    plan = plan_frames(round(needle.scene.duration * _RATE), _RATE, sampling)
    times = plan.indices / _RATE
    return bool(((times >= needle.start) & (times < needle.end)).any())


Film = Callable[[SamplingOptions], Iterator[tuple[Segment, words.Content]]]  # segments with what they show


def painted(needle: Needle, shape: ModelDimensions) -> Film:
    """Segments straight from the painter."""

    def look(sampling: SamplingOptions) -> Iterator[tuple[Segment, words.Content]]:
        plan = plan_frames(round(needle.scene.duration * _RATE), _RATE, sampling)
        times = plan.indices / _RATE
        painter = Painter(needle.scene, _SIZE)
        frames = (Frame(position, painter.draw(float(t))) for position, t in enumerate(times))
        for segment in _cut(frames, plan, shape):
            seen = [needle.scene.seen(float(times[position])) for position in segment.plan.positions]
            yield segment, content_of(table_of(seen), 1 / plan.fps)

    return look


def filed(needle: Needle, shape: ModelDimensions, folder: Path) -> Film:
    """The same through a file in `folder`."""
    how = Encoding(_SIZE[::-1], _SIZE[::-1], "h264", 26, _RATE, 4)
    path = folder / f"needle{how.suffix}"
    seen = write_video(needle.scene, path, how)

    def look(sampling: SamplingOptions) -> Iterator[tuple[Segment, words.Content]]:
        interval = 1 / plan_frames(len(seen), _RATE, sampling).fps
        for segment, indices in read_segments(path, shape, sampling):
            yield segment, content_of(table_of(seen[index] for index in indices), interval)

    return look


def _cut(frames: Iterator[Frame], plan: FramePlan, shape: ModelDimensions) -> Iterator[Segment]:
    small = (Frame(frame.position, shrink(frame.pixels, shape.shape)) for frame in frames)
    return cut_segments(small, plan, _SAMPLING.window, shape.temporal_patch)


class Reader:
    """The model, taken apart: memory tokens once, then answers under any allocation."""

    def __init__(self, model: str, device: str) -> None:
        location = find_model(model)
        base = find_base(location, Checkpoint.base_name(location.path))
        self.checkpoint = Checkpoint.open(location.path, base.path, base.router)
        target = choose_target(LoadOptions(device=device))
        self.compressor = self.checkpoint.load_compressor(target)
        self.decoder = self.checkpoint.load_decoder(target)
        self.shape = self.checkpoint.dimensions

    def compress(self, segments: Sequence[Segment], questions: Sequence[str]) -> list[MemoryTokens]:
        """Memory of all segments for each question."""
        parts: list[list[MemoryTokens]] = [[] for _ in questions]
        for batch in batches(map(self.compressor.prepare, segments), 16):
            prefix = self.compressor.read(self.compressor.see(batch))
            for part, question in zip(parts, questions, strict=True):
                part.append(self.compressor.compress(prefix, question))
        return [
            MemoryTokens(
                torch.cat([piece.tokens for piece in part]),
                np.concatenate([piece.relevance for piece in part]),
            )
            for part in parts
        ]

    def answer(self, times: Sequence[float], memory: MemoryTokens, tokens: IntArray, question: str) -> str:
        """What the decoder writes when it reads the first `tokens[i]` memory tokens of each segment."""
        tokenizer = self.checkpoint.decoder_tokenizer
        before, after = prompts.decoder_prompt(tokenizer, question)
        tags = [tokenizer.encode(prompts.time_tag(time)) for time in times]
        kept = Allocation(tokens, None, "off")
        embeds = self.decoder.splice(before, tags, memory, kept, after)
        options = GenerationOptions(max_new_tokens=48)
        ids = [token.id for token in self.decoder.generate(embeds, self.checkpoint.rule, options)]
        return tokenizer.decode(ids).strip()


def shares(rule: str, relevance: FloatArray, budget: int, least: int, most: int) -> IntArray:
    """Tokens per segment under a rule, tails as heads; their sum is at most the budget."""
    count = len(relevance)
    if rule in ("even", "even tail"):
        extra = np.zeros(count, np.int64)
        extra[np.linspace(0, count - 1, min(count, budget % count)).round().astype(int)] = 1
        return np.minimum(budget // count + extra, most)
    return allocate(relevance, budget, 0 if rule == "no anchors" else least, most).tokens


def flipped(memory: MemoryTokens, tokens: IntArray) -> MemoryTokens:
    """The last tokens of each segment in front, in their order, so that a head is a tail."""
    rows = [torch.roll(row, int(keep), 0) for row, keep in zip(memory.tokens, tokens, strict=True)]
    return MemoryTokens(torch.stack(rows), memory.relevance)


@dataclass(frozen=True)
class Result:
    """Whether the answer to a question was right under a rule, with so many tokens per segment."""

    family: str
    average: float
    rule: str
    right: bool


@dataclass(frozen=True)
class Trial:
    """One video.

    Attributes:
        results: of every question, budget and rule.
        hits: for each question, whether a segment that shows the needle ranked first.
        drawn: needles that were drawn until a frame of one was sampled.
        looked: for each budget, whether "frames" samples a frame of it.
    """

    results: list[Result]
    hits: list[bool]
    drawn: int
    looked: dict[float, bool]


def try_video(reader: Reader, random: Random, minutes: float, seconds: float, files: bool) -> Trial:
    """Every question under every rule and budget; none where the needle's frames settle no answer."""
    needle, drawn = plan_needle(random, minutes, seconds), 1
    while not sampled(needle, _SAMPLING):
        needle, drawn = plan_needle(random, minutes, seconds), drawn + 1
    with tempfile.TemporaryDirectory() as folder:
        film = filed(needle, reader.shape, Path(folder)) if files else painted(needle, reader.shape)
        return _ask(reader, random, needle, film, drawn)


def _ask(reader: Reader, random: Random, needle: Needle, film: Film, drawn: int) -> Trial:
    pairs = list(film(_SAMPLING))
    contents = [content for _, content in pairs]
    times = [segment.plan.time for segment, _ in pairs]
    kind = next(group for group in needle.scene.groups if group[0].start == needle.start)[0].kind
    asked = []
    for family in _FAMILIES:
        question = words.Question(family, asking.phrase(random, family, kind, None), kind, None)
        right = answers.answer(question, contents, times)
        if right is not None and any(words.relevance(question, content) for content in contents):
            asked.append((question, right))
    if not asked:
        return Trial([], [], drawn, {})
    texts = [question.text for question, _ in asked]
    memories = reader.compress([segment for segment, _ in pairs], texts)
    budgets = {average: int(average * len(pairs)) for average in _AVERAGES}
    sparse = {average: _fewer(budget, reader.shape) for average, budget in budgets.items()}
    fewer = {s.max_frames: _from_fewer_frames(reader, film, s, texts) for s in sparse.values()}
    results, hits = [], []
    for number, ((question, right), memory) in enumerate(zip(asked, memories, strict=True)):
        states = np.array([bool(words.relevance(question, content)) for content in contents])
        hits.append(bool(states[int(memory.relevance.argmax())]))
        told: dict[tuple[bool, bytes], str] = {}  # the same tokens give the same answer
        for average, budget in budgets.items():
            for rule in _RULES:
                if rule == "frames":
                    text = fewer[sparse[average].max_frames][number]
                else:
                    tokens = shares(
                        rule, memory.relevance, budget, reader.shape.min_tokens, reader.shape.memory_tokens
                    )
                    tail = rule.endswith("tail")
                    key = tail, tokens.tobytes()
                    if key not in told:
                        kept = flipped(memory, tokens) if tail else memory
                        told[key] = reader.answer(times, kept, tokens, question.text)
                    text = told[key]
                results.append(Result(question.family, average, rule, text == right))
    return Trial(results, hits, drawn, {average: sampled(needle, s) for average, s in sparse.items()})


def _fewer(budget: int, shape: ModelDimensions) -> SamplingOptions:
    """So few frames that the budget pays for all tokens of their segments."""
    return replace(_SAMPLING, max_frames=max(1, budget // shape.memory_tokens) * _SAMPLING.window)


def _from_fewer_frames(
    reader: Reader, film: Film, sampling: SamplingOptions, questions: Sequence[str]
) -> list[str]:
    """Answers from all tokens of so few frames."""
    segments = [segment for segment, _ in film(sampling)]
    tokens = np.full(len(segments), reader.shape.memory_tokens, np.int64)
    times = [segment.plan.time for segment in segments]
    memories = reader.compress(segments, questions)
    return [
        reader.answer(times, memory, tokens, question)
        for memory, question in zip(memories, questions, strict=True)
    ]


Scores = dict[tuple[str, float, str], list[bool]]  # by family, tokens per segment, rule


@cache
def _reader(model: str, device: str, threads: int) -> Reader:
    """One model per process."""
    torch.set_num_threads(threads)
    return Reader(model, device)


def _one_video(
    number: int, model: str, device: str, threads: int, minutes: float, seconds: float, files: bool
) -> Trial:
    random = np.random.default_rng((_SEED, int(minutes * 10), int(seconds), number))
    return try_video(_reader(model, device, threads), random, minutes, seconds, files)


def tally(trials: Sequence[Trial]) -> Scores:
    """Right answers by family, tokens per segment and rule."""
    found: Scores = defaultdict(list)
    for trial in trials:
        for one in trial.results:
            found[one.family, one.average, one.rule].append(one.right)
    return found


def summed_up(trials: Sequence[Trial], scores: Scores) -> dict[str, Any]:
    """What a report says of the videos of one length."""
    found: dict[str, Any] = {
        "needle first": share([hit for trial in trials for hit in trial.hits]),
        "needle sampled": share([n == 0 for trial in trials for n in range(trial.drawn)]),
    }
    for average in _AVERAGES:
        looked = [trial.looked[average] for trial in trials if trial.looked]
        found[f"needle sampled by frames {average:g}"] = share(looked)
    for family, average in product(_FAMILIES, _AVERAGES):
        own = {rule: scores[family, average, rule] for rule in _RULES}
        pairs = list(zip(own["ata"], own["even"], strict=True))
        found[f"{family} {average:g}"] = {rule: share(right) for rule, right in own.items()} | {
            "only ata": sum(ata > even for ata, even in pairs),
            "only even": sum(even > ata for ata, even in pairs),
        }
    return found


def draw(path: Path, seconds: float, minutes: Sequence[float], facts: dict[str, Any]) -> None:
    """The longest videos at every budget, and every length at half of what the answer needs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    family, lengths = _FAMILIES[0], sorted(minutes)
    told = {length: facts[f"{seconds:g} s in {length:g} min"] for length in lengths}
    colours = ("#1664c0", "#d1491b", "#6b7280", "#c08a00", "#b58fd6", "#178a50")
    for rule, colour in zip(_RULES, colours, strict=True):
        for axes, places, picked in (
            (left, _AVERAGES, [told[lengths[-1]][f"{family} {average:g}"][rule] for average in _AVERAGES]),
            (right, lengths, [told[length][f"{family} {_SCARCE:g}"][rule] for length in lengths]),
        ):
            known = [(place, own) for place, own in zip(places, picked, strict=True) if own["n"]]
            where, low, middle, high = zip(
                *((place, own["from"], own["right"], own["to"]) for place, own in known), strict=True
            )
            axes.plot(where, middle, "o-", color=colour, label=rule, markersize=4)
            if rule in ("ata", "even"):
                axes.fill_between(where, low, high, color=colour, alpha=0.15, lw=0)
    for axes, ticks, label, title in (
        (left, _AVERAGES, "memory tokens per segment", f"{seconds:g} s in {lengths[-1]:g} minutes"),
        (right, lengths, "minutes of video", f"{_SCARCE:g} tokens per segment"),
    ):
        axes.set_xscale("log")
        shown = [tick for tick in ticks if tick != 1.05]  # it would stand on 1
        axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
        axes.minorticks_off()
        axes.set(xlabel=label, title=title, ylim=(-3, 103))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    left.set_ylabel(f"right descriptions, % ({_NEED[family]} tokens needed)")
    figure.legend(*right.get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.savefig(path, dpi=130, metadata={"Software": None})


def main() -> None:
    """Measure, print, report."""
    options = parser(__doc__, 1)
    options.add_argument("model", nargs="?", default="nano")
    options.add_argument("--videos", type=int, default=40, help="of each length")
    options.add_argument("--minutes", type=float, nargs="+", default=[1, 5, 15, 60, 120])
    options.add_argument("--seconds", type=float, nargs="+", default=[10, 2], help="that the event lasts")
    options.add_argument("--files", action="store_true", help="through encoded files")
    options.add_argument("--device", default="auto")
    options.add_argument("--workers", type=int, default=1, help="processes, each with the whole model")
    options.add_argument("--plot", type=Path, help="a picture of the first duration's numbers")
    chosen = options.parse_args()
    neighbours, rows, facts = Neighbours(), [], {}
    threads = max(1, (os.cpu_count() or 1) // chosen.workers)
    with ProcessPoolExecutor(chosen.workers, get_context("spawn")) as pool:
        for seconds in chosen.seconds:
            for minutes in chosen.minutes:
                one = partial(
                    _one_video, model=chosen.model, device=chosen.device, threads=threads, minutes=minutes,
                    seconds=seconds, files=chosen.files,
                )  # fmt: skip
                trials = list(pool.map(one, range(chosen.videos)))
                name = f"{seconds:g} s in {minutes:g} min"
                facts[name] = summed_up(trials, tally(trials))
                for family, average in product(_FAMILIES, _AVERAGES):
                    own = facts[name][f"{family} {average:g}"]
                    right = [round(own[rule]["right"]) if own[rule]["n"] else None for rule in _RULES]
                    rows.append((f"{name}, {family}", average, *right, own[_RULES[0]]["n"]))
                print(f"done: {name}, needle first: {facts[name]['needle first']}", file=sys.stderr)
            if chosen.plot and seconds == chosen.seconds[0]:
                draw(chosen.plot, seconds, chosen.minutes, facts)
    header = ("needle, question", "tokens/segment", *(f"{rule} %" for rule in _RULES), "n")
    report(
        "needle", header, rows, chosen, neighbours, videos=chosen.videos, files=chosen.files, results=facts
    )


if __name__ == "__main__":
    main()
