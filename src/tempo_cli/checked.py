"""Untrusted JSON as checked values: parsed within limits, then converted field by field.

Every untrusted document and message is parsed here.
"""

import json
import math
import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

_DEEPEST = 64  # levels of a JSON document
_MOST_DIGITS = 400  # of a whole number; the largest float has 309

Kind = TypeVar("Kind")


def parse_json(raw: bytes | str) -> Any:
    """The value of a JSON document.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or has a number that is not finite or absurdly long.
    """
    try:
        value = json.loads(raw, parse_float=_finite, parse_int=_whole, parse_constant=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_depth(value)
    return value


def parse_object(raw: bytes | str) -> dict[str, Any]:
    """The same; it must be a JSON object."""
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is not finite")
    return number


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"the number {text[:20]}… has too many digits")
    return int(text)


def _check_depth(value: Any) -> None:
    """Later code may walk it recursively."""
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += [part for part in item.values() if isinstance(part, dict | list)]
            elif isinstance(item, list):
                inner += [part for part in item if isinstance(part, dict | list)]
        if not inner:
            return
        level = inner
    raise ValueError("it is nested too deeply")


def checked(kind: type[Kind], value: Any, name: str = "") -> Kind:
    """`value`, plain JSON, as an instance of the dataclass `kind`, whose annotations are checked.

    Fields may be str, bool, int, float (an int becomes one), None, literals, tuples of one type, dataclasses
    and unions of these. Unknown fields are left out, so that newer writers can be read.

    Args:
        name: of the value, for messages.

    Raises:
        ValueError: a field is missing or of another type; the message names it.
    """
    found: Kind = _converted(kind, value, name)
    return found


def _converted(kind: Any, value: Any, name: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        return _instance(kind, value, name)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _one_of(get_args(kind), value, name)
    if origin is Literal:
        if isinstance(value, str) and value in get_args(kind):
            return value
        raise ValueError(f"{name} is none of {', '.join(map(repr, get_args(kind)))}")
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{name} is not a list")
        inner = get_args(kind)[0]
        return tuple(_converted(inner, item, f"{name}[{number}]") for number, item in enumerate(value))
    if kind is type(None) and value is None:
        return None
    if kind is float and type(value) is int and abs(value) < 2**63:
        return float(value)
    if type(value) is kind and (kind is not int or abs(value) < 2**64):
        return value
    raise ValueError(f"{name} is not {_WORDS.get(kind, kind)}")


def _instance(kind: type[Any], value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{name or 'it'} is not an object")
    hints, found = get_type_hints(kind), {}
    prefix = f"{name}." if name else ""
    for item in fields(kind):
        if item.name in value:
            found[item.name] = _converted(hints[item.name], value[item.name], f"{prefix}{item.name}")
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ValueError(f"{prefix}{item.name} is missing")
    return kind(**found)


def _one_of(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    real = [kind for kind in kinds if kind is not type(None)]
    for kind in real[:-1]:
        try:
            return _converted(kind, value, name)
        except ValueError:
            continue
    return _converted(real[-1], value, name)


_WORDS: dict[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


def count(value: Any) -> int:
    """`value`, which must be a whole number from 0 up to what fits into 63 bits.

    Raises:
        ValueError: it is not.
    """
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(f"{value!r} is not a count")
    return value


def number(value: Any, name: str, low: float, high: float, kind: Callable[[Any], Any] = int) -> Any:
    """`value`, which must be a number of this kind from `low` to `high`, both included.

    Raises:
        ValueError: it is not; the message names it.
    """
    allowed = (int,) if kind is int else (int, float)
    if type(value) not in allowed or not low <= value <= high:
        shown = repr(value)
        shown = shown if len(shown) <= 40 else f"{shown[:39]}…"
        raise ValueError(f"{name} is {shown}, not a number from {_shown(low)} to {_shown(high)}")
    return kind(value)


def _shown(limit: float) -> str:
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"
