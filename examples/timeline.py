"""Print the most relevant moments of a video for a question, best first.

Usage: python timeline.py VIDEO QUESTION [--model MODEL] [--moments N]
"""

import argparse

from tempo_cli import Tempo


def main() -> None:
    """Read the command line, inspect, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video")
    parser.add_argument("question")
    parser.add_argument("--model", default="Vision-CAIR/Tempo-6B")
    parser.add_argument("--moments", type=int, default=3)
    options = parser.parse_args()
    tempo = Tempo.load(options.model, decoder=False)  # relevance needs no language model
    run = tempo.inspect(options.video, options.question)
    ranked = sorted(run.segments, key=lambda segment: segment.relevance or 0.0, reverse=True)
    for segment in ranked[: options.moments]:
        print(f"{segment.start:8.1f} s to {segment.end:8.1f} s  relevance {segment.relevance:.2f}")


if __name__ == "__main__":
    main()
