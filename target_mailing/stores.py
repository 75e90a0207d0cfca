"""Where a journal is kept: in a file, in memory, or in a PostgreSQL schema; one process holds it at a time."""

from __future__ import annotations

import hashlib
import re
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from mailing_api.holding import HOLDER_OF_LOCK, KEEPALIVE, LOCK_PATIENCE, Foreign, Held, HeldFile, Mark, who_we_are

__all__ = ["FileStore", "JournalError", "MemoryStore", "PostgresStore", "Store"]

_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",  # what is noted survives a power cut, too
    "secure_delete=ON",  # what is erased is overwritten
    "cache_size=-16384",
    "wal_autocheckpoint=8192",  # pages: hashes land all over the table, and a page written once serves many of them
)

_MARK: Final = Mark(application_id=0x744D4A6C, tables=frozenset({"meta", "batches", "steps", "rejects"}))


class JournalError(Exception):
    """The journal cannot be opened or written; the message says where and what to do."""


class Store(ABC):
    """A place for a journal.

    Attributes:
        name: for messages and logs; holds no password.
    """

    name: str

    @abstractmethod
    def open(self) -> sa.Connection:
        """Connect, and hold the place until `close`.

        Raises:
            JournalError: another process holds it, or it cannot be used.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the place."""


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

    def __init__(self, path: Path) -> None:
        """Name the file; it is made when it is opened."""
        self.path = path
        self.name = str(path)
        self._file = HeldFile(path, _MARK)
        self._engine = sa.create_engine(f"sqlite:///{path}", hide_parameters=True, poolclass=sa.StaticPool)

    def open(self) -> sa.Connection:
        """Take the file's lock, make the file, private, where there is none, and connect.

        Raises:
            JournalError: there is something else, which is left as it is; or as of any store.
        """
        try:
            self._file.hold()
        except Held as exc:
            raise _held(self.name, exc.holder) from None
        except Foreign as exc:
            raise JournalError(f"Setting `journal`: {self.name} {exc}.") from None
        except OSError as exc:
            raise JournalError(
                f"Setting `journal`: {self.name} cannot be written ({exc.strerror}). Choose a place that can be."
            ) from None
        connection = self._engine.connect()
        self._file.mark(connection.exec_driver_sql)
        for pragma in _PRAGMAS:
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        return connection

    def close(self) -> None:
        """Close the file and let go of its lock."""
        self._engine.dispose()
        self._file.let_go()


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
        try:
            address = sa.make_url(url).set(drivername="postgresql+psycopg")
            # Not the URL: a password may stand in its query, too.
            self.name = f"PostgreSQL {address.host or ''}/{address.database or ''}, schema {self._schema}"
            self._engine = sa.create_engine(
                address,
                hide_parameters=True,
                poolclass=sa.StaticPool,
                connect_args={"application_name": who_we_are()[:63], **KEEPALIVE},
            )
        except ImportError:
            raise JournalError(
                "Setting `journal`: a journal in PostgreSQL needs psycopg. Install tap-target-mailing[postgresql]."
            ) from None
        except (sa.exc.ArgumentError, ValueError):
            raise JournalError(
                "Setting `journal` is no URL that can be read; write postgresql://user:password@host/database, special "
                "characters of the password percent-encoded."
            ) from None

    def open(self) -> sa.Connection:
        """Connect, take the lock, and make the schema where there is none."""
        connection = self._engine.connect()
        lock = sa.func.hashtextextended(self._schema, 0)
        deadline = time.monotonic() + LOCK_PATIENCE
        while not connection.execute(sa.select(sa.func.pg_try_advisory_lock(lock))).scalar():
            if time.monotonic() > deadline:
                raise _held(self.name, self._holder(connection))
            time.sleep(0.2)
        connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"')
        connection.exec_driver_sql(f'SET search_path TO "{self._schema}"')
        connection.exec_driver_sql("SET synchronous_commit TO on")  # what is noted survives a crash of the server
        connection.commit()
        return connection

    def close(self) -> None:
        """End the session, and with it the lock."""
        self._engine.dispose()

    def _holder(self, connection: sa.Connection) -> str:
        query = sa.text(HOLDER_OF_LOCK.format(":schema"))
        return connection.execute(query, {"schema": self._schema}).scalar() or "another session"


def _held(place: str, holder: str) -> JournalError:
    return JournalError(
        f"Setting `journal`: {place} is held by {holder}. Wait for it to end, or give this pipeline another journal."
    )
