"""Where both networks are, and what fits there: on one device, or each on its own. Pure arithmetic."""

from dataclasses import dataclass, replace
from typing import Literal

from .memory import Needs, Plan, Stage, advice, make_plan, too_large

Network = Literal["compressor", "decoder"]


@dataclass(frozen=True)
class Places:
    """The networks' devices.

    Attributes:
        compressor, decoder: by name: `cpu`, `cuda:0`, `mps`; the same where they share one.
        free, beside: bytes on the compressor's and on the decoder's device, as for `make_plan`.
    """

    compressor: str
    decoder: str
    free: int | None
    beside: int | None

    @property
    def apart(self) -> bool:
        """Whether each has a device of its own."""
        return self.compressor != self.decoder

    def plan(self, needs: Needs, wanted: int) -> Plan:
        """As `make_plan`; networks on devices of their own are always both resident."""
        if not self.apart:
            return make_plan(self.free, needs, wanted)
        plan = make_plan(self.free, _compressing(needs), wanted)
        return replace(plan, resident=True, beside=make_plan(self.beside, _answering(needs), 1).spare)

    def too_large(self, needs: Needs) -> tuple[Network, str] | None:
        """The network whose weights alone do not fit, and what to say; None where they do."""
        if not self.apart:
            message = too_large(self.free, needs)
            return ("compressor", message) if message else None
        if message := too_large(self.free, _compressing(needs)):
            return "compressor", f"{message} on {self.compressor}"
        message = too_large(self.beside, _answering(needs))
        return ("decoder", f"{message} on {self.decoder}") if message else None

    def advice(
        self, network: Network, stage: Stage, needs: Needs, smaller: Needs | None, budget: int | None
    ) -> str:
        """As `advice`, for the device on which `network` ran out of memory."""
        if not self.apart:
            return advice(stage, self.free, needs, smaller, budget, self.compressor)
        if network == "compressor":
            fewer = smaller and _compressing(smaller)
            return advice(stage, self.free, _compressing(needs), fewer, budget, self.compressor)
        fewer = smaller and _answering(smaller)
        return advice(stage, self.beside, _answering(needs), fewer, budget, self.decoder, "decoder_device")


def _compressing(needs: Needs) -> Needs:
    """Of the compressor alone."""
    return replace(needs, decoder=0, answer=0)


def _answering(needs: Needs) -> Needs:
    """Of the decoder alone; memory tokens are kept where they were made."""
    return replace(needs, compressor=0, segment=0, kept=0)
