"""The Hub over HTTP: file lists, byte ranges, and downloads that continue where they stopped.

What may pass by itself (a lost connection, a timeout, 429, 5xx) is tried again a few times, with longer
and longer waits; everything else becomes a `ModelError` at once. What was fetched stays.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from httpx2 import HTTPError, InvalidURL, Response
from huggingface_hub import constants
from huggingface_hub.utils import get_session, hf_raise_for_status

from .. import __version__
from ..checked import number, parse_object
from ..config import MIN_RATE
from ..errors import ModelError
from ..events import Listener, Warned
from . import pace
from .environment import endpoint, is_offline, token
from .pace import begun, paced
from .refusals import explained, may_pass, status, wait_asked_for

WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before the second, third, … attempt
_PROGRESS = 2**16  # bytes of a connection from which on the earlier failures are forgotten
LONGEST_LIST = 8 * 2**20  # bytes of a file list or another JSON document

_HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

Result = TypeVar("Result")


@dataclass(frozen=True)
class RemoteFile:
    """A file of a commit.

    Attributes:
        size: bytes.
        digest: SHA-256 of a large file (LFS), git's SHA-1 of a small one; the name of its blob in the cache.
    """

    repository: str
    commit: str
    path: str
    size: int
    digest: str

    def hasher(self) -> "hashlib._Hash":
        """What computes `digest` of the file's bytes."""
        if len(self.digest) == 64:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.size)  # as git names its objects


@dataclass(frozen=True)
class Listing:
    """What the Hub says of a repository at a revision; `license` as its card names it."""

    repository: str
    commit: str
    license: str | None
    files: dict[str, RemoteFile] = field(repr=False)


class _MismatchError(Exception):
    """The bytes are not those that the list promises."""


class Hub:
    """The connection to the Hub. Whoever is offline gets none."""

    def __init__(
        self, *, offline: bool = False, tell: Listener | None = None, min_rate: float = MIN_RATE
    ) -> None:
        """
        Args:
            min_rate: bytes per second; a slower answer counts as a lost connection, and so does one that does
                not begin within 30 s, redirects included. 0: any speed will do.

        Raises:
            ModelError: `offline`, or HF_HUB_OFFLINE, forbids the network.
        """
        if offline or is_offline():
            switch = "`offline`" if offline else "HF_HUB_OFFLINE"
            raise ModelError(
                f"{switch} forbids contacting the Hub", f"Run again without {switch}, or give a local folder."
            )
        self._tell = tell or (lambda _: None)
        self._reached = False  # whether it answered at all
        self._rate = min_rate

    def listing(self, repository: str, revision: str) -> Listing:
        """The commit that `revision` means, and its files with sizes and digests."""
        url = f"{endpoint()}/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
        raw = self._retried(lambda: _whole(url, LONGEST_LIST, self._rate), repository, revision)
        try:
            return _listing(repository, raw)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{endpoint()} does not answer like the Hub", "Check HF_ENDPOINT and any proxy."
            ) from error

    def read(self, file: RemoteFile, most: int = LONGEST_LIST) -> bytes:
        """A small file's bytes, checked against its digest.

        Raises:
            ModelError: it has more than `most` bytes, is not what the list promises, or can't be had.
        """
        if file.size > most:
            raise ModelError(f"{_name(file)} has {file.size:,} bytes", "This is not a Tempo repository.")
        for _ in range(2):
            raw = self._retried(
                lambda: _whole(_url(file), file.size, self._rate), file.repository, file.commit
            )
            digest = file.hasher()
            digest.update(raw)
            if digest.hexdigest() == file.digest:
                return raw
        raise _changed(file, "another hash")

    def read_range(self, file: RemoteFile, start: int, end: int) -> bytes:
        """The bytes from `start` up to, not including, `end`. Never reads more than that.

        Raises:
            ModelError: the server knows no ranges, or the file is shorter.
        """
        return self._retried(lambda: _part(file, start, end, self._rate), file.repository, file.commit)

    def download(self, file: RemoteFile, into: Path, heard: Callable[[int], None]) -> None:
        """Fetch what `into` lacks of `file`, and check the whole; a wrong file is downloaded once more.

        Args:
            into: may have the beginning already, from an earlier run.
            heard: called with the number of bytes that are here.

        Raises:
            ModelError: it can't be had, or is not what the list promises. `into` keeps a good beginning.
            OSError: it can't be written.
        """
        for last in (False, True):
            try:
                self._complete(file, into, heard)
                return
            except _MismatchError as error:
                into.unlink(missing_ok=True)
                if last:
                    raise _changed(file, str(error)) from None

    def _complete(self, file: RemoteFile, into: Path, heard: Callable[[int], None]) -> None:
        digest, failures = file.hasher(), 0
        with into.open("ab") as out:
            have = _hash_beginning(into, digest)
            while have < file.size:
                before = have
                try:
                    for piece in _rest(file, have, self._rate):
                        out.write(piece)
                        digest.update(piece)
                        have += len(piece)
                        heard(have)
                    if have == before:
                        raise _MismatchError(f"{have:,} bytes instead of {file.size:,}")
                except HTTPError as error:
                    if status(error) == 416:  # nothing follows what is here
                        raise _MismatchError(f"{have:,} bytes instead of {file.size:,}") from None
                    failures = 0 if have - before >= _PROGRESS else failures
                    self._pause(failures, error, file.repository, file.commit)
                    failures += 1
            out.flush()
            os.fsync(out.fileno())
        if have != file.size:
            raise _MismatchError(f"{have:,} bytes instead of {file.size:,}")
        if digest.hexdigest() != file.digest:
            raise _MismatchError("another hash")

    def _retried(self, action: Callable[[], Result], repository: str, revision: str) -> Result:
        failures = 0
        while True:
            try:
                result = action()
                self._reached = True
                return result
            except (HTTPError, InvalidURL) as error:
                self._pause(failures, error, repository, revision)
                failures += 1

    def _pause(self, failures: int, error: Exception, repository: str, revision: str) -> None:
        """Wait before another attempt, or give up."""
        told = explained(error, repository, revision)
        if failures >= len(WAITS) or not may_pass(error, reached=self._reached):
            raise told from error
        wait = max(WAITS[failures], wait_asked_for(error))
        self._tell(Warned(f"{told.message}; retrying in {wait:.0f} s"))
        time.sleep(wait)


