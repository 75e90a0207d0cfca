"""A session of PostgreSQL that holds advisory locks, and proves again and again that it is the same one.

A connection pooler in transaction mode gives each transaction another session of the server. A lock then stays with a
session that any other run may be given next, so that two runs hold the same lock, and neither notices. So each run
takes a lock of its own, with a random number, in a session that has none yet. A run that does not find exactly its own
locks in its session was given another one. That holds for every pooler; nothing is concluded from its name.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import psycopg

from mailing_api.storage import postgres
from mailing_api.storage.postgres_watch import WatchedConnection, ask

__all__ = ["LostSessionError", "RefusedSessionError", "Session", "SharedSessionError"]

#: How often a second connection tries to be given the session of the first, before any lock of consequence is taken.
_ATTEMPTS: Final = 3
#: How often a refused connection looks for the session with its lock: a pool may hand out its sessions in turn.
_LOOKS: Final = 100
#: Seconds for the second connection: a pool whose sessions are all taken keeps it waiting.
_ANSWER_WITHIN: Final = 5.0

#: Advisory locks of the session, and whether these include one (63 bits).
_OWN_LOCKS: Final = (
    "SELECT pg_catalog.count(*), "
    "coalesce(pg_catalog.bool_or((classid::bigint << 32 | objid::bigint) = {number} AND objsubid = 1), false) "
    "FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_catalog.pg_backend_pid()"
)


class RefusedSessionError(Exception):
    """A session whose locks do not hold. The message continues one that begins with the place."""


class SharedSessionError(RefusedSessionError):
    """A pooler gives it to several connections."""

    def __init__(self) -> None:
        """Say what is wrong, and the remedy."""
        super().__init__(
            "is reached through a connection pooler that gives a session of the server to several connections, as "
            "PgBouncer does in transaction or statement mode: no lock would hold there, and two runs could deliver at "
            "once. Connect to the server's own port, or to a pool in session mode that resets sessions (DISCARD ALL)"
        )


class LostSessionError(RefusedSessionError):
    """A pooler gave this connection another one."""

    def __init__(self) -> None:
        """Say what is wrong, and the remedy."""
        super().__init__(
            "is no longer held: a connection pooler gave this run another session of the server, without its locks, "
            "so another run may have begun. Connect to the server's own port, or to a pool in session mode, and run "
            "again"
        )


class Session:
    """The session of one connection; nothing of it changes that other users of a pooled session could notice."""

    def __init__(self, connection: WatchedConnection, options: Mapping[str, Any]) -> None:
        """Mark the session as this run's.

        Args:
            connection: not in a transaction.
            options: of the connection; another one is opened for a moment, if something is between the server and us.

        Raises:
            SharedSessionError: a pooler gives the session to other connections, too.
            psycopg.Error: the server cannot be used.
        """
        self._connection = connection
        self._number = secrets.randbits(62)
        self._count = 0
        self._query = _OWN_LOCKS.format(number=self._number)
        try:
            with self._transaction():
                if self._own_locks()[0]:
                    raise SharedSessionError
                connection.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", [self._number])
                process = self._run("SELECT pg_catalog.pg_backend_pid()")[0]
        except psycopg.OperationalError as exc:
            if postgres.is_statement_mode(exc):
                raise SharedSessionError from None
            raise
        self._count = 1
        #: Whether the server's own number of the session is another one than that which the handshake gave.
        self._is_behind_pooler = process != connection.info.backend_pid
        try:
            self.check()
            if self._is_behind_pooler:
                self._try_to_share(process, options)
        except RefusedSessionError:
            self._release()
            raise SharedSessionError from None

    def commit(self) -> None:
        """Commit the connection's transaction if the locks are in the session, by one call.

        Raises:
            psycopg.Error: they are not, or the server cannot be used; nothing is committed.
        """
        if self._connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            # A division by zero ends the transaction, and the rest of the statement is not reached.
            held = f"SELECT 1 / (n = {self._count} AND marked)::int FROM ({self._query}) AS held (n, marked)"  # noqa: S608 - numbers
            self._connection.execute(f"{held}; COMMIT", prepare=False)

    def check(self) -> None:
        """Check that the locks are still held, in a transaction of its own if none is open.

        Raises:
            LostSessionError: they are not.
            psycopg.Error: the server cannot be used.
        """
        if self._is_idle and not self._connection.autocommit:
            with self._transaction():
                own = self._own_locks()
        else:
            own = self._own_locks()
        if own != (self._count, True):
            raise LostSessionError

    def loss(self, error: BaseException) -> str | None:
        """The message for an error that came of another session; None if it did not, or that cannot be said."""
        try:
            if not isinstance(error, psycopg.errors.DivisionByZero):
                self.check()
                return None
        except psycopg.Error:
            return None
        except LostSessionError:
            pass
        return str(LostSessionError())

    def lock(self, text: str) -> str | None:
        """Take the advisory lock of a string until the session ends; return None, or the holder if it is held.

        Raises:
            LostSessionError: the session is not the one that has the locks taken before.
            psycopg.Error: the server cannot be used.
        """
        deadline = time.monotonic() + postgres.LOCK_PATIENCE
        while True:
            with self._transaction():
                self.check()
                if self._run("SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended(%s, 0))", text)[0]:
                    count = self._own_locks()[0]
                    break
            if time.monotonic() > deadline:
                with self._transaction():
                    return postgres.holder_of(self._rows, text) or "another session"
            time.sleep(0.2)
        self._count = count
        self.check()
        return None

    def close(self) -> None:
        """Leave the session as a new one is, where a pooler may keep it; the caller closes the connection."""
        if self._is_behind_pooler and self._is_idle:
            with contextlib.suppress(psycopg.Error):
                ask(self._connection, "DISCARD ALL", within=_ANSWER_WITHIN)

    def _try_to_share(self, process: int, options: Mapping[str, Any]) -> None:
        """Let a second connection take, in transactions, whatever session is free while the first has none open.

        Raises:
            SharedSessionError: it was given the session with our lock.
            LostSessionError: the first was given another one meanwhile.
        """
        try:
            other = psycopg.connect(**options)
        except psycopg.Error:  # no room for it: each transaction is checked anyway
            return
        with contextlib.closing(other):
            for _ in range(_ATTEMPTS):
                try:
                    given = ask(other, "BEGIN; SELECT pg_catalog.pg_backend_pid()", within=_ANSWER_WITHIN)
                    if given is None:  # it waits until a session ends
                        return
                    if given != str(process):
                        self.check()
                    ask(other, "ROLLBACK", within=_ANSWER_WITHIN)
                    if given == str(process):
                        raise SharedSessionError
                except psycopg.Error:
                    return
                self.check()

    def _release(self) -> None:
        """Release our lock in a shared session, once the pooler gives it to this connection again."""
        with contextlib.suppress(psycopg.Error):
            for _ in range(_LOOKS):
                with self._transaction():
                    if self._own_locks()[1]:
                        self._connection.execute("SELECT pg_catalog.pg_advisory_unlock(%s)", [self._number])
                        return

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """A transaction in which names lead to PostgreSQL's own objects; within another one, names stay as they are."""
        is_whole = self._is_idle
        with self._connection.transaction():
            if is_whole:
                self._connection.execute("SET LOCAL search_path TO ''", prepare=False)
            yield

    @property
    def _is_idle(self) -> bool:
        return self._connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    def _own_locks(self) -> tuple[Any, ...]:
        return self._run(self._query)

    def _run(self, statement: str, *parameters: str) -> tuple[Any, ...]:
        return self._rows(statement, *parameters)[0]

    def _rows(self, statement: str, *parameters: str) -> list[tuple[Any, ...]]:
        # A prepared statement would be missing in another session, which hides that it is another one.
        return self._connection.execute(statement, parameters or None, prepare=False).fetchall()
