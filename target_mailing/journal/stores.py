"""Places for a journal: a file, memory, or a schema of PostgreSQL; one process holds a place at a time."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from mailing_api.storage import compaction, postgres
from mailing_api.storage.folders import unmakable
from mailing_api.storage.locks import Foreign, Held, HeldFile, Mark
from mailing_api.storage.postgres import OwnSchema
from target_mailing.journal import schemas
from target_mailing.journal.copying import copy_files
from target_mailing.journal.store import RESTORE, JournalError, JournalInUseError, Store

if TYPE_CHECKING:
    from mailing_api.storage.postgres_session import Session
    from mailing_api.storage.postgres_watch import WatchedConnection

__all__ = ["FileStore", "JournalError", "JournalInUseError", "MemoryStore", "PostgresStore", "Store"]

_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",  # a commit survives a power cut
    "secure_delete=ON",  # deleted content is overwritten
    "cache_size=-4096",
    "wal_autocheckpoint=8192",  # pages; many hashes change the same page before it is written
)

_MARK: Final = Mark(application_id=0x744D4A6C, tables=frozenset({"meta", "batches", "steps", "rejects"}))

_FIX: Final = "Fix the cause, or choose another place"
#: Messages by the beginning of the name of SQLite's error.
_FAILURES: Final = {
    "SQLITE_FULL": f"cannot be written (the disk is full). {_FIX}",
    "SQLITE_IOERR": f"cannot be written (the disk failed, or a limit of file sizes is reached). {_FIX}",
    "SQLITE_READONLY": f"cannot be written (it is read-only). {_FIX}",
    "SQLITE_CANTOPEN": f"cannot be written (it cannot be opened). {_FIX}",
    **dict.fromkeys(
        # SQLITE_ERROR: a table or a column is missing.
        ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_MISMATCH", "SQLITE_CONSTRAINT", "SQLITE_ERROR"),
        f"is damaged. {RESTORE}",
    ),
}


class MemoryStore(Store):
    """Memory: the journal ends with the run."""

    name = "memory"

    def __init__(self) -> None:
        self._engine = sa.create_engine("sqlite://", hide_parameters=True, poolclass=sa.StaticPool)

    def open(self) -> sa.Connection:
        """Connect."""
        return self._engine.connect()

    def close(self) -> None:
        """Drop the database."""
        self._engine.dispose()


class FileStore(Store):
    """A SQLite file that only its owner may read."""

    errors = (*Store.errors, sqlite3.Error)

    def __init__(self, path: Path) -> None:
        """Take the path; `open` makes the file."""
        self.path = path
        self.folder = path.parent
        self.name = str(path)
        self._file = HeldFile(path, _MARK)
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            hide_parameters=True,
            poolclass=sa.StaticPool,
        )

    def open(self) -> sa.Connection:
        """Make the file if there is none, private, lock it, and connect.

        Raises:
            JournalError: the path names something else, which is not changed; or as of any store.
        """
        with self._refusals():
            self._file.hold()
            connection = self._engine.connect()
            self._file.mark(connection.exec_driver_sql)
        self.is_new = self._file.is_new
        for pragma in _PRAGMAS:
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        return connection

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except Held as exc:
            raise self.held(exc.holder) from None
        except Foreign as exc:
            raise self.error(str(exc)) from None
        except OSError as exc:
            raise self.error(self.failure(exc)) from None

    def failure(self, error: Exception) -> str:
        """A message for an error of SQLite."""
        error = getattr(error, "orig", error) or error
        if isinstance(error, OSError):
            return f"cannot be written ({error.strerror}). {_FIX}"
        # SQLite's driver gives no name where a value cannot be decoded.
        kind = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT" if isinstance(error, sqlite3.Error) else "")
        unknown = f"cannot be written ({kind or type(error).__name__}). {_FIX}"
        return next((message for name, message in _FAILURES.items() if kind.startswith(name)), unknown)

    def copy_to(self, path: Path) -> bool:
        """Copy the journal to a path by reading alone; returns whether there is one.

        Raises:
            JournalError: the path names something else.
            JournalInUseError: a run changes the journal.
            OSError: the copy cannot be written.
        """
        with self._refusals():
            if not self._file.check():
                return False
        if not copy_files(self.path, path):
            raise JournalInUseError(
                f"Setting `journal`: {self.name} changes while it is read, so a run uses it. Repeat this when that run "
                "has ended."
            )
        return True

    def read_only(self) -> tuple[sa.Connection, str | None] | None:
        """As of any store; no file is made."""
        with self._refusals():
            if not self._file.check():
                return None
        engine = sa.create_engine("sqlite://", creator=self._file.read_only, poolclass=sa.NullPool)
        return engine.connect(), self._file.holder

    def hold_copied_list(self, name: str) -> str | None:  # noqa: ARG002 - one journal in a file
        """As `hold_list`, for a copy."""
        return None

    def check(self) -> None:
        """Check that the path still names the file."""
        if not self._file.is_there:
            raise self.error(
                "was removed or replaced while this run held it. What this run notes from now on would be lost, so no "
                "STATE leaves. Put the file back if it was moved, and run again"
            )

    def would_be_made(self) -> bool:
        """Whether the file does not exist, or is empty, and could be made."""
        with self._refusals():
            if self._file.check():
                return False
        if reason := unmakable(self.path):
            raise self.error(f"could not be made ({reason}). Choose another place")
        return True

    def overwrite(self, connection: sa.Connection) -> None:
        """Merge SQLite's log into the file, where deleted content is overwritten, and empty the log."""
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.commit()

    def compact(self, connection: sa.Connection) -> None:
        """Rewrite the file; what it gives up is overwritten."""
        compaction.compact(connection.exec_driver_sql, self._file)

    def close(self) -> None:
        """Close the file and release its lock."""
        self._file.let_go(self._engine.dispose)


