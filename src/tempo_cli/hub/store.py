"""Files in the Hub's shared cache, in its own layout, so that every other program finds them.

`blobs` has the bytes under their digests, `snapshots` gives them names, `refs` notes what a branch means.
The bytes are fetched by us and not by the library, whose downloads start over after a kill.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import Timeout
from huggingface_hub.utils import WeakFileLock

from ..events import Listener, Warned
from .environment import cache_folder
from .locations import cached_commit, ref_file, repository_folder, snapshot
from .remote import Hub, RemoteFile

_PATIENCE = 0.3  # seconds until a held lock is worth a word


def bytes_here(file: RemoteFile) -> int:
    """Bytes of a file that need not be fetched, those of an unfinished download included."""
    if is_here(file):
        return file.size
    unfinished = _unfinished(file)
    return min(unfinished.stat().st_size, file.size) if unfinished.is_file() else 0


def is_here(file: RemoteFile) -> bool:
    """Whether the file is here in its full length, as a blob, or by name where the system has no links."""
    return any(_has(path, file.size) for path in (_blob(file), _pointer(file)))


def _has(path: Path, size: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size
    except OSError:
        return False  # it may not be read


def fetch(hub: Hub, file: RemoteFile, tell: Listener, heard: Callable[[int], None]) -> None:
    """Bring one file into the cache, continuing what an earlier run began.

    Args:
        heard: called with the number of bytes of the file that are here.

    Raises:
        ModelError: it can't be had.
        OSError: the cache can't be written.
    """
    blob, pointer = _blob(file), _pointer(file)
    if _has(pointer, file.size):  # nothing is written where nothing is missing
        heard(file.size)
        return
    lock = cache_folder() / ".locks" / repository_folder(file.repository).name / f"{file.digest}.lock"
    for folder in (pointer.parent, blob.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with alone(lock, file.path, tell):
        if not is_here(file):
            hub.download(file, _unfinished(file), heard)
            _unfinished(file).replace(blob)
        if blob.exists():
            _link(blob, pointer)
    heard(file.size)


def note_revision(repository: str, revision: str, commit: str) -> None:
    """Note the commit of a branch or tag, once everything is there: it never names an incomplete model."""
    ref = ref_file(repository, revision)
    if ref is not None and cached_commit(repository, revision) != commit:
        ref.parent.mkdir(parents=True, exist_ok=True)
        partial = ref.with_name(f".{ref.name}.{os.getpid()}")
        partial.write_text(commit, encoding="utf-8")
        partial.replace(ref)


@contextmanager
def alone(lock: Path, what: str, tell: Listener) -> Iterator[None]:
    """Only one process at a time; for a file of the cache the lock is that of the Hub's library."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(WeakFileLock(lock, timeout=_PATIENCE))
        except Timeout:
            tell(Warned(f"another process is downloading {what}: waiting for it"))
            stack.enter_context(WeakFileLock(lock))
        yield


def _link(blob: Path, pointer: Path) -> None:
    """Give a blob its name in the snapshot; where there are no links, move it there, as the library does."""
    partial = pointer.with_name(f".{pointer.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    try:
        partial.symlink_to(os.path.relpath(blob, pointer.parent))
    except OSError:
        blob.replace(pointer)
    else:
        partial.replace(pointer)


def _blob(file: RemoteFile) -> Path:
    return repository_folder(file.repository) / "blobs" / file.digest


def _unfinished(file: RemoteFile) -> Path:
    return _blob(file).with_name(f"{file.digest}.incomplete")


def _pointer(file: RemoteFile) -> Path:
    return snapshot(file.repository, file.commit) / file.path
