"""A connection to PostgreSQL that does not wait for ever for a server that hangs.

A hung server (stopped, or with a disk that does not answer) keeps its connections, and its kernel answers keepalives.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from os import dup
from threading import Event, Thread
from typing import Any, Final

import psycopg
from psycopg import pq

from mailing_api.storage import postgres

__all__ = ["NoAnswerError", "WatchedConnection", "ask", "connect", "lost"]

#: Seconds without an answer to a statement after which another connection asks whether the server answers at all.
ANSWER_WITHIN: Final = 60.0
#: Seconds for that connection: to be opened.
LOGIN_WITHIN: Final = 10
#: Seconds for one statement of a server that answers others; the longest takes over a journal of an earlier version.
STATEMENT_WITHIN: Final = 3600.0
#: Seconds between two looks at a statement.
_INTERVAL: Final = 1.0


class NoAnswerError(psycopg.OperationalError):
    """The server did not answer; the connection is closed.

    Attributes:
        explanation: a message without contact data.
    """

    explanation = "the server did not answer for a minute or more, and was given up; see whether it hangs"


class WatchedConnection(psycopg.Connection[Any]):
    """A connection whose statements end with an error if the server hangs.

    The statement of a server that answers another connection continues, for `STATEMENT_WITHIN` at most.
    """

    #: When the statement that runs was sent (monotonic); None between statements.
    _sent_at: float | None = None
    _is_given_up = False
    _closing: Event | None = None

    def watch(self) -> None:
        """Watch the statements from now on, in a thread that ends when the connection is closed."""
        self._closing = Event()
        own = socket.socket(fileno=dup(self.fileno()))  # the number may soon be that of another file
        Thread(target=self._watch, args=(self._closing, own), name="postgresql-watch", daemon=True).start()

    def wait(self, *args: Any, **options: Any) -> Any:
        """Wait for the answer to a statement.

        Raises:
            NoAnswerError: the server hangs.
            psycopg.errors.ConnectionFailure: the connection was lost, of which the driver's own error has no code.
        """
        self._sent_at = time.monotonic()
        try:
            return super().wait(*args, **options)
        except psycopg.Error as exc:
            if self._is_given_up:
                raise NoAnswerError(NoAnswerError.explanation) from exc
            if exc.sqlstate is None and self.closed and not postgres.is_statement_mode(exc):
                raise lost() from exc
            raise
        finally:
            self._sent_at = None

    def cursor(self, *args: Any, **options: Any) -> Any:
        """A cursor.

        Raises:
            psycopg.errors.ConnectionFailure: the connection was lost.
        """
        if self.closed:
            raise lost()
        return super().cursor(*args, **options)

    def close(self) -> None:
        """End the session."""
        if self._closing is not None:
            self._closing.set()
        super().close()

    def _watch(self, closing: Event, own: socket.socket) -> None:
        with own:
            if self._waits_in_vain(closing):
                self._is_given_up = True
                with contextlib.suppress(OSError):
                    own.shutdown(socket.SHUT_RDWR)  # ends the thread that waits for it

    def _waits_in_vain(self, closing: Event) -> bool:
        """Look at the statements until one is left without an answer, or the connection is closed."""
        asked_at = 0.0
        while not closing.wait(_INTERVAL):
            sent_at, now = self._sent_at, time.monotonic()
            if sent_at is None or now - max(sent_at, asked_at) < ANSWER_WITHIN:
                continue
            is_alive = now - sent_at < STATEMENT_WITHIN and self._answers_another()
            asked_at = time.monotonic()
            if not is_alive and self._sent_at == sent_at:
                return True
        return False

    def _answers_another(self) -> bool:
        try:
            given = self.info.get_parameters() | {"password": self.info.password, "connect_timeout": str(LOGIN_WITHIN)}
            psycopg.connect(**{name: value for name, value in given.items() if value}).close()  # type: ignore[arg-type]
        except psycopg.Error as exc:
            return ":  " in str(exc)  # "FATAL:  ...", in the server's language: it refuses, so it does not hang
        return True


def connect(**options: Any) -> WatchedConnection:
    """Connect with libpq's and psycopg's options, and watch each statement.

    Raises:
        psycopg.Error: the server cannot be reached, or refuses.
    """
    connection = WatchedConnection.connect(**options)
    connection.watch()
    return connection


def lost() -> psycopg.Error:
    """Return the error of a connection that ends with its session."""
    return psycopg.errors.ConnectionFailure()


def _refused(code: bytes) -> psycopg.Error:
    """The error of a statement, without the server's message, which may quote values."""
    if not code:
        return lost()
    try:
        return psycopg.errors.lookup(code.decode())()
    except KeyError:
        return psycopg.OperationalError("a statement was refused")


def ask(connection: psycopg.Connection[Any], statement: str, *, within: float) -> str | None:
    """Run a statement outside of the driver; return the first value of its last row, or None without an answer in time.

    Raises:
        psycopg.Error: the server refuses, or the connection is lost.
    """
    deadline = time.monotonic() + within
    server = connection.pgconn
    server.send_query(statement.encode())
    poll = select.poll()
    poll.register(server.socket, select.POLLIN)
    value: bytes | None = b""
    while True:
        while server.is_busy():
            if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
                return None
            server.consume_input()
        result = server.get_result()
        if result is None:
            return (value or b"").decode()
        if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            raise _refused(result.error_field(pq.DiagnosticField.SQLSTATE) or b"")
        if result.status == pq.ExecStatus.TUPLES_OK:
            value = result.get_value(0, 0)
