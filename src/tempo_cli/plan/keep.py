"""Where each segment of a clip is kept for further questions: arithmetic on bytes and limits."""

from dataclasses import dataclass
from typing import Literal

Tier = Literal["device", "host", "features", "frames"]

TIERS: tuple[Tier, ...] = ("device", "host", "features", "frames")  # from the fastest to the smallest


@dataclass(frozen=True)
class SegmentSizes:
    """Bytes of one segment: keys and values of its prefix, features of the vision tower, resized frames.

    `frames` is None where they are on disk anyway.
    """

    prefix: int
    features: int
    frames: int | None


@dataclass(frozen=True)
class KeepLimits:
    """Bytes that kept segments may take on the device and on the host, and the best tier that is used."""

    device: int
    host: int
    tier: Tier | Literal["none"] = "device"

    def allows(self, tier: Tier) -> bool:
        """Whether `tier` is not better than the best one."""
        return self.tier != "none" and TIERS.index(tier) >= TIERS.index(self.tier)


def plan_tiers(count: int, sizes: SegmentSizes, limits: KeepLimits) -> list[Tier | None]:
    """The tier of each of `count` segments of one size; None: not kept.

    The device takes as many prefixes as fit. The host takes the frames of all others, since decoding again
    costs most, unless they are on disk; then features in their place, which save more time per byte than
    prefixes; then prefixes. A tier that is no smaller than a better one is passed over.
    """
    device = min(count, limits.device // sizes.prefix) if limits.allows("device") else 0
    rest, spare = count - device, limits.host
    tiers = _host_tiers(sizes, limits)
    host: list[Tier] = []
    if tiers:
        tier, size = tiers[-1]
        host = [tier] * min(rest, spare // size)
        spare -= len(host) * size
    for (better, large), (worse, small) in zip(tiers[-2::-1], tiers[:0:-1], strict=True):
        upgraded = min(host.count(worse), spare // (large - small))
        start = host.index(worse) if upgraded else 0
        host[start : start + upgraded] = [better] * upgraded
        spare -= upgraded * (large - small)
    beside: list[Tier | None] = ["device"] * device
    return [*beside, *host, *[None] * (rest - len(host))]


def _host_tiers(sizes: SegmentSizes, limits: KeepLimits) -> list[tuple[Tier, int]]:
    """The tiers on the host that are worth it, with their bytes, from the best to the smallest."""
    every: tuple[tuple[Tier, int | None], ...] = (
        ("host", sizes.prefix),
        ("features", sizes.features),
        ("frames", sizes.frames),
    )
    found: list[tuple[Tier, int]] = []
    for tier, size in every:
        if size is not None and limits.allows(tier) and all(size < larger for _, larger in found):
            found.append((tier, size))
    return found
