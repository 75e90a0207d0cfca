"""Suggestions for wrong names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache

__all__ = ["column_meant", "did_you_mean", "listed", "misspelt", "nearest"]

#: The least length of a name that is recognised despite two mistakes; a shorter one may have one mistake.
_LONG = 8


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to a wrong one, in any case; None if none is similar."""
    by_folded: dict[str, str] = {}
    for name in known:
        by_folded.setdefault(name.casefold(), name)
    matches = get_close_matches(wrong.casefold(), by_folded, n=1, cutoff=0.7)
    return by_folded[matches[0]] if matches else None


def column_meant(missing: str, columns: Iterable[str], mapping: Mapping[str, str]) -> str:
    """Return a suggestion for a canonical column that a stream lacks, with a space before it; "" for none.

    Args:
        missing: the canonical column.
        columns: of the stream.
        mapping: the setting of that name, which may have a wrong name of the column, or of the stream's column.
    """
    if missing not in mapping and (wrong := nearest(missing, mapping)) is not None:
        return f" `mapping` has {wrong!r}. Did you mean {missing!r}?"
    names = list(columns)
    holding = (name for name in names if _letters(missing) in _letters(name))
    similar = nearest(mapping.get(missing, missing), names) or next(holding, None)
    if similar is None:
        return ""
    entry = json.dumps({missing: similar})
    if missing not in mapping:
        then = f"add {entry} to `mapping`"
    elif missing == similar:
        then = f"remove `{missing}` from `mapping`"
    else:
        then = f"correct `mapping` to {entry}"
    return f" Did you mean {similar!r}? Then {then}."


def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", name.casefold()))


@lru_cache(1000)
def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def misspelt(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name of which a wrong one is certainly a misspelling; None if it may be another name.

    A misspelling has the same letters and digits, in any case and with any separators, or one mistake, or two in a long
    name: a letter inserted, deleted, exchanged or transposed. A name with a word more or less is another name.
    """
    letters, words = _letters(wrong), _words(wrong)
    correct = None
    fewest = 1 if len(letters) < _LONG else 2
    for name in known:
        other = _letters(name)
        if abs(len(other) - len(letters)) > fewest or len({*other} ^ {*letters}) > 2 * fewest:
            continue
        if (edits := _edits(letters, other)) < fewest or (edits == fewest and correct is None):
            others = _words(name)
            if not (words < others or others < words):
                fewest, correct = edits, name
    return correct


def _edits(first: str, second: str) -> int:
    """The edit distance: letters inserted, deleted, exchanged, or transposed with the next letter."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        before, last, row = row, before, [i]
        for j, other in enumerate(second, 1):
            edits = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and (letter, first[i - 2]) == (second[j - 2], other):
                edits = min(edits, last[j - 2] + 1)
            row.append(edits)
    return row[-1]


def did_you_mean(wrong: Iterable[str], known: Iterable[str]) -> str:
    """Return a suggestion for wrong names, with a space before it; "" if no known name is similar.

    A name that may be an e-mail address, such as that of a list for one person, is not suggested: messages hold none.
    """
    names = [name for name in known if "@" not in name]
    similar = dict.fromkeys(name for each in wrong if (name := nearest(each, names)) is not None)
    return f" Did you mean {' and '.join(map(repr, similar))}?" if similar else ""


def listed(names: Sequence[str], most: int = 20) -> str:
    """Return names as a message shows them: the first ones, and the number of the others."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
