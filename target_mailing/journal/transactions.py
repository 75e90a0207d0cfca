"""The transactions of a journal: how they end, and what is said where they fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
import sqlalchemy as sa

from target_mailing.journal.statements import Driver
from target_mailing.journal.stores import Store

__all__ = ["Transactions"]


class Transactions:
    """Transactions in one store."""

    def __init__(self, store: Store) -> None:
        """Use a store, which the caller closes."""
        self._store = store

    def open(self) -> sa.Connection:
        """Connect.

        Raises:
            JournalError: as of the store.
        """
        self._connection = self._store.open()
        self.driver = Driver(self._connection)
        return self._connection

    @contextmanager
    def write(
        self, *, commit: bool = True, else_: str = "Rows that are not noted there are not acknowledged"
    ) -> Iterator[None]:
        """Read or write, and commit, so that no transaction stays open while the run waits.

        Raises:
            JournalError: that failed, and `else_` says what that means.
        """
        try:
            yield
            if commit:
                self._store.commit(self._connection)
                self._store.check()
                if self.driver.has_erased:
                    self.driver.has_erased = False
                    self._store.overwrite(self._connection)
        except self._store.errors as exc:
            self._roll_back()
            failure = self._store.failure(exc)
            raise self._store.error(f"{failure}. {else_}") from None
        except OverflowError as exc:  # a number that no version writes
            self._roll_back()
            raise self._store.damaged(exc) from None

    @contextmanager
    def read(self) -> Iterator[None]:
        """Read, in a transaction, from a journal that may be damaged."""
        try:
            with self.write():
                yield
        except (msgspec.MsgspecError, UnicodeError, AttributeError, LookupError, TypeError, ValueError) as exc:
            self._roll_back()
            raise self._store.damaged(exc) from exc

    def _roll_back(self) -> None:
        with suppress(sa.exc.SQLAlchemyError, AttributeError):  # it may not be open
            self._connection.rollback()
