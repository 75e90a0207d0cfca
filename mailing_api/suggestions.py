"""Names that a user may have meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache

__all__ = ["column_meant", "did_you_mean", "listed", "misspelt", "nearest"]

#: Letters from which on two mistakes in a name still leave no doubt about which name is meant; in a shorter one, one.
_LONG = 8


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """The known name that is most like a wrong one, whatever the case of its letters; None where none is like it."""
    by_folded: dict[str, str] = {}
    for name in known:
        by_folded.setdefault(name.casefold(), name)
    found = get_close_matches(wrong.casefold(), by_folded, n=1, cutoff=0.7)
    return by_folded[found[0]] if found else None


def column_meant(wanted: str, columns: Iterable[str], mapping: Mapping[str, str]) -> str:
    """A question for what may be meant by a canonical column that a stream lacks, with a blank before it.

    Args:
        wanted: the canonical column.
        columns: of the stream.
        mapping: the setting of that name, which may have the column's name wrong, or that of the stream's column.
    """
    if wanted not in mapping and (wrong := nearest(wanted, mapping)) is not None:
        return f" `mapping` has {wrong!r}. Did you mean {wanted!r}?"
    names = list(columns)
    holding = (name for name in names if _letters(wanted) in _letters(name))
    found = nearest(mapping.get(wanted, wanted), names) or next(holding, None)
    return "" if found is None else f" Did you mean {found!r}? Then add {json.dumps({wanted: found})} to `mapping`."


def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", name.casefold()))


@lru_cache(1000)
def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def misspelt(wrong: str, known: Iterable[str]) -> str | None:
    """The known name of which another is certainly a misspelling; None where it may be a name of its own.

    It has the same letters and digits, whatever their case and what is between them, or one letter more, less,
    exchanged or transposed, of a long name two. A name with a word more or less is one of its own.
    """
    letters, words = _letters(wrong), _words(wrong)
    found = None
    fewest = 1 if len(letters) < _LONG else 2
    for name in known:
        other = _letters(name)
        if abs(len(other) - len(letters)) > fewest or len({*other} ^ {*letters}) > 2 * fewest:
            continue
        if (edits := _edits(letters, other)) < fewest or (edits == fewest and found is None):
            others = _words(name)
            if not (words < others or others < words):
                fewest, found = edits, name
    return found


def _edits(one: str, other: str) -> int:
    """Letters that are inserted, deleted, exchanged or transposed with the next to make one text of another."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        before, last, row = row, before, [at]
        for place, wanted in enumerate(other, 1):
            edits = min(before[place] + 1, row[-1] + 1, before[place - 1] + (letter != wanted))
            if at > 1 and place > 1 and (letter, one[at - 2]) == (other[place - 2], wanted):
                edits = min(edits, last[place - 2] + 1)
            row.append(edits)
    return row[-1]


def did_you_mean(wrong: Iterable[str], known: Iterable[str]) -> str:
    """A question that names what may have been meant, with a blank before it; nothing where nothing is like it."""
    names = list(known)
    found = dict.fromkeys(name for one in wrong if (name := nearest(one, names)) is not None)
    return f" Did you mean {' and '.join(map(repr, found))}?" if found else ""


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names one after the other, as a message shows them: of very many only the first, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
