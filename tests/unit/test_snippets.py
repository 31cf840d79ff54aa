"""`make types` checks the Python that documents show: all of it is found."""

from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)


def test_every_python_block_is_found_with_its_line():
    from snippets import snippets

    text = "# A\n\n```python\na = 1\n\nb = 2\n```\n\n```\nno = 3\n```\nand\n```python\nc = 4\n```\n"
    assert list(snippets(text)) == [(4, "a = 1\n\nb = 2\n"), (14, "c = 4\n")]


def test_the_readme_shows_the_python_api():
    from generate import documents
    from snippets import snippets

    (readme,) = [path for path in documents() if path == DOCS.parent / "README.md"]
    codes = [code for _, code in snippets(readme.read_text(encoding="utf-8"))]
    assert any("print(run.answer.text)" in code for code in codes)
