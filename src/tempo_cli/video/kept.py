"""Keeping a video's frames on disk, and finding them again: only where they are the very same."""

import os
import time
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import PIL
from platformdirs import user_cache_path

from .. import __version__
from ..config import CacheOptions, FrameShape, SamplingOptions
from ..files import open_regular
from ..frames.entry import FORMAT
from ..frames.folder import FrameFolder
from ..frames.recording import FrameFile, Recording
from ..plan.frame_key import FileIdentity, FrameKey
from ..types import VideoInfo
from .ffmpeg import ffmpeg_identity
from .findings import Findings
from .wire import WireError, pack_info, unpack

WORTH_KEEPING = 2.0  # seconds of decoding; less is as quick again
_SETTLED = 2.0  # seconds: a file that was written to since may change again without its times changing
_END = 1 << 20  # bytes that are hashed at either end


class Kept(NamedTuple):
    """The frames of an earlier run, and all that is to know of the video."""

    info: VideoInfo
    file: FrameFile
    findings: Findings


def frame_folder(options: CacheOptions) -> FrameFolder:
    """The folder that `options` name."""
    return FrameFolder(options.folder or user_cache_path("tempo") / "frames", options.limit)


def identify(path: str | Path) -> FileIdentity | None:
    """Which file it is, in which state; None where it can't be read, or is no ordinary file."""
    try:
        with os.fdopen(open_regular(Path(path)), "rb") as file:
            facts = os.fstat(file.fileno())
            ends = sha256(file.read(_END))
            file.seek(max(0, facts.st_size - _END))
            ends.update(file.read(_END))
    except (OSError, ValueError):
        return None
    return FileIdentity(
        facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, ends.hexdigest()
    )


class Keeper:
    """Keeps the frames of one video, opened in one way."""

    def __init__(
        self,
        options: CacheOptions,
        path: str | Path,
        sampling: SamplingOptions,
        shape: FrameShape,
        ffmpeg: str | None,
    ) -> None:
        self._folder, self._path = frame_folder(options), Path(path)
        self._key: FrameKey | None = None
        self._settled = False
        identity, decoder = (identify(path), ffmpeg_identity(ffmpeg)) if options.keep else (None, None)
        if identity is not None and decoder is not None:
            self._settled = time.time() - identity.mtime_ns / 1e9 > _SETTLED
            reader = f"{__version__} {version('av')}"
            self._key = FrameKey(identity, sampling, shape, decoder, reader, PIL.__version__, FORMAT)

    @property
    def file(self) -> FileIdentity | None:
        """Which file it is; None where nothing is kept of it."""
        return None if self._key is None else self._key.file

    def find(self) -> Kept | None:
        """What an earlier run has kept."""
        found = self._folder.find(self._key.digest) if self._key else None
        if found is None:
            return None
        file = FrameFile(found[0], found[1].blocks)
        try:
            packed = file.facts(found[1].facts)
            info = unpack(_exactly(packed), self._path) if packed is not None else None
            if not isinstance(info, VideoInfo):
                raise ValueError("no facts")
            return Kept(info, file, Findings.from_plain(found[1].findings))
        except (WireError, EOFError, ValueError, TypeError, KeyError, ArithmeticError):
            file.close()
            self.forget()
            return None

    def record(self) -> Recording | None:
        """A file for frames that are being decoded; None where nothing can be written."""
        part = self._folder.begin()
        if part is None:
            return None
        if self._key is None or not self._settled:
            part.hide()
        return Recording(part)

    def keep(self, recording: Recording, info: VideoInfo, total: int, findings: Findings) -> None:
        """Keep a recording for later runs, once it is whole, if it is worth that.

        Args:
            total: segments that are planned.
        """
        if self._key is None or not self._settled or findings.decode_seconds < WORTH_KEEPING:
            return
        key = self._key

        def describe() -> tuple[bytes, Mapping[str, Any]] | None:
            held, window = recording.file.blocks, key.sampling.window
            absent = (index for index in range(total) if index not in held)
            whole = all(index * window in findings.missing for index in absent)
            probed = info.size == key.file.size and info.ctime == key.file.ctime_ns
            unchanged = probed and identify(self._path) == key.file
            return (pack_info(info), findings.plain()) if whole and unchanged else None

        recording.keep(key.digest, str(self._path), describe)

    def forget(self) -> None:
        """Take away what was kept: it is not what was written."""
        if self._key is not None:
            self._folder.remove(self._key.digest)


def _exactly(data: bytes) -> Any:
    """Reads so many bytes of `data`, or raises."""
    stream = BytesIO(data)

    def read(size: int) -> bytes:
        part = stream.read(size)
        if len(part) < size:
            raise EOFError
        return part

    return read
