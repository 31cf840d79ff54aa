"""An opened video: probed, planned, and already decoding. It is independent of models and torch."""

import os
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ..config import CacheOptions, FrameShape, SamplingOptions, checked_options
from ..errors import UsageError, VideoError
from ..frames.recording import FrameFile, Recording
from ..plan.clock import clock_warnings
from ..plan.pixels import Size
from ..plan.sampling import plan_sampling
from ..plan.segments import plan_segment
from ..plan.unseen import unseen
from ..scope import CancelScope
from ..types import Segment, VideoInfo
from .ffmpeg import find_ffmpeg
from .findings import Findings
from .isolated import probe
from .kept import Keeper
from .limits import check_size
from .segmenting import Segmenting, known_before
from .stream import SegmentStream, held
from .watched import WatchedFile


class Video:
    """The planned segments of a video file. `open_video` creates it; its owner must `close` it.

    A thread decodes ahead from the beginning: a bounded number of segments, or all of them if they are
    written to a file. There can be only one reader at a time.

    Attributes:
        info: the properties of the video stream.
        plan: the sampled frames.
        sampling, shape: the options that it was opened with.
        findings: what decoding has found out so far.
        start, end: seconds at which the sampled part begins and ends, as a player counts them.
        total: S, the number of planned segments.
        absent: indices of segments none of whose frames could be decoded.
    """

    def __init__(
        self,
        info: VideoInfo,
        sampling: SamplingOptions,
        shape: FrameShape,
        ffmpeg: str | None,
        keeper: Keeper | None = None,
        kept: tuple[FrameFile, Findings] | None = None,
    ) -> None:
        check_size(info.path, info.width, info.height, sampling.max_pixels)
        self.info, self.sampling, self.shape = info, sampling, shape
        sampled = plan_sampling(info, sampling)
        self.plan, self.start, self.end = sampled.plan, sampled.start, sampled.end
        self.total = -(-len(self.plan.indices) // sampling.window)
        self.absent: set[int] = set()
        self._ffmpeg, self._keeper = ffmpeg, keeper
        self._watched = WatchedFile(info, keeper.file if keeper else None)
        self._lock = threading.RLock()  # a clip may be collected in the thread that holds it
        self._pid, self._closed = os.getpid(), False
        self._stream: SegmentStream | None = None
        self._recording: Recording | None = None
        self._seen: set[int] = set()  # segments that a reader had once
        if kept is not None:
            self._file: FrameFile | None = kept[0]
            self.findings = kept[1]
            self._seen.update(kept[0].blocks)
            self.absent.update(index for index in range(self.total) if index not in kept[0])
            return
        self.findings = known_before(
            info, sampling, [*clock_warnings(info, self.plan.mode), *sampled.warnings, *unseen(info.tracks)]
        )
        self._recording = keeper.record() if keeper else None
        self._file = self._recording.file if self._recording else None
        try:
            self._start(range(self.total))
        except BaseException:
            self.close()
            raise

    @property
    def shown(self) -> Size:
        """Height and width as shown, px; the first frame may still show that they are rotated."""
        return self.findings.shown

    @property
    def warnings(self) -> list[str]:
        """Warnings about unusual times and sampling, and about frames left out so far."""
        return self.findings.warnings

    @property
    def keeps_frames(self) -> bool:
        """Whether frames that were read can be read again without decoding: they are on disk."""
        return self._file is not None and (self._recording is None or not self._recording.failed)

    def read(self, indices: Sequence[int], scope: CancelScope | None = None) -> Iterator[Segment]:
        """Segments `indices` in order, resized in two steps, without those that can't be decoded.

        They come from a file if they were written to one, from the running decoder if it will deliver exactly
        the others, and otherwise from a new decoder.

        Raises:
            VideoError: the file has changed, nothing could be decoded, or ffmpeg hung.
            CancelledError: `scope` was cancelled; the next call continues from there.
        """
        if os.getpid() != self._pid:
            raise UsageError("a forked process can't read its parent's video", "Use the spawn method.")
        self._check_open()
        needed = [index for index in indices if not self._has(index)]
        running = set(self._stream.coming if self._stream else ())
        if needed and not (running.issuperset(needed) and running.issubset(indices)):
            self._start(needed)
            running = set(needed)
        elif not needed:
            running = set()
        ahead: Segment | None = None  # of the running decoder, beyond the segment that is due
        for at, index in enumerate(indices):
            if index in running:
                if ahead is None:
                    ahead = self._take(scope)
                if ahead is None or ahead.plan.index != index:
                    continue
                segment, ahead = ahead, None
            elif index in self.absent:
                continue
            else:
                stored = self._stored(index)
                if stored is None:  # the file was changed: what is left comes from a decoder
                    yield from self.read(indices[at:], scope)
                    return
                segment = stored
            self._seen.add(index)
            yield segment
        if running:
            self._take(scope)  # to its end: what was left out is known then
        if scope is not None:
            scope.check()
        self._check_open()

    def close(self) -> None:
        """Stop the decoder and its process. A reader then reaches the end; nothing more can be read."""
        with self._lock:
            self._closed = True
            stream, recording = self._stream, self._recording
        if stream is not None:
            stream.close()
        if recording is not None:
            recording.close()
        elif self._file is not None:
            self._file.close()

    def abandon(self) -> None:
        """As `close`, without waiting for threads: also from a finalizer, which may run in any of them."""
        with self._lock:
            self._closed = True
            if self._stream is not None:
                self._stream.abandon()
            if self._recording is not None:
                self._recording.abandon()

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _has(self, index: int) -> bool:
        """Whether nothing need be decoded for a segment."""
        return index in self.absent or (self._file is not None and index in self._file)

    def _stored(self, index: int) -> Segment | None:
        """A segment from the file; None where that no longer has it as it was written."""
        found = None if self._file is None else self._file.read(index)
        if found is None:
            self._check_open()  # else it was not changed but closed
            if self._keeper is not None:
                self._keeper.forget()
            return None
        positions, frames = found
        plan = plan_segment(self.plan, positions, self.sampling.window, self.shape.temporal_patch)
        return Segment(plan, frames, stored=index in self._seen)

    def _take(self, scope: CancelScope | None) -> Segment | None:
        """The next segment of the running decoder; None at its end. Those that it passed are absent."""
        if self._stream is None:
            self._check_open()
            return None
        taken, passed = self._stream.take(scope)
        if taken is None:
            self._check_open()  # else they may still be decoded
        self.absent.update(passed)
        if taken is None:
            return None
        segment = taken.segment or self._stored(taken.plan.index)
        if segment is None:
            raise VideoError(f"the kept frames of '{self.info.path}' were changed", "Ask again.")
        return segment

    def _start(self, indices: Sequence[int]) -> None:
        """Decode segments `indices` from here on."""
        self._check_open()
        self._watched.check()
        check = self._watched.check
        segmenting = Segmenting(self.info, self.plan, self.sampling, self.shape, self.findings, check)
        decoder = segmenting.decoder(indices, find_ffmpeg(self._ffmpeg))
        with self._lock:
            previous, self._stream = self._stream, None
        if previous is not None:
            previous.close()
        with self._lock:
            if not self._closed:
                source = held(segmenting.segments(decoder), self._recording, partial(self._keep, segmenting))
                self._stream = SegmentStream(source, indices, decoder.kill)
                if self._recording is not None:
                    self._recording.on_written(self._stream.wake)

    def _keep(self, segmenting: Segmenting) -> None:
        """For later runs, when all that was asked for is decoded; in the decoding thread."""
        if self._recording is not None and self._keeper is not None and segmenting.complete:
            self._keeper.keep(self._recording, self.info, self.total, self.findings)

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError(f"'{self.info.path}' is closed", "Open it again.")


def open_video(
    path: str | Path | VideoInfo,
    sampling: SamplingOptions | None = None,
    shape: FrameShape | None = None,
    *,
    ffmpeg: str | None = None,
    cache: CacheOptions | None = None,
) -> Video:
    """Open a video: probe it, plan its frames, and start decoding them. Does not import torch.

    Args:
        path: a file, or the result of `probe`.
        sampling: which frames to sample; None: the published settings.
        shape: the frame shape that the model needs (see `read_shape`); None: that of Tempo-6B.
        ffmpeg: path of the binary; None: search for one.
        cache: where frames are kept on disk, for later questions and runs; None: not at all. If an earlier
            run has kept them, nothing is probed or decoded.

    Raises:
        UsageError: there is no frame in the requested part, or the path is a URL.
        VideoError: no such file, not a video, no video stream, no frames in it, or pictures that are
            too large.
        SetupError: there is no usable ffmpeg.
    """
    options, frames = checked_options(sampling, SamplingOptions), checked_options(shape, FrameShape)
    file = path.path if isinstance(path, VideoInfo) else path
    keeper = (
        None if cache is None else Keeper(checked_options(cache, CacheOptions), file, options, frames, ffmpeg)
    )
    if keeper is not None and (kept := keeper.find()):
        return Video(kept.info, options, frames, ffmpeg, keeper, (kept.file, kept.findings))
    find_ffmpeg(ffmpeg)
    info = path if isinstance(path, VideoInfo) else probe(path, options.max_pixels)
    return Video(info, options, frames, ffmpeg, keeper)
