"""What fits: from bytes that are free and bytes that are needed to a plan, and to advice. Pure arithmetic."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

from ..config import ModelDimensions

Stage = Literal["load", "compress", "answer"]

_MICRO_BATCH, _ON_CUDA = 8, 16  # segments beyond which compressing more at once hardly pays
USABLE = 0.92  # of what is free; the rest is for fragments and for what is not counted
_TAG = 8  # tokens of a segment's time tag
_STEP = 256  # tokens; a budget that is advised is a multiple of it
_LEAST = 1024  # tokens; a lower budget is not advised


@dataclass(frozen=True)
class Work:
    """What one run puts through the networks.

    Attributes:
        visual: tokens of one segment's frames in the compressor's prompt.
        segments: S, of the whole video.
        questions: that are answered from one visual pass.
        tokens: L, of the decoder's input.
    """

    visual: int
    segments: int
    questions: int
    tokens: int


def expected_work(
    size: tuple[int, int],
    frames: int,
    window: int,
    questions: int,
    memory_tokens: int | None,
    text: int,
    dimensions: ModelDimensions,
) -> Work:
    """The work that a video with `frames` sampled frames makes.

    Args:
        size: height and width of a frame as the compressor reads it, px.
        memory_tokens: that the decoder reads at most; None: all of them.
        text: tokens of the decoder's prompt around the video.
    """
    edge = dimensions.patch * dimensions.merge
    patches = ceil(window / dimensions.temporal_patch)
    segments = ceil(frames / window)
    kept = segments * dimensions.memory_tokens
    read = kept if memory_tokens is None else min(memory_tokens, kept)
    visual = patches * (size[0] // edge) * (size[1] // edge)
    return Work(visual, segments, questions, text + read + segments * _TAG)


@dataclass(frozen=True)
class Needs:
    """Bytes on the device.

    Attributes:
        compressor, decoder: their weights; a decoder that is not used takes none.
        segment: to compress one segment, beyond the weights.
        answer: to read and write one answer, beyond the weights.
        kept: memory tokens of all segments and questions.
    """

    compressor: int
    decoder: int
    segment: int
    answer: int
    kept: int

    @property
    def least(self) -> int:
        """Bytes without which not even one network at a time and one segment at a time fit."""
        return max(self.compressor + self.segment, self.decoder + self.answer) + self.kept


@dataclass(frozen=True)
class Plan:
    """How work is made to fit.

    Attributes:
        resident: whether both networks stay on the device.
        micro_batch: segments compressed at once.
        spare: bytes on the compressor's device that are left for kept segments; None: not known.
        beside: the same on the decoder's device, where that is another one.
    """

    resident: bool
    micro_batch: int
    spare: int | None = None
    beside: int | None = None


def micro_batch(device: str) -> int:
    """Segments that are worth compressing at once on such a device, where memory allows (docs/memory.md)."""
    return _ON_CUDA if device == "cuda" else _MICRO_BATCH


def make_plan(free: int | None, needs: Needs, wanted: int) -> Plan:
    """The fastest way that fits; small batches are given up before both networks' company.

    Args:
        free: bytes, as if nothing of ours was there; None: not known, then everything fits.
        wanted: segments at once, at most.
    """
    if free is None:
        return Plan(True, wanted)
    usable = int(free * USABLE) - needs.kept
    both = needs.compressor + needs.decoder
    resident = both + max(needs.segment, needs.answer) <= usable
    left = usable - (both if resident else needs.compressor)
    size = wanted
    while size > 1 and size * needs.segment > left:
        size //= 2
    compressing = (both if resident else needs.compressor) + size * needs.segment
    answering = (both if resident else needs.decoder) + needs.answer
    return Plan(resident, size, max(0, usable - max(compressing, answering)))


def too_large(free: int | None, needs: Needs) -> str | None:
    """What to say where the weights of one network alone do not fit; None where they do."""
    name, size = max(("compressor", needs.compressor), ("decoder", needs.decoder), key=lambda pair: pair[1])
    if free is None or size <= free:
        return None
    return f"the {name}'s weights take {gigabytes(size)}, and only {gigabytes(free)} is free"


def advice(
    stage: Stage,
    free: int | None,
    needs: Needs,
    smaller: Needs | None,
    budget: int | None,
    device: str,
    option: Literal["device", "decoder_device"] = "device",
) -> str:
    """One line with the flag that would help, chosen by the numbers.

    Args:
        stage: where memory ran out.
        free: as for `make_plan`.
        smaller: the needs with 4-bit weights; None where they are so already.
        budget: memory tokens that were allowed; None: no budget.
        device: auto's choice or the user's: `cpu`, `cuda:0`, `mps`.
        option: that chooses this device.
    """
    if free is not None:
        usable = int(free * USABLE)
        if stage == "answer" and budget and (lower := _lower_budget(usable, needs, budget)):
            return f"Give `budget={lower}`."
        if replace(needs, kept=0).least <= usable < needs.least:
            return "Give fewer `max_frames`."
        if smaller and smaller.least > usable:
            smaller = None
    if smaller:
        return "Give `quantize='int4'`."
    if device != "cpu":
        return f"Give `{option}='cpu'`."
    return f"Close other programs, or use a machine with {gigabytes(needs.least)} free."


def gigabytes(size: int) -> str:
    """For people: `7.5 GB`."""
    return f"{size / 1e9:.1f} GB"


def _lower_budget(usable: int, needs: Needs, budget: int) -> int | None:
    """A budget whose answer would fit beside the decoder; where it should have fitted, half of it."""
    share = min(0.5, (usable - needs.decoder - needs.kept) / needs.answer)
    lower = int(budget * share) // _STEP * _STEP
    return lower if lower >= _LEAST else None
