"""What is known to whoever ends the process at once: no children and no unfinished files are left."""

import sys
import threading
import time
from pathlib import Path

from tempo_cli.leftovers import forget_child, forget_file, note_child, note_file, remove_leftovers
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


def test_children_may_begin_and_end_meanwhile() -> None:
    """Whoever is listed meanwhile, and whoever is not held any more, is no trouble."""

    class Quick:
        killed = 0

        def kill(self) -> None:
            Quick.killed += 1

        def wait(self, _: float) -> int:
            return 0

    def begin_and_end() -> None:
        while not done.is_set():
            held = [Quick() for _ in range(50)]
            for one in held:
                note_child(one)
            for one in held[::2]:
                forget_child(one)

    done, interval = threading.Event(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    other = threading.Thread(target=begin_and_end)
    other.start()
    try:
        tried, until = 0, time.monotonic() + 20  # the other thread may start late
        while tried < 300 or (not Quick.killed and time.monotonic() < until):
            remove_leftovers()
            tried += 1
    finally:
        done.set()
        other.join()
        sys.setswitchinterval(interval)
    assert Quick.killed > 0
    before = Quick.killed
    remove_leftovers()
    assert Quick.killed == before
