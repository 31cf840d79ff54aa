"""The loop that writes an answer while the device is ahead of the host, and one seed on every path."""

from collections.abc import Iterator

import pytest
import torch

from tempo_cli.config import GenerationOptions
from tempo_cli.errors import ModelError
from tempo_cli.model import generation
from tempo_cli.model.generation import SamplingRule, Token
from tempo_cli.model.llm import Decoder
from tempo_cli.model.step import StaticStep
from tempo_cli.model.transformer import Transformer

ENDLESS = SamplingRule(frozenset(), None, None)


def tokens(decoder: Decoder, rule: SamplingRule = ENDLESS, **options: float) -> Iterator[Token]:
    width = decoder.llm.config.hidden_size
    embeds = torch.randn(9, width, generator=torch.Generator().manual_seed(9)) * 0.3
    return decoder.generate(embeds, rule, GenerationOptions(**options))


def written(decoder: Decoder, rule: SamplingRule = ENDLESS, **options: float) -> list[int]:
    return [token.id for token in tokens(decoder, rule, **options)]


@pytest.fixture
def steps(monkeypatch):
    """One entry for each step that is taken."""
    calls, whole = [], StaticStep.__call__
    monkeypatch.setattr(StaticStep, "__call__", lambda self: calls.append(1) or whole(self))
    return calls


@pytest.fixture(params=[0, 1, 3])
def lag(request, monkeypatch):
    """How far the device is ahead."""
    monkeypatch.setattr(generation, "_lag", lambda _: request.param)
    return request.param


@pytest.mark.parametrize("place", [0, 1, 2, 3, 7])
def test_what_is_written_behind_the_stop_is_dropped(tiny_model, lag, steps, place):
    ids = written(tiny_model.decoder, max_new_tokens=16)
    first, rule = ids.index(ids[place]), SamplingRule(frozenset({ids[place]}), None, None)
    steps.clear()
    assert written(tiny_model.decoder, rule, max_new_tokens=16) == ids[:first]
    assert len(steps) == min(first + lag, 15)


@pytest.mark.usefixtures("lag")
@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 9])
def test_no_more_steps_than_tokens_need(tiny_model, steps, most):
    free = written(tiny_model.decoder, max_new_tokens=16)
    steps.clear()
    assert written(tiny_model.decoder, max_new_tokens=most) == free[:most]
    assert len(steps) == most - 1


@pytest.mark.usefixtures("lag")
def test_a_stop_among_the_last_tokens_is_seen(tiny_model):
    ids = written(tiny_model.decoder, max_new_tokens=16)
    for place in range(8, 16):
        first = ids.index(ids[place])
        rule = SamplingRule(frozenset({ids[place]}), None, None)
        assert written(tiny_model.decoder, rule, max_new_tokens=place + 1) == ids[:first]


@pytest.mark.usefixtures("lag")
@pytest.mark.parametrize("bad", [1, 2, 5, 6])
def test_no_token_behind_one_that_is_no_number_is_shown(tiny_model, monkeypatch, bad):
    free, calls, whole = written(tiny_model.decoder, max_new_tokens=7), [], StaticStep.__call__

    def failing(self):
        calls.append(1)
        logits = whole(self).clone()
        if len(calls) == bad:
            logits[3] = torch.nan
        return logits

    monkeypatch.setattr(StaticStep, "__call__", failing)
    seen: list[int] = []
    with pytest.raises(ModelError, match="gives no numbers"):
        seen.extend(token.id for token in tokens(tiny_model.decoder, max_new_tokens=7))
    assert seen == free[:bad]


@pytest.mark.parametrize("rule", [ENDLESS, SamplingRule(frozenset(), 20, 0.95)])
def test_a_seed_gives_the_same_text_on_every_path(tiny_model, rule, monkeypatch):
    options = {"max_new_tokens": 24, "temperature": 3.0, "seed": 7}
    fixed = written(tiny_model.decoder, rule, **options)
    monkeypatch.setattr(generation, "_lag", lambda _: 3)
    assert written(tiny_model.decoder, rule, **options) == fixed
    monkeypatch.setattr(Transformer, "is_plain", False)
    assert written(tiny_model.decoder, rule, **options) == fixed
    assert len(set(fixed)) > 12  # it is not the likeliest token each time
