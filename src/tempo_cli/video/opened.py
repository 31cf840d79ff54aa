"""An opened video: probed, planned, and decoding already. It knows no model and no torch."""

import os
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

from ..config import FrameShape, SamplingOptions, checked_options
from ..errors import CancelledError, UsageError, VideoError
from ..plan.clock import clock_warnings
from ..plan.picture import OTHER_COLORS, raw_differences, shown_size
from ..plan.pixels import Size
from ..plan.sampling import plan_sampling
from ..plan.segments import cut_segments
from ..scope import CancelScope
from ..types import Frame, Segment, VideoInfo
from .decode import FrameDecoder
from .ffmpeg import find_ffmpeg
from .isolated import probe
from .limits import check_size
from .prefetch import Prefetch
from .resize import alike, in_threads, shrink_frames
from .thinning import DecodingRecord, resizing_threads

_AHEAD = 16  # segments that may wait for the model


class Video:
    """The planned segments of a video file. `open_video` makes it; whoever has it must `close` it.

    A thread decodes ahead from the beginning on, a bounded number of segments. Only one reader at a time.

    Attributes:
        info: what the file says of its stream.
        plan: which frames are sampled.
        sampling, shape: what it was opened with.
        shown: height and width as shown, px; rotation may still turn it when the first frame comes.
        sample_aspect_ratio: width of a pixel over its height, as stored.
        color_transfer: in libav's words; None where it is not told.
        start, end: seconds at which the part that is looked at begins and ends, as a player counts them.
        total: S, segments that are planned.
        absent: indices of segments none of whose frames could be decoded.
        warnings: what is unusual about its times, or how it is sampled; what was left out, as far as it is
            known by now.
        decode_seconds: spent on decoding and resizing so far.
        decoding: which packets were decoded so far, in how many processes.
    """

    def __init__(self, info: VideoInfo, sampling: SamplingOptions, shape: FrameShape, binary: str) -> None:
        check_size(info.path, info.width, info.height, sampling.max_pixels)
        self.info, self.sampling, self.shape = info, sampling, shape
        self.sample_aspect_ratio, self.color_transfer = info.sample_aspect_ratio, info.colors.transfer
        self.shown: Size = self._shown((info.height, info.width), info.sample_aspect_ratio)
        sampled = plan_sampling(info, sampling)
        self.plan, self.start, self.end = sampled.plan, sampled.start, sampled.end
        self.total = -(-len(self.plan.indices) // sampling.window)
        self.absent: set[int] = set()
        self.warnings: list[str] = [*clock_warnings(info, self.plan.mode), *sampled.warnings]
        self.decode_seconds = 0.0
        self.decoding = DecodingRecord()
        self._said: set[str] = set()  # kinds of warnings
        self._binary = binary
        self._missing: set[int] = set()  # positions in the plan
        self._lock = threading.RLock()  # a clip may be collected in the thread that holds it
        self._pid = os.getpid()
        self._closed = False
        self._stream: Prefetch[Segment] | None = None
        self._coming: list[int] = []  # segments that the running stream has still to give
        self._start(range(self.total))

    @property
    def is_open(self) -> bool:
        """Whether it can be read."""
        return not self._closed

    def read(self, indices: Sequence[int], scope: CancelScope | None = None) -> Iterator[Segment]:
        """Segments `indices` in order, resized in two steps, without those that can't be decoded.

        They come from the decoder that is running where it will give just these, else from a new one.

        Raises:
            VideoError: the file has changed, nothing could be decoded, or ffmpeg hung.
            CancelledError: `scope` was cancelled; the next call goes on from there.
        """
        if os.getpid() != self._pid:
            raise UsageError("a forked process can't read its parent's video", "Start processes by spawn.")
        if self._coming != list(indices):
            self._start(indices)
        while True:
            coming, self._coming = self._coming, []  # an error or an interrupt means a new decoder next time
            try:
                segment = self._stream.take(scope) if self._stream is not None else None
            except CancelledError:
                self._coming = coming
                raise
            if segment is None:
                break
            passed = [index for index in coming if index < segment.plan.index]
            self.absent.update(passed)
            self._coming = coming[len(passed) + 1 :]
            yield segment
        if scope is not None:
            scope.check()
        self._check_open()
        self.absent.update(coming)

    def close(self) -> None:
        """End the decoder and its process. A reader is then at the end; nothing can be read any more."""
        self.abandon()
        stream = self._stream  # a reader may take it away meanwhile
        if stream is not None:
            stream.close()

    def abandon(self) -> None:
        """As `close`, without waiting for threads: also from a finalizer, which may run in any of them."""
        with self._lock:
            self._closed = True
            if self._stream is not None:
                self._stream.abandon()

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, indices: Sequence[int]) -> None:
        """Decode segments `indices` from here on."""
        self._check_open()
        self._check_unchanged()
        window, planned = self.sampling.window, len(self.plan.indices)
        starts = (index * window for index in indices)
        positions = [place for start in starts for place in range(start, min(start + window, planned))]
        every = len(positions) == planned
        decoder = FrameDecoder(
            self.info,
            self.plan,
            self._binary,
            lambda message: self._say("damage", message),
            positions=None if every else positions,
            missing=self._missing,
            picture=self.sampling.picture,
            max_pixels=self.sampling.max_pixels,
            differs=lambda message: self._say("colors", message),
            record=self.decoding,
        )
        with self._lock:
            previous, self._stream = self._stream, None
        if previous is not None:
            previous.close()
        with self._lock:
            if not self._closed:
                self._stream = Prefetch(self._segments(decoder), _AHEAD, decoder.kill)
        self._coming = list(indices)

    def _segments(self, decoder: FrameDecoder) -> Generator[Segment]:
        """In the decoding thread."""
        with decoder:
            frames = self._resized(decoder.frames())
            segments = cut_segments(frames, self.plan, self.sampling.window, self.shape.temporal_patch)
            while True:
                started = time.perf_counter()
                segment = next(segments, None)
                self.decode_seconds += time.perf_counter() - started
                if segment is None:
                    return
                yield segment

    def _resized(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Those of a segment in one size, that of its first; one that is sampled again in a row, once."""
        groups = alike(self._sized(frames))
        for group in in_threads(partial(shrink_frames, self.shape), groups, resizing_threads()):
            yield from group

    def _sized(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, Size]]:
        """Each with the size as shown of its segment's first."""
        segment, size = -1, (0, 0)
        for frame in frames:
            if segment < 0:
                self._check_unchanged()  # by now ffmpeg has opened it
            if frame.position // self.sampling.window != segment:
                segment = frame.position // self.sampling.window
                size = self._look_at(frame)
            yield frame, size

    def _look_at(self, frame: Frame) -> Size:
        """Height and width of a frame as it is shown; what it says goes before what the header says."""
        height, width = frame.pixels.shape[:2]
        look = frame.look
        if look is None:
            self.shown = self._shown((height, width), Fraction(1))
            return self.shown
        self.shown = self._shown((look.height, look.width), look.aspect)
        stored = self.info.height, self.info.width
        turned = stored[0] != stored[1] and (look.width, look.height) == stored
        self.sample_aspect_ratio = 1 / look.aspect if turned else look.aspect
        self.color_transfer = look.colors.transfer
        dolby = look.colors.dolby or (self.info.colors.dolby and look.colors.transfer is None)
        if self.sampling.picture == "raw":
            if seen := raw_differences(look, dolby):
                self._say("raw", f"with `picture='raw'` the model sees {seen} than a player shows")
        elif dolby:
            self._say("colors", f"Dolby Vision's own colors can't be converted: {OTHER_COLORS}")
        return self.shown

    def _shown(self, size: Size, aspect: Fraction) -> Size:
        return shown_size(size, aspect) if self.sampling.picture == "auto" else size

    def _say(self, kind: str, message: str) -> None:
        """Once of each kind: a later decoder says the same of the same frames."""
        if kind not in self._said:
            self._said.add(kind)
            self.warnings.append(message)

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError(f"'{self.info.path}' is closed", "Open it again.")

    def _check_unchanged(self) -> None:
        if _has_changed(self.info):
            raise VideoError(f"'{self.info.path}' has changed since it was opened", "Open it again.")


def _has_changed(info: VideoInfo) -> bool:
    """Whether the file is gone, or another one than was probed, which may have been given the same time."""
    try:
        status = info.path.stat()
    except OSError:
        return True
    told = status.st_size, status.st_mtime, status.st_ctime_ns if info.ctime is not None else None
    return told != (info.size, info.mtime, info.ctime)


def open_video(
    path: str | Path | VideoInfo,
    sampling: SamplingOptions | None = None,
    shape: FrameShape | None = None,
    *,
    ffmpeg: str | None = None,
) -> Video:
    """Open a video: probe it, plan its frames, and begin to decode them. Imports no torch.

    Args:
        path: a file, or what `probe` said of it.
        sampling: which frames; None: the published settings.
        shape: what the model asks of the frames (`read_shape` tells); None: as Tempo-6B does.
        ffmpeg: path of the binary; None finds one.

    Raises:
        UsageError: no frame in the part that was asked for, or a URL.
        VideoError: no such file, not a video, no video stream, no frames in it, or pictures that are
            too large.
        SetupError: no ffmpeg that can be used.
    """
    options, binary = checked_options(sampling, SamplingOptions), find_ffmpeg(ffmpeg)
    info = path if isinstance(path, VideoInfo) else probe(path, options.max_pixels)
    return Video(info, options, checked_options(shape, FrameShape), binary)
