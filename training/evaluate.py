"""Held-out videos as files, asked through the package's API: how often is the answer right?

`python -m training.evaluate MODEL OUT.json` films, encodes and asks; every number in docs/nano.md about
answers comes from its output. Scenes, encodings, questions and phrasings come from seeds that training
never uses. An answer is right where it is the expected sentence, letter for letter.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from math import sqrt
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from tempo_cli.config import BudgetOptions, SamplingOptions
from tempo_cli.plan.sampling import plan_frames
from tempo_cli.schema import Run
from tempo_cli.tempo import Tempo
from tempo_cli.types import Exchange
from tempo_cli.video.probe import probe

from . import trials, words
from .contents import content_of
from .corpus import table_of
from .scene import Random, Sight
from .shape import WINDOW
from .stages import auc
from .trials import FILLED, Asked
from .video import FFMPEG, random_encoding, write_video
from .words import Content

SEED = 777_000
_DENIALS = ("There was no", "No, ")
_RATES = (2.0, 4.0, 8.0, 12.0, 25.0)


@dataclass
class Tally:
    """Right answers, and how the router did."""

    right: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    auc: list[float] = field(default_factory=list)
    relevance: list[tuple[float, bool]] = field(default_factory=list)  # of every segment, and the truth
    first: list[bool] = field(default_factory=list)
    highest_absent: list[float] = field(default_factory=list)
    highest_beyond: list[float] = field(default_factory=list)
    highest_there: list[float] = field(default_factory=list)
    declined: list[bool] = field(default_factory=list)  # of what can be answered
    denied: list[bool] = field(default_factory=list)  # what can't be answered: declined or rightly denied
    wrong: list[dict[str, str]] = field(default_factory=list)
    command: list[bool] = field(default_factory=list)

    def add(self, asked: Asked, run: Run, contents: Sequence[Content], path: Path) -> None:
        """Count one run."""
        text = run.answer.text if run.answer else ""
        rightly = trials.is_right(asked, text)
        self.right[asked.row].append(rightly)
        if not rightly:
            told = {
                "video": path.name,
                "question": asked.question.query,
                "right": asked.answer,
                "answer": text,
                "row": asked.row,
                "mistake": mistake(asked, text),
            }
            self.wrong.append(told)
        if asked.row.startswith(FILLED):  # repeats, which would count twice in what follows
            return
        scores = np.array([segment.relevance for segment in run.segments])
        if asked.answer == words.DECLINE:
            self.denied.append(trials.is_declined(asked, text, contents))
            self.highest_beyond.append(float(scores.max()))
            return
        self.declined.append(text == words.DECLINE)
        states = [words.relevance(asked.question, content) for content in contents]
        known = np.array([state is not None for state in states])
        labels = np.array([bool(state) for state in states])
        self.relevance += zip(scores[known].tolist(), labels[known].tolist(), strict=True)
        if asked.there:
            self.highest_there.append(float(scores.max()))
        if asked.there and not labels[known].all():
            self.auc.append(auc(torch.tensor(scores[known]), torch.tensor(labels[known])))
            self.first.append(bool(labels[known][scores[known].argmax()]))
        elif not asked.there:
            self.highest_absent.append(float(scores.max()))

    def _auc(self) -> float:
        scores, labels = (torch.tensor(values) for values in zip(*self.relevance, strict=True))
        return round(auc(scores.double(), labels.int()), 4)

    def report(self) -> dict[str, object]:
        """Shares with their 95 % intervals."""
        absent, beyond = (
            [score < 0.5 for score in own] for own in (self.highest_absent, self.highest_beyond)
        )
        return {
            "answers": {name: share(own) for name, own in sorted(self.right.items())},
            "router": {
                "auc, all segments of all videos": self._auc() if self.relevance else None,
                "auc, mean over videos": round(float(np.mean(self.auc)), 4) if self.auc else None,
                "asked-for segment first": share(self.first),
                "absent: highest relevance under 0.5": share(absent),
                "beyond: highest relevance under 0.5": share(beyond),
            },
            "declined or rightly denied": share(self.denied),
            "answerable but declined": share(self.declined),
            "weak relevance": weak_relevance(self.highest_there, self.highest_beyond),
            "installed command answers rightly": share(self.command),
            "mistakes": dict(Counter(told["mistake"] for told in self.wrong).most_common()),
        }


def weak_relevance(there: Sequence[float], beyond: Sequence[float]) -> float | None:
    """The highest relevance of a video that best tells questions with evidence from others, in hundredths.

    It is where the shares of both that lie on the wrong side add up to least; in the middle where many do.
    """
    if not there or not beyond:
        return None
    steps = np.arange(1, 100) / 100
    lost = (np.array(there)[:, None] < steps).mean(0) + (np.array(beyond)[:, None] >= steps).mean(0)
    best = steps[lost <= lost.min() + 1e-9]
    return round(float(best[len(best) // 2]), 2)


def mistake(asked: Asked, text: str) -> str:
    """What sort of mistake a wrong answer is."""
    if asked.answer == words.DECLINE:
        return "claims to know what it can't"
    if text == words.DECLINE:
        return "declines what it could answer"
    denies = text.startswith(_DENIALS)
    if not asked.there:
        return "denies with another sentence" if denies else "claims what is not there"
    if denies:
        return "denies what is there"
    lists = asked.question.family in ("together", "describe", "list", "at")
    return "errs in a list" if lists else "errs in a single thing"


def share(right: Sequence[bool]) -> dict[str, float]:
    """Part that is right, with Wilson's 95 % interval, in per cent."""
    n, p, z = len(right), float(np.mean(right)) if right else 0.0, 1.96
    if not n:
        return {"n": 0}
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    rounded = (round(100 * value, 1) for value in (p, middle - half, middle + half))
    return dict(zip(("right", "from", "to"), rounded, strict=True)) | {"n": n}