class PostgresStore(Store):
    """A schema of a PostgreSQL database, held by an advisory lock of the session."""

    def __init__(self, url: str, pipeline: str) -> None:
        """Take the place.

        Args:
            url: as SQLAlchemy and libpq read it: `postgresql://user:password@host/database`; parts that it omits come
                from libpq's environment variables, such as PGPASSWORD.
            pipeline: account and list: each pipeline has a schema of its own.

        Raises:
            JournalError: the URL cannot be read, or psycopg is not installed.
        """
        digest = hashlib.blake2b(pipeline.encode(), digest_size=4).hexdigest()
        slug = re.sub(r"[^a-z0-9]+", "_", pipeline.lower()).strip("_")[:38]
        self._schema = f"target_mailing_{slug}_{digest}"
        self._own = OwnSchema(url, self._schema, setting="journal", content="journal", error=JournalError)
        self.name = self._own.name
        self.errors = (*Store.errors, self._own.driver_error)
        self._session: Session | None = None
        try:
            self._engine = sa.create_engine(
                sa.make_url(url).set(drivername="postgresql+psycopg"),
                hide_parameters=True,
                poolclass=sa.StaticPool,
                connect_args=postgres.connection_options(),
            )
            sa.event.listen(self._engine, "do_connect", self._connect)
        except (ValueError, sa.exc.ArgumentError):  # libpq reads more forms than SQLAlchemy
            raise JournalError(
                "Setting `journal`: the URL cannot be read. Write several hosts as "
                "postgresql://user:password@/database?host=one:5432&host=other:5432."
            ) from None

    def open(self) -> sa.Connection:
        """Connect, take the lock, and make the schema if there is none.

        Raises:
            JournalError: another role owns something in the schema; or as of any store.
        """
        connection = self._engine.connect()
        run = schemas.run_over(connection)
        if holder := self._hold(self._schema):
            raise self.held(holder)
        self._own.begin(run)
        self.is_new = self._own.enter(run)
        self.commit(connection)
        return connection

    def commit(self, connection: sa.Connection) -> None:
        """Commit, if this session still has the locks: both are one call, as every call takes a round trip."""
        if self._session is not None and connection.in_transaction():
            self._session.commit()
        connection.commit()

    def prove(self) -> None:
        """Check that this session has the locks."""
        if self._session is not None:
            with self._refusals():
                self._session.check()

    def would_be_made(self) -> bool:
        """Whether the schema does not exist, and could be made."""
        try:
            with self._engine.connect() as connection:
                run = schemas.run_over(connection)
                self._own.check(run)
                if self._own.is_there(run):
                    return False
                if run("SHOW transaction_read_only")[0][0] == "on":
                    raise self.error(f"could not be made ({postgres.READ_ONLY})")
                if not run("SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')")[0][0]:
                    raise self.error(
                        "could not be made: the role needs CREATE on the database, or the schema made for it "
                        "beforehand (CREATE SCHEMA ... AUTHORIZATION)"
                    )
        except self.errors as exc:
            raise self.error(self.failure(exc)) from None
        return True

    def copy_to(self, path: Path) -> bool:
        """Copy the journal into a SQLite file, in a transaction that only reads; returns whether there is one.

        Raises:
            JournalError: it is of an earlier version, or another role owns something in the schema.
        """
        with self._engine.connect() as connection:
            self._connection.prepare_threshold = None  # a pooler may give each transaction another session
            run = schemas.run_over(connection)
            self._own.check(run)
            if not self._own.is_there(run):
                return False
            connection.commit()
            if not schemas.copy(connection, self._schema, path):
                raise self.error("has the format of an earlier version. Deliver once before")
        return True

    def read_only(self) -> tuple[sa.Connection, str | None] | None:
        """As of any store; all of it is one transaction, which may have any session of a pooler."""
        connection = self._engine.connect()
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        connection.exec_driver_sql("SET LOCAL extra_float_digits TO 1")
        run = schemas.run_over(connection)
        self._own.check(run)
        if not self._own.is_there(run):
            return None
        run("SELECT pg_catalog.set_config('search_path', %s, true)", f'"{self._schema}", pg_temp')
        return connection, postgres.holder_of(run, self._schema)

    def hold_copied_list(self, name: str) -> str | None:
        """As `hold_list`, for a copy."""
        try:
            with self._engine.connect() as connection:
                return self.hold_list(connection, name)
        except self.errors as exc:
            raise self.error(self.failure(exc)) from None

    def hold_list(self, connection: sa.Connection, name: str) -> str | None:  # noqa: ARG002 - of its session
        """Take an advisory lock of the database, which holds for all schemas, users and machines."""
        return self._hold(f"target-mailing list {name}")

    def _connect(self, _: sa.Dialect, __: object, ___: object, options: dict[str, Any]) -> WatchedConnection:
        """Connect, once: another session would have none of the locks."""
        from mailing_api.storage.postgres_watch import connect, lost  # noqa: PLC0415 - needs an extra

        if self._session is not None:
            raise lost()
        self._options = options
        self._connection = connect(**options)
        return self._connection

    def _hold(self, text: str) -> str | None:
        """Take a lock in the session of the connection, which is not in a transaction."""
        from mailing_api.storage.postgres_session import Session  # noqa: PLC0415 - needs an extra

        with self._refusals():
            if self._session is None:
                self._session = Session(self._connection, self._options)
            return self._session.lock(text)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        from mailing_api.storage.postgres_session import RefusedSessionError  # noqa: PLC0415 - needs an extra

        try:
            yield
        except RefusedSessionError as exc:
            raise self.error(str(exc)) from None

    def compact(self, connection: sa.Connection) -> None:
        """Rewrite the tables; the server gives up what they were, and does not overwrite it."""
        schemas.compact(connection, self._schema)

    def failure(self, error: Exception) -> str:
        """A message for an error of PostgreSQL or its driver."""
        lost = self._session.loss(getattr(error, "orig", error)) if self._session is not None else None
        return lost or f"cannot be used ({postgres.failure(error)})"

    def close(self) -> None:
        """End the session, and with it the locks."""
        if self._session is not None:
            self._session.close()
        self._engine.dispose()
