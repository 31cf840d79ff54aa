"""Questions that can't be answered: `question(random)` makes them out of words and frames of our own.

What can be asked is a small closed language (`phrasings.py`): whatever needs another word is beyond it. So
most of these differ from a question that can be answered by one unknown noun, property or verb, in the same
phrasings; the rest is what people ask a video, a stranger or a machine. Unknown nouns also come from a
dictionary (`sources.dictionary`) where it has been fetched, and from chance.

Nothing in `training/held_out/beyond.txt` is used here: its words are taken out of every list. Fillers are
words that can stand in any question, so that an unknown one is no reason to decline.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from .phrasings import AFTER, ALL, BEFORE, COMBINED, FOLLOWING, HELD_OUT, MOMENTS, MORE, PHRASINGS, WHERE
from .scene import COLOURS, KINDS, Random

_HOME = Path(__file__).parent
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")  # of a keyboard
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_TRIES = 20
_WORDS = (
    "nouns",
    "alike",
    "colors",
    "properties",
    "verbs",
    "attributes",
    "places",
)  # lists of words; the rest are of sentences
KNOWN = frozenset(
    (*KINDS, *COLOURS, "left", "right", "up", "down", "still", "color", "colour", "thing", "things")
)

_SYLLABLES = (
    *("ba", "be", "bi", "bo", "da", "de", "du", "fa", "fi", "ga", "go", "gru", "ha", "hi", "ja", "ka", "kli"),
    *(
        "la",
        "lo",
        "ma",
        "mi",
        "no",
        "nu",
        "pa",
        "pi",
        "qua",
        "ra",
        "ri",
        "sa",
        "shi",
        "sta",
        "ta",
        "to",
        "tri",
    ),
    *("va", "vu", "wa", "wi", "xo", "ya", "ze", "zu", "ck", "nd", "st", "ng", "rt", "mp", "ss", "ll"),
)
_PHRASES = tuple(
    text
    for family in ALL
    for text in (*(PHRASINGS.get(family) or MORE[family])[:-HELD_OUT], *COMBINED[family])
    if "{it}" in text or "{a}" in text or "{these}" in text
)
_OF_COLORS = (*PHRASINGS["object"][:-HELD_OUT], *COMBINED["object"])
# in questions about a time: what an unknown word goes behind, or replaces
_ASKING = re.compile(r"\b(what|which)\b( things?| objects?)?", re.IGNORECASE)
_BEING = re.compile(r"\b(seen|shown|there|happens|happened|appears|going on)\b")
_SYNONYMS = {  # that leave a question about a time as it is
    *("happening", "occurring", "present", "appearing", "depicted", "displayed", "found", "real", "large"),
    *("screen", "scene", "picture", "frame", "image", "clip", "film", "footage", "shot", "view", "display"),
    *("item", "event", "start", "number", "exactly", "now"),
}
_BESIDE = ("to the", "with the", "of the", "on the", "behind the", "in the", "for the", "by the", "about the")
_FOLLOWING = (
    "Who {v} it?", "Is it {p}?", "Was it {p}?", "And why?", "How {p} is it?", "What {att} is it?",
    "Did it {v}?", "And the {n}?", "What about the {n}?", "Does it have a {n}?", "Where is it from?",
    "Whose is it?", "How big is it?", "What is its {att}?", "Is there a {n} with it?", "Why did it {v}?",
    "And who was it?", "What is it made of?",
)  # fmt: skip


def words_of(text: str) -> set[str]:
    """The words of a text, in small letters."""
    return set(re.findall(r"[^\W\d_]+", text.lower()))


def held_out(name: str) -> list[str]:
    """The lines of a file of `held_out`, without comments."""
    lines = (_HOME / "held_out" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def held_out_questions() -> tuple[tuple[str, str], ...]:
    """Sort and text of each question that is never trained on."""
    pairs = [line.split("\t") for line in held_out("beyond")]
    return tuple((sort, text) for sort, text in pairs)


@cache
def _reserved() -> frozenset[str]:
    """Words that only the held-out questions may use: all of theirs that no phrasing needs."""
    frames = words_of(" ".join((*_list("about-known"), *_list("about-unknown"), *_list("free"))))
    return frozenset(words_of(" ".join(text for _, text in held_out_questions())) - _said() - frames - KNOWN)


@cache
def _said() -> frozenset[str]:
    """The words of questions that can be answered."""
    families = (*PHRASINGS.values(), *MORE.values(), *COMBINED.values(), *FOLLOWING.values())
    return frozenset(words_of(" ".join(text for own in families for text in own)))


@cache
def _list(name: str) -> tuple[str, ...]:
    """What stands in a file of `lists`: words, or sentences."""
    text = (_HOME / "lists" / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(text.split() if name in _WORDS else text.splitlines())


@cache
def fillers() -> tuple[str, ...]:
    """Words that change nothing about a question: "really"."""
    return _list("fillers")


@cache
def held_out_fillers() -> tuple[str, ...]:
    """Fillers that are never trained on."""
    return tuple(held_out("fillers"))


@cache
def words_of_fillers() -> frozenset[str]:
    """Every word of a filler: none of them is a reason to decline."""
    return frozenset(words_of(" ".join((*fillers(), *held_out_fillers()))))


@cache
def _own(name: str) -> tuple[str, ...]:
    """A list of words without those that are held out."""
    return tuple(word for word in _list(name) if not words_of(word) & (_reserved() | KNOWN))


def unknown(random: Random, dictionary: tuple[str, ...] = ()) -> str:
    """A word that no phrasing has: from our lists, from the dictionary, or made up.

    Three in ten look like a known thing.
    """
    way = random.random()
    if dictionary and way < 0.3:
        for _ in range(_TRIES):
            word = dictionary[int(random.integers(len(dictionary)))]
            if _is_unknown(word):
                return word
    if way < 0.62:
        return str(random.choice(_own("nouns")))
    if way < 0.7:
        return str(random.choice(_own("alike")))
    if way < 0.8 and (near := _near(dictionary)):
        return str(random.choice(near))
    if way < 0.92:
        return _altered(random)
    return "".join(random.choice(_SYLLABLES, int(random.integers(2, 5))))


def _is_unknown(word: str) -> bool:
    return not {word, word.rstrip("s")} & (_reserved() | KNOWN | _said() | words_of_fillers())


@cache
def _near(dictionary: tuple[str, ...]) -> tuple[str, ...]:
    """The dictionary's words that one or two letters make of a known thing."""
    words = frozenset(dictionary)
    once = {word for kind in KINDS for word in _edits(kind)}
    found = words & once
    for word in once:
        found |= words & _edits(word)
    return tuple(sorted(word for word in found if len(word) > 2 and _is_unknown(word)))


