"""Names that a user may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean", "nearest"]


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """The known name that is most like a wrong one, whatever the case of its letters; None where none is like it."""
    by_folded: dict[str, str] = {}
    for name in known:
        by_folded.setdefault(name.casefold(), name)
    found = get_close_matches(wrong.casefold(), by_folded, n=1, cutoff=0.7)
    return by_folded[found[0]] if found else None


def did_you_mean(wrong: Iterable[str], known: Iterable[str]) -> str:
    """A question that names what may have been meant, with a blank before it; nothing where nothing is like it."""
    names = list(known)
    found = dict.fromkeys(name for one in wrong if (name := nearest(one, names)) is not None)
    return f" Did you mean {' and '.join(map(repr, found))}?" if found else ""
