"""Two versions of the program meet during a rollout: what a run holds, or a newer version made, is not changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager

import psycopg
import pytest

from mailing_api.errors import ConfigurationError
from mailing_api.storage import postgres
from tap_mailing.change_detection.postgres import PostgresStore as SnapshotsInPostgres
from tap_mailing.change_detection.sqlite import FileStore as SnapshotsInFile
from target_mailing.journal.journal import Journal, JournalError
from target_mailing.journal.past_runs import PastRun
from target_mailing.journal.stores import FileStore, PostgresStore
from target_mailing.past_runs.answer import _read


class File:
    """A place in SQLite, seen from outside."""

    mark = "?"

    def __init__(self, path):
        self.path = path

    def journal(self):
        return FileStore(self.path)

    def snapshots(self):
        return SnapshotsInFile(self.path)

    @contextmanager
    def _opened(self):
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            yield connection

    def run(self, statement, *values):
        with self._opened() as connection:
            connection.execute(statement.replace("%s", "?"), values)

    def content(self):
        with self._opened() as connection:
            return list(connection.iterdump())


class Schema:
    """A place in PostgreSQL, seen from outside."""

    def __init__(self, url, name):
        self.url, self.name = url, name

    def journal(self):
        return PostgresStore(self.url, self.name)

    def snapshots(self):
        return SnapshotsInPostgres(self.url)

    @property
    def _schemas(self):
        return [self.journal()._schema, "tap_mailing"]

    def run(self, statement, *values):
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"SET search_path TO {','.join(self._schemas)}")
            connection.execute(statement, values)

    def content(self):
        query = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(%s) ORDER BY 1, 2"
        with psycopg.connect(self.url) as connection:
            tables = connection.execute(query, [self._schemas]).fetchall()
            return [(*one, connection.execute("SELECT * FROM {}.{}".format(*one)).fetchall()) for one in tables]


@pytest.fixture(params=["file", "PostgreSQL"])
def place(request, tmp_path):
    if request.param == "file":
        return File(tmp_path / "place.sqlite")
    url = request.getfixturevalue("postgresql_url")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS tap_mailing CASCADE")
    return Schema(url, str(tmp_path))


def test_an_older_version_refuses_the_journal_of_a_newer_one(place):
    with closing(Journal(place.journal())) as journal:
        journal.past_runs.begin(
            PastRun(run_id="2", account=None, list=None, version="0.7.1", history=None, started_at=0.0), ""
        )
    place.run("UPDATE meta SET value = %s WHERE name = 'version'", b"99")
    place.run("DROP TABLE runs")  # that one may have no use for it
    before = place.content()
    message = r"a newer version .*\(format 99; .*Install that version \(0\.7\.1\), or a later one\. To keep this "
    with pytest.raises(JournalError, match=message):
        Journal(place.journal())
    with pytest.raises(JournalError, match=message), closing(place.journal()) as store:
        _read(store, "last")
    assert place.content() == before
    place.run("UPDATE past_runs SET version = %s", "a b\n")
    with pytest.raises(JournalError, match=r"Install that version, or"):
        Journal(place.journal())
    place.run("DROP TABLE past_runs")
    with pytest.raises(JournalError, match=r"Install that version, or"):
        Journal(place.journal())


def test_an_older_version_refuses_the_snapshots_of_a_newer_one(place):
    with place.snapshots() as store:
        store.part("contacts", "default")
    place.run("UPDATE constants SET value = %s WHERE name = 'format'", b"99")
    place.run("DROP TABLE entries")
    before = place.content()
    with pytest.raises(ConfigurationError, match=r"another version of tap-mailing made .*Install that version"):
        place.snapshots().__enter__()
    assert place.content() == before


def test_a_newer_version_changes_nothing_that_a_run_of_an_older_one_holds(place, monkeypatch):
    monkeypatch.setattr(postgres, "LOCK_PATIENCE", 0.1)
    with closing(Journal(place.journal())):
        place.run("UPDATE meta SET value = %s WHERE name = 'version'", b"3")  # what this version would take over
        before = place.content()
        with pytest.raises(JournalError, match="is held by process "):
            Journal(place.journal())
        assert place.content() == before
