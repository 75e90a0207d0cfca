"""Whether a server hangs, by what another connection meets; and what a connection says of its end."""

from __future__ import annotations

import socket
import struct
from contextlib import closing, suppress
from threading import Thread
from types import SimpleNamespace

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import pq

from mailing_api.storage import postgres, postgres_watch
from mailing_api.storage.postgres_watch import NoAnswerError, WatchedConnection, ask


def refusal(severity):
    """A server's refusal; the severity is in its language."""
    fields = b"".join(
        name + text.encode() + b"\0" for name, text in ((b"S", severity), (b"C", "53300"), (b"M", "x"), (b"", ""))
    )
    return b"E" + struct.pack(">i", len(fields) + 4) + fields


@pytest.fixture
def listener():
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener


@pytest.fixture
def answers_another(listener):
    """Whether a server that answers a login with some bytes, and hangs up, is found to answer."""
    host, port = listener.getsockname()
    given = {"host": host, "port": str(port), "user": "one", "sslmode": "disable", "gssencmode": "disable"}
    watched = SimpleNamespace(info=SimpleNamespace(get_parameters=lambda: given, password=""))

    def serve(answer):
        with suppress(OSError):  # closed
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

    def asked(answer):
        Thread(target=serve, args=[answer], daemon=True).start()
        return WatchedConnection._answers_another(watched)

    return asked


@pytest.mark.parametrize("severity", ["FATAL", "\u0412\u0410\u0416\u041d\u041e", "\u81f4\u547d\u9519\u8bef"])
def test_a_server_that_refuses_in_any_language_does_not_hang(answers_another, severity):
    assert answers_another(refusal(severity))


def test_a_server_that_hangs_up_is_given_up(answers_another):
    assert not answers_another(b"")


def test_a_server_that_is_gone_is_given_up(answers_another, listener):
    listener.close()
    assert not answers_another(b"")


class Watched(WatchedConnection):
    """A connection without a server; its watch's clock goes on by a look each, which is a second."""

    def __init__(self, monkeypatch, *, closed=False, answers=True):
        self.now = 1000.0
        self.is_closed = closed
        self.answers = answers
        self.asked = []
        monkeypatch.setattr(postgres_watch, "time", SimpleNamespace(monotonic=lambda: self.now))

    @property
    def closed(self):
        return self.is_closed

    def _answers_another(self):
        self.asked.append(self.now)
        return self.answers

    def looks(self, number, statement_at=None):
        """Let it look; returns whether it gave the server up. A statement began, or begins after some looks."""
        seconds = iter(range(number))

        def wait(_):
            self.now += 1
            second = next(seconds, None)
            if statement_at is not None and second == statement_at:
                self._sent_at = self.now
            return second is None

        return self._waits_in_vain(SimpleNamespace(wait=wait))


def test_a_statement_without_an_answer_is_given_up_only_if_no_other_connection_is_answered(monkeypatch):
    silent = Watched(monkeypatch, answers=False)
    assert silent.looks(100, statement_at=5)
    assert silent.now - silent._sent_at == postgres_watch.ANSWER_WITHIN
    answering = Watched(monkeypatch)
    assert not answering.looks(200, statement_at=5)
    assert [one - answering._sent_at for one in answering.asked] == [60, 120, 180]


def test_a_connection_without_a_statement_is_not_asked_for(monkeypatch):
    idle = Watched(monkeypatch, answers=False)
    assert not idle.looks(1000)
    assert idle.asked == []


def test_no_statement_lasts_longer_than_its_bound_whoever_is_answered(monkeypatch):
    watched = Watched(monkeypatch)
    assert watched.looks(4000, statement_at=0)
    assert watched.now - watched._sent_at == postgres_watch.STATEMENT_WITHIN


def test_a_statement_that_is_answered_during_the_question_is_not_given_up(monkeypatch):
    watched = Watched(monkeypatch)

    def answered():
        watched._sent_at = None
        return False

    watched._answers_another = answered
    assert not watched.looks(100, statement_at=0)


LOST = psycopg.OperationalError("server closed the connection unexpectedly")
POOLER = psycopg.OperationalError("SET not allowed in statement pooling mode")


@pytest.mark.parametrize(
    ("raised", "closed", "given_up", "expected"),
    [
        (LOST, True, False, psycopg.errors.ConnectionFailure),
        (LOST, True, True, NoAnswerError),
        (LOST, False, False, LOST),
        (POOLER, True, False, POOLER),
        (psycopg.errors.AdminShutdown(), True, False, psycopg.errors.AdminShutdown),
    ],
)
def test_p9_a_lost_connection_is_not_told_as_one_that_could_not_be_made(
    monkeypatch, raised, closed, given_up, expected
):
    def fails(*_):
        raise raised

    monkeypatch.setattr(psycopg.Connection, "wait", fails)
    watched = Watched(monkeypatch, closed=closed)
    watched._is_given_up = given_up
    with pytest.raises(psycopg.Error) as caught:
        watched.wait()
    assert caught.value is expected if isinstance(expected, Exception) else caught.type is expected
    assert watched._sent_at is None
    if expected is psycopg.errors.ConnectionFailure:
        assert postgres.failure(caught.value).startswith("the connection was lost")


def test_a_connection_that_was_lost_before_has_no_cursor(monkeypatch):
    with pytest.raises(psycopg.errors.ConnectionFailure):
        Watched(monkeypatch, closed=True).execute("SELECT 1")


class Answer:
    """A result of libpq: rows, or a refusal's code."""

    def __init__(self, *values, code=None, status=None):
        self.values = values
        self.code = code
        self.status = status or (pq.ExecStatus.TUPLES_OK if code is None else pq.ExecStatus.FATAL_ERROR)

    def get_value(self, row, _):
        return self.values[row]

    def error_field(self, _):
        return self.code


class Wire:
    """What libpq gives for one message of statements, each result after some waiting."""

    def __init__(self, answers, socket, *, silent=False):
        self.socket = socket.fileno()
        self.answers = iter([*answers, None])
        self.silent = silent

    def send_query(self, statement):
        self.statement = statement

    def is_busy(self):
        return self.silent

    def get_result(self):
        return next(self.answers)


def asked(answers, listener, **options):
    return ask(SimpleNamespace(pgconn=Wire(answers, listener, **options)), "SELECT", within=0.0)


DONE = Answer(status=pq.ExecStatus.COMMAND_OK)


@given(st.lists(st.none() | st.text(), max_size=5))
def test_the_answer_is_the_last_value_of_a_message_of_statements(values):
    answers = [DONE if value is None else Answer(value.encode()) for value in values]
    with closing(socket.socket()) as server:
        assert asked(answers, server) == next((value for value in reversed(values) if value is not None), "")


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (b"42501", psycopg.errors.InsufficientPrivilege, "the user lacks a permission"),
        (b"XX999", psycopg.OperationalError, "check that the server"),
        (None, psycopg.errors.ConnectionFailure, "the connection was lost"),
    ],
)
def test_a_refusal_is_told_by_its_code_and_one_without_a_code_is_a_lost_connection(listener, code, error, said):
    refused = Answer(code=code, status=pq.ExecStatus.FATAL_ERROR)
    with pytest.raises(psycopg.Error) as caught:
        asked([DONE, refused], listener)
    assert caught.type is error
    assert postgres.failure(caught.value).startswith(said)


def test_a_server_that_is_silent_for_too_long_gave_no_answer(listener):
    assert asked([], listener, silent=True) is None
