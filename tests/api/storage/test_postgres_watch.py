"""Whether a server hangs, by what another connection meets."""

from __future__ import annotations

import socket
import struct
from contextlib import closing, suppress
from threading import Thread
from types import SimpleNamespace

import pytest

from mailing_api.storage.postgres_watch import WatchedConnection


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
