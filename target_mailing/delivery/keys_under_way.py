"""Which keys of streams are on their way in this run: to which address, or from which."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import msgspec

from mailing_api.addresses import fold_address
from target_mailing.row import Row

__all__ = ["KeysUnderWay"]


class _Holder(msgspec.Struct, frozen=True, gc=False):
    """The last row of a key that is on its way.

    Attributes:
        turn: of that row.
        email: its address.
    """

    turn: int
    email: str


class KeysUnderWay:
    """What the journal does not know yet of keys.

    Of each key the last row counts, not its address: an earlier row of the same address may end while a later one
    waits. Rows of one address end in the order in which they came, so whatever holds a key at an address of a row that
    ended, and came no later than it, has ended too.
    """

    def __init__(self) -> None:
        self._turns = itertools.count(1)
        self._coming: dict[bytes, _Holder] = {}
        self._leaving: dict[bytes, _Holder] = {}

    def hold(self, row: Row) -> None:
        """A row is on its way for its key."""
        if row.key is None:
            return
        row.turn = next(self._turns)
        holder = _Holder(row.turn, row.email)
        if row.drops_key:
            self._leaving[row.key] = holder
        else:
            self._leaving.pop(row.key, None)
            self._coming[row.key] = holder

    def let_go(self, rows: Iterable[Row]) -> None:
        """These rows are no longer on their way for their keys; later ones may be."""
        for row in rows:
            held = self._leaving if row.drops_key else self._coming
            for key in (row.key, *row.also) if row.also else (row.key,):
                holder = None if key is None else held.get(key)
                if key is not None and holder is not None and _has_ended(holder, row):
                    del held[key]

    def coming_to(self, key: bytes) -> str | None:
        """The address to which the last row of a key is on its way."""
        holder = self._coming.get(key)
        return None if holder is None else holder.email

    def leaving_from(self, key: bytes) -> str | None:
        """The address from which a key is being removed, where no later row of it is on its way."""
        holder = self._leaving.get(key)
        return None if holder is None else holder.email

    def is_coming(self, key: bytes) -> bool:
        """Whether a row of the key is on its way to an address."""
        return key in self._coming

    def leaving(self) -> Iterable[bytes]:
        """The keys that are being removed."""
        return self._leaving

    def is_leaving(self, key: bytes) -> bool:
        """Whether the key is being removed."""
        return key in self._leaving

    def others_coming_to(self, address: str, key: bytes) -> bool:
        """Whether another key, which is not being removed, is on its way to a folded address."""
        return any(
            other != key and other not in self._leaving and fold_address(holder.email) == address
            for other, holder in self._coming.items()
        )


def _has_ended(holder: _Holder, row: Row) -> bool:
    return holder.turn <= row.turn and (holder.email == row.email or fold_address(holder.email) == row.address)
