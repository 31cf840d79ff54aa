"""`python -m training.train WORK`: the whole curriculum, resumable; `make nano` calls it.

Some stages learn side by side and share the processes; in the others all processes share each batch.
"""

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from importlib.metadata import version
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.utils.hooks import RemovableHandle

from tempo_cli.plan.card import model_card

from .corpus import VIDEOS
from .layout import TEMPO, TYPING_ERRORS, load_untrained, mean, warm_start
from .network import Nano
from .sources import dictionary, english
from .spelling import as_table, corrections
from .stages import (
    Compressing,
    Long,
    Reading,
    Together,
    Vision,
    memory_ids,
    written_memories,
    written_videos,
)
from .stories import LISTING, POLISHING, SEEING
from .trainer import HELD_OUT, TRAINED_ON, Trainer, load, load_shelves
from .vocabulary import learn_tokenizer

ALLOCATOR = {  # glibc would map and unmap every large tensor anew: half the speed
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "500000000",
    "OMP_NUM_THREADS": "1",
}
_FREE = {"device", "halt", "average"}  # options that may differ where a run goes on
STAGES = ("vision", "decoder", "stories", "compressor", "together", "long", "polish", "tighten", "settle")


_STEPS = {
    "vision": 4500, "decoder": 4000, "stories": 900, "compressor": 4000, "together": 1400, "long": 620,
    "polish": 1400, "tighten": 2000, "settle": 2000,
}  # fmt: skip
_WARM = {"tighten": 750, "settle": 750}  # from trained weights only these run
_MEMORIES = 8 / 15  # batches of memories per step of "settle": 400 for 750


def lengths(scale: float, warm: bool) -> dict[str, int]:
    """Steps of every stage."""
    steps = _STEPS | _WARM if warm else _STEPS
    return {name: max(2, round(count * scale)) for name, count in steps.items()}


def batches_of_memories(steps: int, processes: int) -> int:
    """How many batches of memories each process writes for so many steps of "settle"."""
    return max(2, round(_MEMORIES * steps / processes))


def curriculum(scale: float, router_weight: float = 1.0, warm: bool = False) -> dict[str, object]:
    """Every stage with its length; `scale` shortens all of them, `warm` says that trained weights go on."""

    rate = 1e-3 if warm else 1.5e-3
    steps = lengths(scale, warm)

    return {
        "vision": Vision(steps["vision"]),
        "decoder": Reading(steps["decoder"]),
        "stories": Reading(steps["stories"], "stories", 1e-3, shortest=8, longest=128),
        "compressor": Compressing(steps["compressor"], router_weight=router_weight),
        "together": Together(steps["together"], router_weight=router_weight),
        "long": Long(steps["long"]),
        "polish": Reading(
            steps["polish"],
            "polish",
            rate,
            320,
            longest=128,
            families=POLISHING,
            filmed_families=LISTING,
            stories=0.4,
            noise=(0.02, 0.35),
        ),
        "tighten": Compressing(
            steps["tighten"],
            "tighten",
            rate,
            32,
            router_weight=router_weight,
            filler=0.25,
            families=SEEING,
            moments=3,
        ),
        "settle": Reading(steps["settle"], "settle", 1e-3, 384, shortest=12, longest=128, families=POLISHING),
    }


def work(rank: int, world: int, options: argparse.Namespace, names: list[str], port: int) -> None:
    """One process: the stages `names`, in step with `world - 1` others."""
    torch.set_num_threads(1)
    if world > 1:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        dist.init_process_group("gloo", rank=rank, world_size=world)
    torch.manual_seed(options.seed)
    model = load_untrained(options.work)
    if options.start is not None:
        warm_start(model, options.start)
    model.to(options.device)
    words = dictionary(options.sources) if options.sources else ()
    home, *more = options.corpus
    train = load_shelves(home, TRAINED_ON, options.videos, options.foreign, words, more, vary=True)
    check = load_shelves(home, HELD_OUT, options.videos, options.foreign, words)
    trainer = Trainer(model, options.work, options.seed, train, check)
    stages = curriculum(options.scale, options.router_weight, options.start is not None)
    for name in names:
        if trainer.done(name):
            continue
        if name == "settle" and options.average:
            join(model, [options.work, *options.average], ["tighten"])
        elif name == "compressor":
            join(model, [options.work], ("stories", "vision") if options.vision else ("stories",))
        kept = keep_memory_words(model) if name == "polish" else None
        if name == "settle":
            random = np.random.default_rng((options.seed, len(STAGES), rank))
            batches = batches_of_memories(lengths(options.scale, options.start is not None)["settle"], world)
            memories = written_memories(model, train, random, batches)
            filmed = written_videos(model, train, random, batches)
            stages[name] = replace(stages[name], memories=memories, filmed=filmed)  # type: ignore[type-var]
        trainer.run(stages[name], STAGES.index(name), options.halt)  # type: ignore[arg-type]
        if kept is not None:
            kept.remove()
        if options.halt is not None:
            break
    if world > 1:
        dist.destroy_process_group()


# What each stage's checkpoint is taken for where several become one model.
_PARTS = {
    "stories": ("decoder.llm.",),
    "vision": (".visual.",),
    "tighten": ("compressor.", "decoder.projector."),
}


def join(model: Nano, runs: Sequence[Path], stages: Sequence[str]) -> None:
    """The checkpoints of several stages become one model: of each stage, what it has trained.

    Of several runs that went on from the same weights, it is their mean, which errs less than each of them
    (Wortsman et al. 2022, "Model soups", arXiv 2203.05482).
    """
    for stage in stages:
        state = mean([load(run / f"{stage}.pt") for run in runs])
        part = {name: tensor for name, tensor in state.items() if any(own in name for own in _PARTS[stage])}
        model.load_state_dict(part, strict=False)


