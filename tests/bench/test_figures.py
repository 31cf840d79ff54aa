"""What the docs say of a card's speed and memory is what a result file says; else they say "not measured"."""

import json
from pathlib import Path

import pytest

from .conftest import ROOT
from .figures import UNMEASURED, faults, marks, measured

RESULTS = ROOT / "bench/results"
DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "bench/README.md", *(ROOT / "docs").rglob("*.md")]
FILE = {
    "small": False,
    "date": "2026-12-01",
    "accelerator": "NVIDIA H100",
    "parts": {
        "speed": {
            "rows": [
                {"name": "device"},
                {"name": "read 8192 tokens", "seconds": 0.6149, "peak_bytes": 12_345_678_901},
                {"name": "compress", "segment_seconds": {"vision": 0.00321}, "share": 0.986},
            ]
        }
    },
}
SECTION = "# Measured\nNVIDIA H100, 2026-12-01: "


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with one result file, and one of a rehearsal."""
    (tmp_path / "2026-12-01-gpu.json").write_text(json.dumps(FILE))
    (tmp_path / "2026-12-02-gpu.json").write_text(json.dumps(FILE | {"small": True}))
    return tmp_path


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_marked_figure_of_the_docs_is_right(path: Path) -> None:
    assert list(faults(path.read_text(encoding="utf-8"), RESULTS)) == []


def test_docs_say_that_no_card_was_measured_or_what_it_gave() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in DOCS}
    if measured(RESULTS):
        assert sum(map(marks, texts.values())) > 0
    else:
        for name in ("README.md", "docs/memory.md"):
            assert UNMEASURED.lower() in " ".join(texts[ROOT / name].split()).lower()


def test_no_rehearsal_is_kept_as_a_result() -> None:
    assert list(RESULTS.glob("*-gpu-small.json")) == []
    assert measured(RESULTS) == sorted(RESULTS.glob("*-gpu.json"))


@pytest.mark.parametrize(
    "figure",
    [
        "0.61 s <!-- gpu: 2026-12-01-gpu.json / speed / read 8192 tokens / seconds -->",
        "**615 ms** <!-- gpu: 2026-12-01-gpu.json / speed /\nread 8192 tokens / seconds -->",
        "12.3 GB <!-- gpu: 2026-12-01-gpu.json / speed / read 8192 tokens / peak_bytes -->",
        "12,346 MB <!-- gpu: 2026-12-01-gpu.json / speed / read 8192 tokens / peak_bytes -->",
        "| 3.2 ms <!-- gpu: 2026-12-01-gpu.json / speed / compress / segment_seconds.vision --> |",
        "98.6 % <!-- gpu: 2026-12-01-gpu.json / speed / compress / share -->",
    ],
)
def test_a_figure_that_is_right(figure: str, results: Path) -> None:
    assert list(faults(SECTION + figure, results)) == []


@pytest.mark.parametrize(
    ("figure", "source", "fault"),
    [
        ("0.62 s", "2026-12-01-gpu.json / speed / read 8192 tokens / seconds", "say 0.62, the file 0.61"),
        ("0.61 h", "2026-12-01-gpu.json / speed / read 8192 tokens / seconds", "unit h is not known"),
        ("0.61 s", "2026-12-03-gpu.json / speed / compress / seconds", "there is no such file"),
        ("0.61 s", "2026-12-01-gpu.json / speed / nothing / seconds", "there is no such number"),
        ("0.61 s", "2026-12-01-gpu.json / memory / compress / seconds", "there is no such number"),
        ("0.61 s", "2026-12-02-gpu.json / speed / read 8192 tokens / seconds", "that was a rehearsal"),
        ("0.61 s", "speed / seconds", "not FIGURE UNIT"),
        ("fast", "2026-12-01-gpu.json / speed / read 8192 tokens / seconds", "not FIGURE UNIT"),
    ],
)
def test_a_figure_that_is_wrong(figure: str, source: str, fault: str, results: Path) -> None:
    (found,) = faults(f"{SECTION}{figure} <!-- gpu: {source} -->", results)
    assert fault in found


def test_date_and_card_stand_in_the_same_section(results: Path) -> None:
    figure = "0.61 s <!-- gpu: 2026-12-01-gpu.json / speed / read 8192 tokens / seconds -->"
    (found,) = faults("# Measured\nNVIDIA H100, 2026-12-01.\n## Speed\n2026-12-01: " + figure, results)
    assert "the section does not say NVIDIA H100" in found


def test_an_example_of_the_notation_is_no_figure(results: Path) -> None:
    example = "    0.7 s <!-- gpu: no.json / speed / a / b -->\n"
    assert list(faults(f"# Notation\n\n{example}\n```\n{example}```\n", results)) == []
