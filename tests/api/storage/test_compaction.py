"""What a SQLite file gives up is overwritten while it is still in the file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest

from mailing_api.storage import compaction, locks
from mailing_api.storage.compaction import compact
from mailing_api.storage.locks import HeldFile, Mark
from mailing_api.storage.overwriting import overwrite


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


@pytest.fixture
def file(path):
    held = HeldFile(path, Mark(application_id=1, tables=frozenset()))
    held.hold()
    yield held
    held.let_go(lambda: None)


@pytest.fixture
def database(path, file):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        file.mark(connection.execute)
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        connection.execute("PRAGMA wal_autocheckpoint=1").fetchall()
        connection.execute("CREATE TABLE people (name)")
        connection.executemany("INSERT INTO people VALUES (?)", [(f"canary {n} " * 100,) for n in range(200)])
        connection.execute("DELETE FROM people WHERE rowid > 2")
        yield connection


def test_what_the_file_gives_up_is_overwritten_before(path, file, database, monkeypatch):
    seen = []
    log = path.with_name(f"{path.name}-wal")

    def overwriting(descriptor, begin):
        seen.append((os.fstat(descriptor).st_ino, begin, os.fstat(descriptor).st_size))
        overwrite(descriptor, begin)

    for module in (locks, compaction):
        monkeypatch.setattr(module, "overwrite", overwriting)
    compact(database.execute, file)
    (of_file, begin, end), (of_log, begin_of_log, end_of_log) = seen
    assert (of_file, of_log) == (path.stat().st_ino, log.stat().st_ino)
    assert begin == path.stat().st_size < end
    assert begin_of_log == log.stat().st_size == 0 < end_of_log
    assert path.read_bytes().count(b"canary") == 200


def test_a_file_that_another_connection_reads_is_not_compacted(path, file, database):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM people").fetchone()
        database.execute("PRAGMA busy_timeout=0").fetchall()
        with pytest.raises(OSError, match="another connection reads"):
            compact(database.execute, file)
        other.execute("ROLLBACK")
    compact(database.execute, file)
