"""Questions as they are given: a list of texts, or a useful error."""

import re

import pytest

from tempo_cli.errors import UsageError
from tempo_cli.plan.questions import checked_questions


@pytest.mark.parametrize("given", [["a", " b "], ("a", " b "), iter(["a", " b "])])
def test_questions_stay_as_they_are(given):
    assert checked_questions(given) == ("a", " b ")


@pytest.mark.parametrize("given", [[], (), iter([]), [""], ["what", " \n"]])
def test_nothing_asked_is_an_error_with_a_hint(given):
    with pytest.raises(UsageError, match=r"^there is no question$") as caught:
        checked_questions(given)
    assert caught.value.hint == "Ask something, for example: what happens?"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("what", "questions must be a list of str, not str: use ask for one question"),
        ("", "questions must be a list of str, not str: use ask for one question"),
        (b"what", "questions must be a list of str, not bytes: use ask for one question"),
        (None, "questions must be a list of str, not NoneType"),
        (3, "questions must be a list of str, not int"),
        (["what", None], "a question must be a str, not NoneType"),
        ([b"what"], "a question must be a str, not bytes"),
        ([["what", "where"]], "a question must be a str, not list: use ask_many for several"),
    ],
)
def test_what_is_no_list_of_texts_is_refused_by_its_type(given, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        checked_questions(given)
