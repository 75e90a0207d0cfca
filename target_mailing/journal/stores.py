"""Where a journal is kept: in a file, in memory, or in a PostgreSQL schema; one process holds it at a time."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from mailing_api.storage import postgres
from mailing_api.storage.folders import unmakable
from mailing_api.storage.locks import Foreign, Held, HeldFile, Mark
from mailing_api.storage.postgres import OwnSchema

__all__ = ["FileStore", "JournalError", "MemoryStore", "PostgresStore", "Store", "damaged"]

_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",  # what is noted survives a power cut, too
    "secure_delete=ON",  # what is erased is overwritten
    "cache_size=-16384",
    "wal_autocheckpoint=8192",  # pages: hashes land all over the table, and a page written once serves many of them
)

_MARK: Final = Mark(application_id=0x744D4A6C, tables=frozenset({"meta", "batches", "steps", "rejects"}))


_ELSEWHERE: Final = "Mend that, or choose another place"
#: What SQLite's errors say, by the beginning of their names.
_FAILURES: Final = {
    "SQLITE_FULL": f"cannot be written (the disk is full). {_ELSEWHERE}",
    "SQLITE_IOERR": f"cannot be written (the disk failed, or a limit of file sizes is reached). {_ELSEWHERE}",
    "SQLITE_READONLY": f"cannot be written (it is read-only). {_ELSEWHERE}",
    "SQLITE_CANTOPEN": f"cannot be written (it cannot be opened). {_ELSEWHERE}",
    **dict.fromkeys(
        # The last of them: a table or a column is missing.
        ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_MISMATCH", "SQLITE_CONSTRAINT", "SQLITE_ERROR"),
        "is damaged. Restore it from a backup, or move it away and keep it: a new journal remembers nothing",
    ),
}


class JournalError(Exception):
    """The journal cannot be opened or written; the message says where and what to do."""


class Store(ABC):
    """A place for a journal.

    Attributes:
        name: for messages and logs; holds no password.
    """

    name: str
    #: What may be raised when the place is used; the driver's own, where SQLAlchemy does not stand between.
    errors: tuple[type[Exception], ...] = (sa.exc.SQLAlchemyError, OSError)

    @property
    def is_new(self) -> bool:
        """Whether nothing was there when it was opened."""
        return True

    def would_be_made(self) -> bool:
        """Whether nothing is there; nothing is made.

        Raises:
            JournalError: it cannot be used, or could not be made.
        """
        return False

    def overwrite(self, connection: sa.Connection) -> None:  # noqa: B027 - most places have no log
        """Let nothing of what was erased stay in a log."""

    @abstractmethod
    def open(self) -> sa.Connection:
        """Connect, and hold the place until `close`.

        Raises:
            JournalError: another process holds it, or it cannot be used.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the place."""

    def hold_list(self, connection: sa.Connection, name: str) -> str | None:  # noqa: ARG002
        """Keep runs with other journals in the same place from a list, until `close`.

        Returns:
            The run that delivers to it now; None if there is none, or if a place holds only one journal.
        """
        return None

    def failure(self, error: Exception) -> str:
        """Words for an error of the driver, which holds none of the driver's own: these may quote a password."""
        return f"cannot be used ({type(error).__name__})"

    def check(self) -> None:  # noqa: B027 - most places cannot be taken away unnoticed
        """See whether what was noted is still kept.

        Raises:
            JournalError: the place was taken away.
        """


class MemoryStore(Store):
    """Nothing is remembered after the run."""

    name = "memory"

    def __init__(self) -> None:
        self._engine = sa.create_engine("sqlite://", hide_parameters=True, poolclass=sa.StaticPool)

    def open(self) -> sa.Connection:
        """Connect."""
        return self._engine.connect()

    def close(self) -> None:
        """Forget everything."""
        self._engine.dispose()


class FileStore(Store):
    """A SQLite file, for its owner alone."""

    errors = (*Store.errors, sqlite3.Error)

    def __init__(self, path: Path) -> None:
        """Name the file; it is made when it is opened."""
        self.path = path
        self.name = str(path)
        self._file = HeldFile(path, _MARK)
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            hide_parameters=True,
            poolclass=sa.StaticPool,
        )

    def open(self) -> sa.Connection:
        """Make the file, private, where there is none, connect, and lock it.

        Raises:
            JournalError: there is something else, which is left as it is; or as of any store.
        """
        try:
            self._file.hold()
            connection = self._engine.connect()
            self._file.mark(connection.exec_driver_sql)
        except Held as exc:
            raise _held(self.name, exc.holder) from None
        except Foreign as exc:
            raise JournalError(f"Setting `journal`: {self.name} {exc}.") from None
        except OSError as exc:
            raise JournalError(
                f"Setting `journal`: {self.name} cannot be written ({exc.strerror}). Choose a place that can be."
            ) from None
        for pragma in _PRAGMAS:
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        return connection

    def failure(self, error: Exception) -> str:
        """Words for an error of SQLite."""
        error = getattr(error, "orig", error) or error
        # Without a name: a value that cannot be decoded.
        kind = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT" if isinstance(error, sqlite3.Error) else "")
        said = next((words for name, words in _FAILURES.items() if kind.startswith(name)), None)
        if said is None and isinstance(error, OSError):
            said = f"cannot be written ({error.strerror}). Mend that, or choose another place"
        return said or f"cannot be written ({kind or type(error).__name__}). Mend that, or choose another place"

    def check(self) -> None:
        """See whether the file is still what its name stands for."""
        if not self._file.is_there:
            raise JournalError(
                f"Setting `journal`: {self.name} was removed or replaced while this run held it. What is noted from "
                "now on would be lost, so no STATE leaves. Put the file back if it was moved, and run again."
            )

    @property
    def is_new(self) -> bool:
        """Whether nothing was there when it was opened."""
        return self._file.is_new

    def would_be_made(self) -> bool:
        """Whether nothing is there, and the file could be made."""
        try:
            if self._file.check():
                return False
        except Foreign as exc:
            raise JournalError(f"Setting `journal`: {self.name} {exc}.") from None
        except OSError as exc:
            raise JournalError(f"Setting `journal`: {self.name} {self.failure(exc)}.") from None
        if why := unmakable(self.path):
            raise JournalError(f"Setting `journal`: {self.name} could not be made ({why}). Choose another place.")
        return True

    def overwrite(self, connection: sa.Connection) -> None:
        """Merge SQLite's log into the file, where what was erased is overwritten, and empty the log."""
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.commit()

    def close(self) -> None:
        """Close the file and let go of its lock."""
        self._file.let_go(self._engine.dispose)


