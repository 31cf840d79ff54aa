"""One pass over a clip's segments for some questions: sources in, memory tokens out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod

import numpy as np
import torch

from ..errors import ModelError
from ..events import Progress
from ..model.compressor import (
    Compressor,
    Features,
    Prefix,
    SegmentFeatures,
    SegmentInput,
    SegmentPrefix,
    batches,
    features_shape,
    prefix_shape,
    stack_features,
    stack_prefixes,
)
from ..plan.keep import TIERS, SegmentSizes, Tier, plan_tiers
from ..schema import FrameTier, PrefixTier, Reused
from ..scope import CancelScope
from ..types import MemoryTokens, SegmentPlan
from .fallbacks import Fallbacks
from .journal import Journal
from .networks import Networks
from .segments import ClipSegments, Origin, Source


@dataclass(frozen=True)
class Compressed:
    """What a pass gives: for each question the memory tokens of the S segments in `plans`."""

    memories: list[MemoryTokens]
    plans: list[SegmentPlan]
    reused: Reused


class VisualPass:
    """A pass for `questions`, which share it: each segment is read once and compressed for each of them."""

    def __init__(
        self,
        segments: ClipSegments,
        questions: Sequence[str],
        networks: Networks,
        fallbacks: Fallbacks,
        journal: Journal,
        scope: CancelScope,
    ) -> None:
        self._segments, self._questions = segments, questions
        self._networks, self._fallbacks = networks, fallbacks
        self._journal, self._scope = journal, scope
        self._indices: list[int] = []  # of the segments in `_found`, in the order in which they came
        self._found: list[list[MemoryTokens]] = [[] for _ in questions]
        self._origins: list[Origin] = []
        self._tiers: list[Tier | None] | None = None

    def run(self) -> Compressed:
        """Go on until every segment that can be decoded is compressed.

        Raises:
            CancelledError: the scope was cancelled; what is complete stays kept.
            VideoError, ModelError, OutOfMemoryError: see those.
        """
        while left := sorted(set(self._segments.indices).difference(self._indices)):
            compressor = self._fallbacks.compressing(self._networks.compressor)
            sources = self._segments.sources(left, compressor, self._journal, self._scope)
            for batch in batches(sources, self._fallbacks.micro_batch):
                self._scope.check()
                with self._journal.compressing():
                    found = self._fallbacks.compressing(partial(self._compress, batch))
                self._take(batch, found)
        memories = [self._in_order(joined(parts)) for parts in self._found]
        plans = [self._segments.plans[index] for index in sorted(self._indices)]
        return Compressed(memories, plans, self._reused())

    def _take(self, batch: list[Source], found: list[MemoryTokens]) -> None:
        for parts, one in zip(self._found, found, strict=True):
            parts.append(one)
        for source in batch:
            self._indices.append(source.index)
            self._origins.append(source.origin)
            self._segments.done(source.index)
        self._journal.emit(Progress("compress", len(self._indices), self._segments.video.total))

    def _in_order(self, memory: MemoryTokens) -> MemoryTokens:
        """By segment: those that lost their place in the store came last."""
        order = np.argsort(self._indices)
        if (order == np.arange(len(order))).all():
            return memory
        return MemoryTokens(memory.tokens[torch.from_numpy(order)], memory.relevance[order])

    def _compress(self, batch: list[Source]) -> list[MemoryTokens]:
        """Compress some segments for each question, as many at once as memory allows by now."""
        compressor = self._networks.compressor()
        parts: list[list[MemoryTokens]] = [[] for _ in self._questions]
        size = self._fallbacks.micro_batch
        for start in range(0, len(batch), size):
            piece = batch[start : start + size]
            prefix, features = _prefix(compressor, piece, self._room)
            for part, question in zip(parts, self._questions, strict=True):
                part.append(compressor.compress(prefix, question))
            self._keep(piece, prefix, features)
        return [joined(part) for part in parts]

    @cached_property
    def _room(self) -> int:
        """Tokens of the longest question behind a prefix."""
        compressor = self._networks.compressor()
        return max(compressor.suffix_tokens(question) for question in self._questions)

    def _keep(self, piece: list[Source], prefix: Prefix, features: Features | None) -> None:
        """Keep newly read data in its planned tier, or in the next one that has room."""
        shelf = self._segments.shelf
        if shelf is None or features is None:
            return
        for row, source in enumerate(piece):
            planned = self._planned(source, prefix, features)
            for tier in TIERS[TIERS.index(planned) :] if planned else ():
                if shelf.tier(source.index) == tier or (tier == "frames" and source.segment is None):
                    break
                if tier == "frames" and self._segments.video.keeps_frames:
                    break
                if tier in ("device", "host"):
                    kept = shelf.keep_prefix(source.index, prefix, row, tier)
                elif tier == "features":
                    kept = shelf.keep_features(source.index, features, row)
                else:
                    assert source.segment is not None
                    kept = shelf.keep_frames(source.index, source.segment)
                if kept:
                    break

    def _planned(self, source: Source, prefix: Prefix, features: Features) -> Tier | None:
        """The tier of a segment, planned with the first one's sizes."""
        shelf = self._segments.shelf
        assert shelf is not None
        if self._tiers is None:
            element = prefix.cache.values.element_size()
            visual = prod(features_shape(features)) * features.merged.element_size()
            frames = source.segment.frames.nbytes if source.segment is not None else visual
            kept = None if self._segments.video.keeps_frames else frames
            sizes = SegmentSizes(prod(prefix_shape(prefix)) * element, visual, kept)
            self._tiers = plan_tiers(self._segments.video.total, sizes, shelf.limits)
            new = [tier for index, tier in enumerate(self._tiers) if index not in shelf]
            shelf.reserve(new, sizes.prefix, sizes.features)
        return self._tiers[source.index]

    def _reused(self) -> Reused:
        origins = set(self._origins)
        tiers: tuple[PrefixTier, ...] = ("features", "host", "device")
        read = origins & {"memory", "disk", "decoded"}
        prefix = None if read else next((tier for tier in tiers if tier in origins), None)
        kept: tuple[FrameTier, ...] = ("disk", "memory")
        frames = None if "decoded" in read else next((tier for tier in kept if tier in read), None)
        return Reused(frames=frames, prefix=prefix)


def _prefix(compressor: Compressor, piece: list[Source], room: int) -> tuple[Prefix, Features | None]:
    """The piece's prefix, and the features that it was read from."""
    device = compressor.memory.device
    rows = [source.row for source in piece]
    prefixes = [row for row in rows if isinstance(row, SegmentPrefix)]
    if prefixes:
        return stack_prefixes(prefixes, device, room), None
    kept = [row for row in rows if isinstance(row, SegmentFeatures)]
    inputs = [row for row in rows if isinstance(row, SegmentInput)]
    features = stack_features(kept, device) if kept else compressor.see(inputs)
    return compressor.read(features, room), features


def joined(parts: Sequence[MemoryTokens]) -> MemoryTokens:
    """The memory tokens of consecutive segments in one value.

    Raises:
        ModelError: a relevance is no number.
    """
    relevance = np.concatenate([part.relevance for part in parts])
    if not np.isfinite(relevance).all():
        raise ModelError("the compressor's output is not a number (NaN)", "Try `dtype='float32'`.")
    return MemoryTokens(torch.cat([part.tokens for part in parts]), relevance)
