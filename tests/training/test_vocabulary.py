"""The tokenizer: the same on every run, with a token for every word that a memory may hold."""

import pytest

from tempo_cli.model.tokenizer import TextTokenizer
from tempo_cli.plan.prompts import COMPRESSOR_SYSTEM
from training.phrasings import FAMILIES, PHRASINGS
from training.scene import COLOURS, KINDS, MOTIONS
from training.vocabulary import MEMORY_WORDS, SIZE, SPECIAL, learn_tokenizer
from training.words import ALONE, END, HERE, NOTHING, UNKNOWN


@pytest.fixture(scope="module")
def tokenizer(tokenizer_json) -> TextTokenizer:
    return TextTokenizer(tokenizer_json)


def test_it_is_learned_the_same_every_time(tokenizer_json):
    assert learn_tokenizer() == tokenizer_json


def test_it_has_its_size_and_its_special_tokens_stand_last(tokenizer, tokenizer_json):
    assert tokenizer.vocabulary == SIZE
    assert [tokenizer.special_id(name) for name in SPECIAL] == list(range(SIZE - len(SPECIAL), SIZE))
    assert len(tokenizer_json) < 20_000


def test_every_word_of_a_memory_is_one_token(tokenizer):
    assert set(MEMORY_WORDS) == {
        f" {word}" for word in (*COLOURS, *KINDS, *MOTIONS, NOTHING, HERE, ALONE, UNKNOWN)
    } | {END}
    ids = [tokenizer.encode(word) for word in (*MEMORY_WORDS, "Yes", "No")]
    assert {len(own) for own in ids} == {1}
    assert len({own[0] for own in ids}) == len(MEMORY_WORDS) + 2


@pytest.mark.parametrize(
    "text", ["Why, Łódź — 42.5 s?\n\tYes.  ", "日本 🚗", "The orange-red car's 1,000 seconds", ""]
)
def test_any_text_comes_back(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_special_token_in_a_text_stays_text(tokenizer):
    ids = tokenizer.encode("<|im_end|>")
    assert max(ids) < SIZE - len(SPECIAL)
    assert tokenizer.decode(ids) == "<|im_end|>"


def test_digits_stand_alone_and_known_texts_are_short(tokenizer):
    assert len(tokenizer.encode("3604.5")) == 6
    assert len(tokenizer.encode(COMPRESSOR_SYSTEM)) <= 60
    texts = [text for family in FAMILIES for text in PHRASINGS[family]]
    filled = [text.format(it="car", a="a car", tint="red", these="cars") for text in texts]
    lengths = [len(tokenizer.encode(text)) for text in filled]
    assert max(lengths) <= 25