class PostgresStore(Store):
    """A schema of a PostgreSQL database, held by an advisory lock of the session."""

    def __init__(self, url: str, pipeline: str) -> None:
        """Name the place.

        Args:
            url: as SQLAlchemy and libpq take it: `postgresql://user:password@host/database`; what is left out comes
                from libpq's environment variables, such as PGPASSWORD.
            pipeline: account and list, so that pipelines with one database do not meet.

        Raises:
            JournalError: it is no URL, or psycopg is not installed.
        """
        digest = hashlib.blake2b(pipeline.encode(), digest_size=4).hexdigest()
        slug = re.sub(r"[^a-z0-9]+", "_", pipeline.lower()).strip("_")[:38]
        self._schema = f"target_mailing_{slug}_{digest}"
        self._own = OwnSchema(url, self._schema, setting="journal", content="journal", error=JournalError)
        self._is_new = False
        self.name = self._own.name
        try:
            self._engine = sa.create_engine(
                sa.make_url(url).set(drivername="postgresql+psycopg"),
                hide_parameters=True,
                poolclass=sa.StaticPool,
                connect_args=postgres.connection_options(),
            )
        except (ValueError, sa.exc.ArgumentError):  # what libpq would read, and SQLAlchemy does not
            raise JournalError(
                "Setting `journal` is no URL that can be read. Several hosts are given as "
                "postgresql://user:password@/database?host=one:5432&host=other:5432."
            ) from None

    def open(self) -> sa.Connection:
        """Connect, take the lock, and make the schema where there is none.

        Raises:
            JournalError: something in the schema is not this role's own; or as of any store.
        """
        connection = self._engine.connect()
        run = _run_over(connection)
        self._own.begin(run)
        if holder := postgres.lock(run, self._schema):
            raise _held(self.name, holder)
        self._is_new = self._own.enter(run)
        connection.commit()
        return connection

    @property
    def is_new(self) -> bool:
        """Whether the schema was not there when it was opened."""
        return self._is_new

    def would_be_made(self) -> bool:
        """Whether there is no schema, and the role may make it."""
        try:
            with self._engine.connect() as connection:
                run = _run_over(connection)
                self._own.check(run)
                if self._own.is_there(run):
                    return False
                if not run("SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')")[0][0]:
                    raise JournalError(
                        f"Setting `journal`: {self.name} could not be made: the role needs CREATE on the database, or "
                        "the schema made for it beforehand (CREATE SCHEMA ... AUTHORIZATION)."
                    )
        except self.errors as exc:
            raise JournalError(f"Setting `journal`: {self.name} {self.failure(exc)}.") from None
        return True

    def hold_list(self, connection: sa.Connection, name: str) -> str | None:
        """Take an advisory lock of the database, whichever schema, user and machine the other run has."""
        return postgres.lock(_run_over(connection), f"target-mailing list {name}")

    def failure(self, error: Exception) -> str:
        """Words for an error of PostgreSQL or its driver."""
        return f"cannot be used ({postgres.failure(error)})"

    def close(self) -> None:
        """End the session, and with it the lock."""
        self._engine.dispose()


def _run_over(connection: sa.Connection) -> postgres.Run:
    def run(statement: str, *parameters: str) -> Sequence[Sequence[Any]]:
        found = connection.exec_driver_sql(statement, parameters or None)
        return found.all() if found.returns_rows else []

    return run


def _held(place: str, holder: str) -> JournalError:
    return JournalError(
        f"Setting `journal`: {place} is held by {holder}. Wait for it to end, or give this pipeline another journal."
    )


def damaged(place: str, why: Exception) -> JournalError:
    """The error for what no version has written."""
    return JournalError(
        f"Setting `journal`: {place} is damaged ({type(why).__name__} while it was read). Restore it from a backup, or "
        "move it away and keep it: a new journal remembers nothing."
    )
