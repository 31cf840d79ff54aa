"""Both networks on their devices: resident, or one after the other where memory on a device is short."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeVar, cast

import torch

from ..config import KeepOptions
from ..errors import OutOfMemoryError
from ..events import Listener, Progress
from ..model import memory_estimate
from ..model.checkpoint import Checkpoint
from ..model.compressor import Compressor
from ..model.device import Bits, Target, Targets, device_free_bytes, release_memory
from ..model.llm import Decoder
from ..plan.keep import KeepLimits, Tier
from ..plan.memory import USABLE, Needs, Plan, Stage, Work, micro_batch
from ..plan.places import Network, Places
from ..system_memory import host_free_bytes, host_total_bytes
from .effort import Effort
from .fallbacks import with_fallbacks
from .store import PrefixStore

Result = TypeVar("Result")


class Networks:
    """Loads each network when it is first asked for.

    Attributes:
        target, decoder_target: of the compressor and of the decoder.
        apart: whether they are on different devices: then both are always held.
        resident: whether both may be held; False drops the one before the other is loaded.
        store: what is kept of segments beside them.
        effort: what computing on a CPU takes.
        seconds: spent on loading so far.
        emit: called with progress of loading.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        target: Target,
        *,
        decoder: bool,
        emit: Listener,
        decoder_target: Target | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self._targets = Targets(target, decoder_target or target)
        self.target, self.decoder_target = self._targets
        self.has_decoder = decoder
        self.apart = decoder and self.decoder_target.device != target.device
        self.resident = True
        self.seconds = 0.0
        self.emit = emit
        self.store = PrefixStore(target.device)
        self._kept_share = 1.0  # of the planned limits; halved each time memory runs out beside kept segments
        self.effort = Effort(checkpoint, self._targets if decoder else Targets(target, target))
        self._weights = memory_estimate.weights(checkpoint, self._targets)
        self._compressor: Compressor | None = None
        self._decoder: Decoder | None = None

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """That the networks run on."""
        return (self.target.device, self.decoder_target.device) if self.apart else (self.target.device,)

    def plan(self, work: Work, wanted: int | None) -> Plan:
        """How to do `work`, by what is free now and what the networks here would give back.

        Args:
            wanted: segments at once, at most; None: as many as pay here.

        Raises:
            OutOfMemoryError: one network alone is too large for what is free.
        """
        needs, places = self.needs(work), self._places()
        if found := places.too_large(needs):
            network, message = found
            raise OutOfMemoryError(message, self._advice(network, "load", work, None))
        return places.plan(needs, wanted or micro_batch(self.target.device.type))

    def needs(self, work: Work, bits: Bits | None = None) -> Needs:
        """Bytes that `work` takes, as the weights are kept or in so many bits."""
        weights = self._weights
        if bits is not None:
            fewer = Targets(*(replace(target, bits=bits) for target in self._targets))
            weights = memory_estimate.weights(self.checkpoint, fewer)
        return memory_estimate.needs(self.checkpoint, self._targets, weights, work, self.has_decoder)

    def advice(self, stage: Stage, work: Work, budget: int | None) -> str:
        """Advice for a user who has too little memory."""
        return self._advice(_network_of(stage, self._compressor is None), stage, work, budget)

    def free_bytes(self, network: Network = "compressor") -> int | None:
        """Bytes on a network's device: free, or taken by what is loaded and kept here; None: not known."""
        device, store = self._target(network).device, self.store
        free = host_free_bytes() if device.type == "cpu" else device_free_bytes(device)
        if free is None:
            return None
        free += store.device_bytes if device == self.target.device else 0
        free += store.host_bytes if device.type == "cpu" else 0
        if self._compressor is not None and device == self.target.device:
            free += self._weights.compressor
        if self._decoder is not None and device == self.decoder_target.device:
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
                network = _network_of("load", self._compressor is None)
                what = f"the {network} does not fit on {self._target(network).device}"
                message = what if self.apart else "the model does not fit"
                raise OutOfMemoryError(message, self.advice("load", work, None))
            release_memory(self.target.device)

        with_fallbacks(self._load_all, fall_back)

    def keep_limits(self, plan: Plan, options: KeepOptions) -> KeepLimits:
        """What kept segments may take while the work of `plan` is done.

        On a CPU the device is the host, so prefixes count as kept on the host. They belong to the
        compressor's device; where only the decoder is on the CPU, the host keeps what is left beside it.
        """
        quarter = (host_total_bytes() or 0) // 4
        spare = int((plan.spare or 0) * self._kept_share)
        if self.target.device.type == "cpu":
            device, host = 0, min(quarter, spare)
        elif self.apart and self.decoder_target.device.type == "cpu":
            device, host = spare, min(quarter, int((plan.beside or 0) * self._kept_share))
        else:
            free = host_free_bytes() or 0
            device, host = spare, min(quarter, int((free + self.store.host_bytes) * USABLE))
        device = device if options.device_bytes is None else options.device_bytes
        host = host if options.host_bytes is None else options.host_bytes
        return KeepLimits(device, host, cast(Tier | Literal["none"], options.tier))

    def release_kept(self, stage: Stage = "compress") -> bool:
        """Drop what is kept for later questions where `stage` needs memory, and plan with less of it.

        False if there was nothing.
        """
        device = self._target(_network_of(stage, self._compressor is None)).device
        here, host = device == self.target.device, device.type == "cpu"
        decoder = self._decoder if device == self.decoder_target.device else None
        forgotten = decoder is not None and decoder.forget()
        released = self.store.release(device=here, host=host)
        if released:
            self._kept_share /= 2
            limits = self.store.limits
            left = 0 if here else limits.device
            self.store.set_limits(KeepLimits(left, limits.host // (1 + host), limits.tier))
        return released or forgotten

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
            self._decoder = self._load(lambda: self.checkpoint.load_decoder(self.decoder_target))
        return self._decoder

    def offload(self) -> bool:
        """From now on hold one at a time; whoever is asked for next stays.

        False if it was so already, or where this would free nothing: each has a device of its own.
        """
        before = self.resident and not self.apart
        self.resident = self.apart
        return before

    def _target(self, network: Network) -> Target:
        return self._targets.compressor if network == "compressor" else self._targets.decoder

    def _places(self) -> Places:
        here = str(self.target.device)
        there = str(self.decoder_target.device) if self.apart else here
        return Places(here, there, self.free_bytes(), self.free_bytes("decoder") if self.apart else None)

    def _advice(self, network: Network, stage: Stage, work: Work, budget: int | None) -> str:
        able = all(device.type in ("cuda", "cpu") for device in self.devices)
        smaller = self.needs(work, "int4") if able and self.target.bits != "int4" else None
        return self._places().advice(network, stage, self.needs(work), smaller, budget)

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
            release_memory(self.decoder_target.device)

    def _load(self, load: Callable[[], Result]) -> Result:
        started = time.perf_counter()
        self.emit(Progress("load", 0, 1))
        loaded = load()
        self.emit(Progress("load", 1, 1))
        self.seconds += time.perf_counter() - started
        return loaded


def _network_of(stage: Stage, nothing_loaded: bool) -> Network:
    """The one that does it; of loading the one that is loaded next."""
    if stage == "load":
        return "compressor" if nothing_loaded else "decoder"
    return "compressor" if stage == "compress" else "decoder"
