"""What is shown of text from outside: nothing invisible, and whole words of every script."""

import pytest

from tempo_cli.cli.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb\rc\x9dd", "a\\x1b[31mb\\x0dc\\x9dd"),
        ("\u202eevil\u2069 \u200e\u061c", "\\u202eevil\\u2069 \\u200e\\u061c"),
        ("one\u2028two\u2029", "one\\u2028two\\u2029"),
        ("soft\u00adhyphen \u200bzero\ufeff \u2060word", "soft\\xadhyphen \\u200bzero\\ufeff \\u2060word"),
        ("tags \U000e0041\U000e007f", "tags \\U000e0041\\U000e007f"),
        ("blank \u3164\u115f\uffa0\u034f", "blank \\u3164\\u115f\\uffa0\\u034f"),
        ("a\u200db\u200c", "a\\u200db\\u200c"),  # between Latin letters joiners change nothing
        ("\U0001f600\ufe00\ufe01\U000e0101", "\U0001f600\ufe00\\ufe01\\U000e0101"),
        ("\U0001f600\u200d\u200d", "\U0001f600\u200d\\u200d"),
        ("\udcff", "\\udcff"),
    ],
)
def test_invisible_characters_are_escaped(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Zürich, 東京, Москва, עברית, العربية",
        "می\u200cخواهم",  # Persian: a joiner that is no space
        "क्\u200dष",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\u2764\ufe0f\u200d\U0001f525 1\ufe0f\u20e3",
        "葛\U000e0100",
        "e\u0301",
    ],
)
def test_scripts_and_emoji_stay_as_they_are(text):
    assert printable(text) == text


def test_a_joiner_may_be_the_first_of_a_piece():
    assert printable("\u200d\U0001f469") == "\u200d\U0001f469"


def test_what_is_kept():
    assert printable("a\n\tb\r", keep="\n\t") == "a\n\tb\\x0d"
