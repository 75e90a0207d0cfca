"""tap-postgres, log-based, where the server cannot decode its log: run by the Python that has the tap.

Decoding needs wal2json in the server, which the embedded one does not have. So the lines that wal2json would write
are read from the file $WAL, one change each (its format version 2). All else is the tap's own: the first full read
from $URL, what it makes of the changes, and the messages that it writes.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import psycopg2
from psycopg2.extras import LogicalReplicationConnection
from tap_postgres.connection_parameters import ConnectionParameters
from tap_postgres.tap import TapPostgres

connect_to_server = psycopg2.connect


class Log:
    """A replication connection and its cursor: changes from a file, then silence."""

    wal_end = 0

    def __init__(self) -> None:
        self._changes = iter(Path(os.environ["WAL"]).read_text(encoding="utf-8").splitlines())
        self._at = 0
        self._silence, self._kept_open = os.pipe()

    def cursor(self) -> Log:
        return self

    def fileno(self) -> int:
        return self._silence

    def send_feedback(self, **_: object) -> None:
        pass

    def start_replication(self, *, start_lsn: int, **_: object) -> None:
        self._at = start_lsn

    def read_message(self) -> SimpleNamespace | None:
        self._at += 1
        change = next(self._changes, None)
        return None if change is None else SimpleNamespace(payload=change, data_start=self._at)

    def close(self) -> None:
        pass


def connect(*arguments: object, connection_factory: object = None, **options: object) -> object:
    if connection_factory is LogicalReplicationConnection:
        return Log()
    return connect_to_server(*arguments, connection_factory=connection_factory, **options)


psycopg2.connect = connect
# A server on a local socket has its folder in the URL's query, which the tap's own form cannot say.
ConnectionParameters.render_as_psycopg2_dsn = lambda _: os.environ["URL"]

TapPostgres.cli()
