"""Where each segment of a clip is kept for further questions: arithmetic on bytes and limits."""

from dataclasses import dataclass
from typing import Literal

Tier = Literal["device", "host", "features", "frames"]

TIERS: tuple[Tier, ...] = ("device", "host", "features", "frames")  # from the fastest to the smallest


@dataclass(frozen=True)
class SegmentSizes:
    """Bytes of one segment: keys and values of its prefix, features of the vision tower, resized frames."""

    prefix: int
    features: int
    frames: int


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
    costs most; then features in their place, which save more time per byte than prefixes; then prefixes.
    """
    device = min(count, limits.device // sizes.prefix) if limits.allows("device") else 0
    rest = count - device
    host: list[Tier | None] = []
    spare = limits.host
    if limits.allows("frames"):
        kept = min(rest, spare // sizes.frames)
        spare -= kept * sizes.frames
        host = ["frames"] * kept
    spare = _upgrade(host, "frames", "features", sizes.features - sizes.frames, spare, limits)
    _upgrade(host, "features", "host", sizes.prefix - sizes.features, spare, limits)
    return [*["device"] * device, *host, *[None] * (rest - len(host))]  # type: ignore[list-item]


def _upgrade(
    tiers: list[Tier | None], worse: Tier, better: Tier, extra: int, spare: int, limits: KeepLimits
) -> int:
    """Give the first segments of tier `worse` the better one, as far as `spare` bytes go; what is left."""
    if not limits.allows(better):
        return spare
    here = tiers.count(worse)
    count = here if extra <= 0 else min(here, spare // extra)
    start = tiers.index(worse) if here else 0
    tiers[start : start + count] = [better] * count
    return spare - count * extra
