"""Fetching what a plan lists: each file once, the base's two rows, and at last the branch's name."""

from collections.abc import Callable
from pathlib import Path

from ..errors import SetupError
from ..events import Listener, Transfer
from . import layout
from .environment import cache_folder, data_folder, free_bytes
from .locations import router_file, snapshot
from .plan import PullPlan
from .remote import Hub, Listing, RemoteFile
from .router import fetch_rows
from .store import alone, bytes_here, fetch, note_revision

_HINT = "Free some disk space, or set HF_HOME to a folder that can be written. What was downloaded is kept."


def carry_out(hub: Hub, plan: PullPlan, tell: Listener) -> Path:
    """Fetch what is not here. Returns the model's folder.

    Raises:
        SetupError: the disk is too small, or can't be written.
        ModelError: a file can't be had.
    """
    needed, free = plan.size - plan.here, free_bytes(cache_folder())
    if needed > free:
        told = f"{needed / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free"
        raise SetupError(f"{told} on the disk of {cache_folder()}", _HINT)
    try:
        _fetch_all(hub, plan, tell)
    except OSError as error:
        where = error.filename or cache_folder()
        raise SetupError(f"{where} can't be written: {error.strerror or error}", _HINT) from error
    if plan.weights is None:
        return Path(plan.model).expanduser()
    return snapshot(plan.model, plan.weights.listing.commit)


def _fetch_all(hub: Hub, plan: PullPlan, tell: Listener) -> None:
    progress = _Progress(plan.files, tell)
    for part in plan.parts:
        for file in part.files:
            fetch(hub, file, tell, progress.of(file))
        if part is plan.base:
            _fetch_router(hub, part.listing, tell)
        note_revision(part.listing.repository, part.revision, part.listing.commit)


def _fetch_router(hub: Hub, base: Listing, tell: Listener) -> None:
    path = router_file(base.repository, base.commit)
    if layout.fault(path) is None:
        return
    with alone(data_folder() / "router.lock", "the router's rows", tell):
        if layout.fault(path) is not None:
            fetch_rows(hub, base, snapshot(base.repository, base.commit), path)


class _Progress:
    """Bytes of all files together."""

    def __init__(self, files: tuple[RemoteFile, ...], tell: Listener) -> None:
        self._here = {file: bytes_here(file) for file in files}
        self._total = sum(file.size for file in files)
        self._tell = tell
        self._say()

    def of(self, file: RemoteFile) -> Callable[[int], None]:
        """Hears how many bytes of `file` are here."""

        def heard(here: int) -> None:
            self._here[file] = here
            self._say()

        return heard

    def _say(self) -> None:
        self._tell(Transfer("download", sum(self._here.values()), self._total))
