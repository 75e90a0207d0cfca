"""Rows of shared rates in PostgreSQL; no call waits long for it, whatever the server does.

Each call is one message of statements, which is a transaction of its own, and there are no locks of sessions. So this
works behind a connection pooler in transaction mode, too.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import psycopg
from psycopg.pq import ConnStatus

from mailing_api.http.budget import Row
from mailing_api.http.shared_pace import AwayError
from mailing_api.storage import postgres
from mailing_api.storage.postgres import OwnSchema
from mailing_api.storage.postgres_watch import WatchedConnection, ask, connect

__all__ = ["PostgresBudget"]

logger = logging.getLogger(__name__)

_SCHEMA: Final = "mailing_rate_budget"
#: Of the table and of the meaning of its columns.
_VERSION: Final = "rate budget 1"
#: Seconds: for an answer, for the first connection, and between two attempts to connect.
ANSWER_WITHIN: Final = 1.0
FIRST_WITHIN: Final = 3.0
AGAIN_AFTER: Final = 3.0
_CONNECT_WITHIN: Final = 5

#: What a transaction needs; nothing of it stays with a session.
_BEGIN: Final = (
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path TO ''; "
    f"SET LOCAL statement_timeout TO {int(ANSWER_WITHIN * 1000)}; SET LOCAL lock_timeout TO 0; "
    "SET LOCAL synchronous_commit TO off; SET LOCAL extra_float_digits TO 1; "
)
#: What the transaction that looks at the table needs, and the settings of a role may deny.
_ENTER: Final = (
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; "  # what another worker made while this one waited is seen
    "SET LOCAL search_path TO ''; SET LOCAL statement_timeout TO {limit}; SET LOCAL lock_timeout TO {limit}; "
    "SET LOCAL idle_in_transaction_session_timeout TO {limit}"
).format(limit=_CONNECT_WITHIN * 1000)
#: The statements are filled in with hashes, numbers and quoted names of processes only.
_READ: Final = """
SELECT pg_catalog.json_build_array(extract(epoch FROM pg_catalog.clock_timestamp())::float8, (
    SELECT pg_catalog.json_build_array(revision, pg_catalog.json_build_object(
        'rate', rate, 'next_slot', next_slot, 'cool_until', cool_until, 'decreased_at', decreased_at,
        'grown_at', grown_at, 'epoch', epoch, 'workers', workers
    )) FROM mailing_rate_budget.accounts WHERE name = '{name}'
))::text
"""
_COLUMNS: Final = ("rate", "next_slot", "cool_until", "decreased_at", "grown_at", "epoch", "workers")
_UPDATE: Final = """
WITH changed AS (
    UPDATE mailing_rate_budget.accounts SET revision = revision + 1, {assignments}
    WHERE name = '{name}' AND revision = {revision} RETURNING 1
) SELECT pg_catalog.count(*) FROM changed
"""
_INSERT: Final = """
WITH changed AS (
    INSERT INTO mailing_rate_budget.accounts (name, revision, {columns}) VALUES ('{name}', 1, {values})
    ON CONFLICT DO NOTHING RETURNING 1
) SELECT pg_catalog.count(*) FROM changed
"""
_TABLE: Final = """
CREATE TABLE mailing_rate_budget.accounts (
    name text PRIMARY KEY, revision bigint NOT NULL, rate float8 NOT NULL, next_slot float8 NOT NULL,
    cool_until float8 NOT NULL, decreased_at float8 NOT NULL, grown_at float8 NOT NULL, epoch bigint NOT NULL,
    workers json NOT NULL
)
"""
_FOUND_VERSION: Final = (
    "SELECT pg_catalog.obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace WHERE nspname = %s"
)


class _Answer(msgspec.Struct, array_like=True):
    now: float
    found: tuple[int, msgspec.Raw] | None


_DECODER: Final = msgspec.json.Decoder(_Answer)
_ROW_DECODER: Final = msgspec.json.Decoder(Row)


class PostgresBudget:
    """A table of one PostgreSQL database; safe to share between threads."""

    def __init__(self, url: str, *, setting: str, error: Callable[[str], Exception]) -> None:
        """Begin to connect, in the background.

        Args:
            url: as `OwnSchema` takes it.
            setting: the setting that has it, for messages.
            error: makes the exception to raise from a message.

        Raises:
            Exception: `error`: it is not a URL.
        """
        try:
            self._schema = OwnSchema(url, _SCHEMA, setting=setting, content="rate budget", error=_UnusableError)
        except _UnusableError as exc:
            raise error(str(exc)) from None
        self._url = postgres.for_libpq(url)
        self._setting = setting
        self._lock = threading.Lock()
        self._connection: WatchedConnection | None = None
        #: Connections that were made, and by which of them a row was last found.
        self._connections = 0
        self._found_by: dict[str, int] = {}
        self._closing = threading.Event()
        self._is_lost = threading.Event()
        self._was_tried = threading.Event()
        #: Whether it was said that the database cannot be used: since it last was, and ever.
        self._is_said_away = self._has_warned = False
        threading.Thread(target=self._keep_connected, name="rate-budget", daemon=True).start()
        self._was_tried.wait(FIRST_WITHIN)
        if self._connection is None:
            self._warn("the server did not answer yet")

    @property
    def is_there(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    def read(self, name: str) -> tuple[float, int, Row | None]:
        """As of any store. What is no row, since it was edited by hand, is replaced.

        Raises:
            AwayError: as of any store; also once if a row is missing since the connection was made again. It was not
                deleted by hand, but lost by a failover.
        """
        answer = _DECODER.decode(self._ask(_READ.format(name=name)))
        if answer.found is None:
            if self._found_by.pop(name, self._connections) != self._connections:
                raise AwayError
            return answer.now, 0, None
        self._found_by[name] = self._connections
        revision, content = answer.found
        try:
            return answer.now, revision, _ROW_DECODER.decode(content)
        except msgspec.ValidationError:
            return answer.now, revision, None

    def swap(self, name: str, revision: int, row: Row) -> bool:
        """As of any store."""
        values = [_literal(getattr(row, column)) for column in _COLUMNS]
        if revision:
            pairs = ", ".join(f"{column} = {value}" for column, value in zip(_COLUMNS, values, strict=True))
            statement = _UPDATE.format(name=name, revision=revision, assignments=pairs)
        else:
            statement = _INSERT.format(name=name, columns=", ".join(_COLUMNS), values=", ".join(values))
        is_swapped = self._ask(statement) == "1"
        if self._is_said_away:  # a server whose disk is full still reads
            self._is_said_away = False
            logger.info("Setting `%s`: %s answers; the rate is shared.", self._setting, self._schema.name)
        return is_swapped

    def close(self) -> None:
        """Close the connection."""
        self._closing.set()
        self._is_lost.set()
        with self._lock:
            self._close_connection()

    def _close_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(self, statement: str) -> str:
        """Return the first value of a statement's answer.

        Raises:
            AwayError: the server does not answer in time, or refuses.
        """
        if not self._lock.acquire(timeout=ANSWER_WITHIN):
            raise AwayError
        try:
            for _ in range(2):
                try:
                    return self._answer(statement)
                except _EndedError as exc:  # perhaps because it was idle
                    reason = str(exc)
                self._was_tried.wait(ANSWER_WITHIN)
                if self._connection is None:
                    break
            self._warn(reason)
            raise AwayError
        finally:
            self._lock.release()

    def _answer(self, statement: str) -> str:
        """As `_ask`; the lock is held.

        Raises:
            _EndedError: the connection was ended; another one may answer.
        """
        if (connection := self._connection) is None:
            raise AwayError
        try:
            answer = ask(connection, _BEGIN + statement, within=ANSWER_WITHIN)
        except psycopg.Error as exc:
            is_ended = connection.pgconn.status != ConnStatus.OK or (exc.sqlstate or "").startswith("57P")
            self._lose()
            if is_ended:
                raise _EndedError(postgres.failure(exc)) from None
            self._warn(postgres.failure(exc))
            raise AwayError from None
        if answer is None:
            self._lose()
            self._warn(f"the server did not answer within {ANSWER_WITHIN:g} s")
            raise AwayError
        return answer

    def _lose(self) -> None:
        """Give the connection up; the lock is held."""
        self._was_tried.clear()
        self._close_connection()
        self._is_lost.set()

    def _warn(self, reason: str) -> None:
        self._say_away(f"Setting `{self._setting}`: {self._schema.name} cannot be used ({reason}).")

    def _say_away(self, problem: str) -> None:
        """Say once that the database cannot be used, until it can."""
        if self._is_said_away:
            return
        level = logging.INFO if self._has_warned else logging.WARNING
        self._is_said_away = self._has_warned = True
        logger.log(
            level,
            "%s This run continues alone, at half of its share of the last rate, and tries again every %g s.",
            problem,
            AGAIN_AFTER,
        )

    def _keep_connected(self) -> None:
        while not self._closing.is_set():
            try:
                connection = self._connected()
            except _UnusableError as exc:
                self._say_away(str(exc))
                self._was_tried.set()
            except Exception as exc:  # noqa: BLE001 - whatever it is, the run continues alone
                self._warn(_reason(exc))
                self._was_tried.set()
            else:
                self._is_lost.clear()
                self._connections += 1
                self._connection = connection
                self._was_tried.set()
                began = time.monotonic()
                if not self._closing.is_set():
                    self._is_lost.wait()
                if time.monotonic() > began + AGAIN_AFTER:
                    continue
                self._was_tried.set()
            self._closing.wait(AGAIN_AFTER)
        with self._lock:
            self._close_connection()

    def _connected(self) -> WatchedConnection:
        options = {"connect_timeout": _CONNECT_WITHIN, **postgres.connection_options()}
        connection = connect(conninfo=self._url, autocommit=True, prepare_threshold=None, **options)

        def run(statement: str, *parameters: Any) -> Sequence[Sequence[Any]]:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

        try:
            with connection.transaction():
                self._enter(run)
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                connection.close()
            raise
        return connection

    def _enter(self, run: postgres.Run) -> None:
        """Make the table if there is none.

        Raises:
            _UnusableError: it is another version's, or not our own.
        """
        run(_ENTER)
        run("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(%s, 0))", _SCHEMA)
        if self._schema.make(run):
            run(_TABLE)
            run(f"COMMENT ON SCHEMA {_SCHEMA} IS '{_VERSION}'")
        if run(_FOUND_VERSION, _SCHEMA)[0][0] != _VERSION:
            raise _UnusableError(
                f"Setting `{self._setting}`: the table of {self._schema.name} belongs to another version of this "
                "program. Let all workers use the same version, or drop the schema when none runs."
            )
        run(_READ.format(name=""))
        run("UPDATE mailing_rate_budget.accounts SET revision = 0 WHERE false")  # refused where nothing can be written


class _UnusableError(Exception):
    """The schema cannot be used; the message is a whole one."""


class _EndedError(Exception):
    """The connection was ended; says why."""


def _reason(error: Exception) -> str:
    """Why there is no connection; its own message may quote the URL."""
    return postgres.failure(error) if isinstance(error, psycopg.Error) else type(error).__name__


def _literal(value: Any) -> str:
    """A number, or names of processes with times, in SQL."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "0"
    names = msgspec.json.encode(value).decode().replace("'", r"\u0027")  # of other processes, or edited by hand
    return f"'{names}'"
