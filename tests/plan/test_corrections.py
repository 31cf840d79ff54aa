"""Typing errors that a checkpoint lists are read as the words that are meant, and capitals in lowercase."""

from tempo_cli.plan.corrections import corrected, corrected_history, correction_note
from tempo_cli.types import Exchange

KNOWN = {"waht": "what", "hwat": "what", "cra": "car", "colro": "color"}


def test_words_are_corrected_in_the_case_they_are_written_in():
    assert corrected("waht colro was the cra?", KNOWN) == "what color was the car?"
    assert corrected("Waht colro was it? Cra", KNOWN) == "What color was it? Car"
    assert corrected("hWat is it", KNOWN) == "what is it"
    assert corrected("HWat is it", KNOWN) == "What is it"


def test_what_is_in_capitals_is_read_in_lowercase():
    assert corrected("WAHT COLRO WAS A CRA?", KNOWN) == "what color was a car?"
    assert corrected('WHAT DOES THE "SIGN" SAY', KNOWN) == 'what does the "sign" say'
    assert corrected('Was the RED Cra A COLRO? "CRA" cra.MP4', KNOWN) == (
        'Was the red car a color? "CRA" cra.MP4'
    )


def test_a_capital_inside_a_sentence_is_read_in_lowercase():
    assert corrected("What Color Is The Cra", KNOWN) == "What color is the car"
    assert corrected("Is There A Red Car?", KNOWN) == "Is there a red car?"
    assert corrected("At 0:24 What Happens", KNOWN) == "At 0:24 what happens"
    assert corrected("  Is  There\nA Cat", KNOWN) == "  Is  there\nA cat"
    for text in ("Hello! The car", "Tell me, The car", "In this video: Is it red", "Do I see B", "the iCar"):
        assert corrected(text, KNOWN) == text
    assert corrected("What Color", {}) == "What Color"


def test_only_whole_words_are():
    for text in ("cran cracra cra5 _cra", "", "7:12", "c r a", "çra", "the cars\n", "cra\u0301"):
        assert corrected(text, KNOWN) == text
    assert corrected("cra's (cra) cra-cra cra. Cra!", KNOWN) == "car's (car) car-car car. Car!"


def test_names_of_files_addresses_tags_and_quoted_words_are_left_alone():
    for text in (
        "cra.mp4",
        "http://cra.com/cra",
        "cra@waht.org",
        "#cra",
        "@cra",
        '"cra"',
        "\u201ccra\u201d",
        "a/cra",
    ):
        assert corrected(text, KNOWN) == text


def test_a_single_letter_is_not_a_word_in_capitals():
    assert corrected("U there, u?", {"u": "you"}) == "You there, you?"


def test_without_a_list_nothing_is():
    for text in ("waht colro was the cra?", "WHAT COLOR", "a CAR"):
        assert corrected(text, {}) == text


def test_the_user_is_told_each_word_once():
    note = 'typing errors: read "Waht" as "What", "cra" as "car"'
    assert correction_note('Waht is a cra, a cra, a "colro"?', KNOWN) == note
    assert correction_note("a CRA", KNOWN) == 'typing error: read "CRA" as "car"'
    assert correction_note("A CAR IS RED", KNOWN) is None
    assert correction_note("a car", KNOWN) is None
    assert correction_note("a cra", {}) is None


def test_questions_of_a_conversation_are_corrected_and_answers_are_not():
    history = [Exchange("is there a cra", "No, no cra."), Exchange("why", "cra")]
    assert corrected_history(history, KNOWN) == (
        Exchange("is there a car", "No, no cra."), Exchange("why", "cra"),
    )  # fmt: skip
