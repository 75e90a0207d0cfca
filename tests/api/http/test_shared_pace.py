"""A pace that processes share: by a store in memory, and by PostgreSQL, which is killed, hangs, and comes back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import psycopg
import pytest

from mailing_api.errors import ConfigurationError, RateLimited
from mailing_api.http.client import HttpClient
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy
from mailing_api.http.shared_pace import AwayError, Budget
from mailing_api.http.traffic import Traffic
from mailing_api.mailjet import MailjetClient
from mailing_api.postgrid import PostgridClient
from mailing_api.rate_budget import rate_budget
from mailing_api.ses import SesClient
from tests.pgbouncer import needs_pgbouncer, pgbouncer
from tests.postgresql import postgresql_server

ROOT = Path(__file__).parents[3]


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Memory:
    """Rows in memory; may be away."""

    def __init__(self, clock):
        self.clock = clock
        self.rows = {}
        self.is_there = True

    def read(self, name):
        if not self.is_there:
            raise AwayError
        return (self.clock() + 5000, *self.rows.get(name, (0, None)))

    def swap(self, name, revision, row):
        if self.rows.get(name, (0,))[0] != revision:
            return False
        self.rows[name] = (revision + 1, row)
        return True

    def close(self):
        self.is_there = False


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return Memory(clock)


def shared(store, clock, limit=4.0, **options):
    """The pace of another process."""
    return Budget(store).share(Pace(limit, clock=clock, sleep=clock.sleep, **options), "provider account")


def test_two_processes_share_the_rate(store, clock):
    one, two = shared(store, clock), shared(store, clock)
    starts = [pace.wait() for _ in range(10) for pace in (one, two)]
    assert starts[-1] - starts[0] == pytest.approx(19 / 4, rel=0.1)


def test_a_cool_down_that_one_sees_stops_the_other(store, clock):
    one, two = shared(store, clock), shared(store, clock)
    one.refused(one.wait(), 30.0)
    began = clock.now
    assert two.wait() >= began + 30


def test_a_long_cool_down_is_told_and_ends_when_its_row_is_deleted(store, clock, caplog):
    one, other = shared(store, clock), shared(store, clock)
    one.refused(one.wait(), retry_after=3000.0)
    began = clock()

    def deleted_after_a_minute(seconds, sleep=clock.sleep):
        sleep(seconds)
        if clock() > began + 60:
            store.rows.clear()

    other._sleep = deleted_after_a_minute
    other.wait()
    assert 60 < clock() - began < 120
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_refusal_halves_the_rate_of_all(store, clock):
    one, two = shared(store, clock), shared(store, clock)
    two.wait()
    one.refused(one.wait())
    two.wait()
    assert (one.rate, two.rate) == (2.0, 2.0)


def test_time_spent_waiting_is_counted(store, clock):
    traffic, pace = Traffic(), shared(store, clock)
    for _ in range(5):
        pace.wait(traffic)
    assert traffic.totals.waited == pytest.approx(1.0, rel=0.3)


def test_without_the_store_each_goes_on_at_half_of_its_share_and_comes_back(store, clock):
    one, two = shared(store, clock, 8.0), shared(store, clock, 8.0)
    for pace in (one, two, one):
        pace.wait()
    store.is_there = False
    starts = [one.wait() for _ in range(4)]
    assert one.rate == 2.0
    assert starts[-1] - starts[0] == pytest.approx(3 / 2)
    one.succeeded()
    clock.now += 1000
    one.succeeded()
    assert one.rate == 4.0  # its share of the limit
    store.is_there = True
    one.wait()
    assert one.rate == 8.0


def test_a_row_that_others_change_all_the_time_holds_nobody_for_long(store, clock):
    store.swap = lambda *_: clock.sleep(0.3)
    pace = shared(store, clock)
    began = clock.now
    pace.wait()
    assert clock.now - began < 2


def test_a_refusal_without_the_store_slows_this_process(store, clock):
    pace = shared(store, clock, 8.0)
    start = pace.wait()
    store.is_there = False
    pace.refused(start)
    assert pace.rate == 2.0


def test_a_window_of_requests_is_kept_by_all_together(store, clock):
    paces = [shared(store, clock, None, most=50, within=10.0) for _ in range(3)]
    starts = [paces[at % 3].wait() for at in range(120)]
    assert all(later - first > 10 for first, later in zip(starts, starts[50:], strict=False))


def test_a_request_that_waits_as_the_provider_says_makes_the_other_process_wait(store, clock):
    answers = iter([httpx.Response(429, headers={"Retry-After": "20"})])

    def client():
        return HttpClient(
            provider="Mail",
            account="default",
            base_url="https://api.example.com",
            auth=httpx.Auth(),
            read_error=lambda name, response: RateLimited(name, status=response.status_code),
            transport=httpx.MockTransport(lambda _: next(answers, httpx.Response(200))),
            sleep=clock.sleep,
            retry=RetryPolicy(throttle_tries=1),
            pace=Pace(8.0, clock=clock, sleep=clock.sleep),
            budget=Budget(store),
        )

    with client() as one, client() as two:
        with pytest.raises(RateLimited):
            one.request("GET", "/", lambda _: None, route="/")
        began = clock.now
        two.request("GET", "/", lambda _: None, route="/")
    assert clock.now >= began + 20


@pytest.mark.parametrize(
    "make",
    [
        lambda key, **more: MailjetClient(api_key=key, secret_key="secret", **more),
        lambda key, **more: PostgridClient(api_key=f"test_sk_{key}", **more),
        lambda key, **more: SesClient(
            regions=["eu-west-1"], aws_access_key_id=key, aws_secret_access_key="secret", **more
        )._pace("eu-west-1", type("Operation", (), {"name": "GetAccount"})),
    ],
)
def test_an_account_is_one_row_for_all_spellings_and_tells_no_key(make):
    named = []

    class Noting(Budget):
        def share(self, pace, account):
            named.append(account)
            return pace

    for key in ("canary1", "canary1", "canary2"):
        make(key, budget=Noting(None))
    assert named[0] == named[1] != named[2]
    assert "canary" not in "".join(named)


@pytest.mark.parametrize("value", ["budget.sqlite", "postgresql://me:canary%zz@host/db", "host=x password=canary"])
def test_p9_a_value_that_is_no_url_is_an_error_that_does_not_show_it(value):
    with pytest.raises(ConfigurationError, match="`rate_budget`") as caught:
        rate_budget({"rate_budget": value})
    assert "canary" not in str(caught.value)


def test_no_budget_by_default():
    assert rate_budget({}) is None


# PostgreSQL

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
