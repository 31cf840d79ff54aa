"""Both networks on their device: resident, or one after the other where memory is short."""

import os
import time
from collections.abc import Callable
from functools import cached_property
from typing import Literal, TypeVar, cast

from ..config import KeepOptions
from ..errors import OutOfMemoryError
from ..events import Listener, Progress
from ..model import memory_estimate
from ..model.checkpoint import Checkpoint
from ..model.compressor import Compressor
from ..model.device import Target, cpu_speed, device_free_bytes, release_memory
from ..model.llm import Decoder
from ..plan.keep import KeepLimits, Tier
from ..plan.memory import USABLE, Needs, Plan, Stage, Work, advice, make_plan, micro_batch, too_large
from ..plan.threads import computing_threads
from ..system_memory import host_free_bytes, host_total_bytes
from .fallbacks import with_fallbacks
from .store import PrefixStore

_TOKENS_PER_FRAME = 70  # that the compressor reads: 128 for two frames, and their times
_TOKENS_PER_SEGMENT = 250  # prompt, question and memory tokens

Result = TypeVar("Result")


class Networks:
    """Loads each network when it is first asked for.

    Attributes:
        resident: whether both may be held; False drops the one before the other is loaded.
        store: what is kept of segments beside them.
        seconds: spent on loading so far.
        emit: called with progress of loading.
    """

    def __init__(self, checkpoint: Checkpoint, target: Target, *, decoder: bool, emit: Listener) -> None:
        self.checkpoint = checkpoint
        self.target = target
        self.has_decoder = decoder
        self.resident = True
        self.seconds = 0.0
        self.emit = emit
        self.store = PrefixStore(target.device)
        self._kept_share = 1.0  # of the planned limits; halved each time memory runs out beside kept segments
        self._weights = memory_estimate.weights(checkpoint, target)
        self._compressor: Compressor | None = None
        self._decoder: Decoder | None = None

    def plan(self, work: Work, wanted: int | None) -> Plan:
        """How to do `work`, by what is free now and what the networks here would give back.

        Args:
            wanted: segments at once, at most; None: as many as pay here.

        Raises:
            OutOfMemoryError: one network alone is too large for what is free.
        """
        needs, free = self.needs(work), self.free_bytes()
        if message := too_large(free, needs):
            raise OutOfMemoryError(message, self.advice("load", work, None))
        return make_plan(free, needs, wanted or micro_batch(self.target.device.type))

    def needs(self, work: Work, target: Target | None = None) -> Needs:
        """Bytes that `work` takes, here or with the weights kept as on another target."""
        weights = memory_estimate.weights(self.checkpoint, target) if target else self._weights
        return memory_estimate.needs(self.checkpoint, self.target.dtype, weights, work, self.has_decoder)

    def advice(self, stage: Stage, work: Work, budget: int | None) -> str:
        """Advice for a user who has too little memory."""
        target = self.target
        can_shrink = target.bits != "int4" and target.device.type in ("cuda", "cpu")
        smaller = self.needs(work, Target(target.device, target.dtype, "int4")) if can_shrink else None
        return advice(stage, self.free_bytes(), self.needs(work), smaller, budget, str(target.device))

    def free_bytes(self) -> int | None:
        """Bytes on the device: free, or taken by these networks and by kept segments; None: not known."""
        device, store = self.target.device, self.store
        free = host_free_bytes() if device.type == "cpu" else device_free_bytes(device)
        if free is None:
            return None
        free += store.device_bytes + (store.host_bytes if device.type == "cpu" else 0)
        if self._compressor is not None:
            free += self._weights.compressor
        if self._decoder is not None:
            free += self._weights.decoder
        return free

    def ensure_loaded(self, work: Work, wanted: int | None) -> None:
        """Load what will be held while such `work` is done.

        Raises:
            OutOfMemoryError: one network alone is too large.
        """
        self.resident = self.plan(work, wanted).resident

        def fall_back() -> None:
            if not self.has_decoder or not self.offload():
                raise OutOfMemoryError("the model does not fit", self.advice("load", work, None))
            release_memory(self.target.device)

        with_fallbacks(self._load_all, fall_back)

    def keep_limits(self, plan: Plan, options: KeepOptions) -> KeepLimits:
        """What kept segments may take while the work of `plan` is done.

        On a CPU the device is the host, so prefixes count as kept on the host.
        """
        quarter = (host_total_bytes() or 0) // 4
        spare = int((plan.spare or 0) * self._kept_share)
        if self.target.device.type == "cpu":
            device, host = 0, min(quarter, spare)
        else:
            free = host_free_bytes() or 0
            device, host = spare, min(quarter, int((free + self.store.host_bytes) * USABLE))
        if options.device_bytes is not None:
            device = options.device_bytes
        if options.host_bytes is not None:
            host = options.host_bytes
        return KeepLimits(device, host, cast(Tier | Literal["none"], options.tier))

    def release_kept(self) -> bool:
        """Drop what the device keeps for later questions, and plan with less; False if there was nothing."""
        forgotten = self._decoder is not None and self._decoder.forget()
        released = self.store.release(host=self.target.device.type == "cpu")
        if released:
            self._kept_share /= 2
            limits = self.store.limits
            host = limits.host // 2 if self.target.device.type == "cpu" else limits.host
            self.store.set_limits(KeepLimits(0, host, limits.tier))
        return released or forgotten

    def expected_seconds(self, frames: int, window: int) -> float:
        """About how long compressing `frames` takes on this CPU."""
        tokens = frames * _TOKENS_PER_FRAME + frames / window * _TOKENS_PER_SEGMENT
        return self.compressor_parameters * tokens / cpu_speed()

    @cached_property
    def threads(self) -> int | None:
        """That torch computes with; None: as it is set."""
        return computing_threads(self.target.device.type, self.compressor_parameters, os.environ)

    @cached_property
    def compressor_parameters(self) -> int:
        """How many numbers the compressor's weights are."""
        return memory_estimate.compressor_parameters(self.checkpoint)

    def close(self) -> None:
        """Release both networks and everything that is kept."""
        self.store.release(host=True)
        self._drop(compressor=True, decoder=True)

    def compressor(self) -> Compressor:
        """The compressor, loaded; without the decoder where not both are resident."""
        if not self.resident:
            self._drop(decoder=True)
        if self._compressor is None:
            self._compressor = self._load(lambda: self.checkpoint.load_compressor(self.target))
        return self._compressor

    def decoder(self) -> Decoder:
        """The decoder, loaded; without the compressor where not both are resident."""
        if not self.resident:
            self._drop(compressor=True)
        if self._decoder is None:
            self._decoder = self._load(lambda: self.checkpoint.load_decoder(self.target))
        return self._decoder

    def offload(self) -> bool:
        """From now on hold one at a time; whoever is asked for next stays. False if it was so already."""
        before, self.resident = self.resident, False
        return before

    def _load_all(self) -> None:
        self.compressor()
        if self.has_decoder and self.resident:
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
        self.emit(Progress("load", 0, 1))
        loaded = load()
        self.emit(Progress("load", 1, 1))
        self.seconds += time.perf_counter() - started
        return loaded
