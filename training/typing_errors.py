"""How people type: small letters, no punctuation, missing articles, British spelling, slips, fillers."""

import re
from collections.abc import Sequence
from functools import cache

from .beyond import KNOWN, fillers, keys_beside, known_lists, words_of, words_of_fillers
from .phrasings import ALL, MORE, PHRASINGS
from .scene import COLOURS, KINDS, Random
from .words import plural

SHORT = {"What is": "Whats", "what is": "whats", "Is there": "Is there", "When is": "Whens",
"Where is": "Wheres",
          "do you": "do u", "you": "u", "video": "vid", "Please": "Pls", "please": "pls",
          "How many": "how many",
          "Tell me": "tell me", "What": "wat", "color": "colour", "direction": "dir"}  # fmt: skip
_ENDS = ("??", "!", " ?", "...", "?!", " pls", " please", "")
LEAST = 3  # letters of a word that is mistyped
_FILLED, _HURRIED, _SLIPS = 0.15, 0.3, 0.45  # chances of a filler, of haste, and of a slip
# Between these and a word beside them, a filler would say something of what follows.
_NEEDS_NEXT = set(COLOURS) | words_of(
    "a an the any all every each this that these its no how many much what which whose in at of to on by "
    "with from for and around about before once something I first last other else whole full different when "
    "often one"
)
_NEEDS_BEFORE = {*KINDS, *map(plural, KINDS)} | words_of(
    "thing things object objects color colour one ones second seconds direction way side time times"
)


def rough(random: Random, text: str) -> str:
    """Sometimes with a filler, sometimes as it is typed in a hurry, sometimes with a slip."""
    if random.random() < _FILLED:
        text = filled(random, text, str(random.choice(fillers())))
    if random.random() < _HURRIED:
        text = informal(random, text)
    if random.random() < _SLIPS:
        text = mistyped(random, text)
    return text


def informal(random: Random, text: str) -> str:
    """The same question as it is typed in a hurry: no letter of a word that matters changes."""
    if random.random() < 0.4:
        text = re.sub(
            r"\b(the|a|an) ", lambda m: "" if random.random() < 0.8 else m[0], text, flags=re.IGNORECASE
        )
    if random.random() < 0.25:
        long = [word for word in SHORT if word in text]
        if long:
            word = str(random.choice(long))
            text = text.replace(word, SHORT[word])
    if random.random() < 0.7:
        text = text.lower()
    elif random.random() < 0.08:
        text = text.upper()
    way = random.random()
    if way < 0.6:
        text = text.rstrip("?.!")
    elif way < 0.75:
        text = re.sub(r"[?.!,']", "", text)
    elif way < 0.85:
        text = text.rstrip("?.") + str(random.choice(_ENDS))
    return text.strip() or "?"


def filled(random: Random, text: str, word: str) -> str:
    """The same question with a word that changes nothing: "is the car *really* red?".

    It is never put before a noun or a unit, where it would say something of what follows. Where there is no
    other place, as in a single word, the text stays as it is.
    """
    said = text.split()
    places = [place for place in range(1, len(said) + 1) if _may_part(said[place - 1], said[place:])]
    if len(said) < 2 or not places:
        return text
    place = int(random.choice(places))
    before, *end = re.split(r"([.?!]+)$", said[place - 1])[:2]
    if random.random() < 0.2:
        before = before.rstrip(",") + ","
        word += "," if place < len(said) else ""
    return " ".join([*said[: place - 1], before, word + "".join(end), *said[place:]])


def _may_part(before: str, after: Sequence[str]) -> bool:
    """Whether a filler may stand between a word and those after it."""
    if after and (before[-1] in ".?!:" or after[0].strip(",.?!:").lower() in _NEEDS_BEFORE):
        return False
    name = before.lower().strip(",;.?!")
    return not (name in _NEEDS_NEXT and after) and not before[-1].isdigit() and not name.endswith("'s")


def mistyped(random: Random, text: str) -> str:
    """One letter swapped, dropped, doubled or hit beside its key, so that no other word comes out."""
    places = list(re.finditer(rf"[A-Za-z]{{{LEAST},}}", text))
    for _ in range(8 if places else 0):
        match = places[int(random.integers(len(places)))]
        word = match[0]
        fresh = _slip(random, word)
        if fresh.lower() != word.lower() and fresh.lower() not in other_words():
            return text[: match.start()] + fresh + text[match.end() :]
    return text


def _slip(random: Random, word: str) -> str:
    at = int(random.integers(len(word)))
    way = int(random.integers(4))
    if way == 0:
        return _swapped(word, min(at, len(word) - 2))
    if way == 1 and len(word) > LEAST:
        return _dropped(word, at)
    if way == 2:
        return _doubled(word, at)
    beside = keys_beside(word[at].lower())
    return _hit(word, at, beside[int(random.integers(len(beside)))])


def slips(word: str) -> dict[str, int]:
    """Every slip of a word, in the order of how likely this word was meant: 0 for two letters swapped,
    1 for one doubled, 2 for one dropped, 3 for one hit beside its key."""
    places = range(len(word))
    ways = (
        [_swapped(word, at) for at in places[:-1]],
        [_doubled(word, at) for at in places],
        [_dropped(word, at) for at in places] if len(word) > LEAST else [],
        [_hit(word, at, letter) for at in places for letter in keys_beside(word[at].lower())],
    )
    found: dict[str, int] = {}
    for way, texts in enumerate(ways):
        for text in texts:
            found.setdefault(text, way)
    found.pop(word, None)
    return found


def _swapped(word: str, at: int) -> str:
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _doubled(word: str, at: int) -> str:
    return word[:at] + word[at] + word[at:]


def _dropped(word: str, at: int) -> str:
    return word[:at] + word[at + 1 :]


def _hit(word: str, at: int, letter: str) -> str:
    return word[:at] + letter + word[at + 1 :]


@cache
def other_words() -> frozenset[str]:
    """Words that a slip must not make: they would mean something else."""
    phrasings = " ".join(text for family in ALL for text in PHRASINGS.get(family) or MORE[family])
    return frozenset(
        words_of(phrasings) | words_of_fillers() | known_lists() | KNOWN | {word + "s" for word in KNOWN}
    )
