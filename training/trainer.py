"""The loop around a stage: batches by number, Muon, checkpoints, and one process per core."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from . import corpus
from .network import Nano
from .optimizer import Muon
from .stages import Stage
from .stories import Shelf
from .variety import later

TRAINED_ON, HELD_OUT = (0.0, 0.97), (0.97, 1.0)  # parts of the corpus' videos
_EVERY = (0, 1_000_000)
_LATER = (2, 4, 6)  # frames by which further windows start later
_WARMUP, _DECAY = 60, 0.45  # steps; last part of a stage
_LOG_EVERY, _SAVE_EVERY, _CHECK_EVERY, _CHECKS = 20, 100, 200, 6


def load_shelves(
    folder: Path,
    part: tuple[float, float],
    videos: int,
    foreign: Path | None = None,
    dictionary: tuple[str, ...] = (),
    more: Sequence[Path] = (),
    vary: bool = False,
) -> list[Shelf]:
    """Part of the corpus: shelves per frame size, each with that part of the foreign clips of its size.

    Args:
        more: folders with further videos; all of them are part of it.
        vary: add the windows that start between the sampler's, and show all frames a little otherwise.
    """
    bounds = round(part[0] * videos), round(part[1] * videos)
    beside = {own.frames.shape[2:4]: own for own in corpus.load(foreign)} if foreign else {}
    filmed = [(segments, bounds) for segments in corpus.load(folder)]
    filmed += [(segments, _EVERY) for home in more for segments in corpus.load(home)]
    shelves = []
    for segments, within in filmed:
        clips = _part(beside.get(segments.frames.shape[2:4]), part)
        windows = [segments, *(later(segments, late) for late in (_LATER if vary else ()))]
        shelves += [Shelf(own, within, clips, dictionary, vary) for own in windows]
    return [shelf for shelf in shelves if len(shelf)]


def _part(segments: corpus.Segments | None, part: tuple[float, float]) -> corpus.Segments | None:
    """A part of the clips."""
    if segments is None:
        return None
    numbers = np.unique(segments.place[:, 0])
    first, last = (round(edge * len(numbers)) for edge in part)
    rows = np.flatnonzero(np.isin(segments.place[:, 0], numbers[first:last]))
    return corpus.Segments(*(array[rows[0] : rows[-1] + 1] for array in segments)) if len(rows) else None


class Trainer:
    """Runs stages on a model, in step with the other processes of the same run.

    Args:
        folder: keeps `<stage>.pt` (the state after a stage), `<stage>.part.pt` (on the way) and `log.jsonl`.
        seed: of the batches.
    """

    def __init__(self, model: Nano, folder: Path, seed: int, train: list[Shelf], check: list[Shelf]) -> None:
        self.model, self.folder, self.seed = model, folder, seed
        self.train, self.check = train, check
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.world = dist.get_world_size() if dist.is_initialized() else 1

    def run(self, stage: Stage, number: int, halt: int | None = None) -> None:
        """Train a stage to its end, going on where an earlier run stopped.

        Args:
            number: of the stage, so that no two stages draw the same batches.
            halt: stop after so many steps, to go on later.
        """
        partial = self.folder / f"{stage.name}.part.pt"
        modules = list(stage.learns(self.model))
        for extra in self._extra(modules):
            extra.to(self.model.device)
        weights = _parameters(modules)
        optimizers = _optimizers(weights, stage.rate, self.model)
        first = self._resume(partial, optimizers, modules)
        started, seen = time.perf_counter(), first
        mean: dict[str, list[float]] = {}
        end = stage.steps if halt is None else min(halt, stage.steps)
        for step in range(first, end):
            scale = _schedule(step, stage.steps)
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = group["base"] * scale
                optimizer.zero_grad(set_to_none=True)
            random = np.random.default_rng((self.seed, number, step, self.rank))
            loss, scores = stage.loss(self.model, self.train, random)
            loss.backward()
            self._average(weights)
            nn.utils.clip_grad_norm_(weights, 1.0)
            for optimizer in optimizers:
                optimizer.step()
            for name, value in (scores | {"loss": float(loss.detach())}).items():
                mean.setdefault(name, []).append(value)
            if (step + 1) % _LOG_EVERY == 0 or step + 1 == end:
                speed = (time.perf_counter() - started) / (step + 1 - seen)
                self._log(stage.name, step + 1, mean, speed)
                mean = {}
            if (step + 1) % _CHECK_EVERY == 0 or step + 1 == end:
                self._check(stage, step + 1)
            if (step + 1) % _SAVE_EVERY == 0 and self.rank == 0:
                _save(partial, self._state(modules, optimizers, step + 1))
        if self.rank == 0 and end < stage.steps:
            _save(partial, self._state(modules, optimizers, end))
        elif self.rank == 0:
            _save(self.folder / f"{stage.name}.pt", self.model.state_dict())
            partial.unlink(missing_ok=True)
        if self.world > 1:
            dist.barrier()

    def done(self, stage: str) -> bool:
        """Load what the stage ended with, if it has ended."""
        path = self.folder / f"{stage}.pt"
        if path.exists():
            self.model.load_state_dict(load(path))
        return path.exists()

    def _resume(self, path: Path, optimizers: Sequence[torch.optim.Optimizer], modules: list) -> int:
        if not path.exists():
            return 0
        state = load(path)
        self.model.load_state_dict(state["model"])
        for extra, own in zip(self._extra(modules), state["extra"], strict=True):
            extra.load_state_dict(own)
        for optimizer, own in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(own)
        return int(state["step"])

    def _state(self, modules: list, optimizers: Sequence[torch.optim.Optimizer], step: int) -> dict:
        return {
            "step": step,
            "model": self.model.state_dict(),
            "extra": [module.state_dict() for module in self._extra(modules)],
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        }

    def _extra(self, modules: list) -> list[nn.Module]:
        """What a stage trains that is no part of the model: the heads of the vision stage."""
        own = set(self.model.modules())
        return [module for module in modules if isinstance(module, nn.Module) and module not in own]

    def _average(self, weights: Sequence[nn.Parameter]) -> None:
        if self.world == 1:
            return
        for weight in weights:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        flat = torch.cat([weight.grad.flatten() for weight in weights if weight.grad is not None])
        dist.all_reduce(flat)
        flat /= self.world
        at = 0
        for weight in weights:
            weight.grad = flat[at : at + weight.numel()].view_as(weight)
            at += weight.numel()

    def _check(self, stage: Stage, step: int) -> None:
        """Scores on videos that are never trained on."""
        if self.rank:
            return
        found: dict[str, list[float]] = {}
        with torch.no_grad():
            for number in range(_CHECKS):
                loss, scores = stage.loss(self.model, self.check, np.random.default_rng((99, number)))
                for name, value in (scores | {"loss": float(loss)}).items():
                    found.setdefault(name, []).append(value)
        self._log(f"{stage.name} held out", step, found, None)

    def _log(self, stage: str, step: int, values: dict[str, list[float]], speed: float | None) -> None:
        if self.rank:
            return
        line: dict[str, object] = {"stage": stage, "step": step}
        line |= {
            name: round(float(np.nanmean(own)), 4) for name, own in values.items() if not np.isnan(own).all()
        }
        if speed is not None:
            line["seconds_per_step"] = round(speed, 3)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def load(path: Path) -> Any:
    """What a run saved, wherever it ran, in the machine's own memory."""
    return torch.load(path, map_location="cpu", weights_only=True)


def _schedule(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / _WARMUP)
    left = (steps - step) / (steps * _DECAY)
    return warm * min(1.0, left)


def _parameters(modules: Sequence[nn.Module | nn.Parameter]) -> list[nn.Parameter]:
    unique: dict[int, nn.Parameter] = {}
    for module in modules:
        for weight in [module] if isinstance(module, nn.Parameter) else list(module.parameters()):
            unique[id(weight)] = weight
    return list(unique.values())


def _optimizers(weights: Sequence[nn.Parameter], rate: float, model: Nano) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between hidden layers, AdamW for the rest."""
    tables = {
        id(model.compressor.vlm.language_model.embed_tokens.weight),
        id(model.decoder.llm.model.embed_tokens.weight),
        id(model.compressor.vlm.visual.pos_embed.weight),
    }
    hidden = [weight for weight in weights if weight.ndim == 2 and id(weight) not in tables]
    chosen = {id(weight) for weight in hidden}
    rest = [weight for weight in weights if id(weight) not in chosen]
    muon = Muon(hidden, rate)
    adam = torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
    optimizers: list[torch.optim.Optimizer] = [muon, adam]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["base"] = rate
    return optimizers


def _save(path: Path, state: object) -> None:
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)
