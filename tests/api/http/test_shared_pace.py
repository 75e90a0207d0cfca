"""A pace that processes share, by a store in memory."""

from __future__ import annotations

import random
import sys

import httpx
import pytest

from mailing_api.errors import ConfigurationError, RateLimited
from mailing_api.http.client import HttpClient
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy
from mailing_api.http.shared_pace import Budget
from mailing_api.http.traffic import Traffic
from mailing_api.mailjet import MailjetClient
from mailing_api.mpdx import MpdxClient
from mailing_api.postgrid import PostgridClient
from mailing_api.rate_budget import RATE_BUDGET, rate_budget
from mailing_api.ses import SesClient
from tests.shared_paces import Clock, Memory, shared


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return Memory(clock)


def test_two_processes_share_the_rate(store, clock):
    one, two = shared(store, clock), shared(store, clock)
    starts = [pace.wait() for _ in range(10) for pace in (one, two)]
    assert starts[-1] - starts[0] == pytest.approx(19 / 4, rel=0.1)


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.11, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("rate", [0.2, 4.0, 40.0])
def test_a_store_that_is_slow_to_answer_holds_nobody_for_long(clock, rate, seconds):
    store = Memory(clock, seconds)
    one, two = shared(store, clock, rate), shared(store, clock, rate)
    starts = [pace.wait() for _ in range(10) for pace in (one, two)]
    assert 19 / rate * 0.9 <= starts[-1] - starts[0] + seconds <= 19 / rate + 20 * 3 * seconds + 1.0
    assert store.calls <= 20 * 4


def test_a_lease_needs_no_further_look_while_it_is_fresh(store, clock):
    pace = shared(store, clock, 1000.0)
    starts = [pace.wait() for _ in range(64)]
    assert starts[-1] - starts[0] == pytest.approx(63 / 1000, rel=0.1)
    assert store.calls <= 2 * 7  # leases of 1, 2, 4 … slots, each read and noted


def test_each_refusal_halves_the_rate_whatever_the_clock_of_the_store(store, clock):
    pace = shared(store, clock, 8.0)
    for rate in (4.0, 2.0, 1.0):
        clock.sleep(10)
        pace.refused(pace.wait())
        assert pace.rate == rate


def test_p7_a_row_is_named_by_a_hash(store, clock):
    shared(store, clock).wait()
    (name,) = store.rows
    assert "account" not in name


def test_p7_the_setting_is_hidden_in_logs_for_a_password_may_be_in_it():
    assert RATE_BUDGET.secret


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


class Noting(Budget):
    """Notes the accounts whose paces it is to share."""

    def __init__(self):
        super().__init__(Memory(Clock()))
        self.named = []

    def share(self, pace, account):
        self.named.append(account)
        return pace


def ses(key="AKIAQNZGKIQY56JQ7WML", regions=("eu-west-1",), **more):
    return SesClient(regions=regions, aws_access_key_id=key, aws_secret_access_key="secret", **more)


GET_ACCOUNT = type("Operation", (), {"name": "GetAccount"})


@pytest.mark.parametrize(
    "make",
    [
        lambda key, **more: MailjetClient(api_key=key, secret_key="secret", **more),
        lambda key, **more: PostgridClient(api_key=f"test_sk_{key}", **more),
        lambda key, **more: MpdxClient(token=key, **more),
        lambda key, **more: ses(key, **more)._pace("eu-west-1", GET_ACCOUNT),
    ],
)
def test_an_account_is_one_row_and_tells_no_key(make):
    budget = Noting()
    for key in ("canary1", "canary1", "canary2"):
        make(key, budget=budget)
    assert budget.named[0] == budget.named[1] != budget.named[2]
    assert "canary" not in "".join(budget.named)


