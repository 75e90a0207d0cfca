"""A journal or snapshot in PostgreSQL: no piece of a URL is shown, and nothing that a stranger made is used."""

from __future__ import annotations

import logging
from contextlib import closing

import psycopg
import pytest
import sqlalchemy as sa

from mailing_api.errors import ConfigurationError
from mailing_api.storage import postgres
from tap_mailing.change_detection.changes import open_store
from tap_mailing.settings import Options
from target_mailing.contacts.contact import EncodedContact
from target_mailing.journal.journal import Journal, JournalError
from target_mailing.journal.stores import PostgresStore
from target_mailing.places import journal_store
from target_mailing.rows.row import Row
from tests.target.conftest import person, schema, state

SECRET = "hunter2canary"

UNREADABLE = [
    *(f"postgresql://u:pre{sign}{SECRET}@h/db" for sign in "@/?#[] \t\n%"),
    *(f"postgresql://u:12{sign}{SECRET}@h/db" for sign in "@/?#"),
    *(f"postgresql://u:{SECRET}{sign}x@h/db" for sign in "@/?#"),
    f"postgresql://u:{SECRET}",
    f"postgresql://u:{SECRET}@h:port/db",
    f"postgresql://u:p@h/db?password={SECRET}@x",
    f"postgresql:u:{SECRET}@h/db",
    f"postgresql:/u:{SECRET}@h/db",
    f"jdbc:postgresql://h/db?user=u&password={SECRET}",
    f" postgresql://u:{SECRET}@h/db",
    f"host=h user=u password={SECRET} dbname=d",
    f"password = '{SECRET}' host=h",
    f"dbname=d\npassword={SECRET}",
    f"u:{SECRET}@h/db",
    f"u:{SECRET}@h:5432",
    f"//u:{SECRET}@h/db",
    f"mysql://u:{SECRET}@h/db",
]


