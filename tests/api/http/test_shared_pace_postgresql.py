"""A pace that processes share, by PostgreSQL, which is killed, hangs, refuses, and comes back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path
from threading import Timer

import psycopg
import pytest

from mailing_api.http.pace import Pace
from mailing_api.http.shared_pace import AwayError
from mailing_api.mailjet import MailjetClient
from mailing_api.rate_budget import rate_budget
from mailing_api.storage import postgres_budget
from tests.pgbouncer import needs_pgbouncer, pgbouncer
from tests.postgresql import postgresql_server

ROOT = Path(__file__).parents[3]

WORKER = """
import logging, sys, time
from mailing_api.http.pace import Pace
from mailing_api.rate_budget import rate_budget
from mailing_api.storage import postgres_budget
logging.basicConfig(level=logging.WARNING, format="%(message)s")
postgres_budget.ANSWER_WITHIN, postgres_budget.AGAIN_AFTER = 0.4, 0.3
pace = rate_budget({"rate_budget": sys.argv[1]}).share(Pace(40.0), "provider account")
while True:
    before = time.monotonic()
    pace.wait()
    print(time.monotonic(), time.monotonic() - before, flush=True)
    pace.succeeded()
"""


@pytest.fixture
def workers(tmp_path):
    started = []

    def start(url, count):
        for _ in range(count):
            number = len(started)
            with (tmp_path / f"{number}.out").open("w") as out, (tmp_path / f"{number}.err").open("w") as err:
                command = [sys.executable, "-c", textwrap.dedent(WORKER), url]
                started.append(subprocess.Popen(command, stdout=out, stderr=err, cwd=ROOT))
        return started

    def calls(number):
        lines = (tmp_path / f"{number}.out").read_text().splitlines()
        return [tuple(map(float, line.split())) for line in lines if line.count(".") == 2]

    start.calls = calls
    start.warnings = lambda number: (tmp_path / f"{number}.err").read_text().splitlines()
    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_processes_share_a_database_that_hangs_and_is_killed_and_live_through_it(workers):
    with postgresql_server() as server:
        processes = workers(server.url, 3)
        while not all(len(workers.calls(number)) > 5 for number in range(3)):
            time.sleep(0.05)

        def count(seconds):
            began = time.monotonic()
            time.sleep(seconds)
            return (
                sum(began < at <= began + seconds for number in range(3) for at, _ in workers.calls(number)) / seconds
            )

        assert 0.8 * 40 <= count(1.5) <= 1.1 * 40
        processes[2].send_signal(signal.SIGKILL)
        time.sleep(0.5)
        assert 0.8 * 40 <= count(1.0) <= 1.1 * 40
        server.freeze()
        time.sleep(0.6)
        assert 3 <= count(1.0) <= 40
        server.thaw()
        time.sleep(1.0)
        assert 0.7 * 40 <= count(1.0) <= 1.1 * 40
        server.kill()
        assert 3 <= count(1.0) <= 40
        server.start()
        time.sleep(1.5)
        assert 0.7 * 40 <= count(1.0) <= 1.1 * 40
        for number in range(2):
            assert max(waited for _, waited in workers.calls(number)) < 1.5
            assert [line for line in workers.warnings(number) if "`rate_budget`" in line] == [
                workers.warnings(number)[0]
            ]


@pytest.fixture(scope="module")
def server():
    with postgresql_server() as server:
        yield server


@pytest.mark.slow
def test_the_row_holds_no_key_and_no_password(server):
    budget = rate_budget({"rate_budget": server.url})
    MailjetClient(api_key="canary", secret_key="secret", budget=budget)._http.pace.wait()
    budget.close()
    with psycopg.connect(server.url) as connection:
        [row] = connection.execute("SELECT a::text FROM mailing_rate_budget.accounts AS a").fetchall()
    assert "canary" not in row[0]
    assert "mailjet" not in row[0]


@pytest.mark.slow
@pytest.mark.parametrize("change", ["rate = 'NaN'", "cool_until = 'Infinity'", "workers = '[]'", "rate = 0"])
def test_a_row_that_was_edited_by_hand_is_replaced(server, change):
    budget = rate_budget({"rate_budget": server.url.replace("postgresql:", "postgresql+psycopg:")})
    pace = budget.share(Pace(1000.0), "provider edited")
    pace.wait()
    with psycopg.connect(server.url) as connection:
        connection.execute(f"UPDATE mailing_rate_budget.accounts SET {change}")
    for _ in range(3):
        time.sleep(0.11)  # so that the row is read again
        pace.wait()
    budget.close()
    assert 0 < pace.rate <= 1000.0
    with psycopg.connect(server.url) as connection:
        connection.execute("DELETE FROM mailing_rate_budget.accounts")


def test_a_database_that_cannot_be_reached_is_named_once_without_its_password(caplog):
    budget = rate_budget({"rate_budget": "postgresql://me:canary@127.0.0.1:9/budget"})
    budget.share(Pace(1000.0), "provider account").wait()
    budget.close()
    [record] = caplog.records
    assert (record.levelname, "127.0.0.1/budget" in caplog.text, "canary" in caplog.text) == ("WARNING", True, False)


@pytest.mark.slow
def test_another_version_is_not_touched_and_named(server, caplog):
    with psycopg.connect(server.url, autocommit=True) as connection:
        rate_budget({"rate_budget": server.url}).close()
        connection.execute("COMMENT ON SCHEMA mailing_rate_budget IS 'rate budget 2'")
        try:
            budget = rate_budget({"rate_budget": server.url})
            pace = budget.share(Pace(100.0), "provider other")
            pace.wait()
            budget.close()
            assert "another version" in caplog.text
            assert pace.rate == 50.0
            rows = connection.execute("SELECT name FROM mailing_rate_budget.accounts").fetchall()
            assert len(rows) <= 1
        finally:
            connection.execute("COMMENT ON SCHEMA mailing_rate_budget IS 'rate budget 1'")


@pytest.mark.slow
def test_a_dropped_table_is_named_once_and_the_run_continues_alone(server, caplog):
    budget = rate_budget({"rate_budget": server.url})
    pace = budget.share(Pace(100.0), "provider dropped")
    pace.wait()
    with psycopg.connect(server.url) as connection:
        connection.execute("ALTER TABLE mailing_rate_budget.accounts RENAME TO elsewhere")
    try:
        for _ in range(20):
            pace.wait()
        assert pace.rate == 50.0
        budget.close()
        rate_budget({"rate_budget": server.url}).close()
        assert [record.levelname for record in caplog.records].count("WARNING") == 2  # one by each
        assert "changed or dropped" in caplog.text
    finally:
        with psycopg.connect(server.url) as connection:
            connection.execute("ALTER TABLE mailing_rate_budget.elsewhere RENAME TO accounts")


@pytest.mark.slow
def test_a_server_that_cannot_write_is_named_once_until_it_can(server, caplog, monkeypatch):
    caplog.set_level("INFO", "mailing_api.storage")
    monkeypatch.setattr("mailing_api.storage.postgres_budget.AGAIN_AFTER", 0.02)
    with closing(rate_budget({"rate_budget": server.url})) as budget:
        pace = budget.share(Pace(100.0), "provider full")
        pace.wait()
        with psycopg.connect(server.url) as connection:
            connection.execute("ALTER TABLE mailing_rate_budget.accounts ADD CONSTRAINT writes CHECK (false) NOT VALID")
        before = budget._store._connections
        while budget._store._connections < before + 5:  # it can be read each time
            pace.wait()
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        with psycopg.connect(server.url) as connection:
            connection.execute("ALTER TABLE mailing_rate_budget.accounts DROP CONSTRAINT writes")
        while len(caplog.records) < 2:
            pace.wait()
    assert "answers; the rate is shared" in caplog.records[1].getMessage()


@pytest.mark.slow
@needs_pgbouncer
def test_a_pooler_in_transaction_mode_is_no_hindrance(server):
    with pgbouncer(server.url, pool_mode="transaction", default_pool_size=2) as url:
        budgets = [rate_budget({"rate_budget": url}) for _ in range(3)]
        paces = [budget.share(Pace(200.0), "provider pooled") for budget in budgets]
        began = time.monotonic()
        for _ in range(20):
            for pace in paces:
                pace.wait()
        assert 0.25 < time.monotonic() - began < 2
        assert all(budget._store.is_there for budget in budgets)
        for budget in budgets:
            budget.close()
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
        [(workers,)] = connection.execute("SELECT workers FROM mailing_rate_budget.accounts ORDER BY rate DESC LIMIT 1")
    assert len(workers if isinstance(workers, dict) else json.loads(workers)) == 3


@pytest.fixture
def sql(server):
    """Runs a statement; what was set for the role is reset afterwards."""

    def run(statement):
        with psycopg.connect(server.url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    yield run
    run("ALTER ROLE postgres RESET ALL")


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        "idle_session_timeout = '150ms'",
        "statement_timeout = '100ms'",
        "lock_timeout = '100ms'",
        "extra_float_digits = -15",
        "standard_conforming_strings = off",
    ],
)
def test_settings_of_the_role_do_not_hinder_sharing(server, sql, caplog, monkeypatch, setting):
    monkeypatch.setattr("mailing_api.storage.postgres_budget.AGAIN_AFTER", 0.02)
    other = psycopg.connect(server.url)  # begins at the same moment, and takes its time
    other.execute("SELECT pg_advisory_xact_lock(hashtextextended('mailing_rate_budget', 0))")
    sql(f"ALTER ROLE postgres SET {setting}")
    Timer(0.3, other.close).start()
    with closing(rate_budget({"rate_budget": server.url})) as budget:
        pace = budget.share(Pace(100.0), f"provider {setting}")
        for _ in range(3):
            began = time.monotonic()
            pace.wait()
            assert time.monotonic() - began < 0.9
            time.sleep(0.3)
        assert pace._alone is None
    assert caplog.text == ""


@pytest.mark.slow
def test_a_table_that_another_worker_makes_meanwhile_is_used(server, sql, caplog):
    sql("DROP SCHEMA IF EXISTS mailing_rate_budget CASCADE")
    sql("ALTER ROLE postgres SET default_transaction_isolation = 'serializable'")
    with psycopg.connect(server.url) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('mailing_rate_budget', 0))")
        other.execute("CREATE SCHEMA mailing_rate_budget")
        other.execute(postgres_budget._TABLE)
        other.execute(f"COMMENT ON SCHEMA mailing_rate_budget IS '{postgres_budget._VERSION}'")
        Timer(0.3, other.commit).start()
        with closing(rate_budget({"rate_budget": server.url})) as budget:
            assert budget._store.is_there
    assert caplog.text == ""


@pytest.mark.slow
def test_a_read_only_database_is_named_and_not_used(server, sql, caplog):
    rate_budget({"rate_budget": server.url}).close()
    sql("ALTER ROLE postgres SET default_transaction_read_only = on")
    try:
        with closing(rate_budget({"rate_budget": server.url})) as budget:
            budget.share(Pace(100.0), "provider account").wait()
            assert not budget._store.is_there
    finally:
        with psycopg.connect(server.url, options="-c default_transaction_read_only=off") as connection:
            connection.execute("ALTER ROLE postgres RESET ALL")
    assert "nothing can be written there" in caplog.text


@pytest.mark.slow
def test_names_of_workers_are_data_and_no_statement(server, sql):
    with closing(rate_budget({"rate_budget": server.url})) as budget:
        pace = budget.share(Pace(100.0), "provider quoted")
        pace.wait()
        name = "'::json WHERE name = 'x'; --"
        sql(
            "UPDATE mailing_rate_budget.accounts SET workers = pg_catalog.json_build_object("
            f"$${name}$$, extract(epoch FROM clock_timestamp()))"
        )
        time.sleep(0.6)  # so that the lease is lost
        pace.wait()
        assert pace._alone is None
    assert name in {name for (workers,) in sql("SELECT workers FROM mailing_rate_budget.accounts") for name in workers}


@pytest.mark.slow
def test_a_row_that_a_failover_lost_is_not_one_that_was_deleted_by_hand(server, sql, monkeypatch):
    monkeypatch.setattr("mailing_api.storage.postgres_budget.AGAIN_AFTER", 0.1)
    with closing(rate_budget({"rate_budget": server.url})) as budget:
        pace = budget.share(Pace(100.0), "provider lost")
        pace.refused(pace.wait(), 600.0)
        time.sleep(0.2)  # so that the connection is made again at once
        sql("DELETE FROM mailing_rate_budget.accounts")
        sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
        with pytest.raises(AwayError):
            pace._look()
        pace._leave()
        pace._take()
        now, _, row = budget._store.read(pace._name)
        assert 500 < row.cool_until - now <= 600
        sql("DELETE FROM mailing_rate_budget.accounts")
        pace._look()
        pace._alone = None
        pace._take()
        assert budget._store.read(pace._name)[2].cool_until == 0.0
