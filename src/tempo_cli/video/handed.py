"""Texts that are too long for a command line, handed to a child so that no file of ours can stay behind."""

import os
import tempfile
from pathlib import Path


class HandedText:
    """A text that a child reads as a file; its creator must `close` it.

    The file has no name of its own where the system has such files, so that it ends with the processes that
    have it open.

    Attributes:
        name: under which the child opens it.
        inherited: descriptors that the child must inherit.

    Raises:
        OSError: it can't be kept.
    """

    def __init__(self, text: str) -> None:
        self._path: Path | None = None
        self.inherited: tuple[int, ...] = ()
        data = text.encode("ascii")
        if os.name != "posix":
            number, self.name = tempfile.mkstemp(prefix="tempo-")
            self._path = Path(self.name)
            with os.fdopen(number, "wb") as file:
                file.write(data)
            return
        memory = getattr(os, "memfd_create", None)  # Linux has it
        self._file = os.fdopen(memory("tempo"), "w+b") if memory else tempfile.TemporaryFile()  # noqa: SIM115
        self._file.write(data)
        self._file.seek(0)
        self.inherited = (self._file.fileno(),)
        self.name = f"/dev/fd/{self._file.fileno()}"

    def close(self) -> None:
        """Let go of it; whoever has opened it keeps it."""
        if self._path is None:
            self._file.close()
        else:
            self._path.unlink(missing_ok=True)
