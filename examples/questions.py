"""Ask several questions about one video: the model is loaded once and the video is decoded and read once.

Usage: python questions.py VIDEO QUESTION [QUESTION ...] [--model MODEL] [--max-new-tokens N]
"""

import argparse

from tempo_cli import AnswerText, Event, GenerationOptions, Tempo


def show(event: Event) -> None:
    """Write the answer's text as it comes."""
    if isinstance(event, AnswerText):
        print(event.text, end="", flush=True)


def main() -> None:
    """Read the command line, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video")
    parser.add_argument("questions", nargs="+")
    parser.add_argument("--model", default="Vision-CAIR/Tempo-6B")
    parser.add_argument("--max-new-tokens", type=int, default=1024)
    options = parser.parse_args()
    tempo = Tempo.load(options.model)
    generation = GenerationOptions(max_new_tokens=options.max_new_tokens)
    for run in tempo.ask_many(options.video, options.questions, generation=generation, on_event=show):
        best = max(run.segments, key=lambda segment: segment.relevance or 0.0)
        print(f"\n  ({run.question}: most relevant from {best.start:.1f} s to {best.end:.1f} s)")


if __name__ == "__main__":
    main()