def keep_memory_words(model: Nano) -> RemovableHandle:
    """The decoder's embeddings of memory words stay as they are, until this is removed."""
    rows = memory_ids(model)
    table = model.decoder.llm.model.embed_tokens.weight
    return table.register_hook(lambda gradient: gradient.index_fill(0, rows, 0.0))


def note_run(options: argparse.Namespace) -> None:
    """Say in the log what runs, with the exact versions; a run goes on only as it began.

    Raises:
        SystemExit: the folder holds a run with other options or stages of other lengths.
    """
    names = ("torch", "tokenizers", "numpy", "pillow", "av", "imageio-ffmpeg")
    facts = {name: value for name, value in vars(options).items() if not isinstance(value, Path)}
    facts |= {name: len(getattr(options, name)) for name in ("corpus", "average")}
    warm = options.start is not None
    steps = lengths(options.scale, warm)
    facts |= {"start": warm, "steps": {name: steps[name] for name in (_WARM if warm else STAGES)}}
    log = options.work / "log.jsonl"
    if log.exists():
        begun = json.loads(log.read_text().partition("\n")[0])["run"]
        if any(facts[name] != begun.get(name) for name in facts.keys() - _FREE):
            raise SystemExit(f"{options.work} holds a run with other options or numbers of steps: {begun}")
    line = {
        "run": facts,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in names},
    }
    with log.open("a") as lines:
        lines.write(json.dumps(line) + "\n")


def main() -> None:
    """Train, or go on training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="folder for checkpoints and the log")
    parser.add_argument(
        "--corpus", type=Path, nargs="+", required=True, help="folders; a part of the first is held out"
    )
    parser.add_argument("--foreign", type=Path, help="clips of training.foreign")
    parser.add_argument("--sources", type=Path, help="what training.sources fetched: a dictionary")
    parser.add_argument("--start", type=Path, help="folder of exported weights to go on from")
    parser.add_argument(
        "--average",
        type=Path,
        nargs="+",
        default=[],
        help="other runs, whose compressor is averaged with this one's before the last stage",
    )
    parser.add_argument("--videos", type=int, default=VIDEOS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="part of the full number of steps")
    parser.add_argument("--workers", type=int, default=2, help="processes that share each batch")
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, help="all processes use it")
    parser.add_argument("--no-vision", dest="vision", action="store_false", help="ablation")
    parser.add_argument("--router-weight", type=float, default=1.0, help="0 for the ablation")
    parser.add_argument("--halt", type=int, help="steps after which the next stage stops; for ablations")
    options = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        os.execve(
            sys.executable, [sys.executable, "-m", "training.train", *sys.argv[1:]], os.environ | ALLOCATOR
        )
    exit_on_signals()
    options.work.mkdir(parents=True, exist_ok=True)
    note_run(options)
    tokenizer = options.work / "tokenizer.json"
    if not tokenizer.exists():
        known = options.start / TEMPO / "tokenizer.json" if options.start else None
        _write_whole(tokenizer, known.read_text() if known else learn_tokenizer())
    if not (options.work / TYPING_ERRORS).exists():
        save_typing_errors(options.work, english(options.sources) if options.sources else (), options.start)
    port = 29_500 + os.getpid() % 1000
    if options.start is not None:
        run([(list(_WARM), options.workers)], options, port)
        return
    alone = [
        group
        for group in side_by_side(options.workers, options.vision)
        if not all((options.work / f"{name}.pt").exists() for name in group[0])
    ]
    run(alone, options, port)
    if alone and options.halt is not None:  # they stopped on the way, and what follows needs their ends
        return
    run([(list(STAGES[STAGES.index("compressor") :]), options.workers)], options, port)


def exit_on_signals() -> None:
    """Leave as after an error where the run is ended, so that its processes end too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def side_by_side(workers: int, vision: bool) -> list[tuple[list[str], int]]:
    """The stages that come first from scratch, with how many processes each group of them gets."""
    half = max(1, workers // 2)
    return [(["decoder", "stories"], half), *([(["vision"], half)] if vision else [])]


def save_typing_errors(work: Path, english: Collection[str], start: Path | None) -> None:
    """Write the table of typing errors; without a word list, the one that the first weights have, or none."""
    table: dict[str, str] = {}
    if english:
        table = as_table(corrections(english))
    elif start is not None:
        config = json.loads((start / TEMPO / "config.json").read_text())
        table = as_table(model_card(config).corrections)
    _write_whole(work / TYPING_ERRORS, json.dumps(table))


def _write_whole(path: Path, text: str) -> None:
    """Write a file that is there only once it is complete."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def run(groups: Sequence[tuple[list[str], int]], options: argparse.Namespace, port: int) -> None:
    """Run groups of stages side by side, each in so many processes.

    Raises:
        SystemExit: a process failed.
    """
    context = mp.get_context("spawn")
    processes = [
        context.Process(target=work, args=(rank, world, options, names, port + number))
        for number, (names, world) in enumerate(groups)
        for rank in range(world)
    ]
    try:
        for process in processes:
            process.start()
        running = {process.sentinel: process for process in processes}
        while running:
            for sentinel in wait(list(running)):
                ended = running.pop(sentinel)  # type: ignore[call-overload]
                ended.join()  # its exit code comes a moment after its sentinel
                if ended.exitcode:
                    raise SystemExit(f"a stage failed with {ended.exitcode}")
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
        for process in processes:
            process.join()


if __name__ == "__main__":
    main()