def _edits(word: str) -> frozenset[str]:
    """Every word that differs by one letter: dropped, added or another."""
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    dropped = {before + after[1:] for before, after in cuts if after}
    added = {before + letter + after for before, after in cuts for letter in _LETTERS}
    other = {before + letter + after[1:] for before, after in cuts if after for letter in _LETTERS}
    return frozenset(dropped | added | other) - {word}


def _altered(random: Random) -> str:
    """A known thing with another letter in it, or one more: no slip of a finger (`typing_errors`)."""
    for _ in range(_TRIES):
        kind = str(random.choice(KINDS))
        at, letter = int(random.integers(len(kind) + 1)), str(random.choice(list(_LETTERS)))
        doubles = letter in kind[max(0, at - 1) : at + 1]
        of_plural = at >= len(kind) - 1 and (letter == "s" or letter in keys_beside("s"))
        if at < len(kind) and random.random() < 0.5:
            beside, word = letter in keys_beside(kind[at]), kind[:at] + letter + kind[at + 1 :]
        else:
            beside, word = doubles, kind[:at] + letter + kind[at:]
        if not (beside or of_plural) and _is_unknown(word):
            return word
    return str(random.choice(_own("alike")))


@cache
def keys_beside(letter: str) -> str:
    """The letters whose keys touch that of `letter`."""
    row = next(number for number, keys in enumerate(_ROWS) if letter in keys)
    at = _ROWS[row].index(letter)
    found = [_ROWS[row][place] for place in (at - 1, at + 1) if 0 <= place < len(_ROWS[row])]
    for other, places in ((row - 1, (at, at + 1)), (row + 1, (at - 1, at))):
        if 0 <= other < len(_ROWS):
            found += [_ROWS[other][place] for place in places if 0 <= place < len(_ROWS[other])]
    return "".join(found)


