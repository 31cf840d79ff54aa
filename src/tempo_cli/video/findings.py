"""What decoding finds out about a video, beyond what its headers say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import isfinite
from typing import Any

from ..checked import count
from ..plan.pixels import Size
from .thinning import DecodingRecord


@dataclass
class Findings:
    """What is known of the pictures and their decoding by now.

    Attributes:
        shown: height and width as shown, px.
        sample_aspect_ratio: width of a pixel over its height, as stored.
        color_transfer: libav's name; None if not stated.
        warnings: what is unusual, or was left out.
        kinds: of warnings that came, each once.
        missing: positions in the plan that could not be decoded.
        decode_seconds: spent on decoding and resizing.
        decoding: which packets were decoded, in how many processes.
    """

    shown: Size
    sample_aspect_ratio: Fraction
    color_transfer: str | None
    warnings: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    decode_seconds: float = 0.0
    decoding: DecodingRecord = field(default_factory=DecodingRecord)

    def warn(self, kind: str, message: str) -> None:
        """Once of each kind: a later decoder says the same of the same frames."""
        if kind not in self.kinds:
            self.kinds.add(kind)
            self.warnings.append(message)

    def plain(self) -> dict[str, Any]:
        """All but the seconds, for `from_plain`: dictionaries, lists, numbers and strings."""
        record = self.decoding
        return {
            "shown": list(self.shown),
            "sample_aspect_ratio": [self.sample_aspect_ratio.numerator, self.sample_aspect_ratio.denominator],
            "color_transfer": self.color_transfer,
            "warnings": self.warnings,
            "kinds": sorted(self.kinds),
            "missing": sorted(self.missing),
            "decoding": [record.exact, record.seekable, record.processes, record.packets, record.decoded],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Findings":
        """What `plain` gave.

        Raises:
            ValueError, TypeError, KeyError, ArithmeticError: it is something else.
        """
        height, width = plain["shown"]
        exact, seekable, *counts = plain["decoding"]
        processes, packets, decoded = map(count, counts)
        if exact not in (None, True, False) or seekable not in (None, True, False):
            raise ValueError("neither tried nor not")
        ratio = Fraction(*map(count, plain["sample_aspect_ratio"]))
        if not (count(height) and count(width) and ratio > 0 and isfinite(ratio)):
            raise ValueError("no picture")
        transfer = plain["color_transfer"]
        return cls(
            shown=(height, width),
            sample_aspect_ratio=ratio,
            color_transfer=None if transfer is None else str(transfer),
            warnings=[str(one) for one in plain["warnings"]],
            kinds={str(one) for one in plain["kinds"]},
            missing=set(map(count, plain["missing"])),
            decoding=DecodingRecord(exact, 0, seekable, processes, packets, decoded),
        )
