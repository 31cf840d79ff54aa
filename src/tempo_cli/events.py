"""The events that the pipeline emits while it works. It prints nothing itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["load", "decode", "compress"]


@dataclass(frozen=True)
class Progress:
    """`done` of `total` segments have passed `stage`; loading is one step."""

    stage: Stage
    done: int
    total: int


@dataclass(frozen=True)
class AnswerText:
    """A piece of the answer to question number `question` (from 0); joined, the pieces are the answer."""

    question: int
    text: str


@dataclass(frozen=True)
class Warned:
    """A warning for the user; it is also in `Run.warnings`."""

    message: str


@dataclass(frozen=True)
class Transfer:
    """`done` of `total` bytes are downloaded or checked; the first event counts what was already there."""

    what: Literal["download", "verify"]
    done: int
    total: int


Event = Progress | AnswerText | Warned | Transfer
Listener = Callable[[Event], None]


def ignore(_: Event) -> None:
    """The default listener, which ignores all events."""
