"""The decoder: it generates what one pass over the same text scores; how tokens are chosen and shown."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tempo_cli.config import GenerationOptions
from tempo_cli.errors import ModelError
from tempo_cli.model.generation import SamplingRule, Token, choose
from tempo_cli.model.llm import Decoder
from tempo_cli.model.tokenizer import TextStream, TextTokenizer
from tempo_cli.plan import prompts
from tempo_cli.types import Allocation, MemoryTokens

from ..conftest import GOLDEN, TinyModel
from .qwen import qwen3

ENDLESS = SamplingRule(frozenset(), top_k=None, top_p=None)
TOKENIZER = TextTokenizer((GOLDEN / "checkpoints/a/Tempo-tiny/tokenizer.json").read_text(encoding="utf-8"))


def prompt(model: TinyModel) -> torch.Tensor:
    """A decoder input with text and four segments of made-up memory tokens."""
    tokenizer, dimensions = model.checkpoint.decoder_tokenizer, model.checkpoint.dimensions
    randomness = torch.Generator().manual_seed(1)
    tokens = torch.randn(4, dimensions.memory_tokens, dimensions.compressor_width, generator=randomness)
    memory = MemoryTokens(tokens, np.zeros(4, np.float32))
    tags = [tokenizer.encode(prompts.time_tag(2.0 + 4 * index)) for index in range(4)]
    before, after = prompts.decoder_prompt(tokenizer, "what moves?")
    allocation = Allocation(np.array([5, 0, 20, 1]), 26, "linear")
    return model.decoder.splice(before, tags, memory, allocation, after)


@torch.inference_mode()
def rescore(decoder: Decoder, embeds: torch.Tensor, ids: list[int]) -> torch.Tensor:
    """Log-probability of each of `ids` after `embeds`, in one pass without a cache, (T,)."""
    answer = decoder.llm.model.embed_tokens(torch.tensor(ids))
    logits = qwen3(decoder)(inputs_embeds=torch.cat([embeds, answer])[None], use_cache=False).logits[0]
    chances = logits[len(embeds) - 1 : -1].float().log_softmax(-1)
    return chances.gather(1, torch.tensor(ids)[:, None])[:, 0]


def generate(model: TinyModel, rule: SamplingRule = ENDLESS, **options: float) -> list[Token]:
    return list(model.decoder.generate(prompt(model), rule, GenerationOptions(**options)))


def ids_of(tokens: list[Token]) -> list[int]:
    return [token.id for token in tokens]


@pytest.mark.parametrize("options", [{}, {"temperature": 0.7, "seed": 3}, {"temperature": 3.0, "seed": 4}])
@pytest.mark.parametrize("rule", [ENDLESS, SamplingRule(frozenset(), 20, 0.95)])
def test_generated_text_scores_the_same_in_one_pass(tiny_model, options, rule):
    tokens = generate(tiny_model, rule, max_new_tokens=40, **options)
    assert len(tokens) == 40
    scores = rescore(tiny_model.decoder, prompt(tiny_model), ids_of(tokens))
    assert (scores - torch.tensor([token.logprob for token in tokens])).abs().max() <= 1e-4


def test_greedy_takes_the_likeliest_token_each_time(tiny_model):
    ids, embeds, their = [], prompt(tiny_model), qwen3(tiny_model.decoder)
    for _ in range(5):
        with torch.inference_mode():
            ids.append(int(their(inputs_embeds=embeds[None]).logits[0, -1].argmax()))
            embeds = torch.cat([embeds, tiny_model.decoder.llm.model.embed_tokens(torch.tensor(ids[-1:]))])
    assert ids_of(generate(tiny_model, max_new_tokens=5)) == ids


def test_a_seed_repeats_and_another_differs(tiny_model):
    options = {"max_new_tokens": 24, "temperature": 5.0}
    draws = [ids_of(generate(tiny_model, seed=seed, **options)) for seed in (1, 1, 2, None)]
    assert draws[0] == draws[1]
    assert len({tuple(ids) for ids in draws}) == 3  # at this temperature chance can't repeat itself


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_no_numbers_are_an_error(tiny_model, value, temperature, monkeypatch):
    prefill = Decoder.prefill

    def failing(self, *arguments):
        logits, cache = prefill(self, *arguments)
        broken = logits.clone()  # an inference tensor can't be changed in place
        broken[..., 3] = value
        return broken, cache

    monkeypatch.setattr(Decoder, "prefill", failing)
    with pytest.raises(
        ModelError, match=r"^the language model's output is not a number \(NaN or infinity\)$"
    ):
        generate(tiny_model, max_new_tokens=1, temperature=temperature)


def test_sampling_leaves_the_global_seed_alone(tiny_model):
    state = torch.random.get_rng_state()
    generate(tiny_model, max_new_tokens=4, temperature=1.0)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("place", [0, 1, 7])
def test_a_stop_token_ends_the_answer_and_is_not_yielded(tiny_model, place):
    free = ids_of(generate(tiny_model, max_new_tokens=16))
    stop = free[place]
    stopped = generate(tiny_model, SamplingRule(frozenset({stop}), None, None), max_new_tokens=16)
    assert ids_of(stopped) == free[: free.index(stop)]


@pytest.mark.parametrize("most", [1, 2, 9])
def test_no_more_tokens_than_asked_for(tiny_model, most):
    free = ids_of(generate(tiny_model, max_new_tokens=16))
    assert ids_of(generate(tiny_model, max_new_tokens=most)) == free[:most]


def test_the_checkpoints_rule_stops_at_the_end_of_a_turn_or_text(tiny_model):
    special = tiny_model.checkpoint.decoder_tokenizer.special_id
    assert tiny_model.checkpoint.rule == SamplingRule(
        frozenset({special("<|im_end|>"), special("<|endoftext|>")}), top_k=20, top_p=0.95
    )


def test_splicing_keeps_the_first_tokens_and_drops_the_tags_of_empty_segments(tiny_models):
    decoder = tiny_models["a"].decoder
    memory = MemoryTokens(torch.arange(3 * 4 * 64.0).reshape(3, 4, 64) / 1000, np.zeros(3, np.float32))
    allocation = Allocation(np.array([2, 0, 4]), 6, "linear")
    embeds = decoder.splice([1, 2], [[3], [4], [5]], memory, allocation, [6])
    words = decoder.llm.model.embed_tokens(torch.tensor([1, 2, 3, 5, 6]))
    assert embeds.shape == (11, 80)
    assert torch.equal(embeds[[0, 1, 2, 5, 10]], words)
    kept = torch.cat([memory.tokens[0, :2], memory.tokens[2]])
    assert (embeds[[3, 4, 6, 7, 8, 9]] - decoder.projector(kept)).abs().max() <= 1e-5


def test_splicing_refuses_what_does_not_fit_together(tiny_models):
    memory = MemoryTokens(torch.zeros(2, 4, 64), np.zeros(2, np.float32))
    decoder = tiny_models["a"].decoder
    with pytest.raises(ValueError, match="zip"):
        decoder.splice([1], [[3]], memory, Allocation(np.array([1, 1]), 2, "linear"), [6])
    with pytest.raises(ValueError, match="spliced 6 embeddings where 7 were due"):  # M is 4, 5 were allocated
        decoder.splice([1], [[], [3]], memory, Allocation(np.array([0, 5]), 5, "linear"), [])


LOGITS = torch.tensor([0.15, 0.5, 0.05, 0.3]).log()


@pytest.mark.parametrize(
    ("top_k", "top_p", "temperature", "chances"),
    [
        (None, None, 1.0, [0.15, 0.5, 0.05, 0.3]),
        (0, 1.0, 1.0, [0.15, 0.5, 0.05, 0.3]),
        (9, None, 1.0, [0.15, 0.5, 0.05, 0.3]),  # more than there are
        (1, None, 1.0, [0, 1, 0, 0]),
        (2, None, 1.0, [0, 0.625, 0, 0.375]),
        (3, None, 1.0, [15 / 95, 50 / 95, 0, 30 / 95]),
        (None, 0.01, 1.0, [0, 1, 0, 0]),  # the likeliest always stays
        (None, 0.45, 1.0, [0, 1, 0, 0]),
        (None, 0.55, 1.0, [0, 0.625, 0, 0.375]),
        (None, 0.75, 1.0, [0, 0.625, 0, 0.375]),
        (None, 0.85, 1.0, [15 / 95, 50 / 95, 0, 30 / 95]),
        (2, 0.6, 1.0, [0, 1, 0, 0]),  # after top-k the likeliest has 0.625
        (None, 0.75, 0.5, [0, 25 / 34, 0, 9 / 34]),  # squared, the likeliest has 0.25 / 0.365: 0.685
        (None, 0.65, 0.5, [0, 1, 0, 0]),
    ],
)
def test_chances_are_those_worked_out_by_hand(top_k, top_p, temperature, chances):
    rule = SamplingRule(frozenset(), top_k, top_p)
    draws = (np.arange(2000) + 0.5) / 2000
    drawn = [int(choose(LOGITS, rule, temperature, float(draw))) for draw in draws]
    assert drawn == sorted(drawn)  # the tokens lie side by side, in order
    shares = np.bincount(drawn, minlength=4) / 2000
    assert np.abs(shares - chances).max() <= 1 / 2000


def test_equally_likely_tokens_at_the_edge_of_top_k_all_stay():
    logits = torch.tensor([0.0, 1.0, 0.0, -1.0])
    rule = SamplingRule(frozenset(), top_k=2, top_p=None)
    assert {int(choose(logits, rule, 1.0, draw / 100)) for draw in range(100)} == {0, 1, 2}


@pytest.mark.parametrize(("draw", "token"), [(0.0, 1), (0.9999999, 3), (1 - 2**-53, 3)])
def test_the_ends_of_what_is_drawn_are_tokens_that_are_possible(draw, token):
    logits = torch.tensor([-1000.0, 0.0, -1000.0, 0.0, -1000.0])
    assert int(choose(logits, SamplingRule(frozenset(), None, None), 1.0, draw)) == token


def test_sums_that_are_rounded_out_of_order_lead_to_no_impossible_token(monkeypatch):
    """CUDA adds up blocks at a time: between two of them a sum may move by a rounding error."""
    logits = torch.tensor([0.0, 0.0, -torch.inf, 0.0, -torch.inf])
    monkeypatch.setattr(torch.Tensor, "cumsum", lambda *_: torch.tensor([0.25, 0.5, 0.625, 1.0, 0.75]))
    rule = SamplingRule(frozenset(), None, None)
    drawn = [int(choose(logits, rule, 1.0, draw)) for draw in (0.1, 0.6, 0.7, 0.8, 0.999)]
    assert drawn == [0, 1, 3, 3, 3]


def test_logits_that_are_no_numbers_give_a_token_all_the_same():
    """Its log-probability says so later, without waiting for the device here."""
    rule = SamplingRule(frozenset(), 2, 0.9)
    for wrong in (torch.nan, torch.inf):
        assert 0 <= int(choose(torch.tensor([wrong, 0.0, wrong]), rule, 1.0, 0.5)) < 3


def test_temperature_zero_is_the_likeliest():
    assert int(choose(LOGITS, SamplingRule(frozenset(), 1, 0.1), 0.0, 0.99)) == 1


@given(st.lists(st.integers(0, TOKENIZER.vocabulary - 1), max_size=60))
def test_pieces_in_a_row_are_the_stripped_text(ids):
    stream = TextStream(TOKENIZER)
    pieces = []
    for count, token in enumerate(ids, 1):
        pieces.append(stream.push(token))
        # what stands at the end may be half a character: it waits
        assert TOKENIZER.decode(ids[:count]).strip().rstrip("\ufffd").startswith(stream.text)
    pieces.append(stream.finish())
    assert "".join(pieces) == stream.text == TOKENIZER.decode(ids).strip()


@given(st.text(st.sampled_from("aé鳥🎬 \n\t\u3000"), max_size=30))
def test_no_piece_holds_half_a_character(text):
    stream = TextStream(TOKENIZER)
    pieces = [stream.push(token) for token in TOKENIZER.encode(text)]
    assert "\ufffd" not in "".join(pieces)
    assert "".join([*pieces, stream.finish()]) == text.strip()


def test_text_comes_as_soon_as_it_is_certain():
    stream = TextStream(TOKENIZER)
    ids = [*TOKENIZER.encode(" é"), *TOKENIZER.encode(" !")]
    assert [stream.push(token) for token in ids][-1] == " !"
    assert stream.finish() == ""
