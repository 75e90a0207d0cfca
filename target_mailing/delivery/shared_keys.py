"""Keys that do not identify a person, because they stand for several addresses at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import Final

import msgspec

from target_mailing.journal.journal import Journal
from target_mailing.journal.seen_keys import SeenKeys
from target_mailing.rows.row import Row

__all__ = ["SharedKeys"]

#: Addresses of one key in one run that are too many for a person, even in a stream of changes.
_TOO_MANY: Final = 10


class _Moves(msgspec.Struct):
    """The contacts that a key had since its address first changed in this run.

    Attributes:
        contacts: the first is the one before the change.
        in_run: how many of them rows of this run had.
    """

    contacts: list[int]
    in_run: int


class SharedKeys:
    """Which keys of one destination's rows are shared.

    In a table, a key with two addresses in one run is shared: the other address may be another person's, who must not
    be removed. In a log, two addresses are a change of address. There a key is shared if it has ten addresses in one
    run, or if it leaves its address and returns to it in one run and again in a later run.
    """

    def __init__(self, journal: Journal) -> None:
        """Begin with no key seen; the journal remembers shared keys."""
        self._journal = journal
        self._moves: dict[bytes, _Moves] = {}
        self._returned: set[bytes] = set()
        #: By stream, rows whose key stands for other addresses, too.
        self.rows: Counter[str] = Counter()

    def holds(self, row: Row, before: int, shared: set[bytes], *, came: bool) -> bool:
        """Whether the key of a row is shared.

        Args:
            row: with a key.
            before: the key's contact before the row; 0 for none.
            shared: known shared keys; the row's key is added if it proves to be shared.
            came: whether an earlier row of this run had the key.
        """
        key = row.key
        assert key is not None  # noqa: S101 - only called for keyed rows
        is_other = before not in {0, row.id} and bool(row.email)
        if key not in shared:
            if row.tells_changes:
                is_shared = self._moves_too_much(row, key, before, is_other=is_other, came=came)
            else:
                is_shared = is_other and came
            if is_shared:
                shared.add(key)
                self._journal.shared_keys.add([key])
        if key not in shared:
            return False
        self.rows[row.stream] += is_other
        return True

    def _moves_too_much(self, row: Row, key: bytes, before: int, *, is_other: bool, came: bool) -> bool:
        if row.drops_key:
            self._moves.pop(key, None)
        if row.drops_key or not is_other:
            return False
        moves = self._moves.setdefault(key, _Moves([before], int(came)))
        if row.id not in moves.contacts:
            moves.contacts.append(row.id)
            moves.in_run += 1
            return moves.in_run >= _TOO_MANY
        if self._journal.returned_keys.among([key]):
            return True
        self._returned.add(key)
        return False

    def came(self, number: int | None) -> bool:
        """Whether a row had a key, given its number in the journal, None for none there; from now on, one had it."""
        seen = self._seen
        has_come = number is not None and number in seen
        seen.update([] if number is None else [number])
        return has_come

    def saw(self, numbers: Iterable[int]) -> None:
        """Rows had the keys of these numbers, each with its address as it was before."""
        self._seen.update(numbers)

    @cached_property
    def _seen(self) -> SeenKeys:
        """Begun with the first row that asks: batches of earlier runs may still end until then."""
        return self._journal.seen_keys()

    def remember(self) -> None:
        """The run has succeeded: note the keys that returned to an address. The same log may be read again later."""
        if self._returned:
            self._journal.returned_keys.add(self._returned)
            self._returned = set()
