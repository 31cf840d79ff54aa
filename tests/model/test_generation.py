"""The loop that writes an answer: a host that runs behind its device shows the same as one that does not."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from tempo_cli.config import GenerationOptions
from tempo_cli.errors import ModelError
from tempo_cli.model import generation
from tempo_cli.model.generation import SamplingRule, Token, write
from tempo_cli.model.transformer import KVCache

VOCABULARY = 11
OPTIONS = GenerationOptions(max_new_tokens=9)
pytestmark = pytest.mark.usefixtures("late")


class Script:
    """A step whose logits depend on the tokens so far; they are always in one tensor, as with a graph.

    Args:
        broken: the step, counted from 1, that gives NaN from there on; 0: none does.
    """

    is_recorded = False

    def __init__(self, broken: int = 0) -> None:
        self.cache = KVCache(torch.zeros(1, 2, 1, 1, 1, 1))
        self._token, self._logits = torch.zeros(1, dtype=torch.long), torch.zeros(VOCABULARY)
        self._sum, self.steps, self._broken = 0, 0, broken

    @property
    def token(self) -> torch.Tensor:
        return self._token

    @token.setter
    def token(self, value: torch.Tensor) -> None:
        self._token.copy_(value)

    def __call__(self) -> torch.Tensor:
        self.steps += 1
        self._sum = 3 * self._sum + int(self._token) + 1
        values = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(self._sum))
        if 0 < self._broken <= self.steps:
            values[4] = torch.nan
        return self._logits.copy_(values)


def first() -> torch.Tensor:
    return torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(99))


def written(stop: int | None, options: GenerationOptions, step: Script) -> Iterator[Token]:
    rule = SamplingRule(frozenset() if stop is None else {stop}, 5, 0.9)
    return write(first(), step, rule, options)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host is three tokens late, as with CUDA."""

    class Event:
        recorded = False

        def record(self, _: object) -> None:
            self.recorded = True

        def synchronize(self) -> None:
            assert self.recorded
            self.recorded = False

    class Late(generation._Arrivals):
        def __init__(self, device: torch.device) -> None:
            super().__init__(device)
            self.lag = 3
            self._slots = [
                generation._Slot(torch.zeros(1, dtype=torch.long), torch.zeros(1), Event()) for _ in range(4)
            ]

        def receive(self) -> Token:
            event = self._on_way[0].event
            try:
                return super().receive()
            finally:
                assert not event.recorded  # it was waited for

    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: None)
    monkeypatch.setattr(generation, "_Arrivals", Late)


@pytest.mark.parametrize("options", [OPTIONS, replace(OPTIONS, temperature=1.5, seed=7)])
def test_a_late_host_shows_the_same_tokens_up_to_the_stop(options):
    for most in range(1, 10):
        for stop in (None, *range(VOCABULARY)):
            short = replace(options, max_new_tokens=most)
            found = list(written(stop, short, Script()))
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(generation, "_Arrivals", generation._Arrivals.__base__)
                right = list(written(stop, short, Script()))
            assert found == right
            assert stop not in [token.id for token in found]


@pytest.mark.parametrize("broken", range(1, 9))
def test_a_late_host_shows_what_came_before_nan_and_nothing_behind_it(broken):
    whole = list(written(None, OPTIONS, Script()))
    tokens, found = written(None, OPTIONS, Script(broken)), []
    with pytest.raises(ModelError, match="NaN or infinity"):
        found.extend(tokens)
    assert found == whole[:broken]


def test_nan_behind_the_stop_does_not_matter():
    stop = next(iter(written(None, OPTIONS, Script()))).id
    assert list(written(stop, OPTIONS, Script(broken=1))) == []


def test_the_device_is_three_tokens_ahead_and_never_computes_beyond_the_last():
    step = Script()
    tokens, ahead = written(None, OPTIONS, step), []
    for number, _ in enumerate(tokens):
        ahead.append(step.steps - number)
    assert ahead == [3, 3, 3, 3, 3, 3, 2, 1, 0]