def question(random: Random, dictionary: tuple[str, ...] = ()) -> str:
    """A question that can't be answered, and none of those that are held out."""
    return not_held_out(lambda: _any(random, dictionary))


def not_held_out(draw: Callable[[], str]) -> str:
    """The first question drawn that is not held out."""
    text = draw()
    while is_held_out(text):
        text = draw()
    return text


def is_held_out(text: str) -> bool:
    """Whether it is a held-out question, in whatever order and case, with whatever time and polite words."""
    return _bag(text) in _held_out_bags()


def with_time(text: str, moment: str, first: bool) -> str:
    """The question with a time, at its start or at its end."""
    if first:
        return f"{moment[0].upper()}{moment[1:]}, {text[0].lower()}{text[1:]}"
    end = _end(text)
    return f"{text[:end]} {moment}{text[end:]}"


def with_unknown_word(random: Random, text: str, moment: str, dictionary: tuple[str, ...] = ()) -> str:
    """A question about what is there at a time, with an unknown word: "what sound is there at 0:12?"."""
    word = _beside_a_time(random, dictionary)
    way = random.random()
    if way < 0.35 and (asked := _ASKING.search(text)):
        return f"{text[: asked.end(1)]} {word}{text[asked.end() :]}"
    if way < 0.6 and (seen := _BEING.search(text)):
        return f"{text[: seen.start()]}{word}{text[seen.end() :]}"
    beside, start = f"{random.choice(_BESIDE)} {word}", text.lower().find(moment.lower())
    if start > 0 and not text.startswith(",", start + len(moment)):
        return f"{text[:start]}{beside} {text[start:]}"
    end = _end(text)
    return f"{text[:end]} {beside}{text[end:]}"


def _beside_a_time(random: Random, dictionary: tuple[str, ...]) -> str:
    while True:
        word = (
            unknown(random, dictionary) if random.random() < 0.7 else str(random.choice(_own("properties")))
        )
        if _is_unknown(word) and not {word, word.rstrip("s")} & _SYNONYMS:
            return word


def _end(text: str) -> int:
    """Where the question ends: before its mark, and before "Thank you."."""
    text = text.rstrip("?.! ")
    after = next((after for after in AFTER if text.endswith(after.rstrip("."))), "")
    return len(text.removesuffix(after.rstrip(".")).rstrip("?.! "))


def _bag(text: str) -> str:
    """The words that matter in a text, whatever their order and case; the text itself if it has none."""
    plain = text.lower().replace("colour", "color")
    for part in (*BEFORE, *AFTER, *WHERE):
        plain = plain.replace(part.lower().rstrip("."), " ")
    return " ".join(sorted(words_of(plain) - _of_times())) or text


@cache
def _of_times() -> frozenset[str]:
    """The words that stand beside the number of a time."""
    return frozenset(words_of(" ".join(MOMENTS).format(m="", s="")))


@cache
def _held_out_bags() -> frozenset[str]:
    return frozenset(_bag(text) for _, text in held_out_questions())


def _any(random: Random, dictionary: tuple[str, ...]) -> str:
    way = random.random()
    if way < 0.33:
        return _in_a_known_phrasing(random, dictionary)
    if way < 0.58:
        return _filled(random, str(random.choice(_list("about-known"))), dictionary)
    if way < 0.76:
        return _filled(random, str(random.choice(_list("about-unknown"))), dictionary)
    if way < 0.88:
        return str(random.choice(_list("free")))
    if way < 0.92:
        return str(random.choice(_list("languages")))
    if way < 0.94:
        return str(random.choice(_list("nonsense")))
    if way < 0.97:
        return _salad(random, dictionary)
    family = str(random.choice(list(FOLLOWING)))  # about nothing: no question came before it
    hue = str(random.choice(COLOURS if family == "hue" else ("left", "right", "up", "down")))
    return str(random.choice(FOLLOWING[family][:-3])).format(hue=hue)


