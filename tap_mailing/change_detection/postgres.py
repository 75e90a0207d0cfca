"""Snapshots in a PostgreSQL database, for workers that share no disk."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from mailing_api.errors import ConfigurationError
from mailing_api.storage import postgres
from tap_mailing.change_detection.store import Found, Note, Store, held

if TYPE_CHECKING:
    import psycopg

    from mailing_api.storage.postgres_session import Session

__all__ = ["PostgresStore"]

_SCHEMA: Final = "tap_mailing"


_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS constants (name text PRIMARY KEY, value bytea NOT NULL)",
    (
        "CREATE TABLE IF NOT EXISTS parts (part bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text NOT NULL, "
        "account text NOT NULL, last bigint NOT NULL, UNIQUE (stream, account))"
    ),
    (
        "CREATE TABLE IF NOT EXISTS generations (part bigint, name text, number bigint NOT NULL, "
        "since bigint NOT NULL, scope bytea NOT NULL, PRIMARY KEY (part, name))"
    ),
    (
        'CREATE TABLE IF NOT EXISTS entries (part bigint, key text COLLATE "C", place bigint NOT NULL, hash bigint, '
        "written bigint NOT NULL, PRIMARY KEY (part, key))"
    ),
)


class PostgresStore(Store):
    """Tables in the schema `tap_mailing`. An advisory lock of the session protects each stream and account.

    Every statement is its own transaction, so that none stays open while the tap waits for the provider.
    """

    def __init__(self, url: str) -> None:
        """Name the database, without connecting.

        Args:
            url: `postgresql://user:password@host/database`; missing parts come from libpq's environment variables,
                such as PGPASSWORD.

        Raises:
            ConfigurationError: the URL is invalid, or psycopg is not installed.
        """
        self._own = postgres.OwnSchema(
            url, _SCHEMA, setting="change_detection", member="url", content="snapshot", error=ConfigurationError
        )
        self._url = postgres.for_libpq(url)
        self.name = self._own.name
        self._database: psycopg.Connection[Any] | None = None
        self._session: Session | None = None

    def find(self, part: int, keys: Sequence[str]) -> dict[str, Found]:
        """The stored rows with these keys, by key."""
        query = "SELECT key, place, hash, written FROM entries WHERE part = ? AND key = ANY(?)"
        rows = self._read(tuple[str, int, int | None, int], query, (part, list(keys)))
        return {key: (place, row_hash, written) for key, place, row_hash, written in rows}

    def put(self, part: int, number: int, notes: Collection[Note]) -> None:
        """Store rows that a walk writes; each key may occur once."""
        keys, places, hashes = map(list, zip(*notes, strict=True))
        self._run(
            "INSERT INTO entries (part, key, place, hash, written) "
            "SELECT ?, key, place, hash, ? "
            "FROM unnest(?::text[], ?::bigint[], ?::bigint[]) AS noted (key, place, hash) "
            "ON CONFLICT (part, key) DO UPDATE SET place = excluded.place, hash = excluded.hash, "
            "written = excluded.written",
            (part, number, keys, places, hashes),
        )

    def compact(self) -> None:
        """Rewrite the table; the server gives up what it was, and does not overwrite it."""
        self._run("VACUUM (FULL) entries")

    def commit(self) -> None:
        """Check that this run holds the locks; each statement committed."""
        with self._refusals():
            self._held.check()

    def rollback(self) -> None:
        """Do nothing: each statement commits."""

    def close(self) -> None:
        """End the session, which releases the locks."""
        if self._session is not None:
            self._session.close()
            self._session = None
        if self._database is not None:
            with contextlib.suppress(self._own.driver_error):
                self._database.close()
            self._database = None

    def _connect(self) -> None:
        from mailing_api.storage.postgres_session import Session  # noqa: PLC0415 - needs an extra
        from mailing_api.storage.postgres_watch import connect  # noqa: PLC0415

        options = {"conninfo": self._url, **postgres.connection_options()}
        try:
            self._database = connect(autocommit=True, **options)
        except self._own.driver_error as exc:
            raise ConfigurationError(
                f"Setting `change_detection`: cannot connect to {self.name} ({postgres.failure(exc)})."
            ) from None
        with self._refusals():
            self._session = Session(self._database, options)
        with self._refusals(), self._database.transaction():
            # Otherwise two concurrent runs could both create the schema.
            self._run("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(?, 0))", (_SCHEMA,))
            self._own.begin(self._run_with)  # this session keeps it
            self._own.enter(self._run_with)
            names = self._run("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = ?", (_SCHEMA,))
            self._check_tables({name for (name,) in names})
            for statement in _TABLES:
                self._run(statement)

    def _hold(self, stream: str, account: str) -> None:
        with self._refusals():
            holder = self._held.lock(f"{_SCHEMA} {stream} {account}")
        if holder:
            raise held(f"stream {stream} in {self.name}", holder)

    @property
    def _held(self) -> Session:
        if self._session is None:
            raise RuntimeError("not open")
        return self._session

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        from mailing_api.storage.postgres_session import RefusedSessionError  # noqa: PLC0415 - needs an extra

        try:
            yield
        except RefusedSessionError as exc:
            raise ConfigurationError(f"Setting `change_detection`: {self.name} {exc}.") from None
        except self._own.driver_error as exc:
            raise self._failed(exc) from None

    def _run(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return self._run_with(statement.replace("?", "%s"), *parameters)

    def _run_with(self, statement: str, *parameters: Any) -> list[Any]:
        if self._database is None:
            raise RuntimeError("not open")
        try:
            cursor = self._database.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []
        except self._own.driver_error as exc:
            raise self._failed(exc) from None

    def _failed(self, error: Exception) -> ConfigurationError:
        lost = self._session.loss(error) if self._session is not None else None
        reason = lost or f"cannot be used ({postgres.failure(error)})"
        return ConfigurationError(f"Setting `change_detection`: {self.name} {reason}.")
