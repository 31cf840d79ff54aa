"""What is known to whoever ends the process at once: no children and no unfinished files are left."""

import sys
from pathlib import Path

from tempo_cli.leftovers import forget_file, note_file, remove_leftovers
from tempo_cli.video.child import Child

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_children_end():
    child = Child(SLEEP)
    try:
        remove_leftovers()
        assert child.wait(5) == -9
    finally:
        child.close()
    remove_leftovers()
    assert child.status == -9


def test_unfinished_files_go_and_finished_ones_stay(tmp_path: Path) -> None:
    unfinished, finished = tmp_path / "unfinished", tmp_path / "finished"
    for path in (unfinished, finished):
        path.write_text("")
        note_file(path)
    forget_file(finished)
    remove_leftovers()
    assert list(tmp_path.iterdir()) == [finished]
    remove_leftovers()
    forget_file(unfinished)
