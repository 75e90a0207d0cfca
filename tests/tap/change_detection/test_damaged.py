"""A snapshot with missing or unreadable parts is reported in one sentence, and not created again."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import psycopg
import pytest

from mailing_api.errors import ConfigurationError
from tap_mailing.change_detection.postgres import PostgresStore
from tap_mailing.change_detection.sqlite import FileStore
from tap_mailing.change_detection.walk import Walk

KEYS = [f"k{number}" for number in range(300)]


def walk(store, named=None):
    """Walk over the rows; how many are new or changed, and the generation."""
    with store:
        found = Walk(store, store.part("contacts", "default"), scope=b"x" * 16, named=named)
        changed = found.changed(KEYS, list(range(300)))
        for _ in found.gone():
            pass
        return len(changed), found.complete()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "snapshot.sqlite"


@pytest.mark.parametrize(
    "statement",
    [
        *(f"DROP TABLE {name}" for name in ("constants", "parts", "generations", "entries")),
        "UPDATE entries SET written = 'text'",
        "UPDATE entries SET key = CAST(x'ff' AS TEXT) WHERE place = 0",
        "UPDATE parts SET last = 1.5",
        "UPDATE constants SET value = 5",
        "UPDATE generations SET scope = 'text!'",
    ],
)
def test_p9_what_is_missing_or_unreadable_is_reported(path, statement):
    _, name = walk(FileStore(path))
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"is damaged.*the next run writes all rows"):
            walk(FileStore(path), name)


def test_p9_any_byte_may_be_wrong(path):
    _, name = walk(FileStore(path))
    whole, draw = path.read_bytes(), random.Random(7)
    for _ in range(40):
        broken = bytearray(whole)
        for _ in range(draw.choice([1, 4, 64])):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        path.write_bytes(broken)
        try:
            walk(FileStore(path), name)
        except ConfigurationError as error:
            assert "Setting `change_detection" in str(error)  # noqa: PT017
        path.with_name("snapshot.sqlite-wal").unlink(missing_ok=True)
        path.with_name("snapshot.sqlite-shm").unlink(missing_ok=True)


@pytest.mark.slow
def test_p9_a_table_that_was_dropped_in_postgresql_is_reported(postgresql_url):
    with psycopg.connect(postgresql_url, autocommit=True) as database:
        database.execute("DROP SCHEMA IF EXISTS tap_mailing CASCADE")
        _, name = walk(PostgresStore(postgresql_url))
        assert walk(PostgresStore(postgresql_url), name)[0] == 0
        database.execute("DROP TABLE tap_mailing.entries")
        with pytest.raises(ConfigurationError, match="is damaged"):
            walk(PostgresStore(postgresql_url), name)
        database.execute("DROP SCHEMA tap_mailing CASCADE")
