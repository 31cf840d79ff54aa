"""Whether and how to decode less than all of a video, and what is known of that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..plan.comparison import Comparison, plan_comparison
from ..plan.packets import CUT, PacketIndex, are_among, index_packets, needed_packets, share_out
from ..plan.threads import decoder_threads
from ..types import IntArray, VideoInfo
from .ffmpeg import PREFERRED, ffmpeg_version
from .limits import SINGLE_THREAD_PIXELS, most_decoders, usable_cores

_MOST_KEPT = 0.95  # of the packets: where fewer can be left out, one process decodes all
_LEAST_PACKETS = 500  # below, starting several processes costs more than it saves
_LEAST_SHARE = 8  # pictures that a process decodes before it is the next one's turn
_COMPARED_PACKETS, _COMPARED_PART = 600, 10  # that are decoded both ways, at most, or one part of so many
_LEAST_PARTS = 3  # times what is compared: with less, comparing costs more than it saves


@dataclass
class DecodingRecord:
    """What the decoders of one video found out, each for those after it.

    Attributes:
        exact: whether decoding less gave the same pictures as decoding all; None: not tried yet.
        starved: how often a decoder that left packets out got no more memory.
        seekable: whether decoding from a later key frame did; None: not tried yet.
        processes: the most decoders that ran at the same time.
        packets: of the video's stream, from where decoding began to the last wanted frame.
        decoded: those of them that reached a decoder.
    """

    exact: bool | None = None
    starved: int = 0
    seekable: bool | None = None
    processes: int = 0
    packets: int = 0
    decoded: int = 0

    def count(self, processes: int, packets: int, decoded: int) -> None:
        """Note decoders that start now."""
        self.processes = max(self.processes, processes)
        self.packets += packets
        self.decoded += decoded


@dataclass(frozen=True)
class ThinningPlan:
    """How to decode only what some frames need.

    Attributes:
        index: the packets of the stream.
        indices: the frames, ascending, each once.
        positions: their packets.
        processes: that may run side by side.
        threads: of each one's decoder.
        comparison: what to decode both ways first.
    """

    index: PacketIndex
    indices: IntArray
    positions: IntArray
    processes: int
    threads: int
    comparison: Comparison | None

    def shares(self, first: int) -> Sequence[IntArray]:
        """Which places in `indices[first:]` each process takes; none is empty."""
        dealt = share_out(self.index, self.positions[first:], self.processes, _LEAST_SHARE)
        return [share for share in dealt if len(share)]


def plan_thinning(info: VideoInfo, indices: IntArray, binary: str, exact: bool | None) -> ThinningPlan | None:
    """How to decode less than all; None where that is not known to be safe, or saves too little.

    Args:
        indices: the wanted frames, ascending, each once.
        exact: as in `DecodingRecord`.
    """
    if (
        exact is False
        or info.pts is None
        or info.packet_pts is None
        or info.packet_kinds is None
        or not len(indices)
        or info.width * info.height > SINGLE_THREAD_PIXELS  # comparing takes two processes
    ):
        return None
    if info.needs_beginning and not info.packet_kinds[0] & CUT:
        return None  # the first packet can't be kept without what follows it
    index = index_packets(info.packet_pts, info.packet_kinds)
    if not are_among(info.pts[indices], index.pts, index.order).all():
        return None
    positions = index.positions(info.pts[indices])
    cores = usable_cores()
    groups = len(np.unique(index.groups(positions)))
    processes = max(1, min(cores, most_decoders(info), groups // 2))
    span = int(positions.max()) - int(index.starts[index.groups(positions).min()]) + 1
    if span < _LEAST_PACKETS or (
        processes == 1 and needed_packets(index, positions).sum() > _MOST_KEPT * span
    ):
        return None
    comparison = None
    if exact is None:
        most = max(_COMPARED_PACKETS, span // _COMPARED_PART)
        comparison = plan_comparison(index, positions, are_among(index.pts, info.pts), most)
        if comparison is None or _LEAST_PARTS * comparison.packets > span:
            return None
    if (ffmpeg_version(binary) or (0, 0)) < PREFERRED:  # last: it starts a process
        return None
    threads = decoder_threads(cores, processes)
    return ThinningPlan(index, indices, positions, processes, threads, comparison)


def span_of(info: VideoInfo, indices: IntArray, seek: float | None) -> int:
    """Packets from where decoding begins to the last of the frames `indices`.

    Args:
        seek: seconds in the file's own time; None: the beginning of the file.
    """
    last, first = int(indices[-1]), 0
    if seek is not None:
        first = next(place for place, seconds in info.keyframes if seconds == seek)
    if info.pts is None or info.packet_pts is None or last >= len(info.pts):
        return last - first + 1
    ends = np.flatnonzero(are_among(info.packet_pts, np.sort(info.pts[[first, *indices.tolist()]])))
    if not len(ends):
        return last - first + 1
    return int(ends[-1]) - (int(ends[0]) if seek is not None else 0) + 1
