"""Decoders that run side by side, each in a process of its own and read ahead by a thread."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from ..plan.packets import CUT, PacketIndex, decoded_from, kept_ranges, needed_packets
from ..types import IntArray, Pixels, VideoInfo
from .arguments import Files, decoding_arguments, packet_filter, picture_filters, wanted_ranges
from .ffmpeg import FFmpegProcess
from .handed import HandedText
from .limits import DecoderOptions, decoder_memory, most_decoders, usable_cores
from .pictures import Picture, read_pixels
from .prefetch import Prefetch
from .thinning import span_of

_WAITING_BYTES = 32 << 20  # of pictures that wait for their turn, for each process
_MOST_WAITING = 32
_NO_MEMORY = "Cannot allocate memory"  # as ffmpeg says it
_MOST_GROWTH = 2  # times the size that the header tells: larger pictures are decoded one by one


@dataclass(frozen=True)
class Source:
    """What all decoders of one video have in common.

    Attributes:
        filters: for the selected pictures; empty: none.
        threads: of a decoder; 0: as many as `limits` allow.
        patience: seconds without output after which a process counts as hung.
        limits, max_pixels: what decoding may take.
    """

    info: VideoInfo
    binary: str
    filters: str
    threads: int
    patience: float
    limits: DecoderOptions
    max_pixels: int


class Lane:
    """One decoder. Its creator must `close` it.

    Args:
        indices: the frames that it gives, ascending, each once.
        seek: where decoding begins, seconds in the file's own time; None: its beginning.
        kept: presentation times (first, last) of the packets that reach the decoder; None: all do.
        alone: no other decoder of the video runs meanwhile.
    """

    def __init__(
        self,
        source: Source,
        indices: IntArray,
        seek: float | None = None,
        kept: Sequence[tuple[int, int]] | None = None,
        *,
        alone: bool = False,
    ) -> None:
        info = source.info
        assert info.pts is not None
        self._pts, self._patience = info.pts, source.patience
        self._path, self._max_pixels = info.path, source.max_pixels
        self._strict = seek is not None or kept is not None  # without either, errors are the video's own
        # two at least run at the same time: what is compared, or shared out
        share = 1 if alone else max(2, min(most_decoders(info), usable_cores()))
        memory = decoder_memory(source.max_pixels) // share
        size = info.width * info.height * 3
        depth = int(np.clip(_WAITING_BYTES // size, 2, _MOST_WAITING))
        self._most_bytes = _MOST_GROWTH * size  # of a picture
        ranges = wanted_ranges(indices)
        with ExitStack() as texts:
            files, inherited = None, list[int]()
            if kept is not None:
                pictures = picture_filters(self._pts, ranges, source.filters)
                handed = [HandedText(text) for text in (packet_filter(kept), pictures)]
                files = Files(*(text.name for text in handed))
                for text in handed:
                    texts.callback(text.close)
                    inherited += text.inherited
            arguments = decoding_arguments(
                info,
                self._pts,
                ranges,
                source.binary,
                seek,
                source.filters,
                source.limits,
                files,
                source.threads,
            )
            self._process = FFmpegProcess(arguments, memory, inherited)
            self._texts = texts.pop_all()
        try:
            self._ahead = Prefetch(self._read(), depth, self._process.kill)
        except BaseException:  # no more threads
            self._end()
            raise

    def take(self) -> Picture | None:
        """The next picture; None at the end, or where the decoder reports an error before it."""
        return self._ahead.take()

    def kill(self) -> None:
        """End the process at once, from any thread; `take` is then soon at the end."""
        self._process.kill()

    def is_starved(self) -> bool:
        """Whether it ended because it got no more memory."""
        self.kill()
        return any(_NO_MEMORY in complaint for complaint in self._process.complaints())

    def close(self) -> None:
        """End the process and the thread, and remove what they needed."""
        self._ahead.close()
        self._end()

    def _read(self) -> Generator[Picture]:
        """In the lane's thread. A decoder reports what it lacks before the picture comes that this spoils."""
        process = self._process
        while (pixels := self._pixels()) is not None:
            self._texts.close()  # ffmpeg has read them
            stamp = process.read_stamp(self._patience)
            if stamp is None or stamp.pts is None or (self._strict and process.troubled):
                return
            if pixels.nbytes > self._most_bytes:
                return  # too many of them would wait
            yield Picture(int(np.searchsorted(self._pts, stamp.pts)), pixels, stamp.look)

    def _pixels(self) -> Pixels | None:
        return read_pixels(self._process, self._path, self._patience, self._max_pixels)

    def _end(self) -> None:
        self._process.close()
        self._texts.close()


class Lanes:
    """Decoders that share frames between them, and decode only the packets that these need.

    Whoever makes them must `close` them.

    Args:
        indices: the frames, ascending, each once.
        shares: places in `indices` that each decoder takes.
        seek: where decoding begins, seconds in the file's own time; None: its beginning.

    Attributes:
        span: packets from where decoding begins to the last of the frames.
        decoded: packets that reach a decoder until its last frame comes.
        starved: whether a frame is missing because its decoder got no more memory.
    """

    def __init__(
        self,
        source: Source,
        index: PacketIndex,
        indices: IntArray,
        shares: Sequence[IntArray],
        seek: float | None,
    ) -> None:
        assert source.info.pts is not None
        self._indices = indices
        self._owner = np.zeros(len(indices), np.int64)
        self._lanes: list[Lane] = []
        self.decoded, self.starved = 0, False
        self.span = span_of(source.info, indices, seek)
        last = int(index.positions(source.info.pts[indices]).max())
        first = max(0, last + 1 - self.span)  # where reading begins
        try:
            for share in shares:
                positions = index.positions(source.info.pts[indices[share]])
                needed, end = needed_packets(index, positions), int(positions.max())
                if seek is None and index.kinds[0] & CUT:
                    needed[0] = True  # where encoders name themselves
                kept = kept_ranges(index, decoded_from(needed, end))
                self.decoded += int(needed[first:].sum())
                self._owner[share] = len(self._lanes)
                self._lanes.append(Lane(source, indices[share], seek, kept))
        except BaseException:
            self.close()
            raise

    def pictures(self) -> Iterator[Picture]:
        """Every frame in order, until one is missing or a decoder reports an error before it."""
        for index, owner in zip(self._indices.tolist(), self._owner.tolist(), strict=True):
            picture = self._lanes[owner].take()
            if picture is None or picture.place != index:
                self.starved = self._lanes[owner].is_starved()
                return
            yield picture

    def kill(self) -> None:
        """End the processes at once, from any thread; `pictures` is then soon at the end."""
        for lane in self._lanes:
            lane.kill()

    def close(self) -> None:
        """End the processes and their threads."""
        self.kill()  # all of them, before waiting for one
        for lane in self._lanes:
            lane.close()
