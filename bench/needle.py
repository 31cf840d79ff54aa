"""What allocation is worth: one short event in up to two hours of video, and the tokens that tell of it.

A video shows one group of three things for some seconds ("needle") and other groups around it. Asked is for
all three (an answer that fills 6 memory tokens), for the two others (4), and for a colour (1). The memory
tokens are made once per question; then the same decoder reads them under different rules, each with the same
budget (average tokens per segment times segments):

| rule | which tokens are kept |
|---|---|
| ata | by relevance, at least 1, the first ones of each segment: what tempo does |
| even | the same number of every segment, the first ones |
| frames | all tokens, of as many evenly spread segments as the budget pays (so fewer frames are looked at) |
| tail | as ata, but the last tokens of each segment |
| no anchors | as ata, but nothing is kept of irrelevant segments |

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
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from common import Neighbours, parser, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tempo_cli import prompts
from tempo_cli.allocation import allocate
from tempo_cli.config import GenerationOptions, LoadOptions, ModelDimensions, SamplingOptions
from tempo_cli.hub.homes import find_base, find_model
from tempo_cli.model.checkpoint import Checkpoint
from tempo_cli.model.loading import choose_target
from tempo_cli.model.pixels import resize
from tempo_cli.sampling import plan_frames
from tempo_cli.segments import cut_segments
from tempo_cli.types import Allocation, Frame, FramePlan, IntArray, MemoryTokens, Segment
from training import words
from training.contents import content_of
from training.corpus import table_of
from training.evaluate import share
from training.scene import KINDS, Painter, Random, Scene, plan_group, plan_scene
from training.video import Encoding, read_segments, write_video

_SEED = 555_000
_SIZE = (180, 320)
_RATE = 2.0  # frames per second of the painted video
_NEED = {"describe": 6, "together": 4, "colour": 1}  # memory tokens that the answer fills
_FAMILIES = tuple(_NEED)
_AVERAGES = (1.0, 1.5, 3.0, 6.0)  # memory tokens per segment: a quarter of two needs, and more
_RULES = ("ata", "even", "frames", "tail", "no anchors")
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


def sampled(needle: Needle) -> bool:
    """Whether the model looks at the video while the needle is there."""
    plan = plan_frames(round(needle.scene.duration * _RATE), _RATE, _SAMPLING)
    times = plan.indices / _RATE
    return bool(((times >= needle.start) & (times < needle.end)).any())


def painted(
    needle: Needle, sampling: SamplingOptions, shape: ModelDimensions
) -> Iterator[tuple[Segment, words.Content]]:
    """Segments straight from the painter, with what they show."""
    plan = plan_frames(round(needle.scene.duration * _RATE), _RATE, sampling)
    times = plan.indices / _RATE
    painter = Painter(needle.scene, _SIZE)
    frames = (Frame(position, painter.draw(float(t))) for position, t in enumerate(times))
    for segment in _cut(frames, plan, shape):
        seen = [needle.scene.seen(float(times[position])) for position in segment.plan.positions]
        yield segment, content_of(table_of(seen), 1 / plan.fps)


def filed(
    needle: Needle, sampling: SamplingOptions, shape: ModelDimensions
) -> Iterator[tuple[Segment, words.Content]]:
    """The same through a file."""
    how = Encoding(_SIZE[::-1], _SIZE[::-1], "h264", 26, _RATE, 4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"needle{how.suffix}"
        seen = write_video(needle.scene, path, how)
        interval = needle.scene.duration / min(
            round(needle.scene.duration * sampling.fps), sampling.max_frames
        )
        for segment, indices in read_segments(path, shape, sampling):
            yield segment, content_of(table_of(seen[index] for index in indices), interval)


def _cut(frames: Iterator[Frame], plan: FramePlan, shape: ModelDimensions) -> Iterator[Segment]:
    return cut_segments(
        frames, plan, _SAMPLING.window, shape.temporal_patch, lambda pixels: resize(pixels, shape)
    )


class Reader:
    """The model, taken apart: memory tokens once, then answers under any allocation."""

    def __init__(self, model: str, device: str) -> None:
        home = find_model(model)
        base = find_base(home, Checkpoint.base_name(home.folder))
        self.checkpoint = Checkpoint.open(home.folder, base.folder, base.router)
        target = choose_target(LoadOptions(device=device))
        self.compressor = self.checkpoint.load_compressor(target)
        self.decoder = self.checkpoint.load_decoder(target)
        self.shape = self.checkpoint.dimensions

    def compress(self, segments: Sequence[Segment], questions: Sequence[str]) -> list[MemoryTokens]:
        """Memory of all segments for each question."""
        parts: list[list[MemoryTokens]] = [[] for _ in questions]
        for batch in self.compressor.batches(iter(segments), 16):
            prefix = self.compressor.read(batch)
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


def shares(rule: str, relevance: np.ndarray, budget: int, most: int) -> IntArray:
    """Tokens per segment under a rule; their sum is at most the budget."""
    count = len(relevance)
    if rule == "even":
        extra = np.zeros(count, np.int64)
        extra[np.linspace(0, count - 1, min(count, budget % count)).round().astype(int)] = 1
        return np.minimum(budget // count + extra, most)
    if rule == "no anchors":
        low, high = float(relevance.min()), float(relevance.max())
        scaled = (relevance - low) / max(high - low, 1e-8)
        tokens = np.floor(scaled * most).astype(np.int64)
        while tokens.sum() > budget:
            tokens[int(np.argmax(tokens))] -= 1
        return tokens
    return allocate(relevance, budget, 1, most).tokens


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
    """One video: its results, for each question whether a segment with the needle ranked first, and how many
    needles were drawn until a frame of one was sampled."""

    results: list[Result]
    hits: list[bool]
    drawn: int


def try_video(reader: Reader, random: Random, minutes: float, seconds: float, files: bool) -> Trial:
    """Every question under every rule and budget; none where the needle's frames settle no answer."""
    needle, drawn = plan_needle(random, minutes, seconds), 1
    while not sampled(needle):
        needle, drawn = plan_needle(random, minutes, seconds), drawn + 1
    source = filed if files else painted
    pairs = list(source(needle, _SAMPLING, reader.shape))
    contents = [content for _, content in pairs]
    times = [segment.plan.time for segment, _ in pairs]
    group = next(g for g in needle.scene.groups if g[0].start == needle.start)
    most, count = reader.shape.memory_tokens, len(pairs)
    asked = []
    for family in _FAMILIES:
        kind = group[0].kind
        question = words.Question(family, words.phrase(random, family, kind, None), kind, None)
        right = words.answer(question, contents, times)
        if right is not None and any(words.relevance(question, content) for content in contents):
            asked.append((question, right))
    if not asked:
        return Trial([], [], drawn)
    texts = [question.text for question, _ in asked]
    memories = reader.compress([segment for segment, _ in pairs], texts)
    fewer = {
        average: _fewer_frames(reader, needle, texts, int(average * count) // most, files)
        for average in _AVERAGES
    }
    results, hits = [], []
    for number, ((question, right), memory) in enumerate(zip(asked, memories, strict=True)):
        states = np.array([bool(words.relevance(question, content)) for content in contents])
        hits.append(bool(states[int(memory.relevance.argmax())]))
        for average in _AVERAGES:
            for rule in _RULES:
                if rule == "frames":
                    text = fewer[average][number]
                else:
                    tokens = shares(rule, memory.relevance, int(average * count), most)
                    kept = flipped(memory, tokens) if rule == "tail" else memory
                    text = reader.answer(times, kept, tokens, question.text)
                results.append(Result(question.family, average, rule, text == right))
    return Trial(results, hits, drawn)


def _fewer_frames(
    reader: Reader, needle: Needle, questions: Sequence[str], segments: int, files: bool
) -> list[str]:
    """Answers from so many segments with all their tokens."""
    sampling = replace(_SAMPLING, max_frames=max(1, segments) * _SAMPLING.window)
    pairs = list((filed if files else painted)(needle, sampling, reader.shape))
    tokens = np.full(len(pairs), reader.shape.memory_tokens, np.int64)
    times = [segment.plan.time for segment, _ in pairs]
    memories = reader.compress([segment for segment, _ in pairs], questions)
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


def draw(path: Path, seconds: float, scores: dict[float, Scores]) -> None:
    """The longest videos at every budget, and every length at a quarter of what the answer needs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    family, lengths = _FAMILIES[0], sorted(scores)
    quarter = _NEED[family] / 4
    colours = dict(zip(_RULES, ("#1664c0", "#d1491b", "#6b7280", "#c08a00", "#178a50"), strict=True))
    for rule, colour in colours.items():
        for axes, places, picked in (
            (left, _AVERAGES, [scores[lengths[-1]][family, average, rule] for average in _AVERAGES]),
            (right, lengths, [scores[length][family, quarter, rule] for length in lengths]),
        ):
            told = [(place, share(own)) for place, own in zip(places, picked, strict=True) if own]
            middle = [one["right"] for _, one in told]
            axes.plot([place for place, _ in told], middle, "o-", color=colour, label=rule, markersize=4)
            if rule in ("ata", "even"):
                low, high = ([one[edge] for _, one in told] for edge in ("from", "to"))
                axes.fill_between([place for place, _ in told], low, high, color=colour, alpha=0.15, lw=0)
    for axes, ticks, label, title in (
        (left, _AVERAGES, "memory tokens per segment", f"{seconds:g} s in {lengths[-1]:g} minutes"),
        (right, lengths, "minutes of video", f"{quarter:g} tokens per segment"),
    ):
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set(xlabel=label, title=title, ylim=(-3, 103))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    left.set_ylabel(f"right descriptions, % ({_NEED[family]} tokens needed)")
    right.legend(frameon=False, fontsize="small")
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
            scores: dict[float, Scores] = {}
            for minutes in chosen.minutes:
                one = partial(
                    _one_video, model=chosen.model, device=chosen.device, threads=threads, minutes=minutes,
                    seconds=seconds, files=chosen.files,
                )  # fmt: skip
                trials = list(pool.map(one, range(chosen.videos)))
                found = scores[minutes] = tally(trials)
                name = f"{seconds:g} s in {minutes:g} min"
                first = [hit for trial in trials for hit in trial.hits]
                looked_at = [number == 0 for trial in trials for number in range(trial.drawn)]
                facts[name] = {"needle first": share(first), "needle sampled": share(looked_at)}
                for family in _FAMILIES:
                    for average in _AVERAGES:
                        own = [share(found[family, average, rule]) for rule in _RULES]
                        facts[name][f"{family} {average:g}"] = dict(zip(_RULES, own, strict=True))
                        shown = [round(part["right"]) if part["n"] else None for part in own]
                        rows.append((f"{name}, {family}", average, *shown, own[0]["n"]))
                print(f"done: {name}, needle first: {facts[name]['needle first']}", file=sys.stderr)
            if chosen.plot and seconds == chosen.seconds[0]:
                draw(chosen.plot, seconds, scores)
    header = ("needle, question", "tokens/segment", *(f"{rule} %" for rule in _RULES), "n")
    report(
        "needle", header, rows, chosen, neighbours, videos=chosen.videos, files=chosen.files, results=facts
    )


if __name__ == "__main__":
    main()
