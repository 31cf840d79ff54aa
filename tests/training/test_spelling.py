"""Typing errors that are corrected: the slips of the words that questions are made of."""

import json
from pathlib import Path

import numpy as np
import pytest

import tempo_cli
from tempo_cli.plan.card import model_card
from tempo_cli.plan.corrections import corrected
from training.asking import phrase
from training.beyond import KNOWN, held_out_questions, known_lists, question, words_beyond
from training.phrasings import ALL
from training.spelling import as_table, corrections
from training.typing_errors import mistyped, other_words, slips

CONFIG = Path(tempo_cli.__file__).parent / "nano" / "Tempo-nano" / "config.json"


@pytest.fixture(scope="module")
def table() -> dict[str, str]:
    return corrections(("wad", "cart", "stat", "tree"))


def test_the_slips_of_a_word():
    assert slips("car") == {
        "acr": 0, "cra": 0, "ccar": 1, "caar": 1, "carr": 1,
        "xar": 3, "var": 3, "dar": 3, "far": 3, "cqr": 3, "csr": 3, "cwr": 3, "czr": 3,
        "cae": 3, "cat": 3, "cad": 3, "caf": 3,
    }  # fmt: skip
    assert {text for text, way in slips("boat").items() if way == 2} == {"oat", "bat", "bot", "boa"}


def test_every_slip_is_one_that_people_are_made_to_make():
    random = np.random.default_rng(0)
    made = {mistyped(random, "boat") for _ in range(2_000)} - {"boat"}
    assert made == {slip for slip in slips("boat") if slip not in other_words()}


def test_a_slip_means_the_likelier_word_and_then_the_commoner_one(table):
    assert table["waht"] == "what"  # also "want" with a key beside
    assert table["tere"] == "tree"  # also "there" with a letter dropped
    assert table["ther"] == "there"  # also "other" with one dropped
    assert (table["cra"], table["carr"], table["colr"]) == ("car", "car", "color")


def test_other_words_are_not_corrected(table):
    assert not {"wad", "cart", "stat", "what", "tree", "cat"} & table.keys()
    assert not (KNOWN | known_lists() | other_words()) & table.keys()


def test_what_can_t_be_answered_is_left_as_it_is(table):
    random = np.random.default_rng(0)
    assert not words_beyond() & table.keys()
    assert not {"dir", "wat", "mov", "ist"} & table.keys()
    for _, text in held_out_questions():
        assert corrected(text, table).lower() == text.lower()
    drawn = [question(random) for _ in range(2_000)]
    changed = [text for text in drawn if corrected(text, table).lower() != text.lower()]
    assert len(changed) <= 10  # made-up words


def test_most_slips_of_new_phrasings_are_corrected(table):
    random, right, made = np.random.default_rng(0), 0, 0
    for number in range(1_500):
        family = ALL[number % len(ALL)]
        kind, colour = (None, 3) if family == "object" else (2, None)
        hue, other = ("left", "up") if family in ("turn", "ways") else ("red", "blue")
        text = phrase(random, family, kind, colour, True, hue, other, "at 0:12")
        wrong = mistyped(random, text)
        made += wrong != text
        right += wrong != text and corrected(wrong, table).lower() == text.lower()
    assert made > 1_400
    assert right / made > 0.9


def test_the_table_is_that_of_the_configuration(table):
    told = as_table({"waht": "what", "cra": "car", "carr": "car"})
    assert told == {"car": "cra carr", "what": "waht"}
    assert model_card({"tempo": {"typing_errors": as_table(table)}}).corrections == table


def test_plurals_are_known(table):
    assert (table["bals"], table["treees"]) == ("balls", "trees")
    assert "fishs" not in table.values()


def test_nano_has_it():
    shipped = model_card(json.loads(CONFIG.read_text())).corrections
    assert len(shipped) > 5_000
    assert corrected("waht colr was teh cra", shipped) == "what color was the car"
    assert corrected("is there a cart, a scar, a bolt", shipped) == "is there a cart, a scar, a bolt"
