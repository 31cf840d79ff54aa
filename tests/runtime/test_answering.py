"""Writing an answer: how many tokens, when it stops, and that the pieces are the text."""

from types import SimpleNamespace

import pytest
import torch

from tempo_cli.config import GenerationOptions
from tempo_cli.errors import CancelledError
from tempo_cli.model.llm import Token
from tempo_cli.runtime.answering import repeats, with_seed, write_answer
from tempo_cli.runtime.round import Question
from tempo_cli.schema import Answer
from tempo_cli.scope import CancelScope


class Decoder:
    """Says given tokens after an input of 90 embeddings; notes what it was asked for."""

    def __init__(self, ids: list[int]) -> None:
        self.ids, self.asked, self.said = ids, [], 0

    def splice(self, *_: object) -> torch.Tensor:
        return torch.zeros(90, 4)

    def generate(self, _embeds: torch.Tensor, _rule: object, options: GenerationOptions):
        self.asked.append(options)
        for token in self.ids[: options.max_new_tokens]:
            self.said += 1
            yield Token(token, 0.0)


@pytest.fixture
def tokenizer(tiny_models):
    return tiny_models["a"].checkpoint.decoder_tokenizer


def write(decoder, tokenizer, options, scope, on_text=lambda _: None, question=None, warn=lambda _: None):
    checkpoint = SimpleNamespace(
        dimensions=SimpleNamespace(max_positions=100), decoder_tokenizer=tokenizer, rule=None
    )
    question = question or Question("what?", "what?", (), [1], [2], 50)
    return write_answer(decoder, checkpoint, question, [], None, None, options, on_text, warn, scope)


@pytest.mark.parametrize(
    ("wanted", "most", "reason"), [(50, 10, "length"), (7, 7, "length"), (8, 8, "length")]
)
def test_an_answer_ends_with_what_is_wanted_or_with_the_last_position(wanted, most, reason, tokenizer):
    decoder = Decoder(tokenizer.encode("word " * 12))
    answer = write(decoder, tokenizer, GenerationOptions(max_new_tokens=wanted, seed=3), CancelScope())
    assert decoder.asked == [GenerationOptions(max_new_tokens=most, seed=3)]
    assert (answer.finish_reason, answer.tokens, decoder.said) == (reason, most, most)


def test_an_answer_that_ends_by_itself_was_stopped(tokenizer):
    ids = tokenizer.encode("red")
    answer = write(Decoder(ids), tokenizer, GenerationOptions(), CancelScope())
    assert answer == Answer("red", "stop", len(ids))


def test_the_pieces_are_the_text_with_what_was_held_back(tokenizer):
    ids = tokenizer.encode("red 🚗")[:-1]  # the last character is not finished
    pieces, question = [], Question("what?", "what?", (), [1], [2], 50)
    answer = write(Decoder(ids), tokenizer, GenerationOptions(), CancelScope(), pieces.append, question)
    assert answer.text == tokenizer.decode(ids) != "red"
    assert "".join(pieces) == answer.text
    assert question.begun


def test_a_scope_that_is_cancelled_before_the_first_token_stops_before_it(tokenizer):
    scope, decoder, question = CancelScope(), Decoder([1]), Question("what?", "what?", (), [1], [2], 50)
    scope.cancel()
    with pytest.raises(CancelledError):
        write(decoder, tokenizer, GenerationOptions(), scope, question=question)
    assert (decoder.said, question.begun) == (0, False)


def test_a_scope_that_is_cancelled_at_a_token_stops_there(tokenizer):
    scope, decoder = CancelScope(), Decoder(tokenizer.encode("one two three four"))
    with pytest.raises(CancelledError):
        write(decoder, tokenizer, GenerationOptions(), scope, lambda _: scope.cancel())
    assert decoder.said == 1


def test_a_seed_is_drawn_only_where_one_is_needed():
    greedy, given = GenerationOptions(), GenerationOptions(temperature=1, seed=7)
    assert (with_seed(greedy), with_seed(given)) == (greedy, given)
    drawn = {with_seed(GenerationOptions(temperature=1)).seed for _ in range(8)}
    assert len(drawn) == 8
    assert max(drawn) >= 2**16


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (4, ["the answer was cut off after 4 tokens (`max_new_tokens`)"]),
        (50, ["the answer was cut off after 10 tokens (the context is full)"]),
    ],
)
def test_an_answer_that_was_cut_off_says_so(wanted, words, tokenizer):
    told = []
    options = GenerationOptions(max_new_tokens=wanted)
    write(Decoder(tokenizer.encode("word " * 12)), tokenizer, options, CancelScope(), warn=told.append)
    assert told == words


def test_an_answer_that_ends_by_itself_has_no_warning(tokenizer):
    told = []
    write(Decoder(tokenizer.encode("red")), tokenizer, GenerationOptions(), CancelScope(), warn=told.append)
    assert told == []


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ([7] * 64, True),
        ([7] * 63, False),
        ([1, 2, 3, *range(100, 116), *list(range(16)) * 4], True),  # a period of 16
        ([*range(17)] * 5, False),
        ([7] * 200 + [8], False),
        ([*[7, 8] * 32], True),
    ],
)
def test_an_answer_that_goes_round_in_circles(ids, found):
    assert repeats(ids) is found
