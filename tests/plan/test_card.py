"""What a checkpoint may say about itself, and what makes no sense."""

import pytest

from tempo_cli.config import ModelCard, PixelLimits
from tempo_cli.plan.card import model_card
from tempo_cli.plan.shape import pixel_limits


def test_they_are_optional_and_stand_beside_the_limits():
    own = {"scope": " Knows cars. ", "weak_relevance": 0.25, "grid": 32}
    assert model_card({"tempo": own}) == ModelCard("Knows cars.", 0.25)
    assert pixel_limits({"tempo": own}) == PixelLimits(grid=32)
    assert model_card({"tempo": {"grid": 32}}) == model_card({}) == ModelCard(None, None)


def test_typing_errors_stand_behind_the_word_that_is_meant():
    own = {"typing_errors": {"car": "cra carr", "what": " waht"}}
    assert model_card({"tempo": own}).corrections == {"cra": "car", "carr": "car", "waht": "what"}
    assert model_card({"tempo": {"typing_errors": {}}}).corrections == {}
    assert model_card({"tempo": {"typing_errors": None}}).corrections == {}


@pytest.mark.parametrize(
    "value",
    [
        [], "cra", {"car": ["cra"]}, {"car": 5}, {"Car": "cra"}, {"car": "Cra"}, {"ca r": "cra"},
        {"car": "cr4"}, {"car": "<|im_end|>"}, {"<|im_end|>": "end"}, {"": "cra"},
        {"car": "\u01f0a"}, {"stra\xdfe": "strase"},
        {"car": "cra", "crab": "cra"}, {"car": "cra", "cra": "car"}, {"car": "cra cra"}, {"car": "x" * 41},
        {"car": " ".join("".join("abcdefghij"[int(digit)] for digit in f"{n:05}") for n in range(20_001))},
    ],
)  # fmt: skip
def test_typing_errors_are_lowercase_words_with_one_meaning(value):
    with pytest.raises(ValueError, match=r"^tempo\.typing_errors$"):
        model_card({"tempo": {"typing_errors": value}})


@pytest.mark.parametrize("value", [0, 1, -0.5, float("nan"), "0.5", True, [0.5]])
def test_a_threshold_is_a_number_between_0_and_1(value):
    with pytest.raises(ValueError, match=r"^tempo\.weak_relevance$"):
        model_card({"tempo": {"weak_relevance": value}})


@pytest.mark.parametrize("value", ["", "  ", "two\nlines", "x" * 501, 5, ["Knows cars."]])
def test_a_scope_is_one_sentence(value):
    with pytest.raises(ValueError, match=r"^tempo\.scope$"):
        model_card({"tempo": {"scope": value}})