@pytest.mark.parametrize("url", UNREADABLE)
def test_p7_a_url_that_cannot_be_read_is_refused_and_not_quoted(url, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(JournalError, match="write postgresql://host/database, with user:password@") as caught:
        journal_store({"journal": url}, "mailjet-default")
    told = [str(caught.value)]
    for name in ("url", "path"):
        with pytest.raises(ConfigurationError, match="Setting `change_detection`") as refused:
            open_store(Options.from_config({"change_detection": {name: url}}).change_detection)
        told.append(str(refused.value))
    for text in (*told, caplog.text):
        assert not any(piece in text for piece in (SECRET, "hunter", "canary", "pre@", "u:12"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p%40%2F%3F%23w@db.example.com:5433/state", "PostgreSQL db.example.com/state"),
        ("POSTGRES://u:a:b@h/d", "PostgreSQL h/d"),
        ("postgresql+psycopg://u@h/d?sslmode=require&password=x", "PostgreSQL h/d"),
        ("postgresql:///d?host=/var/run", "PostgreSQL /d"),
        ("postgresql://u:p@[::1]:5432/d", "PostgreSQL /d"),
        ("postgresql://u:p@a,b:1/d", "PostgreSQL a/d"),
        ("postgresql://", "PostgreSQL /"),
    ],
)
def test_host_and_database_are_shown_where_they_can_be_nothing_else(url, shown):
    assert postgres.problem_of(url) is None
    assert postgres.named(url, {}) == shown


@pytest.mark.parametrize(
    "path", ["journal.sqlite", "./a:b.sqlite", "/data/x=y.sqlite", "C/at@home.sqlite", "a b.sqlite"]
)
def test_a_files_name_is_no_database(path):
    assert not postgres.is_database(path)


def test_p7_what_the_driver_says_is_not_repeated(caplog):
    caplog.set_level(logging.DEBUG)
    store = PostgresStore(f"postgresql://u:{SECRET}@127.0.0.1:1/d?password={SECRET}", "p")
    with pytest.raises(JournalError, match=r"Setting `journal`: PostgreSQL 127\.0\.0\.1/d, schema ") as caught:
        Journal(store)
    assert SECRET not in str(caught.value) + caplog.text


@pytest.fixture
def database(postgresql_url):
    """Connects as the superuser, in a database with a role for the journal and a stranger who may make schemas."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        for role in ("connector", "stranger"):
            connection.execute(f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
            connection.execute(f"GRANT CREATE ON DATABASE postgres TO {role}")
        yield connection
        for role in ("connector", "stranger"):
            connection.execute(f"DROP OWNED BY {role} CASCADE")


def journal(postgresql_url, pipeline):
    return PostgresStore(postgresql_url.replace("postgres:@", "connector:@"), pipeline)


TRIGGER = """
CREATE FUNCTION {schema}.take() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER take BEFORE INSERT ON {schema}.meta FOR EACH ROW EXECUTE FUNCTION {schema}.take();
"""
STRANGE = {
    "schema": "SET ROLE stranger; CREATE SCHEMA {schema}; GRANT ALL ON SCHEMA {schema} TO connector",
    "schema with a trigger": "SET ROLE stranger; CREATE SCHEMA {schema}; GRANT ALL ON SCHEMA {schema} TO connector; "
    "CREATE TABLE {schema}.meta (name text PRIMARY KEY, value bytea NOT NULL); "
    "GRANT ALL ON {schema}.meta TO connector;" + TRIGGER,
    "table": "CREATE SCHEMA {schema} AUTHORIZATION connector; "
    "CREATE TABLE {schema}.meta (name text PRIMARY KEY, value bytea NOT NULL); "
    "ALTER TABLE {schema}.meta OWNER TO stranger; GRANT ALL ON {schema}.meta TO connector",
    "trigger": "CREATE SCHEMA {schema} AUTHORIZATION connector; SET ROLE connector; "
    "CREATE TABLE {schema}.meta (name text PRIMARY KEY, value bytea NOT NULL);" + TRIGGER,
    "rule": "CREATE SCHEMA {schema} AUTHORIZATION connector; SET ROLE connector; "
    "CREATE TABLE {schema}.meta (name text PRIMARY KEY, value bytea NOT NULL); "
    "CREATE RULE r AS ON INSERT TO {schema}.meta DO INSTEAD NOTHING",
    "view": "CREATE SCHEMA {schema} AUTHORIZATION connector; SET ROLE connector; "
    "CREATE VIEW {schema}.meta AS SELECT 'a' AS name, 'b'::bytea AS value",
    "function": "CREATE SCHEMA {schema} AUTHORIZATION connector; GRANT ALL ON SCHEMA {schema} TO stranger; "
    "SET ROLE stranger; CREATE FUNCTION {schema}.coalesce_all(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
}


@pytest.mark.parametrize("what", STRANGE)
def test_what_a_stranger_made_is_refused_and_left_as_it_is(database, postgresql_url, what):
    store = journal(postgresql_url, f"strange {what}")
    database.execute(STRANGE[what].format(schema=store._schema))
    database.execute("RESET ROLE")
    with pytest.raises(JournalError, match="does not belong to this role"):
        Journal(store)
    tables = database.execute("SELECT count(*) FROM pg_tables WHERE schemaname = %s", [store._schema]).fetchone()
    assert tables[0] <= 1
    database.execute(f"DROP SCHEMA {store._schema} CASCADE")


@pytest.mark.parametrize("what", ["schema with a trigger", "trigger"])
def test_a_snapshot_in_a_strangers_schema_is_refused(database, postgresql_url, what):
    from tap_mailing.change_detection.postgres import PostgresStore as Snapshots

    database.execute("DROP SCHEMA IF EXISTS tap_mailing CASCADE")
    database.execute(STRANGE[what].format(schema="tap_mailing"))
    database.execute("RESET ROLE")
    with (
        pytest.raises(ConfigurationError, match="does not belong to this role"),
        Snapshots(postgresql_url.replace("postgres:@", "connector:@")),
    ):
        pass
    database.execute("DROP SCHEMA tap_mailing CASCADE")


def test_a_schema_of_its_own_serves_made_beforehand_or_not(database, postgresql_url):
    for pipeline in ("own", "made beforehand"):
        store = journal(postgresql_url, pipeline)
        if pipeline != "own":
            database.execute(f"CREATE SCHEMA {store._schema} AUTHORIZATION connector")
        Journal(store).close()
        Journal(journal(postgresql_url, pipeline)).close()


@pytest.mark.slow
def test_the_encoding_of_the_database_holds_every_text_or_is_told(database, mailjet, monkeypatch, postgresql_url):
    from tap_mailing.change_detection.postgres import PostgresStore as Snapshots

    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    rows = [schema(), person(1, email="żółć@example.com"), person(2, email="żółć"), state(1)]
    for encoding in ("LATIN1", "SQL_ASCII", "UTF8"):
        name = f"encoding_{encoding.lower()}"
        database.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        mailjet.config["journal"] = postgresql_url.replace("/postgres?", f"/{name}?")
        results = [mailjet.deliver(rows) for _ in range(2)]
        if encoding == "LATIN1":
            assert "has the encoding LATIN1" in str(results[0].error)
            assert results[0].states == []
            with (
                pytest.raises(ConfigurationError, match="has the encoding LATIN1"),
                Snapshots(mailjet.config["journal"]),
            ):
                pass
        else:
            assert [result.counts() for result in results] == [
                {"delivered": 1, "rejected": 1},
                {"unchanged": 1, "rejected": 1},
            ]
        database.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.slow
def test_tables_that_were_changed_or_dropped_are_told_and_not_made_anew(database, mailjet, postgresql_url):
    mailjet.config |= {"journal": postgresql_url, "mailjet_account": mailjet.folder.name}
    rows = [schema(), person(1), state(1)]
    assert mailjet.deliver(rows).error is None
    query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE %s"
    ((place,),) = database.execute(query, [f"target_mailing_mailjet_{mailjet.folder.name[:10]}%"]).fetchall()
    for statement, said in (
        (f"ALTER TABLE {place}.keys RENAME COLUMN contact TO other", "changed or dropped by another program"),
        (f"ALTER TABLE {place}.keys RENAME COLUMN other TO contact; DROP TABLE {place}.runs", "is damaged"),
    ):
        database.execute(statement)
        result = mailjet.deliver([schema(), person(1, name="Other"), state(1)])
        assert said in str(result.error)
        assert result.states == []


def test_a_batch_of_any_size_takes_the_same_calls(postgresql_url, tmp_path):
    """A call is a round trip there."""
    with closing(Journal(PostgresStore(postgresql_url, str(tmp_path)))) as journal:
        calls = []
        sa.event.listen(journal._connection.engine, "before_cursor_execute", lambda *given: calls.append(given[2]))
        counts = []
        for version, rows in ((1, 1), (1, 300), (2, 300)):
            people = [row(journal, f"person.{number}.{version}@example.com", number) for number in range(rows)]
            calls.clear()
            journal.emails([one.key for one in people])
            journal.contacts([one.id for one in people])
            number = journal.begin_batch("d", "add", "json", people)
            journal.begin_step(number, "submit")
            journal.end_step("d", number, "submit", {}, ids=[(one.id, one.email) for one in people])
            journal.settle(
                number, destination="d", action="add", route="json", outcomes={}, confirmed=people,
                pending_removals=[(one.key, f"old {one.email}", 5) for one in people],
            )  # fmt: skip
            counts.append(len(calls))
        assert max(counts) <= counts[0] + 6
        keys = [row(journal, "", number).key for number in range(300)]
        assert {*journal.emails(keys).values()} == {f"person.{number}.2@example.com" for number in range(300)}


def row(journal, address, number):
    return Row(
        line=1, raw=b"", stream="people", key=b"%016d" % number, id=journal.contact_id("d", address), action="add",
        fingerprint=number, held=EncodedContact(address, address, b"x"),
    )  # fmt: skip
