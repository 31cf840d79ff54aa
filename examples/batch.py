"""Ask one question about many videos with one model load, from Python: JSON lines, as `tempo batch` has.

A video that can't be read gives a line with "status":"error" and doesn't stop the others; the exit status is
7 if there was one. From the command line, `tempo batch` does the same and resumes (docs/batch.md).

Usage: python batch.py QUESTION VIDEO [VIDEO ...] [--model MODEL] > runs.jsonl
"""

import argparse

from tempo_cli import Tempo, TempoError
from tempo_cli.schema import Request, error_to_json


def main() -> None:
    """Read the command line, ask about each video, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question")
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--model", default="Vision-CAIR/Tempo-6B")
    options = parser.parse_args()
    tempo, failed = Tempo.load(options.model), False
    for video in options.videos:
        try:
            line = tempo.ask(video, options.question).to_json()
        except TempoError as error:
            line, failed = error_to_json(error, Request(options.question, video, options.model)), True
        print(line, flush=True)
    raise SystemExit(7 if failed else 0)


if __name__ == "__main__":
    main()
