"""From decoded frames to resized segments, in the thread that decodes."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from fractions import Fraction
from functools import partial

from ..config import FrameShape, SamplingOptions
from ..plan.picture import OTHER_COLORS, raw_differences, shown_size
from ..plan.pixels import Size
from ..plan.segments import cut_segments
from ..plan.threads import resizing_threads
from ..types import Frame, FramePlan, Segment, VideoInfo
from .decode import FrameDecoder
from .findings import Findings
from .limits import usable_cores
from .resize import alike, in_threads, shrink_frames


class Segmenting:
    """Decodes and resizes segments of a video.

    Args:
        findings: takes what is found out on the way.
        check_unchanged: raises VideoError once the file is another.

    Attributes:
        complete: whether `segments` has come to its end, and what is missing will always be.
    """

    def __init__(
        self,
        info: VideoInfo,
        plan: FramePlan,
        sampling: SamplingOptions,
        shape: FrameShape,
        findings: Findings,
        check_unchanged: Callable[[], None],
    ) -> None:
        self._info, self._plan, self._sampling, self._shape = info, plan, sampling, shape
        self._findings, self._check_unchanged = findings, check_unchanged
        self.complete = False

    def decoder(self, indices: Sequence[int], binary: str) -> FrameDecoder:
        """A decoder of the frames of segments `indices`, which has not begun."""
        window, planned, findings = self._sampling.window, len(self._plan.indices), self._findings
        starts = (index * window for index in indices)
        positions = [place for start in starts for place in range(start, min(start + window, planned))]
        return FrameDecoder(
            self._info,
            self._plan,
            binary,
            lambda message: findings.warn("damage", message),
            positions=None if len(positions) == planned else positions,
            missing=findings.missing,
            picture=self._sampling.picture,
            max_pixels=self._sampling.max_pixels,
            differs=lambda message: findings.warn("colors", message),
            record=findings.decoding,
        )

    def segments(self, decoder: FrameDecoder) -> Generator[Segment]:
        """Yield the segments of the frames that `decoder` gives, and end it."""
        with decoder:
            frames = self._resized(self._checked(decoder))
            segments = cut_segments(frames, self._plan, self._sampling.window, self._shape.temporal_patch)
            while True:
                started = time.perf_counter()
                segment = next(segments, None)
                self._findings.decode_seconds += time.perf_counter() - started
                if segment is None:
                    self.complete = decoder.steady and not decoder.running.killed
                    return
                yield segment

    def _checked(self, decoder: FrameDecoder) -> Iterator[Frame]:
        """Its frames, of the file that was probed: each process opens it again."""
        checked = 0
        for frame in decoder.frames():
            if decoder.running.started > checked:  # by now these have opened it
                checked = decoder.running.started
                self._check_unchanged()
            yield frame

    def _resized(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Those of a segment in one size, that of its first; one that is sampled again in a row, once."""
        groups = alike(self._sized(frames))
        for group in in_threads(
            partial(shrink_frames, self._shape), groups, resizing_threads(usable_cores())
        ):
            yield from group

    def _sized(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, Size]]:
        """Each with the size as shown of its segment's first."""
        segment, size = -1, (0, 0)
        for frame in frames:
            if frame.position // self._sampling.window != segment:
                segment = frame.position // self._sampling.window
                size = self._look_at(frame)
            yield frame, size

    def _look_at(self, frame: Frame) -> Size:
        """Height and width of a frame as it is shown; what it says goes before what the header says."""
        height, width = frame.pixels.shape[:2]
        look, findings = frame.look, self._findings
        if look is None:
            findings.shown = size_as_shown((height, width), Fraction(1), self._sampling)
            return findings.shown
        findings.shown = size_as_shown((look.height, look.width), look.aspect, self._sampling)
        stored = self._info.height, self._info.width
        turned = stored[0] != stored[1] and (look.width, look.height) == stored
        findings.sample_aspect_ratio = 1 / look.aspect if turned else look.aspect
        findings.color_transfer = look.colors.transfer
        dolby = look.colors.dolby or (self._info.colors.dolby and look.colors.transfer is None)
        if self._sampling.picture == "raw":
            if seen := raw_differences(look, dolby):
                findings.warn("raw", f"with `picture='raw'` the model sees {seen} than a player shows")
        elif dolby:
            findings.warn("colors", f"Dolby Vision's own colors can't be converted: {OTHER_COLORS}")
        return findings.shown


def known_before(info: VideoInfo, sampling: SamplingOptions, warnings: list[str]) -> Findings:
    """What is known of a video before anything is decoded."""
    ratio = info.sample_aspect_ratio
    size = size_as_shown((info.height, info.width), ratio, sampling)
    return Findings(size, ratio, info.colors.transfer, warnings)


def size_as_shown(size: Size, aspect: Fraction, sampling: SamplingOptions) -> Size:
    """Height and width as shown, px."""
    return shown_size(size, aspect) if sampling.picture == "auto" else size
