"""The step that writes an answer: what it gives is what reading the whole text gives."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from tempo_cli.config import GenerationOptions
from tempo_cli.model import generation, llm, step
from tempo_cli.model.device import Target
from tempo_cli.model.generation import SamplingRule, Token
from tempo_cli.model.layers import without_cudnn_attention
from tempo_cli.model.llm import ANSWER_ROOM, Decoder
from tempo_cli.model.step import Step
from tempo_cli.plan import prompts

from .stepping import GrowingStep, chances, nano_checkpoint, new_step

CPU = torch.device("cpu")
ENDLESS = SamplingRule(frozenset(), None, None)
LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129]  # around powers of two


def noise(decoder: Decoder, length: int) -> torch.Tensor:
    width = decoder.llm.config.hidden_size
    values = torch.randn(length, width, generator=torch.Generator().manual_seed(length)) * 0.3
    return values.to(decoder.llm.model.norm.weight.dtype)


@torch.inference_mode()
def one_by_one(decoder: Decoder, embeds: torch.Tensor, count: int) -> Iterator[Token]:
    """Greedy tokens, the whole text being read again for each: no cache, no step."""
    for _ in range(count):
        logits, _ = decoder.prefill(embeds)
        chances = logits.log_softmax(-1)
        token = int(chances.argmax())
        yield Token(token, float(chances[token]))
        embeds = torch.cat([embeds, decoder.llm.model.embed_tokens(torch.tensor([token]))])


def written(decoder: Decoder, embeds: torch.Tensor, count: int, **options: float) -> list[Token]:
    return list(decoder.generate(embeds, ENDLESS, GenerationOptions(max_new_tokens=count, **options)))


def ids_of(tokens: list[Token]) -> list[int]:
    return [token.id for token in tokens]


@pytest.mark.parametrize("length", LENGTHS)
def test_ids_and_log_probabilities_are_those_of_whole_passes(tiny_model, length):
    embeds = noise(tiny_model.decoder, length)
    right, found = (list(one_by_one(tiny_model.decoder, embeds, 12)), written(tiny_model.decoder, embeds, 12))
    assert ids_of(found) == ids_of(right)
    apart = [abs(one.logprob - other.logprob) for one, other in zip(found, right, strict=True)]
    assert max(apart) <= 1e-5


@pytest.mark.parametrize("length", [3, 64, 129])
def test_a_step_that_grows_gives_the_same(tiny_model, length, monkeypatch):
    embeds = noise(tiny_model.decoder, length)
    fixed = written(tiny_model.decoder, embeds, 12)
    monkeypatch.setattr(llm, "Step", GrowingStep)
    growing = written(tiny_model.decoder, embeds, 12)
    assert ids_of(growing) == ids_of(fixed)
    assert max(abs(a.logprob - b.logprob) for a, b in zip(growing, fixed, strict=True)) <= 1e-5


def chances_of(decoder: Decoder, embeds: torch.Tensor, ids: list[int], kind: type) -> torch.Tensor:
    return chances(decoder, embeds, ids, new_step(decoder, len(embeds) + len(ids), kind))


def test_in_bfloat16_a_fixed_step_is_as_exact_as_one_that_grows(tiny_model):
    """Random weights magnify rounding: single log-probabilities of both are off by up to 0.2."""
    rough, errors = tiny_model.checkpoint.load_decoder(Target(CPU, torch.bfloat16)), []
    for length in LENGTHS:
        embeds = noise(tiny_model.decoder, length)
        ids = ids_of(written(tiny_model.decoder, embeds, 12))
        exact = chances_of(tiny_model.decoder, embeds, ids, Step)
        best = exact.argmax(-1, keepdim=True)
        off = [chances_of(rough, embeds, ids, kind) - exact for kind in (Step, GrowingStep)]
        errors.append([float(one.gather(1, best).abs().mean()) for one in off])
    fixed, growing = np.mean(errors, axis=0)
    assert fixed <= 1.1 * growing <= 0.04


def test_in_bfloat16_nano_writes_the_same_either_way():
    """Its largest logits are between 16 and 32, where rounding to bfloat16 errs by up to 0.0625."""
    rounding = 0.0625
    checkpoint = nano_checkpoint()
    exact, rough = (checkpoint.load_decoder(Target(CPU, kind)) for kind in (torch.float32, torch.bfloat16))
    for question in ("what color was the car?", "which way did the plane go?", "describe the scene"):
        before, after = prompts.decoder_prompt(checkpoint.decoder_tokenizer, question)
        embeds = exact._embed([*before, *after]).detach()
        ids = ids_of(written(exact, embeds, 12))
        truth = chances_of(exact, embeds, ids, Step)
        fixed, growing = (chances_of(rough, embeds, ids, kind) for kind in (Step, GrowingStep))
        best = truth.argmax(-1, keepdim=True)
        assert all((way - truth).gather(1, best).abs().max() <= rounding for way in (fixed, growing))
        two = growing.topk(2).values
        same = fixed.argmax(-1) == growing.argmax(-1)
        assert (same | (two[:, 0] - two[:, 1] <= rounding)).all()


@pytest.mark.parametrize("rule", [ENDLESS, SamplingRule(frozenset(), 20, 0.95)])
def test_a_seed_gives_the_same_text_on_every_path(tiny_model, rule, monkeypatch):
    embeds, options = noise(tiny_model.decoder, 20), GenerationOptions(24, temperature=3.0, seed=7)
    fixed = ids_of(list(tiny_model.decoder.generate(embeds, rule, options)))
    monkeypatch.setattr(llm, "Step", GrowingStep)
    assert ids_of(list(tiny_model.decoder.generate(embeds, rule, options))) == fixed
    assert len(set(fixed)) > 12  # it is not the likeliest token each time


def test_an_answer_longer_than_its_room_goes_on(tiny_model, monkeypatch):
    embeds, seen = noise(tiny_model.decoder, 5), []
    whole = Step.__call__

    def counted(self):
        seen.append(self.cache.capacity)
        return whole(self)

    monkeypatch.setattr(Step, "__call__", counted)
    count = ANSWER_ROOM + 12
    found = written(tiny_model.decoder, embeds, count)
    assert (seen[0], seen[-1]) == (5 + ANSWER_ROOM, 5 + 2 * ANSWER_ROOM)
    text = torch.cat([embeds, tiny_model.decoder.llm.model.embed_tokens(torch.tensor(ids_of(found)))])
    for place in (ANSWER_ROOM - 1, ANSWER_ROOM, ANSWER_ROOM + 1, count - 1):
        (right,) = one_by_one(tiny_model.decoder, text[: 5 + place], 1)
        assert found[place].id == right.id
        assert abs(found[place].logprob - right.logprob) <= 1e-5


def test_what_lies_in_unfilled_slots_does_not_matter(tiny_model):
    decoder, logits = tiny_model.decoder, []
    with torch.inference_mode():
        for rubbish in (0.0, 1e4):
            step = decoder._step(30)
            step.cache.values.fill_(rubbish)
            decoder.prefill(noise(decoder, 9), step.cache)
            step.token = torch.tensor([7])
            logits.append(torch.stack([step().clone() for _ in range(3)]))
    assert torch.equal(*logits)


def test_a_step_is_used_again_for_another_text(tiny_model):
    decoder, found = tiny_model.decoder, []
    with torch.inference_mode():
        step = decoder._step(40)
        for length in (9, 20, 9):
            decoder.prefill(noise(decoder, length), step.cache)
            step.token = torch.tensor([7])
            found.append(torch.stack([step().clone() for _ in range(3)]))
    assert torch.equal(found[0], found[2])
    assert not torch.allclose(found[0], found[1])


def test_two_answers_at_once_do_not_disturb_each_other(tiny_model):
    decoder = tiny_model.decoder
    alone = [ids_of(written(decoder, noise(decoder, length), 8)) for length in (9, 20)]
    both = [
        decoder.generate(noise(decoder, length), ENDLESS, GenerationOptions(max_new_tokens=8))
        for length in (9, 20)
    ]
    pairs = list(zip(*both, strict=True))
    assert [ids_of(tokens) for tokens in zip(*pairs, strict=True)] == alone


@pytest.fixture
def recorded(monkeypatch):
    """Steps count as recorded, and this much memory as free."""

    def free(size: int) -> None:
        monkeypatch.setattr(Step, "is_recorded", True)
        monkeypatch.setattr(llm, "device_free_bytes", lambda _: size)

    return free


def test_a_recorded_step_serves_the_next_answer(tiny_model, recorded, monkeypatch):
    recorded(10**12)
    made, whole = [], Step.__init__
    monkeypatch.setattr(Step, "__init__", lambda self, *a: made.append(1) or whole(self, *a))
    decoder = tiny_model.decoder
    alone = [ids_of(written(decoder, noise(decoder, length), 8)) for length in (20, 9, 20)]
    assert (alone[0], len(made)) == (alone[2], 1)
    written(decoder, noise(decoder, 21), 8)  # one token more than there is room for
    assert len(made) == 2
    assert decoder.forget()
    assert not decoder.forget()
    assert ids_of(written(decoder, noise(decoder, 9), 8)) == alone[1]
    assert len(made) == 3
    decoder.forget()


def test_a_step_that_takes_more_than_a_tenth_of_the_free_memory_is_not_kept(tiny_model, recorded):
    decoder = tiny_model.decoder
    size = decoder._step(9 + 3).cache.values.nbytes
    for free, kept in ((10 * size - 1, False), (10 * size, True)):
        recorded(free)
        written(decoder, noise(decoder, 9), 3)
        assert decoder.forget() is kept


def test_an_answer_that_is_left_early_keeps_its_step(tiny_model, recorded):
    recorded(10**12)
    tokens = tiny_model.decoder.generate(
        noise(tiny_model.decoder, 9), ENDLESS, GenerationOptions(max_new_tokens=9)
    )
    next(tokens)
    tokens.close()
    assert tiny_model.decoder.forget()


def test_what_a_kept_step_has_read_does_not_matter(tiny_model, recorded):
    recorded(10**12)
    decoder = tiny_model.decoder
    right = ids_of(written(decoder, noise(decoder, 9), 8))
    written(decoder, noise(decoder, 20), 8)
    assert decoder._kept is not None
    with torch.inference_mode():
        decoder._kept.cache.values.fill_(torch.nan)
    assert ids_of(written(decoder, noise(decoder, 9), 8)) == right
    decoder.forget()


def test_a_step_that_failed_is_not_kept(tiny_model, recorded, monkeypatch):
    recorded(10**12)

    def broken(_: Step) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Step, "_step", broken)
    with pytest.raises(torch.OutOfMemoryError):
        written(tiny_model.decoder, noise(tiny_model.decoder, 9), 3)
    assert not tiny_model.decoder.forget()


@pytest.mark.parametrize("length", [10, 1])
def test_after_a_failure_the_position_is_set_anew(tiny_model, length, monkeypatch):
    decoder, whole = tiny_model.decoder, Step._step
    with torch.inference_mode():
        made = decoder._step(30)

        def again() -> torch.Tensor:
            decoder.prefill(noise(decoder, length), made.cache)
            made.token = torch.tensor([7])
            return made().clone()

        right = again()
        decoder.prefill(noise(decoder, 9), made.cache)
        made()  # the position is now 10

        def fails_late(self: Step) -> torch.Tensor:
            whole(self)
            raise torch.OutOfMemoryError("CUDA out of memory")

        monkeypatch.setattr(Step, "_step", fails_late)
        with pytest.raises(torch.OutOfMemoryError):
            made()
        monkeypatch.setattr(Step, "_step", whole)
        assert torch.equal(again(), right)


def test_a_cache_that_has_grown_meanwhile_is_used(tiny_model):
    decoder = tiny_model.decoder
    with torch.inference_mode():
        made = decoder._step(12)
        made.token = torch.tensor([7])
        decoder.prefill(noise(decoder, 9), made.cache)
        right = made().clone()
        decoder.prefill(noise(decoder, 20), made.cache)  # more than there was room for
        decoder.prefill(noise(decoder, 9), made.cache)
        assert torch.allclose(made(), right, atol=1e-5)
        assert made.cache.length == 10


def test_a_step_runs_with_its_device_as_the_current_one(tiny_model, monkeypatch):
    current: list[torch.device] = []

    @contextmanager
    def made_current(device: torch.device) -> Iterator[None]:
        current.append(device)
        yield
        current.pop()

    def seen(self: Step) -> torch.Tensor:
        assert current == [CPU]
        return whole(self)

    whole = Step._step
    monkeypatch.setattr("tempo_cli.model.step.current", made_current)
    monkeypatch.setattr(Step, "_step", seen)
    assert len(written(tiny_model.decoder, noise(tiny_model.decoder, 9), 3)) == 3


def test_a_token_has_arrived_when_the_stream_of_its_own_device_has_copied_it(monkeypatch):
    marked = []

    class Event:
        def record(self, stream: str) -> None:
            marked.append(stream)

    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    slot = generation._Slot(torch.zeros(1, dtype=torch.long), torch.zeros(1), Event())
    slot.fill(torch.tensor([5]), torch.tensor([-1.5]))
    assert (int(slot.token), float(slot.logprob), marked) == (5, -1.5, ["stream of cpu"])


def test_on_a_cpu_nothing_is_kept_for_the_next_answer(tiny_model):
    written(tiny_model.decoder, noise(tiny_model.decoder, 9), 3)
    assert not tiny_model.decoder.forget()


def test_an_answer_reads_only_as_far_as_it_is_asked_to(tiny_model, monkeypatch):
    """Without a device that runs ahead, no step is taken whose token nobody sees."""
    calls, whole = [], Step.__call__
    monkeypatch.setattr(Step, "__call__", lambda self: calls.append(1) or whole(self))
    tokens = tiny_model.decoder.generate(
        noise(tiny_model.decoder, 9), ENDLESS, GenerationOptions(max_new_tokens=9)
    )
    assert len(list(itertools.islice(tokens, 4))) == 4
    assert len(calls) == 3


def test_where_flash_attention_wants_something_else_a_mask_is_used(monkeypatch):
    """As with a later torch; a CPU has no such operation either."""
    decoder = nano_checkpoint().load_decoder(Target(CPU, torch.float32))
    embeds = noise(decoder, 9)
    plain = ids_of(written(decoder, embeds, 8))
    monkeypatch.setattr(step, "is_recent_cuda", lambda _: True)
    monkeypatch.setattr(torch.backends.cuda, "is_flash_attention_available", lambda: True)
    assert type(decoder._step(20)._attention) is step._MaskedAttention
    assert ids_of(written(decoder, embeds, 8)) == plain


def test_cudnn_attention_is_off_until_the_last_thread_leaves():
    enabled = torch.backends.cuda.cudnn_sdp_enabled
    before, seen, others = enabled(), [], threading.Barrier(2)

    def inside() -> None:
        with without_cudnn_attention:
            others.wait()  # both are in
            seen.append(enabled())
        others.wait()  # both are out

    threads = [threading.Thread(target=inside) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (before, seen, enabled()) == (True, [False, False], True)
    with without_cudnn_attention:  # one thread alone
        assert not enabled()
    with pytest.raises(KeyError), without_cudnn_attention:
        raise KeyError
    assert enabled()
