"""Paths of requests: names and addresses become one segment, whatever they hold."""

from __future__ import annotations

from urllib.parse import quote

from mailing_api.errors import NotFound

__all__ = ["segment"]

#: Mean another path, encoded or not, and an empty segment means the collection.
_OTHER_PATHS = frozenset({"", ".", ".."})


def segment(name: int | str) -> str:
    """A name, an address or an ID as one segment of a path.

    Raises:
        NotFound: no path can name it, so that nothing is called so.
    """
    text = str(name)
    if text in _OTHER_PATHS:
        raise NotFound(f"{text!r} cannot be the name of anything: as a part of a path it means another one.")
    return quote(text, safe="")
