"""A copy of a journal, for what only reads it: the copy ends with that."""

from __future__ import annotations

import os
import shutil
import sqlite3

import sqlalchemy as sa

from mailing_api.storage.temporary_folders import make_owned, remove_left
from target_mailing.journal.stores import FileStore, PostgresStore, Store

__all__ = ["CopiedStore"]


class CopiedStore(Store):
    """A private temporary folder with a copy of a journal, named as the original."""

    errors = FileStore.errors

    def __init__(self, original: FileStore | PostgresStore, purpose: str = "plan") -> None:
        """Take the original, which `open` copies, and what the copy is for: a noun."""
        self._original = original
        self._purpose = purpose
        self.name = original.name
        self._copy: FileStore | None = None
        self._owner: int | None = None

    def open(self) -> sa.Connection:
        """Copy the original, if there is one, and open the copy.

        Raises:
            JournalError: the original cannot be read, or a run changes it; or as of any store.
        """
        try:
            prefix = f"target-mailing-{self._purpose}-"
            remove_left(prefix)
            self.folder, self._owner = make_owned(prefix)
            path = self.folder / "journal.sqlite"
            self.is_new = not self._original.copy_to(path)
        except (OSError, sa.exc.DBAPIError) as exc:
            cause = exc if isinstance(exc, OSError) else exc.orig
            if not isinstance(cause, (OSError, sqlite3.Error)):
                raise
            reason = getattr(cause, "strerror", None) or getattr(cause, "sqlite_errorname", type(cause).__name__)
            raise self.error(
                f"could not be copied for the {self._purpose} to the folder of temporary files ({reason}). "
                "Make room there, or name another folder by the environment variable TMPDIR"
            ) from None
        self._copy = FileStore(path)
        connection = self._copy.open()
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
        return connection

    def hold_list(self, connection: sa.Connection, name: str) -> str | None:  # noqa: ARG002 - of the copy
        """Lock the list in the original's place, against runs."""
        return self._original.hold_copied_list(name)

    def failure(self, error: Exception) -> str:
        """A message for an error of the copy."""
        if self._copy is None:
            return self._original.failure(error)
        return f"was copied for the {self._purpose}, and the copy {self._copy.failure(error)}"

    def overwrite(self, connection: sa.Connection) -> None:
        """As of a file."""
        if self._copy is not None:
            self._copy.overwrite(connection)

    def close(self) -> None:
        """Remove the copy, and release the list locks."""
        if self._copy is not None:
            self._copy.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None
        self._original.close()
