"""A disk that fails is named as such: it is no damage of the video."""

import errno
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import av.error
import pytest

from tempo_cli.errors import VideoError
from tempo_cli.video import probe as probe_module
from tempo_cli.video import unreadable
from tempo_cli.video.probe import probe
from tempo_cli.video.unreadable import refuse_unreadable

from .clips import ClipMaker

BEYOND = r"can't be read beyond {} MB: Input/output error$"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """From a byte on, nothing can be read."""

    def fail(first: int) -> None:
        class Failing(FileIO):
            def read(self, size: int = -1, /) -> bytes:
                if self.tell() + size > first:
                    raise OSError(errno.EIO, "Input/output error")
                return super().read(size)

        monkeypatch.setattr(unreadable, "opened", lambda path: Failing(path, "rb"))

    return fail


def test_where_it_fails_is_looked_for_at_both_ends_and_near_the_last_packet(
    tmp_path: Path, failing: Callable[[int], None]
) -> None:
    path = tmp_path / "zeros.bin"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    refuse_unreadable(path, 50 << 20)
    failing(98 << 20)
    with pytest.raises(VideoError, match=BEYOND.format("10[34]")) as caught:
        refuse_unreadable(path, 0)
    assert "another disk" in caught.value.hint
    failing((52 << 20) + 1)
    with pytest.raises(VideoError, match=BEYOND.format("55")):
        refuse_unreadable(path, 50 << 20)
    failing(1)
    with pytest.raises(VideoError, match=BEYOND.format("0")):
        refuse_unreadable(path, 50 << 20)


def test_a_video_whose_disk_fails(
    clip: ClipMaker, failing: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(1000)
    with pytest.raises(VideoError, match=BEYOND.format("0")):
        probe(clip("h264.mkv"))  # libav came to an end early, and took it for the file's

    def fails(*_: object) -> None:
        raise av.error.InvalidDataError(errno.EINVAL, "Invalid data found")

    monkeypatch.setattr(probe_module, "open_demuxer", fails)
    with pytest.raises(VideoError, match=BEYOND.format("0")):
        probe(clip("h264.mkv"))