@pytest.mark.parametrize(
    ("make", "urls"),
    [
        (
            lambda **more: MailjetClient(api_key="key", secret_key="secret", **more),
            ("https://api.mailjet.com", "HTTPS://API.mailjet.com:443/", "https://api.mailjet.com/v3/REST/"),
        ),
        (
            lambda **more: PostgridClient(api_key="test_sk_key", **more),
            ("https://api.postgrid.com", "https://api.postgrid.com/print-mail/v1/", "https://API.postgrid.com."),
        ),
        (
            lambda **more: MpdxClient(token="token", **more),
            ("https://api.mpdx.org", "https://api.mpdx.org/api/v2", "https://API.mpdx.org:443/api/v2/"),
        ),
    ],
)
def test_an_account_is_one_row_for_all_spellings_of_its_endpoint(make, urls):
    budget = Noting()
    for url in urls:
        make(base_url=url, budget=budget)
    assert len(set(budget.named)) == 1


def test_the_limit_of_all_calls_of_amazon_ses_is_one_row_for_all_regions_and_operations():
    budget = Noting()
    for regions in (["eu-west-1", "us-east-1"], ["us-east-1"]):
        client = ses(regions=regions, budget=budget, pace=Pace(5.0))
        for region in regions:
            client._pace(region, GET_ACCOUNT)
    limits = [name for name in budget.named if "GetAccount" not in name]
    assert len(limits) == 2
    assert len(set(limits)) == 1
    assert len(set(budget.named)) == 3
    without = Noting()
    ses(budget=without)._pace("eu-west-1", GET_ACCOUNT)
    assert len(without.named) == 1


def one_of_amazon_ses(store, clock, region, limit):
    return ses(
        regions=[region],
        budget=Budget(store),
        pace=Pace(limit, clock=clock, sleep=clock.sleep),
        requests_per_second=100_000.0,
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json={})),
    )


def test_the_limit_of_all_calls_of_amazon_ses_may_be_raised(store, clock):
    one_of_amazon_ses(store, clock, "eu-west-1", 2.0).describe("eu-west-1")
    raised = one_of_amazon_ses(store, clock, "us-east-1", 20.0)
    for _ in range(60):
        raised.describe("us-east-1")
    began = clock.now
    for _ in range(20):
        raised.describe("us-east-1")
    assert clock.now - began < 20 / 2 / 2


def test_the_limit_of_all_calls_of_amazon_ses_holds_for_all_processes(store, clock):
    began = clock.now
    clients = {region: one_of_amazon_ses(store, clock, region, 2.0) for region in ("eu-west-1", "us-east-1")}
    for _ in range(5):
        for region, each in clients.items():
            each.describe(region)
    assert clock.now - began >= 0.9 * 9 / 2


@pytest.mark.parametrize("value", ["budget.sqlite", "postgresql://me:canary%zz@host/db", "host=x password=canary"])
def test_p9_a_value_that_is_no_url_is_an_error_that_does_not_show_it(value):
    with pytest.raises(ConfigurationError, match="`rate_budget`") as caught:
        rate_budget({"rate_budget": value})
    assert "canary" not in str(caught.value)


def test_no_budget_by_default():
    assert rate_budget({}) is None


def test_p9_without_the_extra_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mailing_api.storage.postgres_budget", None)
    with pytest.raises(ConfigurationError, match="`rate_budget` needs the package psycopg"):
        rate_budget({"rate_budget": "postgresql://host/db"})


# Without the store


def test_a_cool_down_is_obeyed_without_the_store_by_all_that_knew_it(store, clock):
    one, two = shared(store, clock, 8.0), shared(store, clock, 8.0)
    two.wait()
    one.refused(one.wait(), 600.0)
    two._look()
    store.is_there, until = False, clock.now + 600
    for pace in (one, two):
        clock.now = until - 600
        assert until <= pace.wait() <= until + 2


@pytest.mark.parametrize("is_connected", [False, True])
def test_a_cool_down_that_one_met_without_the_store_stops_the_others_when_it_is_back(store, clock, is_connected):
    one, two = shared(store, clock, 8.0), shared(store, clock, 8.0)
    start = one.wait()
    two.wait()
    store.is_there = False
    if not is_connected:
        start = one.wait()
    one.refused(start, 600.0)
    until = clock.now + 600
    store.is_there = True
    one._take()
    assert until <= two.wait() <= until + 2


