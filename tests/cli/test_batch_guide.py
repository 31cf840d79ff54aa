"""Every command line of docs/batch.md runs, with a stand-in for the model."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def test_the_guide_is_read() -> None:
    assert len(BLOCKS) == 12
    assert sum(block.count("tempo ") for block in BLOCKS) >= 13


@pytest.mark.skipif(shutil.which("jq") is None or shutil.which("bash") is None, reason="needs bash and jq")
def test_every_command_line_of_the_guide_runs(tmp_path: Path) -> None:
    (tmp_path / "videos" / "more").mkdir(parents=True)
    (tmp_path / "srv").mkdir()
    for name in ("a.mp4", "b.mp4", "more/c.mp4"):
        (tmp_path / "videos" / name).touch()
    command = tmp_path / "tempo"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.cli.stub "$@"\n')
    command.chmod(0o755)
    paths = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": paths, "TEMPO_MODEL": "nano"}
    shown = []
    for block in BLOCKS:
        for leftover in tmp_path.glob("*.jsonl"):
            if leftover.name != "jobs.jsonl":
                leftover.unlink()
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", block],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        wrote = "wrote pages/index.html and 2 pages\n" if "--html" in block else ""
        assert (done.returncode, done.stderr) == (0, wrote), block
        results = [path for path in tmp_path.glob("*.jsonl") if path.name != "jobs.jsonl"]
        lines = [json.loads(line) for path in results for line in path.read_text().splitlines()]
        shown.append((len(done.stdout.splitlines()), len(lines)))
    # lines on stdout, and in files of results
    searched, table, jobs, sheet, piped, results, pages, part, cron, arguments, parallel, told = shown
    assert (searched, table, jobs, sheet, piped) == ((0, 3), (6, 0), (0, 3), (0, 2), (0, 3))
    assert (results, part, cron, arguments, told) == ((3, 3), (0, 1), (0, 0), (5, 3), (3, 3))
    assert (pages, parallel) == ((0, 3), (0, 0))
    assert len(list((tmp_path / "pages").glob("*.html"))) == 1 + 2  # of an index and two videos
    assert len(list((tmp_path / "videos").rglob("*.mp4.jsonl"))) == 3
