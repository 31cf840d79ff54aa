"""Type-check what the documents show: every ```python block of a Markdown file, and the examples' scripts.

Each block stands for itself and is checked as a file of its own, `mypy --strict`.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from generate import ROOT, documents

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets(text: str) -> Iterator[tuple[int, str]]:
    """Each block of a document, with the number of the line on which its code begins."""
    for match in _BLOCK.finditer(text):
        yield text.count("\n", 0, match.start(1)) + 1, match[1]


def main() -> None:
    """Check them all with one run of mypy."""
    with TemporaryDirectory() as folder:
        files = []
        for document in documents():
            name = "_".join(document.relative_to(ROOT).with_suffix("").parts).replace("-", "_")
            for line, code in snippets(document.read_text(encoding="utf-8")):
                file = Path(folder) / f"{name}_line_{line}.py"
                file.write_text(code, encoding="utf-8")
                files.append(file)
        files += sorted((ROOT / "examples").glob("*.py"))
        done = subprocess.run([sys.executable, "-m", "mypy", "--strict", *map(str, files)], cwd=ROOT)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
