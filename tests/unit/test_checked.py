"""The borders: JSON in limits, values of the kinds that are due, files that are files."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_cli.checked import checked, number, parse_json, parse_object
from tempo_cli.errors import UsageError
from tempo_cli.files import exists, read_bytes, reason, user_path
from tempo_cli.schema import Run, run_from_json
from tempo_cli.vocabulary import build_tokenizer, panics_as_errors

SAVED = Path(__file__).parent.parent / "cli" / "run.json"
TOKENIZER = Path(__file__).parent.parent / "golden/checkpoints/a/Tempo-tiny/tokenizer.json"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1e999", "the number 1e999 is not finite"),
        ("-1e999", "the number -1e999 is not finite"),
        ("NaN", "the number NaN is not finite"),
        ("Infinity", "the number Infinity is not finite"),
        ("9" * 401, f"the number {'9' * 20}… has too many digits"),
        ("[" * 100_000, "it is nested too deeply"),
        ("[" * 65 + "]" * 65, "it is nested too deeply"),
        ('{"a":' * 65 + "1" + "}" * 65, "it is nested too deeply"),
        ("{", "Expecting property name"),
        (b"\xff", "can't decode"),
    ],
)
def test_json_beyond_the_limits_is_a_value_error(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_json(text)


def test_json_within_the_limits_is_its_value() -> None:
    assert parse_json("9" * 400) == 10**400 - 1
    assert parse_json("[" * 63 + "]" * 63) == json.loads("[" * 63 + "]" * 63)
    assert parse_object(b'{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    with pytest.raises(ValueError, match="it is not a JSON object"):
        parse_object("[]")


@dataclass(frozen=True)
class Inner:
    count: int
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    share: float
    name: str | None
    inner: Inner
    many: tuple[Inner, ...] = ()
    flag: bool = False


WHOLE = {
    "share": 1,
    "name": None,
    "inner": {"count": 2, "later": 5},
    "many": [{"count": 1, "kind": "b"}],
    "flag": True,
}


def test_checked_values_are_those_of_the_annotations() -> None:
    assert checked(Outer, WHOLE) == Outer(1.0, None, Inner(2), (Inner(1, "b"),), True)
    assert type(checked(Outer, WHOLE).share) is float


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"share": "1"}, "share is not a number"),
        ({"share": True}, "share is not a number"),
        ({"share": 2**63}, "share is not a number"),
        ({"name": 5}, "name is not text"),
        ({"inner": None}, "inner is not an object"),
        ({"inner": {}}, "inner.count is missing"),
        ({"inner": {"count": 1.0}}, "inner.count is not a whole number"),
        ({"inner": {"count": True}}, "inner.count is not a whole number"),
        ({"inner": {"count": 2**64}}, "inner.count is not a whole number"),
        ({"inner": {"count": 1, "kind": "c"}}, "inner.kind is none of 'a', 'b'"),
        ({"inner": {"count": 1, "kind": []}}, "inner.kind is none of 'a', 'b'"),
        ({"many": {}}, "many is not a list"),
        ({"many": [{"count": 1}, 5]}, r"many\[1\] is not an object"),
        ({"flag": 1}, "flag is not true or false"),
    ],
)
def test_other_values_are_refused_by_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}"):
        checked(Outer, WHOLE | change)


@pytest.mark.parametrize("value", [0, 11, 1.5, True, "5", None, 10**400, []])
def test_a_number_out_of_range_or_of_another_kind(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^x is .*, not a number from 1 to 10$"):
        number(value, "x", 1, 10)
    assert number(5, "x", 1, 10) == 5
    with pytest.raises(ValueError, match=r"^x is 0, not a number from 1 to 268,435,456$"):
        number(0, "x", 1, 2**28)


@given(st.sampled_from(sorted(json.loads(SAVED.read_text()))), VALUES)
def test_a_saved_run_with_any_value_is_a_run_or_a_usage_error(name: str, value: Any) -> None:
    line = json.dumps(json.loads(SAVED.read_text()) | {name: value})
    with suppress(UsageError):
        assert isinstance(run_from_json(line), Run)


@given(st.sampled_from(["index", "start", "end", "time", "relevance", "tokens", "frames"]), VALUES)
def test_a_saved_segment_with_any_value_is_a_run_or_a_usage_error(name: str, value: Any) -> None:
    saved = json.loads(SAVED.read_text())
    saved["segments"][0][name] = value
    with suppress(UsageError):
        assert run_from_json(json.dumps(saved)).segments[0].frames >= 1


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(ValueError, match="it is not a regular file"):
            read_bytes(tmp_path / name, 10)
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path, 10)
    (tmp_path / "long").write_bytes(bytes(11))
    assert read_bytes(tmp_path / "long", 10) == bytes(10)
    with pytest.raises(ValueError, match="it has more than 10 bytes"):
        read_bytes(tmp_path / "long", 10, whole=True)


def test_a_path_as_a_user_writes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/a") == tmp_path / "a"
    with pytest.raises(ValueError, match="there is no such home folder"):
        user_path("~nosuchuser/a")
    with pytest.raises(ValueError, match="null character"):
        user_path("a\0b")
    assert not exists(Path("x" * 5000))
    assert reason(OSError(28, "No space left")) == "No space left"
    assert reason(ValueError("two\n lines")) == "two lines"


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("normalizer", {"type": "Replace", "pattern": {"String": ""}, "content": "A"}),
        ("normalizer", {"type": "Sequence", "normalizers": [{"type": "Replace"}]}),
        ("normalizer", {"type": "Sequence", "normalizers": [{"type": "NFC"}] * 17}),
        ("normalizer", "NFC"),
        ("pre_tokenizer", {"type": "Metaspace"}),
        ("decoder", {"type": "Sequence", "decoders": [{"type": "WordPiece"}]}),
        ("post_processor", {"type": []}),
        ("model", {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "x"}),
        ("model", {"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.5}),
        ("model", None),
    ],
)
def test_a_tokenizer_may_do_no_more_than_a_byte_level_bpe(part: str, value: Any) -> None:
    document = json.loads(TOKENIZER.read_text()) | {part: value}
    with pytest.raises(ValueError, match=f"its {part}|one of its parts"):
        build_tokenizer(json.dumps(document))


def test_a_panic_of_the_library_is_a_value_error() -> None:
    panic = type("PanicException", (BaseException,), {})
    with pytest.raises(ValueError, match=r"^no reason$"), panics_as_errors():
        raise panic("no\nreason")
    with pytest.raises(KeyboardInterrupt), panics_as_errors():
        raise KeyboardInterrupt
