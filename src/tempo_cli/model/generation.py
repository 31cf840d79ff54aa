"""From logits to tokens: choosing them, and the loop that writes an answer.

On CUDA the host runs a few tokens behind the device, so that the device never waits for it: what was written
behind the end of an answer is dropped.
"""

from collections import deque
from collections.abc import Iterator
from math import isnan
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ..config import GenerationOptions
from ..errors import ModelError
from .step import Step

_LAG = 3  # on CUDA


class Token(NamedTuple):
    """A generated token and its log-probability under the model (temperature 1)."""

    id: int
    logprob: float


class SamplingRule(NamedTuple):
    """The checkpoint's own `generation_config.json`: used with a temperature above 0."""

    stop_ids: frozenset[int]
    top_k: int | None
    top_p: float | None


def write(logits: Tensor, step: Step, rule: SamplingRule, options: GenerationOptions) -> Iterator[Token]:
    """Yield tokens until one of `rule.stop_ids` (not yielded) or `options.max_new_tokens`.

    Args:
        logits: of the first token, (V,).
        step: takes each token and gives the logits of the next.

    Raises:
        ModelError: the logits are no numbers.
    """
    randomness = torch.Generator()
    if options.seed is None:
        randomness.seed()
    else:
        randomness.manual_seed(options.seed)
    arrivals = _Arrivals(logits.device)
    for count in range(options.max_new_tokens):
        draw = float(torch.rand((), generator=randomness)) if options.temperature else 0.0
        token, logprob = pick(logits, rule, options.temperature, draw)
        arrivals.send(token, logprob)
        if len(arrivals) > arrivals.lag:
            arrived = arrivals.receive()
            if arrived.id in rule.stop_ids:
                return
            yield arrived
        if count + 1 < options.max_new_tokens:
            step.token = token
            logits = step()
    while arrivals:
        arrived = arrivals.receive()
        if arrived.id in rule.stop_ids:
            return
        yield arrived


@torch.inference_mode()
def pick(logits: Tensor, rule: SamplingRule, temperature: float, draw: float) -> tuple[Tensor, Tensor]:
    """The next token and its log-probability, (1,) each; the latter is NaN if a logit is no number.

    Args:
        draw: as for `choose`.
    """
    token, total = choose(logits, rule, temperature, draw), logits.sum()
    return token, logits.gather(0, token) - logits.logsumexp(-1) + (total - total)


def choose(logits: Tensor, rule: SamplingRule, temperature: float, draw: float) -> Tensor:
    """The next token of logits (V,), as (1,): the likeliest at temperature 0, else after top-k and top-p.

    Args:
        draw: from 0 to below 1, where among the chances of all tokens in order the token is; the same on
            every device.
    """
    if temperature == 0:
        return logits.argmax().view(1)
    scaled = logits / temperature
    if rule.top_k:
        lowest = scaled.topk(min(rule.top_k, len(scaled))).values[-1]
        scaled = scaled.masked_fill(scaled < lowest, -torch.inf)
    if rule.top_p is not None and rule.top_p < 1:
        ordered, order = scaled.sort(descending=True, stable=True)
        chances = ordered.softmax(-1)
        beyond = chances.cumsum(-1) - chances >= rule.top_p  # the likeliest token always stays
        scaled = scaled.scatter(0, order, ordered.masked_fill(beyond, -torch.inf))
    chances = scaled.softmax(-1)
    summed, places = chances.cumsum(-1), torch.arange(len(chances), device=chances.device)
    # the first possible token behind the drawn place, or else the last possible one: sums are rounded, and on
    # some devices not even in order
    behind = summed > summed[-1] * draw
    rank = torch.where(behind, 2 * len(chances) - places, places).masked_fill(chances == 0, -1)
    return rank.argmax().view(1)


class _Arrivals:
    """Tokens on their way from the device to the host, in order.

    Attributes:
        lag: tokens that may be on their way while the next one is computed.
    """

    def __init__(self, device: torch.device) -> None:
        self.lag = _LAG if device.type == "cuda" else 0
        self._on_way: deque[_Slot] = deque()
        self._slots = [_Slot.pinned() for _ in range(self.lag + 1)] if self.lag else []
        self._sent = 0

    def __len__(self) -> int:
        return len(self._on_way)

    def send(self, token: Tensor, logprob: Tensor) -> None:
        """Start to copy a token, without waiting for it."""
        if self._slots:
            slot = self._slots[self._sent % len(self._slots)]
            slot.fill(token, logprob)
        else:
            slot = _Slot(token, logprob, None)
        self._on_way.append(slot)
        self._sent += 1

    def receive(self) -> Token:
        """The next token, once it is here.

        Raises:
            ModelError: its logits are no numbers.
        """
        token, logprob, event = self._on_way.popleft()
        if event is not None:
            event.synchronize()
        found = Token(int(token), float(logprob))
        if isnan(found.logprob):
            words = "the language model's output is not a number (NaN or infinity)"
            raise ModelError(words, "Try `dtype='float32'`.")
        return found


class _Slot(NamedTuple):
    """A token and its log-probability, (1,) each; on CUDA a copy in pinned memory, there once `event` is."""

    token: Tensor
    logprob: Tensor
    event: torch.cuda.Event | None

    @classmethod
    def pinned(cls) -> "_Slot":
        """For a CUDA device to copy to."""
        ids, logprobs = (torch.empty(1, dtype=kind, pin_memory=True) for kind in (torch.long, torch.float32))
        return cls(ids, logprobs, cast(Any, torch.cuda).Event())

    def fill(self, token: Tensor, logprob: Tensor) -> None:
        """Start to copy. The token's device need not be the current one."""
        self.token.copy_(token, non_blocking=True)
        self.logprob.copy_(logprob, non_blocking=True)
        if self.event is not None:
            self.event.record(torch.cuda.current_stream(token.device))
