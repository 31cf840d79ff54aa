"""Where does the time of a whole question go, and what does a shared visual pass save?

Asks through the Python API: four questions one by one, the first of them by stage, and in the middle of them
the same four together (one decode and one visual pass), so that the ratio of the two meets the same machine.
Decoding and compressing overlap, so their two figures add up to more than the clock shows. The answer's
figure holds reading the prompt as well as writing. A ratio under a quarter can't be: four questions are never
less work than one. Then something disturbed the run; the exit status is 1.

The default model is the tiny random one of the tests: its answers are noise, and its time is mostly decoding.

Run: python bench/ask.py [--model FOLDER] [--device auto] [--video FILE | --minutes 2] [--runs 3]
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import torch
from common import TINY_MODEL, Neighbours, loop_clip, make_clip, medians, parser, report, spreads, timed

from tempo_cli import GenerationOptions, LoadOptions, Run, SamplingOptions, Tempo

QUESTIONS = (
    "What happens in this video?",
    "What color was the car?",
    "When does somebody enter the room?",
    "How many people are there?",
)
CLIP_SECONDS = 10
LEAST_RATIO = 0.95 / len(QUESTIONS)  # of four together to four one by one; a little is left to chance


def ask(tempo: Tempo, video: Path, questions: tuple[str, ...], options: argparse.Namespace) -> list[Run]:
    """Answer questions that share one visual pass."""
    sampling = SamplingOptions(max_frames=options.max_frames)
    generation = GenerationOptions(max_new_tokens=options.max_new_tokens)
    return list(tempo.ask_many(video, questions, sampling=sampling, generation=generation))


def stages(run: Run) -> dict[str, float]:
    """Seconds and rates of one question."""
    timing, answer = run.timing, run.answer
    assert answer is not None
    return {
        "load": timing.load,
        "decode": timing.decode,
        "compress": timing.compress,
        "decode and compress, overlapped": timing.total - timing.load - timing.answer,
        "answer": timing.answer,
        "total": timing.total,
        "segments/s compressed": len(run.segments) / timing.compress,
        "tokens/s answered": answer.tokens / timing.answer,
    }


def one_round(video: Path, options: argparse.Namespace) -> tuple[dict[str, float], Run]:
    """Load, ask two questions, all four together, and the other two."""
    tempo = Tempo.load(options.model, options=LoadOptions(device=options.device))
    runs: list[Run] = []

    def alone(question: str) -> None:
        runs.extend(ask(tempo, video, (question,), options))

    before = sum(timed(partial(alone, question)) for question in QUESTIONS[:2])
    together = timed(lambda: ask(tempo, video, QUESTIONS, options))
    apart = before + sum(timed(partial(alone, question)) for question in QUESTIONS[2:])
    four = {
        "four questions together": together,
        "four one by one": apart,
        "together / one by one": together / apart,
    }
    return stages(runs[0]) | four, runs[0]


def accelerator(run: Run) -> str | None:
    """Name of the device that the model ran on, if it is a CUDA one."""
    return torch.cuda.get_device_name(run.model.device) if run.model.device.startswith("cuda") else None


def main() -> int:
    """Measure and report."""
    options_of = parser(__doc__, runs=3)
    options_of.add_argument(
        "--model", default=str(TINY_MODEL), help="a model folder (default: the tests' tiny one)"
    )
    options_of.add_argument("--device", default="auto")
    options_of.add_argument("--video", type=Path, help="a file (default: a generated 720p H.264 clip)")
    options_of.add_argument("--minutes", type=int, default=2, help="length of the generated clip (default 2)")
    options_of.add_argument("--max-frames", type=int, default=SamplingOptions().max_frames)
    options_of.add_argument("--max-new-tokens", type=int, default=64)
    options = options_of.parse_args()
    video = options.video or loop_clip(make_clip(CLIP_SECONDS), options.minutes * 60 // CLIP_SECONDS)
    neighbours = Neighbours()
    rounds = [one_round(video, options) for _ in range(options.runs)]
    numbers, run = [those for those, _ in rounds], rounds[0][1]
    measures, ranges = medians(numbers), spreads(numbers)
    disturbed = measures["together / one by one"] < LEAST_RATIO
    assert run.answer is not None
    report(
        "ask",
        ["stage", "seconds or rate", "lowest", "highest"],
        [[name, value, *ranges[name]] for name, value in measures.items()],
        options,
        neighbours,
        model={"name": Path(run.model.id).name, "device": run.model.device, "dtype": run.model.dtype},
        accelerator=accelerator(run),
        video={
            "seconds": run.video.duration,
            "width": run.video.width,
            "height": run.video.height,
            "fps": run.video.fps,
        },
        frames=run.sampling.frames,
        segments=len(run.segments),
        budget_used=run.budget.used,
        answer_tokens=run.answer.tokens,
        measures=measures,
        lowest_and_highest=ranges,
        disturbed=disturbed,
    )
    if disturbed:
        print("the ratio can't be: other work disturbed this run, run it again", file=sys.stderr)
    return int(disturbed)


if __name__ == "__main__":
    sys.exit(main())