def _listing(repository: str, raw: bytes) -> Listing:
    told = parse_object(raw)
    commit, card = _hex(told["sha"]), told.get("cardData") or {}
    files = {}
    for entry in told["siblings"]:
        name, large = str(entry["rfilename"]), entry.get("lfs")
        digest = _hex(large["sha256"] if large else entry["blobId"])
        files[name] = RemoteFile(repository, commit, name, number(entry["size"], "size", 0, 2**50), digest)
    license = card.get("license_name") or card.get("license")
    return Listing(repository, commit, str(license) if license else None, files)


def _hex(text: str) -> str:
    """A commit or digest: it will be a file's name, so it may be nothing else."""
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise ValueError(f"'{text}' is not a hash")
    return text


def _changed(file: RemoteFile, what: str) -> ModelError:
    return ModelError(
        f"{_name(file)} does not match the Hub's listing: {what}",
        "It was discarded. Try again later, or report it to the repository's owner.",
    )


def _name(file: RemoteFile) -> str:
    return f"{file.path} of {file.repository}"


def _url(file: RemoteFile) -> str:
    return f"{endpoint()}/{file.repository}/resolve/{file.commit}/{quote(file.path)}"


@contextmanager
def _answer(url: str, rate: float, **headers: str) -> Iterator[Response]:
    """An answer whose body is still to be read: as it is stored, not compressed on the way.

    Where a `rate` limits the body, the time until the answer begins is limited too.
    """
    told = {"User-Agent": f"tempo-cli/{__version__}", "Accept-Encoding": "identity", **headers}
    if (secret := token()) is not None:
        told["Authorization"] = f"Bearer {secret}"  # the client drops it where it is led to another host
    client, timeout = get_session(), constants.HF_HUB_DOWNLOAD_TIMEOUT

    def ask() -> Response:
        answer = client.send(client.build_request("GET", url, headers=told, timeout=timeout), stream=True)
        try:
            hf_raise_for_status(answer)  # reads what an error says
        except BaseException:
            answer.close()
            raise
        return answer

    answer = begun(ask, max(pace.WINDOW, timeout)) if rate else ask()
    try:
        yield answer
    finally:
        answer.close()


def _whole(url: str, most: int, rate: float) -> bytes:
    raw = bytearray()
    with _answer(url, rate) as answer:
        for piece in paced(answer.iter_raw(), rate):
            raw += piece
            if len(raw) > most:
                break
    return bytes(raw)


def _part(file: RemoteFile, start: int, end: int, rate: float) -> bytes:
    raw = bytearray()
    with _answer(_url(file), rate, Range=f"bytes={start}-{end - 1}") as answer:
        if answer.status_code != 206 or _range_start(answer) != start:
            raise ModelError(
                f"{endpoint()} does not support range requests, and {_name(file)} has {file.size:,} bytes",
                "Unset HF_ENDPOINT, or put the whole base model beside the model's folder.",
            )
        for piece in paced(answer.iter_raw(), rate):
            raw += piece
            if len(raw) >= end - start:
                break
    if len(raw) < end - start:
        raise _changed(file, "it is shorter")
    return bytes(raw[: end - start])


def _rest(file: RemoteFile, have: int, rate: float) -> Iterator[bytes]:
    """What follows the first `have` bytes, in pieces as they come; ends once there is too much."""
    with _answer(_url(file), rate, **({"Range": f"bytes={have}-"} if have else {})) as answer:
        if have and (answer.status_code != 206 or _range_start(answer) != have):
            raise _MismatchError("no continuation")
        for piece in paced(answer.iter_raw(), rate):
            have += len(piece)
            yield piece
            if have > file.size:
                return


def _range_start(answer: Response) -> int:
    """`100` of `Content-Range: bytes 100-199/1000`; -1 if there is none."""
    start = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(start) if re.fullmatch(r"[0-9]{1,18}", start) else -1


def _hash_beginning(path: Path, digest: Any) -> int:
    """Bytes of the file so far, all of them hashed."""
    size = 0
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
            size += len(piece)
    return size
