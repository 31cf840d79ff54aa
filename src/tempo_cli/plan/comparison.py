"""Which pictures show whether packets can be left out of a stream: pure arithmetic on its packet index."""

from dataclasses import dataclass

import numpy as np

from ..types import IntArray
from .packets import DISPOSABLE, Mask, PacketIndex, needed_packets


@dataclass(frozen=True)
class Comparison:
    """Pictures to decode with all packets and with those that they need.

    Attributes:
        positions: their packets, in the order shown.
        wanted: how many of the first wanted pictures are among them.
        packets: from the first of their group to the last of them.
    """

    positions: IntArray
    wanted: int
    packets: int


def plan_comparison(
    index: PacketIndex, positions: IntArray, shown: Mask, most_packets: int
) -> Comparison | None:
    """What to compare before the pictures at `positions` are decoded from the packets that they need.

    Of the first one's group: the wanted pictures and the last but one that others refer to, so that all that
    nothing refers to is left out of a whole group. Of the next group: the first two pictures, so that it
    begins without the last picture that it could refer to. Where a group has but one such picture, the next
    one is left out.

    Args:
        positions: packets of the wanted pictures in the order shown.
        shown: which packets can be asked for by their time, (P,).
        most_packets: that may be decoded; a longer group is compared so far.

    Returns:
        None where nothing would be left out so far.
    """
    ends = np.append(index.starts[1:], len(index.pts))
    group = int(index.groups(positions[:1])[0])
    begin, end = int(index.starts[group]), int(ends[group])
    limit = begin + most_packets
    referred = (index.kinds & DISPOSABLE) == 0
    references = begin + np.flatnonzero(referred[begin:end])
    cut = int(references[-1]) if len(references) > 1 else end
    own = (positions >= begin) & (positions < min(cut, limit))
    wanted = len(own) if own.all() else int(np.argmin(own))
    chosen = list(positions[:wanted])
    chosen += [place for place in references[shown[references]] if place < min(cut, limit)][-1:]
    following = group + (1 if cut < end else 2)
    if following < len(index.starts):
        first = int(index.starts[following])
        places = first + np.flatnonzero(referred[first : min(int(ends[following]), limit)])
        places = places[shown[places] & (index.pts[places] >= index.pts[first])]
        chosen += list(places[:2])
    compared = np.unique(np.array(chosen, np.int64))
    if not len(compared):
        return None
    last = int(compared.max())
    if needed_packets(index, compared)[begin : last + 1].all():
        return None
    return Comparison(compared[np.argsort(index.pts[compared])], wanted, last + 1 - begin)
