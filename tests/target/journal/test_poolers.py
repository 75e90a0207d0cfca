"""A connection pooler before PostgreSQL: refused where locks do not hold, and left as it was; else like the server.

PgBouncer stands for all of them: nothing is concluded from its name.
"""

from __future__ import annotations

import itertools
import json
from contextlib import ExitStack, closing, contextmanager

import psycopg
import pytest

from mailing_api.errors import ConfigurationError
from tap_mailing.change_detection.postgres import PostgresStore as Snapshots
from target_mailing.journal.copied import CopiedStore
from target_mailing.journal.journal import Journal, JournalError
from target_mailing.journal.stores import PostgresStore
from tests.pgbouncer import needs_pgbouncer, pgbouncer
from tests.target.conftest import people, schema, state

pytestmark = [needs_pgbouncer, pytest.mark.slow]

REMEDY = "Connect to the server's own port, or to a pool in session mode"
#: Mode, idle sessions, and whether they are handed out in turn.
POOLS = [*(("transaction", size, order) for size in (1, 2, 5) for order in (0, 1)), ("statement", 2, 0)]


def fill(url, size):
    """Let the pool have that many idle sessions."""
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(psycopg.connect(url, autocommit=True))) for _ in range(size)]
        for client in clients:
            client.pgconn.send_query(b"SELECT pg_sleep(0.05)")
        for client in clients:
            while client.pgconn.get_result():
                pass


def locks(url):
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()[0]


def open_journal(url):
    Journal(PostgresStore(url, "behind a pooler")).close()


def open_copy(url):
    store = CopiedStore(PostgresStore(url, "behind a pooler"))
    with closing(Journal(store)) as journal:
        journal.hold_list("a list")


def open_snapshots(url):
    with Snapshots(url) as store:
        store.part("contacts", "default")


@pytest.mark.parametrize(("mode", "size", "order"), POOLS)
@pytest.mark.parametrize("use", [open_journal, open_copy, open_snapshots])
def test_p9_a_pool_whose_sessions_are_shared_is_refused_and_left_without_locks(postgresql_url, use, mode, size, order):
    with pgbouncer(postgresql_url, pool_mode=mode, server_round_robin=order) as url:
        fill(url, size)
        with pytest.raises((JournalError, ConfigurationError)) as refused:
            use(url)
        assert REMEDY in str(refused.value)
        assert locks(postgresql_url) == 0
        with psycopg.connect(url, autocommit=True) as other:
            assert other.execute("SHOW search_path").fetchone()[0] == '"$user", public'
    use(postgresql_url)  # no lock is left


@pytest.mark.parametrize("size", [1, 8])
@pytest.mark.parametrize("use", [open_journal, open_copy, open_snapshots])
def test_a_pool_of_whole_sessions_is_as_good_as_the_server(postgresql_url, monkeypatch, use, size):
    monkeypatch.setattr("mailing_api.storage.postgres_session._ANSWER_WITHIN", 0.2)
    # Without its reset, the next one is given whatever this one left.
    with pgbouncer(postgresql_url, default_pool_size=size, server_reset_query="") as url:
        for _ in range(3):
            use(url)
            assert locks(postgresql_url) == 0


def test_a_killed_run_leaves_no_lock_in_a_pool_of_whole_sessions(postgresql_url):
    with pgbouncer(postgresql_url) as url:
        for use in (open_journal, open_copy, open_snapshots):
            killed = PostgresStore(url, "behind a pooler")
            killed.open()
            killed._connection.pgconn.finish()
            use(url)
            killed.close()
        assert locks(postgresql_url) == 0


# A pool that the probe does not recognise: whatever it does, each transaction looks for the locks.


@pytest.fixture
def unrecognised(monkeypatch, postgresql_url):
    monkeypatch.setattr("mailing_api.storage.postgres_session.Session._try_to_share", lambda *_: None)
    with pgbouncer(postgresql_url, pool_mode="transaction") as url:
        yield url


@contextmanager
def taken(url):
    """The session with locks is in use by somebody else, with those that the pool gave before it."""
    own = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    with ExitStack() as stack:
        while not stack.enter_context(psycopg.connect(url)).execute(own).fetchone()[0]:
            pass
        yield


@pytest.mark.parametrize("use", [open_journal, open_copy, open_snapshots])
def test_p9_a_session_with_the_locks_of_another_run_is_refused(unrecognised, use):
    with closing(Journal(PostgresStore(unrecognised, "the first"))):
        with pytest.raises((JournalError, ConfigurationError), match=REMEDY):
            use(unrecognised)
        with taken(unrecognised), closing(Journal(PostgresStore(unrecognised, "behind a pooler"))):
            pass


def test_p1_nothing_is_committed_in_a_session_without_the_locks(unrecognised, postgresql_url):
    with closing(Journal(PostgresStore(unrecognised, "moved"))) as journal:
        journal.check()
        with taken(unrecognised):
            for use in (journal.check, lambda: journal.hold_list("a list"), lambda: journal.begin_step(1, "submit")):
                with pytest.raises(JournalError, match=r"is no longer held: .* " + REMEDY):
                    use()
        journal.check()
    with closing(Snapshots(unrecognised)) as store:
        store.__enter__()
        part = store.part("contacts", "default")
        with taken(unrecognised):
            for use in (store.commit, lambda: store.begin(part), lambda: store.part("contacts", "other")):
                with pytest.raises(ConfigurationError, match=r"is no longer held: .* " + REMEDY):
                    use()


def test_p1_another_session_in_which_all_else_is_alike_takes_nothing(unrecognised, postgresql_url):
    store = PostgresStore(unrecognised, "alike")
    steps = f"SELECT count(*) FROM {store._schema}.steps"
    with closing(Journal(store)) as journal:
        with taken(unrecognised):
            with psycopg.connect(unrecognised, autocommit=True) as other:  # it leaves the session to the journal
                other.execute(f"SET search_path TO {store._schema}")
            with pytest.raises(JournalError, match=r"is no longer held: .* " + REMEDY):
                journal.begin_step(1, "submit")
        with psycopg.connect(postgresql_url) as server:
            assert server.execute(steps).fetchone() == (0,)
        journal.begin_step(1, "submit")
        with psycopg.connect(postgresql_url) as server:
            assert server.execute(steps).fetchone() == (1,)


@pytest.mark.parametrize("version", [1, 2])
def test_p1_no_state_leaves_when_the_session_is_exchanged_in_a_run(mailjet, unrecognised, version):
    mailjet.config |= {"journal": unrecognised, "mailjet_account": mailjet.folder.name}
    rows = [schema(), *people(range(3))]
    assert mailjet.deliver([*rows, state(1)]).states == [1]
    with ExitStack() as stack:

        def lines():
            for row in [schema(), *people(range(3), city=f"City {version}" if version > 1 else "Lyon")]:
                yield json.dumps(row)
            stack.enter_context(taken(unrecognised))
            yield json.dumps(state(2))

        result = mailjet.deliver_from(Lines(lines()))
    assert REMEDY in str(result.error)
    assert result.states == []


class Lines:
    """A file whose lines come one by one."""

    def __init__(self, lines):
        self._lines = lines

    def read(self, _=-1):
        return "".join(f"{line}\n" for line in itertools.islice(self._lines, 1))
