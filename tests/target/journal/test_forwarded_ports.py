"""PostgreSQL behind a forwarded port, address translation, or a proxy that copies bytes: as good as the server."""

from __future__ import annotations

import shutil
import socket
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from tap_mailing.change_detection.postgres import PostgresStore as Snapshots
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import PostgresStore


@pytest.fixture
def forwarded(postgresql_url):
    """The URL of a port that copies bytes from and to the server's."""
    folder = parse_qs(urlsplit(postgresql_url).query)["host"][0]
    here = Path(tempfile.mkdtemp(prefix="port-", dir="/tmp"))
    with socket.socket(socket.AF_UNIX) as port, ExitStack() as ends:
        port.bind(str(here / ".s.PGSQL.5432"))
        port.listen()
        thread = Thread(target=_forward, args=(port, f"{folder}/.s.PGSQL.5432", ends))
        thread.start()
        yield postgresql_url.replace(folder, str(here))
        port.shutdown(socket.SHUT_RDWR)
        thread.join()
    shutil.rmtree(here)


def _forward(port, server, ends):
    while True:
        try:
            client = ends.enter_context(port.accept()[0])
        except OSError:
            return
        other = ends.enter_context(socket.socket(socket.AF_UNIX))
        other.connect(server)
        for pair in ((client, other), (other, client)):
            thread = Thread(target=_copy, args=pair)
            thread.start()
            ends.callback(thread.join)


def _copy(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def test_a_forwarded_port_is_as_good_as_the_server(forwarded, monkeypatch):
    monkeypatch.setattr("mailing_api.storage.postgres_session.Session._try_to_share", None)  # nothing is between
    with closing(Journal(PostgresStore(forwarded, "forwarded"))) as journal:
        assert journal.hold_list("a list") is None
        journal.check()
    with Snapshots(forwarded) as store:
        store.part("contacts", "default")
