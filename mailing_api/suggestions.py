"""Names that a user may have meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

__all__ = ["column_meant", "did_you_mean", "listed", "nearest"]


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
    return "" if found is None else f" Did you mean {found!r}? Then set `mapping` to {json.dumps({wanted: found})}."


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def did_you_mean(wrong: Iterable[str], known: Iterable[str]) -> str:
    """A question that names what may have been meant, with a blank before it; nothing where nothing is like it."""
    names = list(known)
    found = dict.fromkeys(name for one in wrong if (name := nearest(one, names)) is not None)
    return f" Did you mean {' and '.join(map(repr, found))}?" if found else ""


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names one after the other, as a message shows them: of very many only the first, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