def follow_up(random: Random, dictionary: tuple[str, ...] = ()) -> str:
    """One that goes on with a conversation and still can't be answered."""
    if random.random() < 0.5:
        return question(random, dictionary)
    return _filled(random, str(random.choice(_FOLLOWING)), dictionary)


def _in_a_known_phrasing(random: Random, dictionary: tuple[str, ...]) -> str:
    """As a question that can be answered, about a thing or with a color that is not known."""
    way = random.random()
    if way < 0.15:
        tint = unknown(random, dictionary) if way < 0.05 else _property(random)
        return str(random.choice(_OF_COLORS)).format(tint=tint)
    text, word = str(random.choice(_PHRASES)), unknown(random, dictionary)
    way = random.random()
    if way < 0.25:
        word = f"{random.choice(COLOURS)} {word}"
    elif way < 0.4:
        word = f"{random.choice(_own('properties'))} {random.choice(KINDS)}"
    elif way < 0.55:
        word = f"{random.choice(_own('colors'))} {random.choice(KINDS)}"
    elif way < 0.6:
        word = f"{word} {random.choice(KINDS)}"
    hue, other = random.choice(COLOURS, 2, replace=False)
    if random.random() < 0.2 and "{hue}" in text:
        word, hue = str(random.choice(KINDS)), _property(random)
    article = f"an {word}" if word[0] in "aeiou" else f"a {word}"
    return text.format(it=word, a=article, tint="", these=word + "s", hue=hue, other=other)


def _property(random: Random) -> str:
    """What stands where a color would, half the time an unknown color."""
    return str(random.choice(_own("colors" if random.random() < 0.5 else "properties")))


def _filled(random: Random, text: str, dictionary: tuple[str, ...]) -> str:
    kind, second = random.choice(KINDS, 2, replace=False)
    name = f"{random.choice(COLOURS)} {kind}" if random.random() < 0.25 else str(kind)
    named = {"it": name, "k": kind, "k2": second, "t": random.choice(COLOURS)}
    named["d"] = random.choice(("left", "right", "up", "down"))
    unknowns = {"n": unknown(random, dictionary), "n2": unknown(random, dictionary)}
    lists = {"p": "properties", "p2": "properties", "v": "verbs", "att": "attributes", "place": "places"}
    drawn = {slot: random.choice(_own(which)) for slot, which in lists.items()}
    return text.format(**named, **unknowns, **drawn)


def _salad(random: Random, dictionary: tuple[str, ...]) -> str:
    """Unknown words in a row, or single letters."""
    if random.random() < 0.4:
        letters = (
            "abcdefghijklmnopqrstuvwxyz      0123456789?!.,;-"
            if random.random() < 0.8
            else "жзлщяюёäöü中文字日本語🚗🐶🎉αβγδ  "
        )
        return "".join(random.choice(list(letters), int(random.integers(3, 30)))).strip() or "?"
    words = [unknown(random, dictionary) for _ in range(int(random.integers(1, 8)))]
    return " ".join(words)


@cache
def words_beyond() -> frozenset[str]:
    """Every word of our lists, other languages among them."""
    names = (path.stem for path in (_HOME / "lists").glob("*.txt"))
    return frozenset(
        words_of(re.sub(r"{\w+}", " ", " ".join(text for name in names for text in _list(name))))
    )


@cache
def known_lists() -> frozenset[str]:
    """Every word of our lists and of the held-out questions."""
    own = [*(word for name in _WORDS for word in _list(name)), *(text for _, text in held_out_questions())]
    return frozenset(words_of(" ".join(own)))
