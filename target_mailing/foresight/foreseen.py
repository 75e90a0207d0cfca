"""What a plan would have changed at the provider so far, kept on disk, so that its later steps read it."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterable
from threading import Lock
from typing import Final

from mailing_api.addresses import fold_address

__all__ = ["Foreseen"]

_TABLE: Final = "CREATE TABLE changed (address TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID"


class Foreseen:
    """Contacts that a plan changed, each with its content now, in a destination's own form. Safe to share.

    They are in a database without a name, which SQLite keeps on disk and which ends with the plan.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._database: sqlite3.Connection | None = None

    def note(self, changes: Iterable[tuple[str, bytes]]) -> None:
        """Note contents by address, whatever its spelling; they replace earlier ones."""
        folded = [(fold_address(email), content) for email, content in changes]
        with self._lock:
            if self._database is None:
                self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
                weakref.finalize(self, self._database.close)
                self._database.execute(_TABLE)
            self._database.executemany("INSERT OR REPLACE INTO changed VALUES (?, ?)", folded)

    def of(self, email: str) -> bytes | None:
        """The content of a contact; None if the plan did not change it."""
        if self._database is None:
            return None
        with self._lock:
            query = "SELECT content FROM changed WHERE address = ?"
            found = self._database.execute(query, (fold_address(email),)).fetchone()
        return None if found is None else bytes(found[0])
