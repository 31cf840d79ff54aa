"""Both networks on their device: together, or one after the other where memory is short."""

import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import OutOfMemoryError
from ..events import Listener, Progress
from ..model import memory_estimate
from ..model.checkpoint import Checkpoint
from ..model.compressor import Compressor
from ..model.device import Target, device_free_bytes, is_out_of_memory, release_memory
from ..model.llm import Decoder
from ..plan.memory import Needs, Plan, Stage, Work, advice, make_plan, too_large
from ..system_memory import host_free_bytes

Result = TypeVar("Result")


class Networks:
    """Loads each network when it is first asked for.

    Attributes:
        together: whether both may be held; False drops the one before the other is loaded.
        seconds: spent on loading so far.
    """

    def __init__(self, checkpoint: Checkpoint, target: Target, *, decoder: bool, tell: Listener) -> None:
        self.checkpoint = checkpoint
        self.target = target
        self.has_decoder = decoder
        self.together = True
        self.seconds = 0.0
        self.tell = tell
        self._weights = memory_estimate.weights(checkpoint, target)
        self._compressor: Compressor | None = None
        self._decoder: Decoder | None = None

    def plan(self, work: Work, wanted: int) -> Plan:
        """How to do `work`, by what is free now and what the networks here would give back.

        Raises:
            OutOfMemoryError: one network alone is too large for what is free.
        """
        needs, free = self.needs(work), self.free_bytes()
        if message := too_large(free, needs):
            raise OutOfMemoryError(message, self.advice("load", work, None))
        return make_plan(free, needs, wanted)

    def needs(self, work: Work, target: Target | None = None) -> Needs:
        """Bytes that `work` takes, here or with the weights kept as on another target."""
        weights = memory_estimate.weights(self.checkpoint, target) if target else self._weights
        return memory_estimate.needs(self.checkpoint, self.target.dtype, weights, work, self.has_decoder)

    def advice(self, stage: Stage, work: Work, budget: int | None) -> str:
        """What to tell a user whose memory does not suffice."""
        target = self.target
        can_shrink = target.bits != "int4" and target.device.type in ("cuda", "cpu")
        smaller = self.needs(work, Target(target.device, target.dtype, "int4")) if can_shrink else None
        return advice(stage, self.free_bytes(), self.needs(work), smaller, budget, str(target.device))

    def free_bytes(self) -> int | None:
        """Bytes on the device that are free or taken by these networks; None where that is not known."""
        device = self.target.device
        free = host_free_bytes() if device.type == "cpu" else device_free_bytes(device)
        if free is None:
            return None
        if self._compressor is not None:
            free += self._weights.compressor
        if self._decoder is not None:
            free += self._weights.decoder
        return free

    def hold(self, work: Work, wanted: int) -> None:
        """Load what will be held while such `work` is done.

        Raises:
            OutOfMemoryError: one network alone is too large.
        """
        self.together = self.plan(work, wanted).together

        def make_room() -> None:
            if not self.has_decoder or not self.part():
                raise OutOfMemoryError("the model does not fit", self.advice("load", work, None))
            release_memory(self.target.device)

        with_room(self._load_all, make_room)

    def compressor(self) -> Compressor:
        """The compressor, loaded; without the decoder where they are not together."""
        if not self.together:
            self._drop(decoder=True)
        if self._compressor is None:
            self._compressor = self._load(lambda: self.checkpoint.load_compressor(self.target))
        return self._compressor

    def decoder(self) -> Decoder:
        """The decoder, loaded; without the compressor where they are not together."""
        if not self.together:
            self._drop(compressor=True)
        if self._decoder is None:
            self._decoder = self._load(lambda: self.checkpoint.load_decoder(self.target))
        return self._decoder

    def part(self) -> bool:
        """From now on hold one at a time; whoever is asked for next stays. False if it was so already."""
        before, self.together = self.together, False
        return before

    def _load_all(self) -> None:
        self.compressor()
        if self.has_decoder and self.together:
            self.decoder()

    def _drop(self, *, compressor: bool = False, decoder: bool = False) -> None:
        if compressor and self._compressor is not None:
            self._compressor = None
            release_memory(self.target.device)
        if decoder and self._decoder is not None:
            self._decoder = None
            release_memory(self.target.device)

    def _load(self, load: Callable[[], Result]) -> Result:
        started = time.perf_counter()
        self.tell(Progress("load", 0, 1))
        loaded = load()
        self.tell(Progress("load", 1, 1))
        self.seconds += time.perf_counter() - started
        return loaded


def with_room(work: Callable[[], Result], make_room: Callable[[], None]) -> Result:
    """Do `work`; each time memory runs out, make room and do it again.

    `make_room` raises where there is nothing left to give up. It is called when the failure's own
    values are gone already.
    """
    while True:
        try:
            return work()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        make_room()
