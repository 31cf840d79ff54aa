"""Where does the time of a whole question go, and what does a shared visual pass save?

Asks through the Python API: first one question, by stage; then four questions together (one decode and one
visual pass) and the same four one by one, in the same run, so that the ratio meets the same machine. Decoding
and compressing overlap, so their two figures add up to more than the clock shows. The answer's figure holds
reading the prompt as well as writing.

The default model is the tiny random one of the tests: its answers are noise, and its time is mostly decoding.

Run: python bench/ask.py [--model FOLDER] [--device auto] [--video FILE | --minutes 2] [--runs 3]
"""

import argparse
from pathlib import Path

import torch
from common import TINY_MODEL, loop_clip, machine, make_clip, medians, parser, report, timed

from tempo_cli import GenerationOptions, LoadOptions, Run, SamplingOptions, Tempo

QUESTIONS = (
    "What happens in this video?",
    "What color was the car?",
    "When does somebody enter the room?",
    "How many people are there?",
)
CLIP_SECONDS = 10


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
    """Load, ask one question, then four together and four one by one."""
    tempo = Tempo.load(options.model, options=LoadOptions(device=options.device))
    (run,) = ask(tempo, video, QUESTIONS[:1], options)
    together = timed(lambda: ask(tempo, video, QUESTIONS, options))
    apart = sum(timed(lambda q=question: ask(tempo, video, (q,), options)) for question in QUESTIONS)
    four = {
        "four questions together": together,
        "four one by one": apart,
        "together / one by one": together / apart,
    }
    return stages(run) | four, run


def accelerator(run: Run) -> str | None:
    """Name of the device that the model ran on, if it is a CUDA one."""
    return torch.cuda.get_device_name(run.model.device) if run.model.device.startswith("cuda") else None


def main() -> None:
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
    where = machine(options)
    rounds = [one_round(video, options) for _ in range(options.runs)]
    measures, run = medians([numbers for numbers, _ in rounds]), rounds[0][1]
    assert run.answer is not None
    report(
        "ask",
        ["stage", "seconds or rate"],
        list(measures.items()),
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
        runs=options.runs,
        measures=measures,
        machine=where,
    )


if __name__ == "__main__":
    main()
