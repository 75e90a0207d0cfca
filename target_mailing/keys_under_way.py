"""Which keys of streams are on their way in this run: to which address, or from which."""

from __future__ import annotations

from collections.abc import Iterable

from mailing_api.addresses import fold_address
from target_mailing.batches import Row

__all__ = ["KeysUnderWay"]


class KeysUnderWay:
    """What the journal does not know yet of keys.

    Attributes:
        coming: by key, the address to which its last row goes.
        leaving: by key, the address of a removal of it.
    """

    def __init__(self) -> None:
        self.coming: dict[bytes, str] = {}
        self.leaving: dict[bytes, str] = {}

    def hold(self, key: bytes, row: Row) -> None:
        """A row of this key is on its way."""
        if row.drops_key:
            self.leaving[key] = row.email
        else:
            self.leaving.pop(key, None)
            self.coming[key] = row.email

    def let_go(self, rows: Iterable[Row]) -> None:
        """These rows are no longer on their way for their keys; others may be, of other addresses."""
        for row in rows:
            held = self.leaving if row.drops_key else self.coming
            for key in (row.key, *row.also) if row.also else (row.key,):
                email = None if key is None else held.get(key)
                if key is not None and email is not None and (email == row.email or fold_address(email) == row.address):
                    del held[key]
