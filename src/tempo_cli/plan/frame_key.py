"""What resized frames depend on: two runs with equal keys decode to the same pixels."""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256

from ..config import FrameShape, SamplingOptions


@dataclass(frozen=True)
class FileIdentity:
    """Which file, in which state.

    Attributes:
        device, inode, size, mtime_ns, ctime_ns: as the system tells them.
        ends: SHA-256 of its first and its last MiB.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    ends: str


@dataclass(frozen=True)
class FrameKey:
    """Everything that decides the pixels of a video's segments.

    Attributes:
        decoder: which ffmpeg would decode.
        reader: versions of tempo and of the library that reads the stream's facts.
        pillow: version of the library that resizes.
        resizing: version of our own resizing steps and sampling (`frames.FORMAT`).
    """

    file: FileIdentity
    sampling: SamplingOptions
    shape: FrameShape
    decoder: str
    reader: str
    pillow: str
    resizing: int

    @property
    def digest(self) -> str:
        """64 hexadecimal digits that no other key has."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
