"""Memories that a trained compressor writes, kept by the words that they should hold.

From real frames the decoder reads a few stories a second; from memories that were written once, it reads
hundreds. Imagined memories (words plus noise) differ from real ones in what the compressor confuses and in
what it leaves behind the last word, so a decoder that saw only those misreads real ones.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .network import Nano
from .scene import Random
from .shape import MEMORY

_ENOUGH = 6  # memories of the same words; of fewer, words are taken from several memories
Rows = dict[tuple[int, ...], np.ndarray]


class Memories:
    """Projected memory tokens of many segments.

    Args:
        vectors: (N, M, D).
        words: of each, the rows in `stages.memory_table` of the words that it should hold, without END.
    """

    def __init__(self, vectors: Tensor, words: Sequence[Sequence[int]]) -> None:
        self.vectors = vectors
        alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
        at_place: dict[tuple[int, ...], list[int]] = defaultdict(list)
        of_length: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for row, own in enumerate(words):
            alike[tuple(own)].append(row)
            of_length[(len(own),)].append(row)
            for place, word in enumerate(own):
                at_place[place, word].append(row)
        self._alike, self._at_place, self._of_length = map(_arrays, (alike, at_place, of_length))

    def __len__(self) -> int:
        return len(self.vectors)

    def draw(self, random: Random, words: Sequence[int]) -> Tensor | None:
        """A memory (M, D) that should hold these words; None where some word was never seen at its place.

        Where few segments hold them all, each word comes from any memory that has it at the same place, and
        the rest from one with as many words.
        """
        same = self._alike.get(tuple(words), ())
        if len(same) >= _ENOUGH:
            return self.vectors[int(random.choice(same))]
        sources = [self._at_place.get((place, word)) for place, word in enumerate(words)]
        rest = self._of_length.get((len(words),))
        if rest is None or any(source is None for source in sources):
            return None
        rows = [int(random.choice(source)) for source in (*sources, rest) if source is not None]
        rows += rows[-1:] * (MEMORY - len(rows))
        return self.vectors[torch.tensor(rows[:MEMORY]), torch.arange(MEMORY)]


def _arrays(rows: dict[tuple[int, ...], list[int]]) -> Rows:
    return {key: np.array(own) for key, own in rows.items()}


def write(model: Nano, batches: Sequence[tuple[Tensor, Sequence[Sequence[int] | None]]]) -> Memories:
    """Memories of segments; what is undecided (None) is left out.

    Args:
        batches: the compressor's memory tokens (B, M, D) and the words that they should hold.
    """
    vectors, words = [], []
    with torch.no_grad():
        for memory, told in batches:
            known = [row for row, own in enumerate(told) if own is not None]
            vectors.append(model.decoder.projector(memory[known]))
            words += [own for own in told if own is not None]
    return Memories(torch.cat(vectors), words)
