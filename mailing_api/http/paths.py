"""Paths of requests: a name or an address becomes one segment, whatever characters it holds."""

from __future__ import annotations

from urllib.parse import quote

from mailing_api.errors import NotFound

__all__ = ["segment"]

#: Segments that mean another path, encoded or not; an empty segment means the collection.
_OTHER_PATHS = frozenset({"", ".", ".."})


def segment(name: int | str) -> str:
    """Return a name, an address or an ID as one segment of a path.

    Raises:
        NotFound: no path can name it, so no object has that name.
    """
    text = str(name)
    if text in _OTHER_PATHS:
        raise NotFound(f"No object can be named {text!r}: in a path it means another path.")
    return quote(text, safe="")
