"""Which packets of a stream must be decoded to get some of its pictures: pure arithmetic on the packet index.

A group is what stands in the file from one packet at which decoding can begin anew to the next. Nothing in a
group refers to what stands before it, except pictures that are shown before its first one.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..types import IntArray, Kinds

DISPOSABLE, CUT = 1, 2  # bits of a packet's kind: no other picture refers to it; a group begins with it

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PacketIndex:
    """The packets of a stream in the order of the file, which is that of decoding.

    Attributes:
        pts: presentation times in ticks, each of them once, (P,).
        kinds: bits of `DISPOSABLE` and `CUT`, (P,).
        starts: first packet of every group, ascending from 0, (G,).
        order: packets in the order of their presentation times, (P,).
    """

    pts: IntArray
    kinds: Kinds
    starts: IntArray
    order: IntArray

    def positions(self, pts: IntArray) -> IntArray:
        """The packets with these presentation times, which must be there."""
        return self.order[np.searchsorted(self.pts, pts, sorter=self.order)]

    def groups(self, positions: IntArray) -> IntArray:
        """The group that each of these packets is in."""
        return np.searchsorted(self.starts, positions, side="right") - 1


def are_among(values: IntArray, others: IntArray, order: IntArray | None = None) -> Mask:
    """Which of `values` are in `others`. Unlike `np.isin`, it takes little memory for hours of video.

    Args:
        order: of `others`, so that they ascend; None: they do.
    """
    if not len(others):
        return np.zeros(len(values), np.bool_)
    places = np.searchsorted(others, values, sorter=order)
    np.minimum(places, len(others) - 1, out=places)
    found: Mask = others[places if order is None else order[places]] == values
    return found


def index_packets(pts: IntArray, kinds: Kinds) -> PacketIndex:
    """Find the groups. Args as the attributes of `PacketIndex`."""
    cuts = np.flatnonzero(kinds & CUT)
    starts = cuts if len(cuts) and cuts[0] == 0 else np.concatenate([[0], cuts])
    return PacketIndex(pts, kinds, starts, np.argsort(pts, kind="stable"))


def needed_packets(index: PacketIndex, positions: IntArray) -> Mask:
    """Which packets must be decoded to get the pictures of those at `positions`, (P,).

    Of every group with such a picture: the packets up to the last one, without those that nothing refers to.
    Where a picture is shown before the first one of its group, the group before may be referred to.
    """
    kept = np.zeros(len(index.pts), np.bool_)
    if not len(positions):
        return kept
    groups = index.groups(positions)
    ends = np.append(index.starts[1:], len(index.pts))
    stops = np.zeros(len(index.starts), np.int64)  # one past the last packet that is needed of each group
    np.maximum.at(stops, groups, positions + 1)
    leading = (index.pts[positions] < index.pts[index.starts[groups]]) & (groups > 0)
    before = groups[leading] - 1
    stops[before] = ends[before]
    for group in np.flatnonzero(stops):
        kept[index.starts[group] : stops[group]] = True
    kept &= (index.kinds & DISPOSABLE) == 0
    kept[positions] = True
    return kept


def kept_ranges(index: PacketIndex, kept: Mask) -> list[tuple[int, int]]:
    """The fewest ranges of presentation times (first, last) that hold just the `kept` packets, ascending."""
    places = np.flatnonzero(kept[index.order])
    if not len(places):
        return []
    times = index.pts[index.order]
    breaks = np.flatnonzero(np.diff(places) > 1)
    firsts = times[places[np.concatenate([[0], breaks + 1])]]
    lasts = times[places[np.concatenate([breaks, [len(places) - 1]])]]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def share_out(index: PacketIndex, positions: IntArray, lanes: int, least: int) -> list[IntArray]:
    """Deal the pictures at `positions` out to decoders that run side by side.

    Each gets whole groups in turn, so many that they hold `least` pictures or more, because the pictures of
    the others wait until it is their turn.

    Returns:
        For each of them which of `positions` are its own; some may be empty, (lanes,) lists.
    """
    groups = index.groups(positions)
    turns = np.zeros(len(positions), np.int64)
    turn, begun = 0, 0
    for place in range(1, len(positions)):
        # a group may hold pictures on both sides of another's: what is dealt out follows the order shown
        if groups[place] > groups[place - 1] and place - begun >= least:
            turn, begun = turn + 1, place
        turns[place] = turn
    return [np.flatnonzero(turns % lanes == lane) for lane in range(lanes)]


def decoded_from(kept: Mask, last: int) -> Mask:
    """`kept`, and all that comes after packet `last`: there the decoder ends by itself, its output full."""
    wider = kept.copy()
    wider[last + 1 :] = True
    return wider
