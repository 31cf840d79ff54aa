"""The typing errors that are corrected before a question is read.

A network of this size confuses "cra" with "crab". A table does not: it has the slips (`typing_errors`) of
every word that questions are made of, except those that are English words themselves. It stands in the
checkpoint's `config.json`, and the tool applies it (`tempo_cli.plan.corrections`).
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from .beyond import KNOWN, words_beyond, words_of
from .phrasings import (
    AFTER,
    ALL,
    BEFORE,
    COMBINED,
    FOLLOWING,
    HELD_OUT,
    HELD_OUT_FOLLOWING,
    MOMENTS,
    MORE,
    PHRASINGS,
    WHERE,
)
from .scene import KINDS
from .typing_errors import LEAST, SHORT, other_words, slips
from .words import plural

_OFTEN = 300  # a known thing or color counts like a word of so many phrasings
_OTHERS = frozenset({"ive", "mov"} | words_of(" ".join(SHORT.values())))  # that people write


def corrections(english: Collection[str]) -> dict[str, str]:
    """Slips and the words that are meant, in lowercase.

    What may be a slip of several words means the one whose slip is likelier, or the commoner one.

    Args:
        english: words that are not corrected, in lowercase.
    """
    counts = Counter(_asked())
    others = {*english, *other_words(), *words_beyond(), *counts, *_OTHERS}
    best: dict[str, tuple[int, int, str]] = {}
    for word, count in counts.items():
        for slip, way in slips(word).items() if len(word) >= LEAST else ():
            found = way, -count, word
            if slip not in others and (slip not in best or found < best[slip]):
                best[slip] = found
    return {slip: word for slip, (_, _, word) in sorted(best.items())}


def as_table(corrections: Mapping[str, str]) -> dict[str, str]:
    """As `config.json` has them: words, each with its errors in a row."""
    errors: dict[str, list[str]] = {}
    for slip, word in corrections.items():
        errors.setdefault(word, []).append(slip)
    return {word: " ".join(own) for word, own in sorted(errors.items())}


def _asked() -> Iterator[str]:
    """Every word that a phrasing has, as often as phrasings have it."""
    texts = [*BEFORE, *AFTER, *WHERE, *MOMENTS]
    for family in ALL:
        texts += (*(PHRASINGS.get(family) or MORE[family])[:-HELD_OUT], *COMBINED[family])
    for phrasings in FOLLOWING.values():
        texts += phrasings[:-HELD_OUT_FOLLOWING]
    for text in texts:
        yield from re.findall(r"[a-z]+", re.sub(r"{\w+}", " ", text.lower()))
    for word in (*KNOWN, *map(plural, KINDS)):
        yield from [word] * _OFTEN
