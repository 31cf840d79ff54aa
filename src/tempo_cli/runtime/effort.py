"""What computing on a CPU takes: its threads, and the time until an answer begins."""

import os
from functools import cached_property

from ..model import memory_estimate
from ..model.checkpoint import Checkpoint
from ..model.device import Targets, cpu_speed
from ..plan.memory import Work
from ..plan.threads import computing_threads

_SLOW_PARAMETERS = 1e9  # on a CPU, more than this deserves a warning before the wait
_TOKENS_PER_FRAME = 70  # that the compressor reads: 128 for two frames, and their times
_TOKENS_PER_SEGMENT = 250  # prompt, question and memory tokens


class Effort:
    """Of the networks that run on a CPU, if any."""

    def __init__(self, checkpoint: Checkpoint, targets: Targets) -> None:
        self._checkpoint = checkpoint
        self._here, self._beside = (target.device.type == "cpu" for target in targets)

    @cached_property
    def threads(self) -> int | None:
        """That torch computes with; None: as it is set."""
        kind = "cpu" if self._here or self._beside else "cuda"
        larger = max(self._compressor if self._here else 0, self._decoder if self._decoder_alone else 0)
        return computing_threads(kind, larger, os.environ)

    def warning(self, frames: int, window: int, work: Work) -> str | None:
        """How long a large model takes before an answer begins; None where that is nothing to warn of."""
        if self._here:
            parameters = self._compressor
            tokens = frames * _TOKENS_PER_FRAME + frames / window * _TOKENS_PER_SEGMENT
        elif self._decoder_alone:
            parameters, tokens = self._decoder, float(work.tokens)
        else:
            return None
        if parameters < _SLOW_PARAMETERS:
            return None
        minutes = parameters * tokens / cpu_speed() / 60
        size = f"{parameters / 1e9:.1f} billion weights"
        return f"{size} on a CPU: expect about {minutes:.0f} minutes before the answer begins"

    @property
    def _decoder_alone(self) -> bool:
        """Whether only the decoder is on the CPU."""
        return self._beside and not self._here

    @cached_property
    def _compressor(self) -> int:
        return memory_estimate.compressor_parameters(self._checkpoint)

    @cached_property
    def _decoder(self) -> int:
        return memory_estimate.decoder_parameters(self._checkpoint)
