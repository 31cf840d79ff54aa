"""What is taken for a typing error, and what is not."""

import pytest

from tempo_cli.plan.similar import similar

OPTIONS = ["--model", "--max-frames", "--offline", "-m", "--json", "--seed"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("--modle", "--model"),
        ("--MODEL", "--model"),
        ("--jsn", "--json"),
        ("--max-frame", "--max-frames"),
        ("--sed", "--seed"),
        ("--dog", None),
        ("--", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_an_option(name: str, meant: str | None) -> None:
    assert similar(name, OPTIONS) == meant


def test_the_most_similar_one_wins_and_swapped_letters_are_one_error() -> None:
    assert similar("aks", ["pull", "ask"]) == "ask"
    assert similar("nono", ["nano"]) == "nano"
    assert similar("seeds", ["seats", "seed"]) == "seed"
