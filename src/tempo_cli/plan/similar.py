"""Suggestions for misspelled names."""

from collections.abc import Iterable

_ENOUGH = 0.6  # from 0, nothing alike, to 1, the same


def similar(name: str, names: Iterable[str]) -> str | None:
    """The most similar of `names`, if it is similar enough; dashes at the beginning and case do not count."""
    plain = name.lstrip("-").lower()[:80]
    best, most = None, 0.0
    for other in names:
        candidate = other.lstrip("-").lower()
        alike = 1 - _edits(plain, candidate) / max(len(plain), len(candidate), 1)
        if alike > most:
            best, most = other, alike
    return best if most >= _ENOUGH else None


def _edits(one: str, two: str) -> int:
    """How many letters must be inserted, left out, replaced or swapped with the next one."""
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, left in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, right in enumerate(two, 1):
            edits = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and (left, one[i - 2]) == (two[j - 2], right):
                edits = min(edits, last[j - 2] + 1)
            row.append(edits)
    return row[-1]
