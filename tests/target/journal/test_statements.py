"""A statement takes no more values than a database allows, and values beyond the first statement are found, too."""

from __future__ import annotations

from contextlib import closing

import pytest

from target_mailing.journal import statements, tables
from target_mailing.journal.journal import Journal, JournalError
from target_mailing.journal.stores import MemoryStore

#: Parameters that SQLite allows in one statement unless it is compiled otherwise.
MOST_PARAMETERS = 32_766


def test_a_statement_has_no_more_values_than_sqlite_allows():
    assert statements.VALUES_AT_ONCE < MOST_PARAMETERS


@pytest.mark.parametrize("count", [1, 3, 4, 10])
def test_keys_and_names_are_found_however_many_statements_it_takes(count, monkeypatch):
    monkeypatch.setattr(statements, "VALUES_AT_ONCE", 3)
    keys = [b"key %d" % n for n in range(count)]
    with closing(Journal(MemoryStore())) as journal:
        assert journal.shared_keys.among(keys) == set()
        journal.shared_keys.add(keys)
        journal.shared_keys.add(keys[:1])
        assert journal.shared_keys.among([b"none", *keys]) == {*keys}
        journal.declined.add((n, "News") for n in range(count))
        journal.declined.drop([(0, "News"), (0, "Offers")])
        assert journal.declined.of(range(count)) == {n: {"News"} for n in range(1, count)}


@pytest.mark.parametrize("count", [1, 3, 4, 10])
def test_rows_are_inserted_however_many_statements_it_takes(count, monkeypatch):
    monkeypatch.setattr(statements, "_ROWS_AT_ONCE", 3)
    with closing(Journal(MemoryStore())) as journal:
        driver = statements.Driver(journal._connection)
        columns = [range(1, count + 1), [n * 7 for n in range(count)], [5] * count, [None] * count, [2] * count]
        driver.insert(tables.contacts, columns)
        assert driver.query("SELECT * FROM contacts ORDER BY n") == [*zip(*columns, strict=True)]


def test_p3_a_transaction_that_fails_leaves_nothing_for_the_next_one():
    with closing(Journal(MemoryStore())) as journal:
        run = journal._connection.exec_driver_sql

        def half():
            with journal._transaction():
                run("INSERT INTO meta (name, value) VALUES ('half', x'00')")
                run("SELECT * FROM none")

        with pytest.raises(JournalError):
            half()
        with journal._transaction():
            run("INSERT INTO meta (name, value) VALUES ('whole', x'00')")
        found = run("SELECT name FROM meta WHERE name IN ('half', 'whole')").fetchall()
        assert found == [("whole",)]
