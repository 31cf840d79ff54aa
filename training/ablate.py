"""What parts of the curriculum are worth: `python -m training.ablate WORK OUT.json --corpus C --start RUN`.

The compressor's stage begins anew from a full run's decoder, with a part left out: the vision tower's own
stage, or the router's loss. Batches and learning rate are those of the full run, so its log is what to
compare with: scores on held-out videos after the same steps. Resumable, as training is.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from .layout import TYPING_ERRORS

STEPS = 400  # of the stage's 4,000; the learning rate is still the same for all
_DECODER, _VISION = ("tokenizer.json", TYPING_ERRORS, "decoder.pt", "stories.pt"), ("vision.pt",)
WHOLE = "whole"
PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # files to start from, and options
    "without vision": (_DECODER, ("--no-vision",)),
    "without the router's loss": (_DECODER + _VISION, ("--router-weight", "0")),
}
_SCORES = ("auc", "first", "words")
Curve = dict[str, dict[str, float]]


def curve(log: Path, steps: int) -> Curve:
    """Held-out scores of the compressor's stage by step, up to `steps`."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    own = [line for line in lines if line.get("stage") == "compressor held out" and line["step"] <= steps]
    return {str(line["step"]): {name: line[name] for name in _SCORES} for line in own}


def train(folder: Path, name: str, start: Path, corpus: Path, steps: int) -> None:
    """Train one of `PARTS` so far."""
    files, options = PARTS[name]
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(start / file, folder / file)
    run = json.loads((start / "log.jsonl").read_text().partition("\n")[0])["run"]
    same = [word for key in ("seed", "videos", "workers", "scale") for word in (f"--{key}", str(run[key]))]
    own = ["--corpus", str(corpus), "--halt", str(steps)]
    subprocess.run([sys.executable, "-m", "training.train", str(folder), *own, *same, *options], check=True)


def main() -> None:
    """Train, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="folder for the runs")
    parser.add_argument("report", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True, help="folder of a full run")
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    runs = {WHOLE: curve(options.start / "log.jsonl", options.steps)}
    for name in PARTS:
        folder = options.work / name.replace(" ", "-").replace("'", "")
        train(folder, name, options.start, options.corpus, options.steps)
        runs[name] = curve(folder / "log.jsonl", options.steps)
    options.report.write_text(json.dumps({"steps": options.steps, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
