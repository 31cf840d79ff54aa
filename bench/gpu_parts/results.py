"""The result file: valid JSON at every moment. Imports no torch.

{"bench": "gpu", "small", "date", "seconds", "accelerator", "machine": {...},
 "parts": {PART: {"status", "limit", "seconds", "rows": [{"name", "at", ...numbers, "ok"?, "error"?}]}}}

A status is `running` (cut off, if nobody runs), `done`, `failed` (a row has an error, or the process ended
with one), `timed_out` or `interrupted`. Rows that came before the end are kept whatever it was.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Results:
    """Reads what is there, and writes the whole file anew after every change."""

    def __init__(self, path: Path, **facts: object) -> None:
        self._path = path
        there: Row = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.value: Row = {"bench": "gpu", "seconds": 0.0, "accelerator": None, **there, **facts}
        self.value.setdefault("parts", {})
        self._began = time.monotonic()

    @property
    def parts(self) -> dict[str, Row]:
        """What is known of each part."""
        parts: dict[str, Row] = self.value["parts"]
        return parts

    def is_done(self, part: str) -> bool:
        """Whether the part ran to its end without an error."""
        return self.parts.get(part, {}).get("status") == "done"

    def begin(self, part: str, limit: float) -> None:
        """A part starts; what an earlier run found is replaced."""
        self.parts[part] = {"status": "running", "limit": limit, "seconds": 0.0, "rows": []}
        self._began = time.monotonic()
        self.save()

    def add(self, part: str, row: Row) -> None:
        """Keep one row, with the second of the part at which it came."""
        at = round(time.monotonic() - self._began, 1)
        self.parts[part]["rows"].append({**row, "at": at})
        self.value["accelerator"] = row.get("accelerator", self.value["accelerator"])
        self.save()

    def end(self, part: str, status: str, **facts: object) -> None:
        """A part has ended."""
        seconds = round(time.monotonic() - self._began, 3)
        if status == "done" and any("error" in row for row in self.parts[part]["rows"]):
            status = "failed"
        self.parts[part] |= {"status": status, "seconds": seconds, **facts}
        self.value["seconds"] += seconds
        self.save()

    def save(self) -> None:
        """Replace the file by one that is complete."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        part.write_text(json.dumps(self.value, indent=1) + "\n", encoding="utf-8")
        part.replace(self._path)

    @property
    def good(self) -> bool:
        """Whether every part that is here was done, with every tolerance met."""
        parts = self.parts.values()
        rows = [row for part in parts for row in part["rows"]]
        return all(part["status"] == "done" for part in parts) and all(row.get("ok", True) for row in rows)


class Recorder:
    """In a part's process: hands its rows over, one line of a file each."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, name: str, **facts: object) -> None:
        """Hand one row over; one with a number that JSON does not know becomes an error."""
        try:
            line = json.dumps({"name": name, **facts}, allow_nan=False)
        except ValueError:
            line = json.dumps({"name": name, "error": f"NaN or infinity in {facts}"[:500]})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    @contextmanager
    def row(self, name: str) -> Iterator[Row]:
        """A row to be filled; an exception becomes its `error`, and the part goes on."""
        facts: Row = {}
        try:
            yield facts
        except Exception as error:  # noqa: BLE001  one row must not lose the others
            facts["error"] = f"{type(error).__name__}: {error}"[:500]
        self.add(name, **facts)


class Lines:
    """Complete JSON lines of a growing file."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0

    def new(self) -> Iterator[Row]:
        """Rows that came since the last call; a line that is not complete yet waits."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._at += len(line)
                yield json.loads(line)
