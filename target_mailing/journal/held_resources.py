"""Keys and contacts of rows that this run keeps on disk until later; few are in memory, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import sqlalchemy as sa

from target_mailing.journal.run_table import RunTable
from target_mailing.rows.row import Resource

__all__ = ["HeldResources"]

#: Resources in memory, until they are written to the table; and those that were looked up.
_RECENT: Final = 16_384
_LOOKED_UP: Final = 65_536
_KEY_BYTES: Final = 8


class HeldResources:
    """Resources by their hashes, each with a contact: for a key, the one that the key will have."""

    def __init__(self, connection: sa.Connection, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        """Begin empty; each call is made in a transaction."""
        self._transaction = transaction
        self._table = RunTable(connection, "held_resources", transaction, "resource", "contact")
        self._recent: dict[int, int] = {}
        #: Of resources that are not in `_recent`: None for those that are not held.
        self._looked_up: dict[int, int | None] = {}

    def __bool__(self) -> bool:
        """Whether any resource is held."""
        return bool(self._recent) or self._table.is_made

    def look_up(self, resources: Iterable[Resource]) -> list[Resource]:
        """Which of these are held, by one query; the next questions are about them."""
        if not self:
            return []
        by_number = {_number(one): one for one in resources}
        self._read([one for one in by_number if one not in self._recent])
        return [one for hashed, one in by_number.items() if self._get(hashed) is not None]

    def get(self, resource: Resource) -> int | None:
        """The contact of a held resource, 0 for none; None if it is not held."""
        return self._get(_number(resource)) if self else None

    def put(self, resource: Resource, contact: int = 0) -> None:
        """Hold a resource, or give it another contact."""
        hashed = _number(resource)
        self._recent[hashed] = contact
        self._looked_up.pop(hashed, None)
        if len(self._recent) >= _RECENT:
            self._store()

    def _get(self, hashed: int) -> int | None:
        if hashed in self._recent:
            return self._recent[hashed]
        if hashed not in self._looked_up:
            self._read([hashed])
        return self._looked_up[hashed]

    def _read(self, hashed: Sequence[int]) -> None:
        unknown = [one for one in hashed if one not in self._looked_up]
        if len(self._looked_up) + len(unknown) > _LOOKED_UP:
            self._looked_up, unknown = {}, [*hashed]
        self._looked_up.update(dict.fromkeys(unknown))
        if self._table.is_made and unknown:
            with self._transaction():
                self._looked_up.update(self._table.rows(unknown))

    def _store(self) -> None:
        self._table.make()
        recent, self._recent = self._recent, {}
        with self._transaction():
            self._table.replace(sorted(recent.items()))
        for one in recent.keys() & self._looked_up.keys():
            self._looked_up[one] = recent[one]


def _number(resource: Resource) -> int:
    if isinstance(resource, int):
        return resource
    return int.from_bytes(resource[:_KEY_BYTES], "big", signed=True)
