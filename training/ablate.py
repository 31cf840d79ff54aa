"""What parts of the curriculum are worth: `python -m training.ablate WORK OUT.json --corpus FOLDER --start RUN`.

From a full run's decoder (and vision tower, where it is not what is left out) the rest of the curriculum is
trained at a quarter of its length, whole and with a part left out, and each is evaluated on the same held-out
videos. Resumable, as training is; a part that the report holds is not done again.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from tempo_cli.config import BudgetOptions

from .evaluate import SEED, Job, evaluate
from .export import TEMPO

SCALE = 0.25
_DECODER, _VISION = ("tokenizer.json", "decoder.pt", "stories.pt"), ("vision.pt",)
PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # files to start from, and options
    "whole": (_DECODER + _VISION, ()),
    "without vision": (_DECODER, ("--no-vision",)),
    "without the router's loss": (_DECODER + _VISION, ("--router-weight", "0")),
}


def train(work: Path, name: str, start: Path, corpus: Path, scale: float) -> Path:
    """Train and export one of `PARTS`; gives the model's folder."""
    files, options = PARTS[name]
    folder = work / name.replace(" ", "-").replace("'", "")
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(start / file, folder / file)
    module = (sys.executable, "-m")
    told = (str(folder), "--corpus", str(corpus), "--scale", str(scale), *options)
    subprocess.run((*module, "training.train", *told), check=True)
    subprocess.run((*module, "training.export", str(folder), str(folder / "model")), check=True)
    return folder / "model" / TEMPO


def main() -> None:
    """Train, evaluate, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="folder for the runs")
    parser.add_argument("report", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True, help="folder of a full run")
    parser.add_argument("--scale", type=float, default=SCALE, help="part of the full number of steps")
    parser.add_argument("--videos", type=int, default=60, help="held-out videos")
    options = parser.parse_args()
    facts = {"scale": options.scale, "videos": options.videos, "seed": SEED}
    found = {}
    if options.report.exists():
        earlier = json.loads(options.report.read_text())
        found = earlier.pop("runs")
        if earlier != facts:
            raise SystemExit(f"{options.report} holds other runs: {earlier}")
    for name in [name for name in PARTS if name not in found]:
        model = train(options.work, name, options.start, options.corpus, options.scale)
        tally = evaluate(options.videos, Job(model, SEED, BudgetOptions(), 0, 1), workers=2)
        found[name] = tally.report()
        options.report.write_text(json.dumps({**facts, "runs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
