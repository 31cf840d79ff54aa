"""What is left of a process that is ended at once: no children, no temporary folders."""

import sys
from pathlib import Path

from tempo_cli.leftovers import TemporaryFolder, remove_leftovers
from tempo_cli.video.child import Child

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_children_end_and_folders_go():
    folder, child = TemporaryFolder(), Child(SLEEP)
    Path(folder.name, "file").write_text("x")
    try:
        remove_leftovers()
        assert child.wait(5) == -9
        assert not Path(folder.name).exists()
    finally:
        child.close()
        folder.close()


def test_what_is_closed_is_not_touched_again():
    folder, child = TemporaryFolder(), Child(SLEEP)
    child.close()
    folder.close()
    assert not Path(folder.name).exists()
    remove_leftovers()
    assert child.status == -9
