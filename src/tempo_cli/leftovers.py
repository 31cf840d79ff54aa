"""Temporary folders, known to whoever has to end the process at once."""

import shutil
import tempfile

_folders: set[str] = set()


class TemporaryFolder:
    """A folder that goes with `close`, or with the process.

    Attributes:
        name: its path.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tempo-", ignore_cleanup_errors=True)
        self.name = self._folder.name
        _folders.add(self.name)

    def close(self) -> None:
        """Remove it. Repeatable."""
        self._folder.cleanup()
        _folders.discard(self.name)


def remove_leftovers() -> None:
    """Remove all of them, from any thread."""
    for name in tuple(_folders):
        shutil.rmtree(name, ignore_errors=True)
