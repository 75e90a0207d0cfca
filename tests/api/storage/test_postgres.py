"""What is said of a server's errors, and how a session in a schema of our own begins."""

from __future__ import annotations

from types import SimpleNamespace

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from mailing_api.storage import postgres
from mailing_api.storage.postgres import OwnSchema, failure, for_libpq, is_statement_mode, problem_of

POOLER = "SET not allowed in statement pooling mode"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (psycopg.errors.DiskFull("canary"), "the server's disk is full"),
        (psycopg.errors.UndefinedTable("canary"), "its tables were changed or dropped by another program"),
        (psycopg.errors.DivisionByZero("canary"), "SQLSTATE 22012"),
        (psycopg.OperationalError("canary"), "check that the server can be reached"),
        (psycopg.DataError("canary"), "it cannot store a value"),
        (psycopg.OperationalError(POOLER), "a connection pooler in statement mode"),
        (psycopg.errors.ProtocolViolation(POOLER), "a connection pooler in statement mode"),
        (SimpleNamespace(orig=psycopg.errors.DiskFull("canary")), "the server's disk is full"),
        (SimpleNamespace(explanation="It hangs."), "It hangs."),
    ],
)
def test_p7_an_error_is_told_by_its_kind_and_never_in_its_own_words(error, said):
    message = failure(error)
    assert message.startswith(said)
    assert "canary" not in message


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "POSTGRESQL", "postgresql+psycopg", "Postgres+Psycopg"])
def test_every_url_that_is_valid_is_one_that_libpq_reads(scheme):
    url = f"{scheme}://role:a%2Bb@host:5433/base?sslmode=require"
    assert problem_of(url) is None
    parts = {"user": "role", "password": "a+b", "host": "host", "port": "5433", "dbname": "base", "sslmode": "require"}
    assert conninfo_to_dict(for_libpq(url)) == parts


def test_only_an_error_of_a_pooler_is_one_of_its_statement_mode():
    assert not is_statement_mode(psycopg.OperationalError("another"))
    assert not is_statement_mode(psycopg.errors.DiskFull(POOLER))


class Server:
    """Notes statements, and answers as a database with or without the schema."""

    def __init__(self, *, has_schema, foreign=(), encoding=()):
        self.statements = []
        self.has_schema = has_schema
        self.foreign = foreign
        self.encoding = encoding

    def __call__(self, statement, *values):
        self.statements.append(statement)
        if statement == postgres._FOREIGN_OBJECTS:
            return self.foreign
        if statement == postgres._ENCODING_PROBLEM:
            return self.encoding
        return [(1,)] if "pg_namespace" in statement and self.has_schema else []


@pytest.fixture
def schema():
    return OwnSchema("postgresql://host/db", "ours", setting="journal", content="journal", error=ValueError)


@pytest.mark.parametrize("has_schema", [True, False])
def test_p3_in_a_schema_of_our_own_a_commit_is_on_disk_and_names_are_ours(schema, has_schema):
    server = Server(has_schema=has_schema)
    schema.begin(server)
    assert schema.enter(server) is not has_schema
    first, *_, path, commit = server.statements
    assert "pg_catalog.set_config(" in first
    assert "'search_path', ''" in first
    assert path == 'SET search_path TO "ours", pg_temp'
    assert commit == "SET synchronous_commit TO on"
    assert any("CREATE SCHEMA" in one for one in server.statements) is not has_schema


def test_p9_a_schema_with_objects_of_others_is_not_entered(schema):
    server = Server(has_schema=True, foreign=[("a trigger",)])
    with pytest.raises(ValueError, match="a trigger does not belong to this role"):
        schema.enter(server)
    assert not any("search_path" in one for one in server.statements)


def test_p9_a_database_that_lacks_characters_is_refused(schema):
    with pytest.raises(ValueError, match="has the encoding LATIN1"):
        schema.begin(Server(has_schema=False, encoding=[("has the encoding LATIN1",)]))