def film(random: Random, folder: Path, name: str) -> tuple[Path, list[list[Sight]]]:
    """A video of 8 to 16 segments, encoded somehow, with what each frame shows."""
    how = random_encoding(random, float(random.choice(_RATES)))
    segments = int(random.integers(8, 17))
    scene = trials.plan(random, segments * WINDOW / 2, how.aspect)
    path = folder / (name + how.suffix)
    return path, write_video(scene, path, how)


def contents_of(path: Path, seen: Sequence[list[Sight]], sampling: SamplingOptions) -> list[Content]:
    """What each segment shows of a file."""
    info = probe(path)
    plan = plan_frames(len(info.times), float(info.rate), sampling)
    starts = range(0, len(plan.indices), sampling.window)
    parts = [plan.indices[start : start + sampling.window] for start in starts]
    long = sampling.window / plan.fps
    return [
        replace(
            content_of(table_of(seen[index] for index in part), 1 / plan.fps), span=(i * long, (i + 1) * long)
        )
        for i, part in enumerate(parts)
    ]


def by_command(model: Path, video: Path, question: str, budget: BudgetOptions) -> str:
    """What the installed `tempo ask` prints in a pipe."""
    tempo = Path(sys.executable).with_name("tempo")
    options = ("--model", model, "--budget", str(budget.budget), "--quiet")
    command = (tempo, "ask", *options, "--", video, question)
    done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return done.stdout.strip()


@dataclass(frozen=True)
class Job:
    """What is evaluated: `commands` questions also go to the installed command."""

    model: Path
    seed: int
    budget: BudgetOptions
    commands: int
    threads: int


@cache
def _loaded(model: Path, threads: int) -> Tempo:
    """One model per process."""
    torch.set_num_threads(threads)
    return Tempo.load(model)


Told = tuple[list[tuple[Asked, Run]], list[Content], Path, list[bool]]


def one_video(number: int, job: Job) -> Told:
    """Film a video and ask about it: the runs, what its segments show, and the command's answer if asked."""
    tempo, sampling = _loaded(job.model, job.threads), SamplingOptions()
    random = np.random.default_rng((job.seed, number))
    with tempfile.TemporaryDirectory() as folder:
        path, seen = film(random, Path(folder), f"{number:04}")
        contents = contents_of(path, seen, sampling)
        times = [(index * WINDOW + WINDOW / 2) / 2 for index in range(len(contents))]
        asked = trials.questions_about(random, contents, times, number)
        fillers = trials.with_fillers(random.spawn(1)[0], asked)
        texts = list(dict.fromkeys(one.question.text for one in (*asked, *fillers)))
        talks: list[tuple[Asked, Run]] = []
        with tempo.open(path, ffmpeg=FFMPEG) as clip:
            told_of: dict[str, Run] = dict(zip(texts, clip.ask_many(texts, budget=job.budget), strict=True))
            runs = [told_of[one.question.text] for one in asked]
            filled = [(one, told_of[one.question.text]) for one in fillers]
            for one, first in trials.conversations(random, asked, contents, times):
                told = runs[first].answer
                earlier = Exchange(asked[first].question.text, told.text if told else "")
                talks.append((one, clip.ask(one.question.text, history=[earlier], budget=job.budget)))
        command = []
        if number < job.commands:
            one = asked[int(random.integers(len(asked)))]
            text = by_command(job.model, path, one.question.text, job.budget)
            command.append(trials.is_right(one, text))
    return [*zip(asked, runs, strict=True), *talks, *filled], contents, path, command


def evaluate(videos: int, job: Job, workers: int = 1) -> Tally:
    """Ask about `videos` videos of a seed."""
    tally = Tally()
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for number, (runs, contents, path, command) in enumerate(
            pool.map(partial(one_video, job=job), range(videos))
        ):
            for asked, run in runs:
                tally.add(asked, run, contents, path)
            tally.command += command
            if (number + 1) % 20 == 0:
                print(f"{number + 1} of {videos} videos", file=sys.stderr)
    return tally


def main() -> None:
    """Evaluate a model folder and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("report", type=Path)
    parser.add_argument("--videos", type=int, default=120)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--budget", type=int, default=BudgetOptions().budget)
    parser.add_argument("--commands", type=int, default=50, help="questions that the installed command gets")
    parser.add_argument("--workers", type=int, default=2, help="processes, each with the whole model")
    options = parser.parse_args()
    threads = max(1, (os.cpu_count() or 1) // options.workers)
    budget = BudgetOptions(budget=options.budget)
    job = Job(options.model, options.seed, budget, options.commands, threads)
    tally = evaluate(options.videos, job, options.workers)
    report = {"videos": options.videos, "seed": options.seed, "budget": options.budget, **tally.report()}
    options.report.write_text(json.dumps({**report, "wrong": tally.wrong}, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
