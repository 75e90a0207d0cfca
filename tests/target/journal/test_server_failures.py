"""PostgreSQL is killed, started again, or hangs at each commit of a run: the next run completes it."""

from __future__ import annotations

import time
from contextlib import closing

import psycopg
import pytest

from mailing_api.errors import ConfigurationError
from mailing_api.storage import postgres_watch
from mailing_api.storage.postgres_session import Session
from mailing_api.storage.postgres_watch import WatchedConnection
from tap_mailing.change_detection.postgres import PostgresStore as Snapshots
from target_mailing.delivery import jobs
from target_mailing.journal.stores import JournalError, PostgresStore
from tests.postgresql import postgresql_server
from tests.target.conftest import people, schema, state
from tests.target.erase.erasing import asked_to_erase

pytestmark = pytest.mark.slow

ROWS = [schema(), *people(range(6)), state(6)]
EVERYBODY = sorted(f"person{number}@example.com" for number in range(6))


@pytest.fixture(scope="module")
def server():
    with postgresql_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(postgres_watch, "ANSWER_WITHIN", 0.3)
    monkeypatch.setattr(postgres_watch, "LOGIN_WITHIN", 2)
    monkeypatch.setattr(postgres_watch, "_INTERVAL", 0.1)
    monkeypatch.setattr(jobs, "_APPEARS_WITHIN", 0.3)


@pytest.fixture
def account(mailjet, server):
    mailjet.config |= {"journal": server.url, "batch_rows": 3, "mailjet_account": mailjet.folder.name}
    return mailjet


def at_commit(monkeypatch, number, act):
    """Let something happen right before or after a commit."""
    usual, counts = Session.commit, []

    def commit(session):
        counts.append(None)
        if len(counts) == number:
            act()
        usual(session)

    monkeypatch.setattr(Session, "commit", commit)
    return counts


def sent(mailjet):
    return sorted(row["contact"]["Email"] for row in mailjet.received())


def complete(account, first):
    """The next run completes what the first one left; nothing was acknowledged early, nothing arrives twice."""
    if first.error is None:
        assert first.states == [6]
    else:
        assert "Setting `journal`: PostgreSQL localhost/postgres, schema " in str(first.error)
        assert "user, password and database" not in str(first.error), "these were right when it connected"
        assert first.states == [] or len(sent(account)) == len(EVERYBODY)
    second = account.deliver(ROWS)
    assert (second.error, second.states) == (None, [6])
    assert sent(account) == EVERYBODY
    assert sorted(account.members()) == EVERYBODY


COMMITS = [pytest.param(one, marks=() if one % 3 == 1 else pytest.mark.exhaustive) for one in range(1, 25)]


@pytest.mark.parametrize("commit", COMMITS)
@pytest.mark.parametrize("restarts", [True, False], ids=["started again", "dead"])
def test_p3_a_server_killed_at_any_commit_loses_and_doubles_nothing(account, server, monkeypatch, commit, restarts):
    def crash():
        server.kill()
        if restarts:
            server.start()

    with monkeypatch.context() as patch:
        counts = at_commit(patch, commit, crash)
        first = account.deliver(ROWS)
    assert first.error is not None or len(counts) < commit
    server.start()
    complete(account, first)


@pytest.mark.parametrize("commit", [1, 4, 9])
def test_p9_a_server_that_hangs_ends_the_run_in_bounded_time(account, server, monkeypatch, commit):
    with monkeypatch.context() as patch:
        at_commit(patch, commit, server.freeze)
        begun = time.monotonic()
        try:
            first = account.deliver(ROWS)
        finally:
            server.thaw()
    assert time.monotonic() - begun < 30
    assert "the server did not answer for a minute" in str(first.error)
    complete(account, first)


def test_p9_a_server_that_hangs_ends_the_tap_too(server):
    with Snapshots(server.url) as store:
        store.commit()
        server.freeze()
        try:
            with pytest.raises(ConfigurationError, match="the server did not answer for a minute"):
                store.commit()
        finally:
            server.thaw()


def test_a_long_statement_of_a_server_that_answers_others_is_waited_for(server, monkeypatch):
    with Snapshots(server.url) as store:
        store._run("SELECT pg_sleep(1)")
        monkeypatch.setattr(postgres_watch, "STATEMENT_WITHIN", 0.4)
        with pytest.raises(ConfigurationError, match="the server did not answer for a minute"):
            store._run("SELECT pg_sleep(60)")


@pytest.mark.parametrize("setting", ["idle_session_timeout = '200ms'", "extra_float_digits = -15"])
def test_settings_of_the_role_do_no_harm(account, server, setting):
    account.config |= {"poll_interval": 0.6, "poll_max_interval": 0.6, "batch_rows": 100}
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE postgres SET {setting}")
        try:
            first = account.deliver(ROWS)
            again = account.deliver(ROWS)
        finally:
            connection.execute("ALTER ROLE postgres RESET ALL")
    assert (first.error, again.error) == (None, None)
    assert sent(account) == EVERYBODY


def test_p9_a_journal_that_is_not_there_could_not_be_made_where_nothing_can_be_written(server, monkeypatch):
    monkeypatch.setenv("PGOPTIONS", "-c default_transaction_read_only=on")
    with (
        closing(PostgresStore(server.url, "none yet")) as store,
        pytest.raises(JournalError, match=r"could not be made \(nothing can be written there: it is a replica"),
    ):
        store.would_be_made()


def at_statement(monkeypatch, number, act):
    """Let something happen right before a statement; returns a list that grows with each."""
    usual, counts = WatchedConnection.wait, []

    def wait(connection, *args, **options):
        counts.append(None)
        if len(counts) == number:
            act()
        return usual(connection, *args, **options)

    monkeypatch.setattr(WatchedConnection, "wait", wait)
    return counts


def deliver(account):
    return account.deliver(ROWS).error


def plan(account):
    return account.deliver(ROWS, mode="plan").error


def erase(account):
    return asked_to_erase(account, "person1@example.com")[1]


@pytest.mark.parametrize(("use", "before_the_last"), [(plan, 5), (erase, 0)])
def test_p9_a_session_that_is_ended_late_is_told_or_nothing_is_lost(account, server, monkeypatch, use, before_the_last):
    def terminate():
        with psycopg.connect(server.url) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )

    assert account.deliver(ROWS).error is None
    assert use(account) is None, "what is erased again takes fewer statements"
    with monkeypatch.context() as patch:
        statements = at_statement(patch, 0, terminate)
        assert use(account) is None
    with monkeypatch.context() as patch:
        at_statement(patch, len(statements) - before_the_last, terminate)
        error = use(account)
    if before_the_last:
        assert isinstance(error, JournalError)
        assert "the connection was" in str(error)
    else:
        assert error is None, "all was committed"


def look(account):
    store = PostgresStore(account.config["journal"], "any")
    try:
        store.read_only()
    except store.errors as error:
        return store.failure(error)
    finally:
        store.close()


@pytest.mark.parametrize("statement", [1, 2, 4])
@pytest.mark.parametrize("use", [deliver, plan, look])
def test_p9_a_server_that_hangs_at_the_start_ends_the_run_in_bounded_time(account, server, monkeypatch, statement, use):
    assert account.deliver(ROWS[:2]).error is None
    with monkeypatch.context() as patch:
        at_statement(patch, statement, server.freeze)
        try:
            error = use(account)
        finally:
            server.thaw()
    assert "the server did not answer for a minute" in str(error)