def test_a_cool_down_outlives_a_failover_to_an_empty_database(store, clock):
    one, two = shared(store, clock, 8.0), shared(store, clock, 8.0)
    two.wait()
    one.refused(one.wait(), 600.0)
    store.is_there, until = False, clock.now + 600
    one.refused(clock.now)
    store.rows.clear()
    store.is_there = True
    one._take()
    assert until <= two.wait() <= until + 2
    assert two.rate <= 4.0


def test_a_rate_that_was_found_outlives_a_failover_to_an_empty_database(store, clock):
    pace = shared(store, clock, None)
    for _ in range(3):
        pace.refused(pace.wait())
    assert pace.rate == 0.5
    store.is_there = False
    pace.wait()
    store.rows.clear()
    store.is_there = True
    pace.wait()
    assert pace.rate == 0.5


def test_refusals_without_the_store_are_remembered_over_attempts_to_share(store, clock):
    pace = shared(store, clock, None)
    store.swap = lambda *_: False
    starts = []
    for _ in range(12):
        starts.append(pace.wait())
        pace.refused(starts[-1])
    assert pace.rate == 0.2
    assert starts[-1] - starts[6] >= 5 / 0.2 - 1


def test_who_never_saw_a_row_begins_carefully_and_who_saw_one_takes_its_share(store, clock):
    for pace in [shared(store, clock, 8.0) for _ in range(9)]:
        pace.wait()
    store.swap = lambda *_: False
    late = shared(store, clock, 8.0)
    late.wait()
    assert late.rate == pytest.approx(0.4)  # half of a tenth
    store.is_there = False
    unknown = shared(store, clock, None)
    unknown.wait()
    assert unknown.rate == 2.0


def test_processes_that_lose_the_store_together_do_not_begin_together(store, clock):
    random.seed(1)
    paces = [shared(store, clock, 8.0) for _ in range(40)]
    for pace in paces * 2:
        pace.wait()
    store.is_there, began = False, clock.now
    starts = []
    for pace in paces:
        clock.now = began
        starts.append(pace.wait() - began)
    assert len([at for at in starts if at < 1]) < 10


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_lease_ends_with_the_clock_that_it_is_of(store, clock, jump):
    one, two = shared(store, clock, 2.0), shared(store, clock, 2.0)
    one.refused(one.wait())
    two.wait()
    one._take()
    store.offset += jump
    one.refused(clock.now - 50)  # changes nothing: it began before the rate was lowered
    began = clock.now
    one.wait()
    assert clock.now - began < 70


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_cool_down_lasts_as_long_as_before_if_the_clock_is_put_forward_or_back(store, clock, jump):
    one, two = shared(store, clock, 8.0), shared(store, clock, 8.0)
    two.wait()
    one.refused(one.wait(), 300.0)
    until = clock.now + 300
    for pace in (one, two):
        pace._take()
    clock.sleep(20)
    store.offset += jump
    for pace in (one, two):
        assert until <= pace.wait() <= until + 120


def test_a_process_with_a_low_limit_does_not_delay_the_others(store, clock):
    fast, slow = shared(store, clock, 100.0), shared(store, clock, 0.5)
    fast.wait()
    began, count = clock.now, 0
    while clock.now < began + 20:
        fast.wait()
        count += 1
        if count % 50 == 0:
            now = clock.now
            slow.wait()
            clock.now = now  # it waits beside the other
    assert count >= 0.9 * 100 * 20


def test_an_answer_that_takes_long_does_not_end_the_lease(store, clock):
    pace = shared(store, clock, 2.0)
    pace.wait()
    pace._take()
    lease = pace._holder._lease
    for store.seconds in (0.0, 1.4, 0.0, 1.4):
        pace._look()
        assert pace._holder._lease is lease
