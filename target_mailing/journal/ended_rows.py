"""Rows that ended otherwise than as rejects before rows of earlier lines ended; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from target_mailing.journal.reject import Origin
from target_mailing.rows.row import Resource

__all__ = ["EndedRows"]

#: They are remembered up to this number of keys and contacts.
_MOST_ENDED: Final = 200_000


class EndedRows:
    """The last line of each key and contact whose row ended while rows of earlier lines may still be rejected."""

    def __init__(self) -> None:
        """Begin with none."""
        self._ended: dict[Resource, int] = {}
        #: Up to this line, rows of any key may have ended.
        self._maybe = 0

    def add(self, resources: Iterable[tuple[Resource, int]], prefix: int) -> None:
        """Rows ended, each with a key or contact, and its line; all lines up to `prefix` have ended."""
        for one, line in resources:  # which do not come in the order of the lines
            self._ended[one] = max(line, self._ended.get(one, 0))
        if len(self._ended) > _MOST_ENDED:
            self._ended = {resource: line for resource, line in self._ended.items() if line > prefix}
            if len(self._ended) > _MOST_ENDED // 2:
                self._maybe = max(self._ended.values())
                self._ended.clear()

    def has(self, origin: Origin) -> bool:
        """Whether a later row of the same key or contact is known to have ended."""
        lasts = ((origin.key, origin.last_of_key), (origin.contact, origin.last))
        return any(one is not None and self._ended.get(one, 0) > last for one, last in lasts)

    def may_have(self, origin: Origin) -> bool:
        """Whether one may have ended, because more of them ended than are remembered."""
        return origin.last_of_key < self._maybe
