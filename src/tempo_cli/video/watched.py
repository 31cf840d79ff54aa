"""Whether a video is still the file that was probed."""

from ..errors import VideoError
from ..plan.frame_key import FileIdentity
from ..types import VideoInfo
from .kept import identify


class WatchedFile:
    """The file of a probed video.

    A change of its content sets its ctime, but so does one of its rights, links or attributes. So the same
    file with the same size, time, beginning and end counts as unchanged.

    Args:
        known: what it is; None finds out.
    """

    def __init__(self, info: VideoInfo, known: FileIdentity | None = None) -> None:
        self._info, self._ctime = info, info.ctime
        found = known or identify(info.path)
        # of another state nothing can be said
        self._known = found if found is not None and found.ctime_ns == info.ctime else None

    def check(self) -> None:
        """Raise VideoError unless the file is the one that was probed."""
        if self._has_changed():
            raise VideoError(f"'{self._info.path}' has changed since it was opened", "Open it again.")

    def _has_changed(self) -> bool:
        """Whether it is gone, or another one than was probed, possibly with the same time stamp."""
        try:
            status = self._info.path.stat()
        except OSError:
            return True
        if (status.st_size, status.st_mtime) != (self._info.size, self._info.mtime):
            return True
        if self._ctime is None or status.st_ctime_ns == self._ctime:
            return False
        now, known = identify(self._info.path), self._known
        if now is None or known is None:
            return True
        if (now.device, now.inode, now.ends) != (known.device, known.inode, known.ends):
            return True
        self._ctime = now.ctime_ns
        return False
